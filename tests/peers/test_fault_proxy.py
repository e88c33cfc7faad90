"""The fault proxy does to connections what the degrading tests rely on."""

import contextlib
import socket
import threading
import time
import unittest

from fault_proxy import FaultProxy


class EchoServer:
    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self.echo, args=self.listener.accept()[:1], daemon=True).start()

    def echo(self, connection):
        with contextlib.suppress(OSError), connection:
            while data := connection.recv(65536):
                connection.sendall(data)

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


class FaultProxyTest(unittest.TestCase):
    def setUp(self):
        self.server = EchoServer()
        self.addCleanup(self.server.close)
        self.proxy = FaultProxy(self.server.port)
        self.addCleanup(self.proxy.close)

    def connect(self, timeout=5):
        connection = socket.create_connection(("127.0.0.1", self.proxy.port), timeout)
        self.addCleanup(connection.close)
        return connection

    def echo(self, connection, data=b"hello"):
        connection.sendall(data)
        received = b""
        while len(received) < len(data):
            piece = connection.recv(65536)
            if not piece:
                raise ConnectionError("ended")
            received += piece
        return received

    def silent(self, connection):
        connection.settimeout(0.2)
        try:
            with self.assertRaises(TimeoutError):
                connection.recv(1)
        finally:
            connection.settimeout(5)

    def test_it_passes_much_unchanged(self):
        data = bytes(range(256)) * 20_000
        connection = self.connect()
        threading.Thread(target=connection.sendall, args=(data,), daemon=True).start()
        received = b""
        while len(received) < len(data):
            received += connection.recv(1 << 20)
        self.assertEqual(received, data)

    def test_delay(self):
        connection = self.connect()
        self.proxy.delay(100)
        started = time.monotonic()
        self.assertEqual(self.echo(connection), b"hello")
        self.assertGreaterEqual(time.monotonic() - started, 0.2)

    def test_a_frozen_connection_goes_on(self):
        old = self.connect()
        self.echo(old)
        self.proxy.freeze()
        new = self.connect()
        for connection in (old, new):
            connection.sendall(b"kept")
            self.silent(connection)
        self.proxy.pass_on()
        for connection in (old, new):
            self.assertEqual(connection.recv(4), b"kept")

    def test_a_half_open_connection_is_lost(self):
        connection = self.connect()
        self.proxy.half_open()
        connection.sendall(b"lost")
        self.silent(connection)
        self.proxy.pass_on()
        with self.assertRaises(ConnectionError):
            self.echo(connection)
        self.assertEqual(self.echo(self.connect()), b"hello")

    def test_cut_and_reset(self):
        for fail, refused in ((self.proxy.cut, True), (self.proxy.reset, False)):
            with self.subTest(fail.__name__):
                connection = self.connect()
                self.echo(connection)
                fail()
                with self.assertRaises(ConnectionError):
                    self.echo(connection)
                if refused:
                    with self.assertRaises(ConnectionRefusedError):
                        self.connect()
                else:
                    with self.assertRaises(ConnectionResetError):
                        self.echo(self.connect())
                self.proxy.pass_on()
                self.assertEqual(self.echo(self.connect()), b"hello")

    def test_it_answers_itself(self):
        connection = self.connect()
        self.echo(connection)
        self.proxy.answer(503, b"busy", headers=["Retry-After: 1"])
        request = b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"
        for _ in range(2):
            connection.sendall(request[:30])
            connection.sendall(request[30:])
            received = connection.recv(4096)
            self.assertTrue(received.startswith(b"HTTP/1.1 503 "), received)
            self.assertIn(b"Retry-After: 1\r\n", received)
            self.assertTrue(received.endswith(b"\r\n\r\nbusy"), received)
        self.assertEqual(self.proxy.requests_answered, 2)
        self.proxy.pass_on()
        self.assertEqual(self.echo(connection), b"hello")

    def test_an_engine_that_is_away(self):
        self.server.close()
        with self.assertRaises(ConnectionError):
            self.echo(self.connect())


if __name__ == "__main__":
    unittest.main()
