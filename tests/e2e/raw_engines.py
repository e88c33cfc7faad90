"""A neighbour's hands on a fleet's engines, with nothing of the code under test: a line to Redis, signed calls to AWS' peers."""

import contextlib
import datetime
import hashlib
import hmac
import http.client
import json
import socket


class RedisLine:
    """One connection; RESP2, blocking."""

    def __init__(self, port, timeout=20):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()

    def send(self, *words):
        parts = [word.encode() if isinstance(word, str) else word for word in words]
        self.socket.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts))

    def read(self):
        line = self.file.readline()
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise AssertionError(f"Redis: {rest.decode()}")
        if kind == b"$":
            return None if rest == b"-1" else self.file.read(int(rest) + 2)[:-2].decode()
        if kind == b"*":
            return [self.read() for _ in range(int(rest))]
        return int(rest) if kind == b":" else rest.decode()

    def ask(self, *words):
        self.send(*words)
        return self.read()


def redis(port, *words):
    with RedisLine(port) as line:
        return line.ask(*words)


@contextlib.contextmanager
def subscribed(port, channel):
    """A call that waits for the next message on `channel`."""
    with RedisLine(port) as line:
        line.ask("SUBSCRIBE", channel)
        yield lambda: line.read()[2]


def aws(about, service, target, body):
    """A call of a JSON protocol, through the gate; the answer, which must be a success."""
    endpoint = about[f"{service}_endpoint"].removeprefix("http://")
    text = json.dumps(body)
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    headers = {"content-type": "application/x-amz-json-1.0", "host": endpoint, "x-amz-date": now, "x-amz-target": target}
    names = ";".join(headers)
    digest = hashlib.sha256(text.encode()).hexdigest()
    canonical = "\n".join(["POST", "/", "", *(f"{name}:{value}" for name, value in headers.items()), "", names, digest])
    scope = f"{now[:8]}/{about['region']}/{service}/aws4_request"
    to_sign = "\n".join(["AWS4-HMAC-SHA256", now, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{about['secret_access_key']}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
    headers["authorization"] = (f"AWS4-HMAC-SHA256 Credential={about['access_key_id']}/{scope}, SignedHeaders={names}, "
                                f"Signature={signature}")
    connection = http.client.HTTPConnection(endpoint, timeout=30)
    connection.request("POST", "/", text, headers)
    answer = connection.getresponse()
    said = answer.read()
    connection.close()
    assert answer.status == 200, f"{target}: {answer.status} {said!r}"
    return json.loads(said or b"{}")
