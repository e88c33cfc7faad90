"""`./dev bench worker`: how soon a function that is nowhere warm begins, how many such a second, what a warm call costs beside
the handler, and what a thousand idle instances hold. It fails on any run that does."""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from generator import load, run_request
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
CROWD = 16  # connections
FULL = 32  # connections that keep the machine at full load


def percentile(values, part):
    return sorted(values)[min(int(len(values) * part), len(values) - 1)]


def line(name, median, p99, most, unit):
    print(f"| {name} | {median:.2f} | {p99:.2f} | {most:.2f} | {unit} |", flush=True)


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
            line(f"cold {runtime}: request sent to first instruction", statistics.median(took), percentile(took, 0.99), max(took),
                 f"ms, {len(took)}")

    def rate(self):
        """Every function is another, as fast as sixteen connections ask: scripts, and ready programs. Each runtime with the
        machine to itself: what the one before left idle would be ended meanwhile. Of Node.js, whose processes take long to boot,
        fewer: still many more than wait booted."""
        for name, deploy, share in (("Python", partial(self.deploy, "python", first=10_000), 1),
                                    ("Node.js", partial(self.deploy, "nodejs", first=10_000), 4),
                                    ("C++", self.deploy_cpp, 1), ("Go", self.deploy_go, 1)):
            functions = deploy(self.given.crowd // share)
            time.sleep(1)
            measured = self.load(functions, CROWD, 0)
            if measured["cold"] != len(functions):
                raise SystemExit(f"only {measured['cold']} of {len(functions)} were cold")
            print(f"| cold {name} functions a second, {len(functions)} different ones | {measured['perSecond']:.0f} | | | a second |",
                  flush=True)
            self.restart()

    def restart(self):
        from harness import Infra
        self.infra.close()
        self.infra = Infra().start()

    def deploy_cpp(self, count):
        from test_binaries import compiled
        return self.deploy_ready("cpp", compiled('#include <cstdio>\nint main() { std::puts("1"); }\n'), count)

    def deploy_go(self, count):
        return self.deploy_ready("go", compiled_go('package main\nfunc main() { println(1) }\n'), count)

    def deploy_ready(self, runtime, program, count):
        return [self.infra.deploy({"main": program, "number": str(number)}, runtime=runtime) for number in range(count)]

    def load(self, functions, connections, seconds):
        """What the load generator measures of their runs, which must all succeed."""
        from harness import API_KEY
        requests = [run_request(API_KEY, function) for function in functions]
        measured = load(self.given.generator, self.infra, requests, connections, seconds)
        if measured["succeeded"] != measured["requests"]:
            raise SystemExit(f"{measured['requests'] - measured['succeeded']} runs failed: {measured['statuses']}")
        return measured

    def warm(self):
        """What a warm run takes beside its handler, by the program's own clock, from the request's last byte to the answer
        (Server-Timing), and all of it by the client's. One connection that asks again at once is about half of what the machine
        does at full load, which is told beside it."""
        for runtime in self.given.runtimes:
            function = self.deploy(runtime, 1, 20_000)[0]
            self.load([function], 1, 0)
            half = self.load([function], 1, self.given.seconds)
            full = self.load([function], FULL, self.given.seconds)
            if half["cold"]:
                raise SystemExit(f"{function} was not warm")
            line(f"warm {runtime}: beside the handler", half["besideP50us"], half["besideP99us"], half["besideMaxUs"],
                 f"µs, {half['requests']}")
            line(f"warm {runtime}: by a client's clock", half["p50us"], half["p99us"], half["maxUs"],
                 f"µs, {half['perSecond']:.0f} a second of {full['perSecond']:.0f} at full load")

    def idle(self):
        """A function each, called once and again; all of the machine's memory, by what it has left and by what holds it."""
        functions = self.deploy("python", self.given.idle, 30_000)
        time.sleep(2)
        before = memory_mb()
        cold = self.load(functions, CROWD, 0)["cold"]
        time.sleep(5)
        after = memory_mb()
        again = self.load(functions, CROWD, 0)["cold"]
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
    parser.add_argument("--program", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--generator", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--runtimes", nargs="*", default=["python", "nodejs", "cpp", "go"])
    parser.add_argument("--functions", type=int, default=30, help="of an interpreter, for the cold case")
    parser.add_argument("--crowd", type=int, default=600)
    parser.add_argument("--seconds", type=float, default=4, help="of warm calls")
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
