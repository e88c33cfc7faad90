"""`./dev bench`: measures the release build over HTTP on loopback, case beside case, and what memory a long run takes."""

import argparse
import os
import sys
from pathlib import Path

import fairness
import first_paint
import pages
from generator import load, raw_request, run_request

ROOT = Path(__file__).resolve().parent.parent

ALONE = ("memory", "fairness", "pages", "paint")  # cases that are asked for by name
ECHO_PYTHON = "def handler(event, context):\n    return event\n"
ECHO_NODE = "exports.handler = (event) => event;\n"


def cases(infra, key):
    """Name -> the request to repeat. Each is made when its turn comes, so that functions of other cases are not yet there."""
    return {
        "health": lambda: raw_request("GET", "/health", None),
        "refused": lambda: raw_request("GET", "/functions", "a wrong key"),
        "functions": lambda: (infra.deploy(ECHO_PYTHON), raw_request("GET", "/functions?limit=1", key))[1],
        "run-python": lambda: run_request(key, infra.deploy(ECHO_PYTHON)),
        "run-node": lambda: run_request(key, infra.deploy(ECHO_NODE, runtime="nodejs")),
        "run-async": lambda: run_request(key, infra.deploy(ECHO_PYTHON), "x-async: true"),
    }


def compare(infra, generator, key, names, connections, seconds):
    print("| case | connections | req/s | p50 ms | p99 ms | max ms | infra CPU ms a request | memory MiB | statuses |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |", flush=True)
    for name in names:
        request = cases(infra, key)[name]()
        for count in connections:
            m = load(generator, infra, [request], count, seconds)
            statuses = ", ".join(f"{status}: {times}" for status, times in m["statuses"].items())
            print(f"| {name} | {count} | {m['perSecond']:.0f} | {m['p50us'] / 1000:.2f} | {m['p99us'] / 1000:.2f} | "
                  f"{m['maxUs'] / 1000:.1f} | {m['cpuMs']:.3f} | {infra.rss_kib() / 1024:.0f} | {statuses} |", flush=True)


def watch_memory(infra, generator, key, runs):
    """Memory after each tenth of `runs` sync runs."""
    request, done, step = run_request(key, infra.deploy(ECHO_PYTHON)), 0, runs // 10
    print("| runs | memory MiB |\n| --- | --- |")
    while done < runs:
        reached = done + step
        while done < reached:
            done += load(generator, infra, [request], 8, 2)["requests"]
        print(f"| {done} | {infra.rss_kib() / 1024:.1f} |", flush=True)


def main():
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument("--program", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--generator", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, default=4, help="a case")
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 32])
    parser.add_argument("--runs", type=int, default=100_000, help="of the case memory")
    parser.add_argument("cases", nargs="*", help="health, refused, functions, run-python, run-node, run-async; not among all: memory, fairness, "
                        "pages")
    arguments = parser.parse_args()

    os.environ["INFRA_BIN"] = str(Path(arguments.program).resolve())
    sys.path.insert(0, str(ROOT / "tests" / "e2e"))
    import harness
    infra = harness.Infra().start()
    try:
        known = cases(infra, harness.API_KEY)
        wanted = arguments.cases or list(known)
        unknown = [name for name in wanted if name not in known and name not in ALONE]
        if unknown:
            parser.error(f"no such case: {', '.join(unknown)}")
        if compared := [name for name in wanted if name not in ALONE]:
            compare(infra, arguments.generator, harness.API_KEY, compared, arguments.connections, arguments.seconds)
        if "memory" in wanted:
            watch_memory(infra, arguments.generator, harness.API_KEY, arguments.runs)
        if "fairness" in wanted:
            beside = harness.Infra().start()
            try:
                fairness.compare(infra, beside)
            finally:
                beside.close()
        if "pages" in wanted:
            pages.compare(harness)
        if "paint" in wanted:
            first_paint.compare(harness, ROOT)
        infra.stop()
    finally:
        infra.close()


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    main()
