"""`./dev bench worker`: how soon a function that is nowhere warm begins, how many such a second, what a warm call costs beside
the handler, what a thousand idle instances hold, and what a run takes of the kernel. It fails on any run that does.

With --against PROGRAM (another build's infra, in its own tree) each case runs in turn with either, so many times as --pairs says,
and what is told is how the two compare: the machine's speed drifts, and one program's figures alone say little."""

import argparse
import os
import statistics
import subprocess
import tempfile
import time
from collections import namedtuple
from functools import partial
from pathlib import Path

from generator import load, run_request
from kernel_counts import counted
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
COUNTED = 1000  # warm runs


def percentile(values, part):
    return sorted(values)[min(int(len(values) * part), len(values) - 1)]


# What a case measures: its median, or its one value, and what else of it is worth telling.
Row = namedtuple("Row", "name value p99 most unit", defaults=(None, None, ""))


class Bench:
    def __init__(self, given, program):
        self.given, self.program = given, program
        self.infra = self.start()

    def start(self):
        from harness import Infra
        infra = Infra()
        infra.program = self.program
        return infra.start()

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
            yield Row(f"cold {runtime}: request sent to first instruction", statistics.median(took), percentile(took, 0.99),
                      max(took), f"ms, {len(took)}")

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
            yield Row(f"cold {name} functions a second, {len(functions)} different ones", measured["perSecond"], unit="a second")
            self.infra.close()
            self.infra = self.start()

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
            yield Row(f"warm {runtime}: beside the handler", half["besideP50us"], half["besideP99us"], half["besideMaxUs"],
                      f"µs, {half['requests']}")
            yield Row(f"warm {runtime}: by a client's clock", half["p50us"], half["p99us"], half["maxUs"], "µs")
            yield Row(f"warm {runtime}: with one connection", half["perSecond"], unit="a second")
            yield Row(f"warm {runtime}: with {FULL} connections", full["perSecond"], unit="a second")

    def idle(self):
        """A function each, called once and again; all of the machine's memory, by what it has left and by what holds it."""
        functions = self.deploy("python", self.given.idle, 30_000)
        time.sleep(2)
        before = memory_mb()
        cold = self.load(functions, CROWD, 0)["cold"]
        time.sleep(5)
        after = memory_mb()
        again = self.load(functions, CROWD, 0)["cold"]
        yield Row(f"idle Python instances: {cold} cold, then {again} cold of {len(functions)}",
                  before["available"] - after["available"], unit="MiB less available")
        held = {kind: after[kind] - before[kind] for kind in HELD}
        yield Row("what holds it", sum(held.values()), unit="MiB: " + ", ".join(f"{kind} {amount:.0f}" for kind, amount in held.items()))

    def counts(self):
        """Of the program, its spawner and every sandbox, a run: a refill of what waits included where runs are cold."""
        for runtime in self.given.runtimes:
            warm = self.deploy(runtime, 1, 40_000) * COUNTED
            self.load(warm[:20], 1, 0)
            yield from self.count(f"warm {runtime}", lambda: self.load(warm, 1, 0), COUNTED)
            if runtime in ("python", "nodejs"):
                yield from self.count_cold(runtime)

    def count_cold(self, runtime):
        """Alone, each when the sandbox before it has been replaced."""
        connection = self.infra.connect()

        def run_each(functions):
            for function in functions:
                self.answer(connection, function)
                time.sleep(0.15)

        run_each(self.deploy(runtime, 10, 50_000))
        first, second = (self.deploy(runtime, self.given.functions, number) for number in (51_000, 52_000))
        yield from self.count(f"cold {runtime}", lambda: run_each(first), len(first), lambda: run_each(second))

    def count(self, name, work, runs, traced_work=None):
        for kind, number in counted(self.infra.process.pid, work, traced_work or work).items():
            yield Row(f"{name}: {kind}", number / runs, unit="a run")


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


CASES = {"cold": Bench.cold, "rate": Bench.rate, "warm": Bench.warm, "idle": Bench.idle, "counts": Bench.counts}


def measure(case, given, program):
    """The case's rows, each as soon as it is there."""
    bench = Bench(given, program)
    try:
        yield from case(bench)
    finally:
        bench.infra.close()


def shown(value):
    return "" if value is None else f"{value:.2f}"


def tell(cases, given):
    print("| case | median | p99 | most | |\n| --- | --- | --- | --- | --- |")
    for case in cases:
        for row in measure(case, given, given.program):
            print(f"| {row.name} | {shown(row.value)} | {shown(row.p99)} | {shown(row.most)} | {row.unit} |", flush=True)


def compare(cases, given):
    """Every figure of both programs: the median over the pairs, and between which values the pairs lay."""
    print("| case | against: median (from, to) | this: median (from, to) | this / against | apart by less than their spread |\n"
          "| --- | --- | --- | --- | --- |")
    for case in cases:
        seen = {}
        for pair in range(given.pairs):
            order = [given.against, given.program]
            for program in order if pair % 2 == 0 else reversed(order):
                for row in measure(case, given, program):
                    seen.setdefault(row.name, {given.against: [], given.program: []})[program].append(row.value)
        for name, values in seen.items():
            before, now = (values[program] for program in (given.against, given.program))
            if not before or not now:
                raise SystemExit(f"only one of the programs measures: {name}")
            apart = abs(statistics.median(now) - statistics.median(before))
            within = apart <= max(max(before) - min(before), max(now) - min(now))
            print(f"| {name} | {spread(before)} | {spread(now)} | {statistics.median(now) / (statistics.median(before) or 1):.3f} | "
                  f"{'yes' if within else 'NO'} |", flush=True)


def spread(values):
    return f"{statistics.median(values):.2f} ({min(values):.2f}, {max(values):.2f})"


def main():
    parser = argparse.ArgumentParser(prog="./dev bench worker", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--generator", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--against", metavar="PROGRAM", type=lambda path: str(Path(path).resolve(strict=True)))
    parser.add_argument("--pairs", type=int, default=10, help="with --against")
    parser.add_argument("--runtimes", nargs="*", default=["python", "nodejs", "cpp", "go"])
    parser.add_argument("--functions", type=int, default=30, help="of an interpreter, for the cold case")
    parser.add_argument("--crowd", type=int, default=600)
    parser.add_argument("--seconds", type=float, default=4, help="of warm calls")
    parser.add_argument("--idle", type=int, default=1000)
    parser.add_argument("cases", nargs="*", help=", ".join(CASES))
    given = parser.parse_args()
    if unknown := [name for name in given.cases if name not in CASES]:
        parser.error(f"no such case: {', '.join(unknown)}")
    given.program = str(Path(given.program).resolve())
    drive(given.program)
    wanted = [case for name, case in CASES.items() if name in (given.cases or CASES)]
    if given.against:
        compare(wanted, given)
    else:
        tell(wanted, given)


if __name__ == "__main__":
    main()
