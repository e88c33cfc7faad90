"""`./dev bench worker`: how soon a function that is nowhere warm begins, how many such a second, what a warm call costs beside
the handler, and what a thousand idle instances hold. It fails on any run that does."""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from measured_program import drive

# Each gives the wall time of its first instruction in seconds; NUMBER makes each a function of its own.
NOW = {
    "python": {"main.py": "import time\ndef handler(event, context):\n    return time.time()\n# NUMBER\n"},
    "nodejs": {"index.js": "exports.handler = () => (performance.timeOrigin + performance.now()) / 1000;\n// NUMBER\n"},
    "cpp": {"main.cpp": "#include <chrono>\n#include <infra.hpp>\n#include <string>\n"
                        "std::string handler(const std::string&, const infra::Context&) {\n"
                        "  const auto now = std::chrono::system_clock::now().time_since_epoch();\n"
                        "  return std::to_string(std::chrono::duration<double>(now).count());\n}\nINFRA_HANDLER(handler)\n"
                        "const int number = NUMBER;\n"},
    "go": {"main.go": 'package main\n\nimport (\n\t"encoding/json"\n\t"infra"\n\t"time"\n)\n\nconst number = NUMBER\n\n'
                      "func now(ctx infra.Context, event json.RawMessage) (any, error) {\n"
                      "\treturn float64(time.Now().UnixNano()) / 1e9, nil\n}\n\nfunc main() { infra.Handle(now) }\n"},
}
COMPILED = 6  # functions: each takes seconds to deploy


def percentile(values, part):
    return sorted(values)[min(int(len(values) * part), len(values) - 1)]


def line(name, values, unit="ms"):
    print(f"| {name} | {statistics.median(values):.2f} | {percentile(values, 0.99):.2f} | {max(values):.2f} | {unit}, "
          f"{len(values)} |", flush=True)


class Bench:
    def __init__(self, given):
        from harness import Infra
        self.given = given
        self.infra = Infra().start()

    def deploy(self, runtime, count, first=0):
        sources = [{name: text.replace("NUMBER", str(first + number)) for name, text in NOW[runtime].items()}
                   for number in range(count)]
        return [self.infra.deploy(source, runtime=runtime) for source in sources]

    def run(self, connection, function):
        """When it was sent, and the result."""
        sent = time.time()
        return sent, self.answer(connection, function).json()

    def answer(self, connection, function):
        answer = self.infra.run_on(connection, function, None)
        if answer.status != 200 or answer.json()["status"] != "SUCCESS":
            raise SystemExit(f"a run failed: {answer}")
        return answer

    def cold(self):
        """One after the other, with time between for the next sandbox to be made ready."""
        connection = self.infra.connect()
        for runtime in self.given.runtimes:
            functions = self.deploy(runtime, COMPILED if runtime in ("cpp", "go") else self.given.functions)
            time.sleep(1)
            took = []
            for function in functions:
                sent, result = self.run(connection, function)
                if not result["coldStart"]:
                    raise SystemExit(f"{function} was warm")
                took.append((result["result"] - sent) * 1000)
                time.sleep(0.25)
            line(f"cold {runtime}: request sent to first instruction", took)

    def rate(self):
        """Every function is another, as fast as sixteen clients ask: Python's, and ready programs. Each runtime with the machine
        to itself: what the one before left idle would be ended meanwhile."""
        for name, deploy in (("Python", self.deploy_python), ("C++", self.deploy_cpp), ("Go", self.deploy_go)):
            functions = deploy(self.given.crowd)
            time.sleep(1)
            started = time.monotonic()
            self.crowd(functions)
            seconds = time.monotonic() - started
            print(f"| cold {name} functions a second, {len(functions)} different ones | {len(functions) / seconds:.0f} | | | "
                  "a second |", flush=True)
            self.restart()

    def restart(self):
        from harness import Infra
        self.infra.close()
        self.infra = Infra().start()

    def deploy_python(self, count):
        return self.deploy("python", count, 10_000)

    def deploy_cpp(self, count):
        from test_binaries import compiled
        return self.deploy_ready("cpp", compiled('#include <cstdio>\nint main() { std::puts("1"); }\n'), count)

    def deploy_go(self, count):
        return self.deploy_ready("go", compiled_go('package main\nfunc main() { println(1) }\n'), count)

    def deploy_ready(self, runtime, program, count):
        return [self.infra.deploy({"main": program, "number": str(number)}, runtime=runtime) for number in range(count)]

    def crowd(self, functions):
        left, colds, lock = list(functions), [], threading.Lock()

        def work():
            connection = self.infra.connect(timeout=60)
            while True:
                with lock:
                    if not left:
                        return
                    function = left.pop()
                colds.append(self.run(connection, function)[1]["coldStart"])

        threads = [threading.Thread(target=work) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if len(colds) != len(functions):
            raise SystemExit(f"{len(functions) - len(colds)} runs have no answer")
        return sum(colds)

    def warm(self):
        """What a warm run takes beside its handler: by the program's own clock, from the request's last byte to the answer
        (Server-Timing), and by a client's. One client that asks again at once keeps two cores at about half load."""
        connection = self.infra.connect()
        for runtime in self.given.runtimes:
            function = self.deploy(runtime, 1, 20_000)[0]
            self.run(connection, function)
            inside, outside = [], []
            for _ in range(self.given.calls):
                began = time.perf_counter()
                answer = self.answer(connection, function)
                took = (time.perf_counter() - began) * 1000
                if answer.json()["coldStart"]:
                    raise SystemExit(f"{function} was not warm")
                timing = timings(answer)
                inside.append((timing["total"] - timing["handler"]) * 1000)
                outside.append((took - timing["handler"]) * 1000)
            line(f"warm {runtime}: beside the handler", inside, "µs")
            line(f"warm {runtime}: the same by a client's clock", outside, "µs")

    def idle(self):
        """A function each, called once and again; all of the machine's memory, by what it has left and by what holds it."""
        functions = self.deploy("python", self.given.idle, 30_000)
        time.sleep(2)
        before = memory_mb()
        cold = self.crowd(functions)
        time.sleep(3)
        after = memory_mb()
        again = self.crowd(functions)
        print(f"| idle Python instances: {cold} cold, then {again} cold of {len(functions)} | "
              f"{before['available'] - after['available']:.0f} | | | MiB less available |", flush=True)
        held = {kind: after[kind] - before[kind] for kind in HELD}
        kinds = ", ".join(f"{kind} {amount:.0f}" for kind, amount in held.items())
        print(f"| what holds it: {kinds} | {sum(held.values()):.0f} | | | MiB |", flush=True)


def compiled_go(source):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "main.go")
        path.write_text(source, encoding="utf-8")
        subprocess.run(["go", "build", "-ldflags=-s -w", "-o", "main", "main.go"], cwd=folder, check=True, timeout=120,
                       env={**os.environ, "CGO_ENABLED": "0", "GO111MODULE": "off", "GOCACHE": f"{folder}/cache"})
        return Path(folder, "main").read_bytes()


def timings(answer):
    """Server-Timing's milliseconds by name."""
    entries = [entry.strip().split(";dur=") for entry in answer.headers["Server-Timing"].split(",")]
    return {name: float(duration) for name, duration in entries}


# Of /proc/meminfo, each kind once (kernel stacks are in VmallocUsed) and without files, which can be read again. A part of Slab
# can be had again, too, and counts as available.
HELD = ("AnonPages", "Shmem", "Slab", "PageTables", "VmallocUsed", "Percpu")
PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 1024 / 1024


def memory_mb():
    """The whole machine's, in MiB by kind. Available is also what a processor has in its own list of free pages: hundreds of MiB
    after a crowd of short-lived processes, which MemAvailable leaves out."""
    with open("/proc/meminfo", encoding="utf-8") as file:
        kinds = {name: int(amount.split()[0]) / 1024 for name, amount in (text.split(":") for text in file)}
    with open("/proc/zoneinfo", encoding="utf-8") as file:
        lists = sum(int(text.split()[1]) for text in file if text.split()[0] == "count:")
    return {**kinds, "available": kinds["MemAvailable"] + lists * PAGE_MB}


CASES = {"cold": Bench.cold, "rate": Bench.rate, "warm": Bench.warm, "idle": Bench.idle}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", required=True)
    parser.add_argument("--runtimes", nargs="*", default=["python", "nodejs", "cpp", "go"])
    parser.add_argument("--functions", type=int, default=30, help="of an interpreter, for the cold case")
    parser.add_argument("--crowd", type=int, default=600)
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--idle", type=int, default=1000)
    parser.add_argument("cases", nargs="*", help=", ".join(CASES))
    given = parser.parse_args()
    drive(given.program)
    print("| case | median | p99 | most | |\n| --- | --- | --- | --- | --- |")
    for name, case in CASES.items():
        if given.cases and name not in given.cases:
            continue
        bench = Bench(given)
        try:
            case(bench)
        finally:
            bench.infra.close()


if __name__ == "__main__":
    main()
