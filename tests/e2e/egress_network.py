"""A network of the test's own: this process and what it starts is a machine with one link to an "internet" of documentation addresses.

Nothing of it reaches outside, and all of it goes when the test ends.
"""

import ctypes
import os
import shutil
import socket
import subprocess
import sys
import threading
import unittest

CLONE_NEWNET = 0x40000000
MACHINE = "203.0.113.2"
ROUTER = "203.0.113.1"
PUBLIC = "198.51.100.7"
PRIVATE = "10.20.0.5"
METADATA = "169.254.169.254"
RESOLVER = "10.20.0.53"
PORT = 7007

LIBC = ctypes.CDLL(None, use_errno=True)
_internet = None


def leave_network():
    if LIBC.unshare(CLONE_NEWNET) != 0:
        raise unittest.SkipTest("a network namespace takes root: " + os.strerror(ctypes.get_errno()))


def ip(*words):
    subprocess.run(["ip", *words], check=True)


def enter(forwards=False):
    """Before the program starts. `forwards`: as a machine that forwards packets already."""
    global _internet
    if os.environ.get("INFRA_SANDBOX") == "none":
        raise unittest.SkipTest("INFRA_SANDBOX=none: functions have the machine's own network")
    for program in ("ip", "nft"):
        if shutil.which(program, path="/usr/sbin:/usr/bin:/sbin") is None:
            raise unittest.SkipTest(f"{program} is not installed")
    leave_network()
    with open("/proc/sys/net/ipv4/ip_forward", "w", encoding="ascii") as switch:
        switch.write("1" if forwards else "0")
    ip("link", "set", "lo", "up")
    _internet = subprocess.Popen([sys.executable, "-B", os.path.abspath(__file__)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                 text=True)
    assert _internet.stdout.readline() == "apart\n"
    ip("link", "add", "wan0", "type", "veth", "peer", "name", "wan1", "netns", str(_internet.pid))
    ip("addr", "add", MACHINE + "/24", "dev", "wan0")
    ip("link", "set", "wan0", "up")
    ip("route", "add", "default", "via", ROUTER)
    print("linked", file=_internet.stdin, flush=True)
    assert _internet.stdout.readline() == "serving\n"


def leave():
    if _internet is not None:
        _internet.stdin.close()
        _internet.wait(10)
        _internet.stdout.close()


def answer_http(connection, peer):
    """Says whom it sees; to POST also how much came."""
    with connection:
        head = b""
        while b"\r\n\r\n" not in head:
            block = connection.recv(65536)
            if not block:
                return
            head += block
        text = peer[0].encode()
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text))


def serve(port):
    listener = socket.create_server(("0.0.0.0", port), backlog=64)
    while True:
        connection, peer = listener.accept()
        threading.Thread(target=answer_http, args=(connection, peer), daemon=True).start()


def answer_names():
    """A resolver that knows one address for every name."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((RESOLVER, 53))
    while True:
        question, peer = server.recvfrom(2048)
        end = question.index(b"\0", 12) + 5
        is_a = question[end - 4:end - 2] == b"\0\1"
        answer = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + socket.inet_aton(PUBLIC) if is_a else b""
        server.sendto(question[:2] + b"\x81\x80\0\1" + (b"\0\1" if is_a else b"\0\0") + b"\0\0\0\0" + question[12:end] + answer, peer)


def be_the_internet():
    leave_network()
    print("apart", flush=True)
    assert sys.stdin.readline() == "linked\n"
    ip("link", "set", "lo", "up")
    for address in (ROUTER + "/24", PUBLIC + "/32", PRIVATE + "/32", METADATA + "/32", RESOLVER + "/32"):
        ip("addr", "add", address, "dev", "wan1")
    ip("link", "set", "wan1", "up")
    for target, arguments in ((serve, (PORT,)), (serve, (80,)), (answer_names, ())):
        threading.Thread(target=target, args=arguments, daemon=True).start()
    print("serving", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    be_the_internet()
