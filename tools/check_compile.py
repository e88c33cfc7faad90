"""The checks that need a compiler: format, headers that stand alone, clang-tidy. Files that passed unchanged are skipped."""

import json
import os
import re
import shlex
import subprocess
from concurrent.futures import ThreadPoolExecutor

from sources import ROOT, Memory, files, fingerprint, read

CPP_FOLDERS = ("src", "tests", "bench", "runtimes")
BUILD = "build/dev"


def run(command):
    return subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def check_format():
    done = run(["clang-format-19", "--dry-run", "-Werror", *map(str, files(".h", ".hpp", ".cc", under=CPP_FOLDERS))])
    wrong = sorted(set(re.findall(r"^(\S+?):\d+:\d+: error", done.stdout, re.MULTILINE)))
    if done.returncode and not wrong:
        return [done.stdout]
    return [f"{path}: not formatted; ./dev fmt does it." for path in wrong]


def run_cached(name, paths, command_of, config, jobs):
    """Runs a command a file, in parallel; what passes is remembered under `name`."""
    memory = Memory(name)
    prints = {path: fingerprint(path, config) for path in paths}
    todo = [path for path in paths if not memory.knows(path, prints[path])]
    complaints = []
    with ThreadPoolExecutor(jobs) as pool:
        for path, done in zip(todo, pool.map(lambda p: run(command_of(p)), todo)):
            if done.returncode == 0:
                memory.add(path, prints[path])
                memory.save()  # at once: a run that is broken off goes on where it was
            else:
                complaints.append(f"{path}:\n{done.stdout.strip()}")
    return complaints, f"{len(todo)} of {len(paths)} files, the others are unchanged"


def compile_flags():
    """The flags that all rooms share, taken from the build itself: of a file in src/core, without its precompiled header."""
    commands = json.loads(read(f"{BUILD}/compile_commands.json"))
    command = next(c["command"] for c in commands if "/src/core/" in c["file"] and c["file"].endswith(".cc"))
    return [flag for flag in shlex.split(command) if re.match(r"-(D|I|isystem|std=|W)", flag)]


def check_headers(jobs):
    flags = compile_flags() + ["-Itests", "-Wno-pragma-once-outside-header"]
    command = ["clang++-19", *flags, "-fsyntax-only", "-x", "c++"]
    headers = files(".h", under=CPP_FOLDERS)
    return run_cached("headers", headers, lambda path: [*command, str(path)], shlex.join(command), jobs)


def tidy_sources():
    """What the build compiles of our own: a half-written file that no CMakeLists.txt lists can't be checked."""
    commands = json.loads(read(f"{BUILD}/compile_commands.json"))
    ours = {os.path.relpath(c["file"], ROOT) for c in commands}
    return [path for path in files(".cc", under=CPP_FOLDERS) if str(path) in ours and path.name != "pch.cc"]


def check_tidy(jobs):
    command = ["clang-tidy-19", "-p", BUILD, "--quiet", "--use-color=false"]
    config = " ".join(command) + read(".clang-tidy") + read("src/pch.h") + shlex.join(compile_flags())
    complaints, note = run_cached("tidy", tidy_sources(), lambda path: [*command, str(path)], config, jobs)
    noise = re.compile(r"^(\d+ warnings? .*|Suppressed .*|Use -header-filter.*|Error while processing.*)\n?", re.MULTILINE)
    return [noise.sub("", complaint).strip() for complaint in complaints], note
