"""Compiles a C++ or Go function inside a build sandbox (docs/runner-protocol.md, "Builds"): the source is the working folder,
the answer one frame, which is the program itself or a JSON object that says why there is none."""

import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

RUNTIMES = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TEMPORARY = os.environ.get("TMPDIR", "/tmp")
TARGET = os.path.join(TEMPORARY, "build")
PROGRAM = os.path.join(TARGET, "main")
MAX_PROGRAM = 32 * 1024 * 1024 - 1  # what a frame holds
MAX_WORDS = 64 * 1024  # of a compiler; the worker keeps less
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": TEMPORARY, "TMPDIR": TEMPORARY}

CPP_FLAGS = ["-std=c++20", "-O2", "-pthread", "-I.", "-I" + os.path.join(RUNTIMES, "cpp"), "-fdiagnostics-color=never"]
GO_INFRA = os.path.join(RUNTIMES, "go", "infra")
GO_ENVIRONMENT = {"CGO_ENABLED": "0", "GOPROXY": "off", "GOSUMDB": "off", "GOTOOLCHAIN": "local", "GOWORK": "off",
                  "GOPATH": os.path.join(TEMPORARY, "go"), "GOCACHE": os.path.join(TEMPORARY, "go-cache"), "GOTMPDIR": TEMPORARY}


class NotBuilt(Exception):
    """Its one argument is the answer, a dict."""


def find(*names):
    for name in names:
        path = shutil.which(name, path=ENVIRONMENT["PATH"])
        if path:
            return path
    raise NotBuilt({"missing": names[0]})


def run(command, env=None):
    """What the compiler said; NotBuilt with it if it failed."""
    with tempfile.TemporaryFile(dir=TARGET) as words:
        status = subprocess.run(command, env={**ENVIRONMENT, **(env or {})}, stdin=subprocess.DEVNULL, stdout=words,
                                stderr=words, check=False).returncode
        words.seek(0)
        said = words.read(MAX_WORDS).decode("utf-8", "replace")
    if status != 0:
        raise NotBuilt({"failed": said or f"{os.path.basename(command[0])} ended with status {status}."})


def build_cpp():
    compiler = find("g++", "clang++", "clang++-19")
    sources = sorted(name for name in os.listdir(".") if name.endswith((".cpp", ".cc", ".cxx")))
    objects = [os.path.join(TARGET, f"{number}.o") for number in range(len(sources))]

    def compile_one(pair):
        source, target = pair
        run([compiler, *CPP_FLAGS, "-c", "-o", target, source])

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        list(pool.map(compile_one, zip(sources, objects)))
    # Static: it starts twice as fast, and runs on workers with other versions of the libraries.
    run([compiler, "-static", "-pthread", "-s", "-o", PROGRAM, *objects])


def imports_infra():
    """Whether any Go file asks for the module that comes with the platform."""
    for folder, folders, names in os.walk("."):
        folders[:] = [name for name in folders if name != "vendor"]
        for name in names:
            if name.endswith(".go"):
                with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as file:
                    if '"infra"' in file.read():
                        return True
    return False


def add_text(path, text):
    """Written anew and not appended to: the folder is ours to change, the files in it may not be."""
    before = ""
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            before = file.read()
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(before + text)
    os.replace(path + ".new", path)


def provide_infra(compiler, vendored):
    """The module `infra` is here, wherever the author's own go.mod looks for it; a vendored copy of it stays the author's."""
    if not imports_infra() or os.path.isdir("vendor/infra"):
        return
    add_text("go.mod", "")
    run([compiler, "mod", "edit", "-require=infra@v0.0.0", f"-replace=infra={GO_INFRA}"], GO_ENVIRONMENT)
    if vendored:
        os.makedirs("vendor/infra")
        for name in os.listdir(GO_INFRA):
            if name.endswith(".go"):
                shutil.copyfile(os.path.join(GO_INFRA, name), os.path.join("vendor/infra", name))
        add_text("vendor/modules.txt", f"# infra v0.0.0 => {GO_INFRA}\n## explicit; go 1.18\ninfra\n# infra => {GO_INFRA}\n")


def build_go():
    compiler = find("go")
    if not os.path.exists("go.mod"):
        add_text("go.mod", "module function\n\ngo 1.18\n")
    vendored = os.path.isdir("vendor")
    provide_infra(compiler, vendored)
    flags = "-buildvcs=false" + (" -mod=vendor" if vendored else "")
    run([compiler, "build", "-ldflags=-s -w", "-o", PROGRAM, "."], {**GO_ENVIRONMENT, "GOFLAGS": flags})


def build(runtime):
    """The frame that answers."""
    os.makedirs(TARGET, exist_ok=True)
    try:
        {"cpp": build_cpp, "go": build_go}[runtime]()
        size = os.path.getsize(PROGRAM)
        if size > MAX_PROGRAM:
            raise NotBuilt({"failed": f"The program is {size} bytes; at most {MAX_PROGRAM} are allowed."})
        with open(PROGRAM, "rb") as file:
            program = file.read()
        if not program.startswith(b"\x7fELF"):  # of any other package go build makes an archive
            raise NotBuilt({"failed": "main.go makes no program: it must be of package main."})
        return program
    except NotBuilt as refusal:
        return json.dumps(refusal.args[0]).encode()


def send(control, body):
    control.sendall(struct.pack("<I", len(body)))
    control.sendall(body)


def main():
    control = socket.socket(fileno=3)
    send(control, b'{"ready":true}')
    head = control.recv(4, socket.MSG_WAITALL)
    if len(head) == 4:
        control.recv(struct.unpack("<I", head)[0], socket.MSG_WAITALL)
        os.chdir(os.getcwd())  # the source has been mounted over this folder since
        send(control, build(sys.argv[1]))


main()
