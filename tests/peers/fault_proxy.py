"""A TCP proxy between a program and an engine that can be made slow, silent or dead, for tests of degrading.

    proxy = FaultProxy(target_port)     # passes; the program is given proxy.port
    proxy.delay(200)                    # every piece, in both directions, comes 200 ms later
    proxy.freeze()                      # connections are made and stay, nothing moves; goes on where it stood afterwards
    proxy.half_open()                   # the same to see, but what is sent is lost; its connections are cut afterwards
    proxy.cut()                         # connections end, new ones are refused
    proxy.reset()                       # connections end with RST, new ones too
    proxy.answer(503, b"…")             # HTTP: every new request gets this answer, the target sees none
    proxy.pass_on()                     # well again
"""

import asyncio
import contextlib
import re
import socket
import struct
import threading
from collections import deque

HIGH_WATER = 1 << 20  # bytes that wait before the sender is no longer read
CONTENT_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")


class FaultProxy:
    """Usable from any thread; a change holds as soon as its call returns."""

    def __init__(self, target_port=None):
        self.target_port = target_port  # may be set later, before the first connection
        self.mode, self.lag = "pass", 0.0
        self.canned = b""
        self.requests_answered = 0
        self.connections = set()
        # Stays bound, so that nobody else gets the port while the proxy refuses connections.
        self.holder = bound_socket(0)
        self.port = self.holder.getsockname()[1]
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.server = None
        self.call(self.listen())

    def call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(10)

    def pass_on(self):
        self.call(self.change("pass"))

    def delay(self, milliseconds):
        self.call(self.change("pass", milliseconds / 1000))

    def freeze(self):
        self.call(self.change("freeze"))

    def half_open(self):
        self.call(self.change("half_open"))

    def cut(self):
        self.call(self.change("cut"))

    def reset(self):
        self.call(self.change("reset"))

    def answer(self, status, body=b"", content_type="application/x-amz-json-1.0", headers=()):
        lines = [f"HTTP/1.1 {status} Fault", f"Content-Type: {content_type}", f"Content-Length: {len(body)}", *headers]
        self.canned = "\r\n".join([*lines, "", ""]).encode() + body
        self.call(self.change("answer"))

    def throttle(self):
        """What DynamoDB and SQS say to who asks too often."""
        self.answer(400, b'{"__type":"com.amazonaws.dynamodb.v20120810#ThrottlingException","message":"Rate exceeded"}')

    def close(self):
        with contextlib.suppress(RuntimeError):
            self.call(self.change("cut"))
            self.call(asyncio.sleep(0))  # the connections' own ends
            self.loop.call_soon_threadsafe(self.loop.stop)
            self.thread.join(5)
            self.loop.close()
            self.holder.close()

    # --- on the loop

    async def listen(self):
        self.server = await self.loop.create_server(lambda: Client(self), sock=bound_socket(self.port), backlog=1024)

    async def change(self, mode, lag=0.0):
        left, self.mode, self.lag = self.mode, mode, lag
        if mode in ("cut", "reset") or left == "half_open":
            for client in list(self.connections):
                client.abort()
        if mode == "cut" and self.server is not None:
            self.server.close()
            self.server = None
        elif mode != "cut" and self.server is None:
            await self.listen()
        for client in list(self.connections):
            client.move_on()


def bound_socket(port):
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(("127.0.0.1", port))
    return bound


class Flow:
    """One direction of one connection: pieces in their order, each not before its time. None is the end."""

    def __init__(self, proxy, source, sink):
        self.proxy, self.source, self.sink = proxy, source, sink
        self.waiting, self.size, self.timer = deque(), 0, None

    def push(self, piece):
        self.waiting.append((self.proxy.loop.time() + self.proxy.lag, piece))
        self.size += len(piece or b"")
        if self.size > HIGH_WATER and self.source is not None:
            self.source.pause_reading()
        self.move_on()

    def move_on(self):
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        while self.waiting and self.sink is not None and self.proxy.mode != "freeze":
            due, piece = self.waiting[0]
            wait = due - self.proxy.loop.time()
            if wait > 0 and self.proxy.lag > 0:
                self.timer = self.proxy.loop.call_later(wait, self.move_on)
                return
            self.waiting.popleft()
            if piece is None:
                self.sink.close()
                return
            self.size -= len(piece)
            self.sink.write(piece)
        if self.size <= HIGH_WATER and self.source is not None and not self.source.is_closing():
            self.source.resume_reading()


class Client(asyncio.Protocol):
    """The program's side of a connection."""

    def __init__(self, proxy):
        self.proxy = proxy
        self.engine = None
        self.asked = b""  # of a request that the proxy answers itself

    def connection_made(self, transport):
        self.transport = transport
        self.up, self.down = Flow(self.proxy, transport, None), Flow(self.proxy, None, transport)
        self.proxy.connections.add(self)
        if self.proxy.mode in ("cut", "reset"):
            self.abort()
        elif self.proxy.mode != "half_open":
            self.opening = self.proxy.loop.create_task(self.open_engine())

    async def open_engine(self):
        try:
            _, self.engine = await self.proxy.loop.create_connection(lambda: Engine(self), "127.0.0.1", self.proxy.target_port)
        except OSError:
            self.abort()
            return
        if self.transport.is_closing():
            self.engine.transport.abort()
            return
        self.up.sink = self.down.source = self.engine.transport
        self.move_on()

    def data_received(self, data):
        if self.proxy.mode == "half_open":
            return
        if self.proxy.mode == "answer" or self.asked:
            self.answer(data)
        else:
            self.up.push(data)

    def answer(self, data):
        self.asked += data
        while (end := self.asked.find(b"\r\n\r\n")) >= 0:
            length = CONTENT_LENGTH.search(self.asked[:end])
            size = end + 4 + (int(length.group(1)) if length else 0)
            if len(self.asked) < size:
                return
            self.asked = self.asked[size:]
            self.proxy.requests_answered += 1
            self.down.push(self.proxy.canned)

    def engine_said(self, data):
        if self.proxy.mode != "half_open":
            self.down.push(data)

    def move_on(self):
        self.up.move_on()
        self.down.move_on()

    def connection_lost(self, _):
        if self.engine is None or self.engine.transport.is_closing():
            self.proxy.connections.discard(self)
        else:
            self.up.push(None)  # what was sent before the end still has its way

    def abort(self):
        self.proxy.connections.discard(self)
        if self.proxy.mode == "reset":
            plain = self.transport.get_extra_info("socket")
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()
        if self.engine is not None:
            self.engine.transport.abort()


class Engine(asyncio.Protocol):
    """The engine's side."""

    def __init__(self, client):
        self.client = client

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.client.engine_said(data)

    def connection_lost(self, _):
        if self.client.transport.is_closing():
            self.client.proxy.connections.discard(self.client)
        elif self.client.proxy.mode != "half_open":
            self.client.down.push(None)
