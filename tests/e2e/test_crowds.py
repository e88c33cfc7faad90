"""Crowds of clients: thousands that only connect, and some that do not read. They cost themselves, and nobody else."""

import contextlib
import http.client
import resource
import socket
import time
import unittest

from harness import API_KEY, ECHO, PROGRAM, SANITIZED, Infra, main, wait_for

MIB = 1024 * 1024
TEN_MIB = """
import os
def handler(event, context):
    with open(os.environ['OUTPUT_DIR'] + '/large', 'wb') as file:
        file.write(os.urandom(10 * 1024 * 1024))
"""


def allow_descriptors(count):
    """For this program's own ends of the connections; as many of them as it may have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(count + 200, hard), hard))
    return min(count, hard - 200)


def limited_infra(descriptors):
    infra = Infra(arguments=("-c", f'ulimit -n {descriptors} && exec "{PROGRAM}" serve'))
    infra.program = "/bin/sh"
    return infra


class Crowds(unittest.TestCase):
    def start(self, infra=None):
        infra = (infra or Infra()).start()
        self.addCleanup(infra.close)
        return infra

    def connect(self, infra, address="127.0.0.1"):
        plain = socket.socket()
        self.addCleanup(plain.close)
        plain.settimeout(60)
        plain.bind((address, 0))
        plain.connect(("127.0.0.1", infra.port))
        return plain

    def ask_from(self, infra, address, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", infra.port, timeout=10, source_address=(address, 0))
        with contextlib.closing(connection):
            return infra.request(method, path, body, connection=connection)

    def test_ten_thousand_connections_of_one_address_lock_nobody_out(self):
        infra = self.start()
        function = infra.deploy(ECHO)
        infra.result(function)
        client = infra.connect()  # of the same address, with the key
        self.addCleanup(client.close)
        infra.get("/functions", connection=client)
        flood = [self.connect(infra) for _ in range(allow_descriptors(10_000))]
        for address in ("127.0.0.2", "127.0.0.1"):
            began = time.monotonic()
            self.assertEqual(self.ask_from(infra, address, "GET", "/health").status, 200)
            answer = self.ask_from(infra, address, "POST", "/run", {"functionId": function, "inputData": address})
            self.assertEqual(answer.json()["result"], {"echo": address})
            self.assertLess(time.monotonic() - began, 30 if SANITIZED else 2)
        self.assertEqual(infra.get("/functions", connection=client).status, 200)
        closed = sum(float(line.split()[1]) for line in infra.get("/metrics").text.splitlines()
                     if line.startswith('http_connections_closed_total{reason="share"}'))
        self.assertGreaterEqual(closed, len(flood) - 256)
        self.assertEqual(infra.stop(), 0)

    def test_idle_clients_leave_descriptors_for_sandboxes(self):
        """Under a limit of 1024: 700 connections without a key, as many with one, and cold starts in between."""
        infra = self.start(limited_infra(1024))
        functions = [infra.deploy(ECHO) for _ in range(3)]
        idle = []
        for with_key in (False, True):
            for _ in range(700):
                idle.append(self.connect(infra))
                if with_key:
                    idle[-1].sendall(f"GET /models HTTP/1.1\r\nHost: a\r\nx-api-key: {API_KEY}\r\n\r\n".encode())
                    self.assertTrue(idle[-1].recv(4096).startswith(b"HTTP/1.1 200 "))
            began = time.monotonic()
            self.assertEqual(infra.result(functions.pop(), 1)["result"], {"echo": 1})
            self.assertLess(time.monotonic() - began, 60 if SANITIZED else 10)
        job = infra.run_async(functions.pop(), 2)
        self.assertEqual(infra.await_result(job)["result"], {"echo": 2})
        pressure = infra.get("/health").json()["overload"]["pressure"]
        self.assertLess(pressure["descriptors"], 0.9)
        self.assertEqual(infra.stop(), 0)

    def test_files_that_are_not_read_take_little_memory(self):
        infra = self.start()
        function = infra.deploy(TEN_MIB)
        run = infra.result(function)
        path = f"/functions/{function}/logs/{run['requestId']}/files/large"
        self.assertEqual(len(infra.get(path).body), 10 * MIB)
        before = infra.rss_kib()
        readers = []
        for _ in range(60):
            plain = socket.socket()
            self.addCleanup(plain.close)
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            plain.connect(("127.0.0.1", infra.port))
            plain.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\nx-api-key: {API_KEY}\r\n\r\n".encode())
            readers.append(plain)
        for plain in readers:
            self.assertTrue(plain.recv(12).startswith(b"HTTP/1.1 200"))
        if not SANITIZED:
            self.assertLess(infra.rss_kib() - before, 32 * 1024)
        self.assertEqual(infra.get("/health").status, 200)
        for plain in readers:
            plain.close()
        wait_for(lambda: "http_requests_in_flight 1\n" in infra.get("/metrics").text, what="the readers' end")
        self.assertEqual(infra.stop(), 0)


if __name__ == "__main__":
    main()
