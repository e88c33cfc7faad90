"""Builds a Go function: the package main at the ZIP's root, with the Go that is here, whichever its go.mod was written by."""

import os
import re
import shutil

from go_module import asked_version, lowered, lowered_list, parse_version, vendored_packages
from toolchain import PROGRAM, RUNTIMES, TARGET, TEMPORARY, NotBuilt, failed, find, run

GO_INFRA = os.path.join(RUNTIMES, "go", "infra")
LOOP_VARIABLES = os.path.join(RUNTIMES, "build", "loop_variables", "main.go")
ENVIRONMENT = {"CGO_ENABLED": "0", "GOPROXY": "off", "GOSUMDB": "off", "GOTOOLCHAIN": "local", "GOWORK": "off",
               "GOPATH": os.path.join(TEMPORARY, "go"), "GOCACHE": os.path.join(TEMPORARY, "go-cache"), "GOTMPDIR": TEMPORARY}
MODULES_LIST = "vendor/modules.txt"
LOOP_VARIABLES_SINCE = (1, 22, 0)  # from here on, each iteration has its own
IMPORTS_C = re.compile(r'^\s*(?:import\s+)?"C"', re.MULTILINE)

# What a compiler says of what came after it, as far as that can be told from a mistake.
NEEDS_NEWER = re.compile(r"undefined: (?:min|max|clear)\b|undefined: \w+\.[A-Z]|undefined \(type |is not in (?:GOROOT|std)|"
                         r"cannot range over|cannot infer|requires go ?1|module requires Go", re.IGNORECASE)
ABSENT = re.compile(r"no required module provides|missing go\.sum entry|module lookup disabled|cannot find module|"
                    r"inconsistent vendoring|updates to go\.mod needed|does not contain package")
WITHOUT_C = re.compile(r"build constraints exclude all Go files|could not import C\b")


def read_text(path):
    """Bytes that are no UTF-8 come through unharmed; empty if there is no such file."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def write_text(path, text):
    """Written anew: the folder is ours to change, the files in it may not be."""
    with open(path + ".new", "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(text)
    os.replace(path + ".new", path)


class Source:
    """The working folder, as it came."""

    def __init__(self):
        self.files = []
        self.modules = {}  # what its go.mod asks for, by folder
        self.imports_infra = self.imports_c = False
        for folder, folders, names in os.walk("."):
            folders[:] = [name for name in folders if name != "vendor"]
            if "go.mod" in names:
                self.modules[folder] = asked_version(read_text(os.path.join(folder, "go.mod")))
            for name in names:
                if name.endswith(".go") and not name.endswith("_test.go"):
                    self.add(os.path.join(folder, name))
        self.vendored = os.path.isdir("vendor")
        self.packages = vendored_packages(read_text(MODULES_LIST))

    def add(self, path):
        self.files.append(path)
        text = read_text(path)
        self.imports_infra = self.imports_infra or '"infra"' in text
        self.imports_c = self.imports_c or bool(IMPORTS_C.search(text))

    def asked(self):
        return self.modules.get(".", "")

    def asked_of(self, path):
        """What the module of a file asks for."""
        folder = os.path.dirname(path)
        while folder and folder not in self.modules:
            folder = os.path.dirname(folder)
        return self.modules.get(folder, "")

    def files_since(self, version):
        """Those whose module asks for that Go or a newer one."""
        def is_since(asked):
            return (parse_version(asked) or (0,)) >= version
        for path in self.files:
            if is_since(self.asked_of(path)):
                yield path
        for package, asked in self.packages.items():
            folder = os.path.join("vendor", package)
            if is_since(asked) and os.path.isdir(folder):
                yield from (os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(".go"))


def suit_modules(source, local):
    """What this Go would refuse in the modules' own files, before it has looked at any code."""
    for folder in source.modules:
        path = os.path.join(folder, "go.mod")
        text = read_text(path)
        if lowered(text, local) != text:
            write_text(path, lowered(text, local))
    if "." not in source.modules:
        major, minor, _ = parse_version(local)
        write_text("go.mod", f"module function\n\ngo {major}.{minor}\n")
    text = read_text(MODULES_LIST)
    if lowered_list(text, local) != text:
        write_text(MODULES_LIST, lowered_list(text, local))


def part_loop_variables(compiler, source, local):
    """A Go before 1.22 gives a loop one variable for all iterations, and would make another program of newer code silently."""
    files = [] if parse_version(local) >= LOOP_VARIABLES_SINCE else list(source.files_since(LOOP_VARIABLES_SINCE))
    if not files:
        return
    names = os.path.join(TARGET, "files")
    write_text(names, "\0".join(files))
    run([compiler, "run", LOOP_VARIABLES, os.getcwd(), names], ENVIRONMENT, TARGET)


def provide_infra(compiler, source):
    """The module `infra` is here, wherever the author's own go.mod looks for it; a vendored copy of it stays the author's."""
    if not source.imports_infra or os.path.isdir("vendor/infra"):
        return
    write_text("go.mod", read_text("go.mod"))
    run([compiler, "mod", "edit", "-require=infra@v0.0.0", f"-replace=infra={GO_INFRA}"], ENVIRONMENT)
    if source.vendored:
        os.makedirs("vendor/infra")
        for name in os.listdir(GO_INFRA):
            if name.endswith(".go"):
                shutil.copyfile(os.path.join(GO_INFRA, name), os.path.join("vendor/infra", name))
        ours = f"# infra v0.0.0 => {GO_INFRA}\n## explicit; go 1.18\ninfra\n# infra => {GO_INFRA}\n"
        write_text(MODULES_LIST, read_text(MODULES_LIST) + ours)


def note_on(words, source, local):
    """What the compiler can't know: which Go this is, and what can be done."""
    notes = []
    is_newer = (parse_version(source.asked()) or (0,)) > parse_version(local)
    if is_newer or NEEDS_NEWER.search(words):
        asks = f"; go.mod asks for {source.asked()}" if is_newer else ""
        notes.append(f"This worker has Go {local.removeprefix('go')}{asks}. Code that needs a newer one can be built elsewhere: "
                     "CGO_ENABLED=0 GOOS=linux go build -o main . and upload the binary main.")
    if ABSENT.search(words):
        notes.append("Modules are not downloaded here: put them into the ZIP (go mod vendor).")
    if source.imports_c or WITHOUT_C.search(words):
        notes.append("C code (import \"C\") can't be part of a Go function, which is built without cgo.")
    return "\n".join(notes)


def build():
    compiler = find("go")
    local = run([compiler, "env", "GOVERSION"], ENVIRONMENT, TARGET).strip()
    if parse_version(local) is None:
        raise failed(f"The version of Go here could not be read: {local}")
    source = Source()
    flags = "-buildvcs=false" + (" -mod=vendor" if source.vendored else "")
    try:
        suit_modules(source, local)
        part_loop_variables(compiler, source, local)
        provide_infra(compiler, source)
        run([compiler, "build", "-ldflags=-s -w", "-o", PROGRAM, "."], {**ENVIRONMENT, "GOFLAGS": flags})
    except NotBuilt as refusal:
        words = refusal.args[0].get("failed", "")
        raise failed(words, note_on(words, source, local)) from None
