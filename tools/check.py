"""`./dev check`: runs the checks that are named, or all, each with a line and its time; what fails is said in words."""

import argparse
import os
import sys
import time
from pathlib import Path

import check_clocks
import check_compile
import check_docs
import check_files
import check_includes
import check_logs
import check_throws
import check_web
from sources import ROOT


def check_description():
    import check_openapi  # here: whoever only builds has no jsonschema
    return check_openapi.check()


CHECKS = {
    "format": ("clang-format", lambda jobs: check_compile.check_format()),
    "includes": ("rooms include only what they may", lambda jobs: check_includes.check()),
    "throws": ("what may fail has its error code, a task its owner", lambda jobs: check_throws.check()),
    "clocks": ("time, waiting, threads and randomness come through ports", lambda jobs: check_clocks.check()),
    "logs": ("a log line about a run has its trace", lambda jobs: check_logs.check()),
    "docs": ("links, file names and tables in the docs", lambda jobs: check_docs.check()),
    "openapi": ("the description of the HTTP interface", lambda jobs: check_description()),
    "files": ("length, opening words and locks of files", lambda jobs: check_files.check_shape() + check_files.check_locks()),
    "syntax": ("Python, JavaScript and bash parse", lambda jobs: check_files.check_syntax()),
    "python": ("pyflakes and pycodestyle", lambda jobs: check_files.check_python()),
    "shell": ("shellcheck", lambda jobs: check_files.check_shell()),
    "web": ("the dashboard's types, and no text of it becomes markup", lambda jobs: check_web.check()),
    "headers": ("headers compile alone", check_compile.check_headers),
    "tidy": ("clang-tidy", check_compile.check_tidy),
}


def run_check(name, jobs):
    title, check = CHECKS[name]
    started = time.monotonic()
    outcome = check(jobs)
    complaints, note = outcome if isinstance(outcome, tuple) else (outcome, "")
    verdict = "ok" if not complaints else f"{len(complaints)} FAILED"
    details = f" ({note})" if note else ""
    print(f"==> {name}: {title}: {verdict}, {time.monotonic() - started:.1f} s{details}", flush=True)
    for complaint in complaints:
        print(f"    {complaint}", flush=True)
    return not complaints


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--file", action="append", help="for clang-tidy: this one, not all")
    parser.add_argument("names", nargs="*", help=", ".join(CHECKS))
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if name not in CHECKS]
    if unknown:
        parser.error(f"no such check: {', '.join(unknown)} (there are {', '.join(CHECKS)})")
    os.chdir(ROOT)
    if arguments.file:
        wanted = [Path(name) for name in arguments.file]
        known = set(check_compile.tidy_sources())
        for path in wanted:
            if path not in known:
                parser.error(f"--file: {path} is not a .cc file that the build compiles, by its path from the project's root")
        CHECKS["tidy"] = ("clang-tidy", lambda jobs: check_compile.check_tidy(jobs, wanted))
    failed = [name for name in arguments.names or CHECKS if not run_check(name, arguments.jobs)]
    if failed:
        print(f"==> check failed: {', '.join(failed)}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    sys.exit(main())
