"""The checks that need a compiler: format, headers that stand alone, clang-tidy. Files that passed unchanged are skipped."""

import json
import os
import re
import shlex
import subprocess
from concurrent.futures import ThreadPoolExecutor

from sources import INCLUDE, ROOT, Memory, files, fingerprint, read, resolve

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
    """Those that no source includes first: the others stand alone if the sources pass clang-tidy, which compiles them."""
    flags = compile_flags() + ["-Itests", "-Wno-pragma-once-outside-header"]
    command = ["clang++-19", *flags, "-fsyntax-only", "-x", "c++"]
    proven = {first_include(source) for source in tidy_sources()}
    headers = [path for path in files(".h", under=CPP_FOLDERS) if path not in proven]
    return run_cached("headers", headers, lambda path: [*command, str(path)], shlex.join(command), jobs)


def first_include(source):
    found = INCLUDE.search(read(source))
    return resolve(found[1]) if found and found[1] else None


def tidy_sources():
    """What the build compiles of our own: a half-written file that no CMakeLists.txt lists can't be checked."""
    commands = json.loads(read(f"{BUILD}/compile_commands.json"))
    ours = {os.path.relpath(c["file"], ROOT) for c in commands}
    return [path for path in files(".cc", under=CPP_FOLDERS) if str(path) in ours and path.name != "pch.cc"]


def forget_precompiled_header():
    """The build's commands without its precompiled header, for clang-tidy: faster, as it looks at all that a file includes, and a
    source then compiles only if it includes what it uses. Gives their folder."""
    commands = json.loads(read(f"{BUILD}/compile_commands.json"))
    for command in commands:
        command["command"] = re.sub(r"-Xclang -include(-pch)? -Xclang \S+|-Winvalid-pch", "", command["command"])
    folder = ROOT / BUILD / "tidy"
    folder.mkdir(exist_ok=True)
    (folder / "compile_commands.json").write_text(json.dumps(commands))
    return str(folder.relative_to(ROOT))


# Of tests: what makes one pass or crash by chance. The others' findings in code that runs once are not worth half of the time.
CHECKS_OF_TESTS = ("-*,bugprone-dangling-handle,bugprone-unused-raii,bugprone-use-after-move,cppcoreguidelines-no-suspend-with-lock,"
                   "misc-coroutine-hostile-raii")


def is_test(path):
    return path.name.endswith("_test.cc") or path.parts[0] == "tests"


def check_tidy(jobs, sources=None):
    command = ["clang-tidy-19", "-p", forget_precompiled_header(), "--quiet", "--use-color=false"]
    config = " ".join(command) + read(".clang-tidy") + CHECKS_OF_TESTS + shlex.join(compile_flags())
    sources = tidy_sources() if sources is None else sources

    def command_of(path):
        return [*command, *([f"--checks={CHECKS_OF_TESTS}"] if is_test(path) else []), str(path)]

    complaints, note = run_cached("tidy", sources, command_of, config, jobs)
    noise = re.compile(r"^(\d+ warnings? .*|Suppressed .*|Use -header-filter.*|Error while processing.*)\n?", re.MULTILINE)
    return [noise.sub("", complaint).strip() for complaint in complaints], note
