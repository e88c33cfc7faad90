"""Builds a C++ function: the sources at the ZIP's root and in src/, C beside C++, into one static program."""

import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor

from toolchain import ENVIRONMENT, PROGRAM, RUNTIMES, TARGET, NotBuilt, find, run

CPP_ENDINGS = (".cpp", ".cc", ".cxx")
COMMON_FLAGS = ["-O2", "-pthread", "-I.", "-Iinclude", "-I" + os.path.join(RUNTIMES, "cpp"), "-fdiagnostics-color=never"]
CPP_FLAGS = ["-x", "c++", "-std=c++20", *COMMON_FLAGS]
C_FLAGS = ["-x", "c", "-std=gnu17", *COMMON_FLAGS]  # the same driver brings C's compiler too


def sources_in(folder, *endings):
    """By name. A leading dot is what macOS's ZIPs give the companion of every file, ._main.cpp, which is no source."""
    if not os.path.isdir(folder):
        return []
    paths = (os.path.normpath(os.path.join(folder, name)) for name in sorted(os.listdir(folder))
             if name.endswith(endings) and not name.startswith("."))
    return [path for path in paths if os.path.isfile(path)]


class Compilation:
    def __init__(self):
        self.compiler = find("g++", "clang++", "clang++-19")
        self.objects = {}  # by source, in the order in which they are linked
        self.included = set()

    def compile(self, sources):
        jobs = [(source, os.path.join(TARGET, f"{len(self.objects) + number}.o")) for number, source in enumerate(sources)]
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            refusals = list(pool.map(lambda job: self.compile_one(*job), jobs))
        for (source, target), refusal in zip(jobs, refusals):
            self.objects[source] = target
            if refusal is None:
                self.included |= dependencies(target + ".d") - {source}
        for (source, _), refusal in zip(jobs, refusals):  # a part of another source need not compile by itself
            if refusal is not None and source not in self.included:
                raise refusal

    def compile_one(self, source, target):
        flags = CPP_FLAGS if source.endswith(CPP_ENDINGS) else C_FLAGS
        try:
            run([self.compiler, *flags, "-MMD", "-MF", target + ".d", "-c", "-o", target, "./" + source if source[0] == "-" else source])
        except NotBuilt as refusal:
            return refusal
        return None

    def leave_out(self, sources):
        for source in sources:
            self.objects.pop(source, None)

    def link(self):
        # Static: it starts twice as fast, and runs on workers with other versions of the libraries.
        run([self.compiler, "-static", "-pthread", "-s", "-o", PROGRAM, *self.objects.values()])


def dependencies(path):
    """The files of a rule that the compiler wrote for make."""
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        _, _, names = file.read().replace("\\\n", " ").partition(": ")
    return {os.path.normpath(re.sub(r"\\([ #])", r"\1", name).replace("$$", "$")) for name in re.split(r"(?<!\\)\s+", names) if name}


def with_main(objects):
    """Which sources define main, told by their objects: text alone can't tell, nor what a macro makes."""
    if len(objects) < 2:
        return []
    listing = [find("nm", "llvm-nm", "llvm-nm-19"), "-A", "-P", "-g", "--defined-only", *objects.values()]
    with subprocess.Popen(listing, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as symbols:
        definers = {line.partition(": ")[0] for line in symbols.stdout if line.partition(": ")[2].startswith("main ")}
    return [source for source, target in objects.items() if target in definers]


def build():
    compilation = Compilation()
    compilation.compile(sources_in(".", *CPP_ENDINGS))
    # What another source includes is a part of that one, and need not compile by itself.
    others = sources_in(".", ".c") + sources_in("src", *CPP_ENDINGS, ".c")
    compilation.compile([source for source in others if source not in compilation.included])
    compilation.leave_out(compilation.included)
    # A program has one main: main.cpp's, or the first there is. What else has one is another program.
    definers = sorted(with_main(compilation.objects), key=lambda source: source != "main.cpp")
    compilation.leave_out(definers[1:])
    compilation.link()
