"""Compiles a C++ or Go function inside a build sandbox (docs/runner-protocol.md, "Builds"): the source is the working folder,
the answer one frame, which is the program itself or a JSON object that says why there is none."""

import json
import os
import socket
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import cpp_source  # noqa: E402
import go_source  # noqa: E402
from toolchain import PROGRAM, TARGET, NotBuilt, failed  # noqa: E402

BUILDS = {"cpp": cpp_source.build, "go": go_source.build}
MAX_PROGRAM = 32 * 1024 * 1024 - 1  # what a frame holds


def build(runtime):
    """The frame that answers."""
    os.makedirs(TARGET, exist_ok=True)
    try:
        BUILDS[runtime]()
        size = os.path.getsize(PROGRAM)
        if size > MAX_PROGRAM:
            raise failed(f"The program is {size} bytes; at most {MAX_PROGRAM} are allowed.")
        with open(PROGRAM, "rb") as file:
            program = file.read()
        if not program.startswith(b"\x7fELF"):  # of any other package go build makes an archive
            raise failed("main.go makes no program: it must be of package main.")
        return program
    except NotBuilt as refusal:
        return json.dumps(refusal.args[0]).encode()
    except OSError as error:  # a folder where a file is wanted, a name that is taken, no room
        return json.dumps({"failed": f"The source can't be built: {error}."}).encode()


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
