"""What AWS' front doors do and the peers behind them don't: refuses a request whose signature, date, host or payload hash is wrong.

AWS' own signer (Debian's python3-botocore) computes each signature again. What passes goes on unchanged, each client's
connection over one of its own, so that answers need no reading. `GET /__gate` says how many passed and were refused.
"""

import asyncio
import calendar
import hashlib
import hmac
import json
import re
import sys
import time
from types import SimpleNamespace
from urllib.parse import quote, unquote_to_bytes

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials

MAX_HEAD = 64 << 10
MAX_BODY = 64 << 20
MAX_SKEW_SECONDS = 300
AUTHORIZATION = re.compile(r"AWS4-HMAC-SHA256 +Credential=([^,\s]+), *SignedHeaders=([^,\s]+), *Signature=([0-9a-f]{64})")
ENCODED = re.compile(r"(?:[A-Za-z0-9\-._~/]|%[0-9A-F]{2})*")


# What S3 refuses whoever sends it.
NO_MATTER_OF_RIGHTS = ("XAmzContentSHA256Mismatch", "InvalidRequest")


class Refusal(Exception):
    """A code as AWS has it, and what is wrong."""

    def __init__(self, code, sentence):
        super().__init__(sentence)
        self.code = code


class Head:
    """The first line and the headers of a request; names in lower case, repeated ones in their order."""

    def __init__(self, raw):
        first, *lines = raw.decode("latin-1").split("\r\n")
        self.method, self.target, _ = first.split(" ")
        self.fields = []
        for line in lines:
            name, colon, value = line.partition(":")
            if not colon or not name or name != name.strip():
                raise ValueError(line)
            self.fields.append((name.lower(), value.strip()))
        self.headers = dict(self.fields)


class Verifier:
    """Holds what one service's requests must be signed with."""

    def __init__(self, service, region, key_id, secret, hosts):
        self.service, self.region, self.key_id, self.hosts = service, region, key_id, hosts
        signer = S3SigV4Auth if service == "s3" else SigV4Auth
        self.signer = signer(Credentials(key_id, secret), service, region)

    def check(self, head, body):
        if "authorization" not in head.headers:
            raise Refusal("MissingAuthenticationToken", "The request has no Authorization header.")
        match = AUTHORIZATION.fullmatch(head.headers["authorization"])
        if not match:
            raise Refusal("IncompleteSignature", "The Authorization header is malformed.")
        scope, signed, signature = match.groups()
        names = signed.split(";")
        timestamp = self.check_date(head.headers.get("x-amz-date", ""))
        self.check_scope(scope, timestamp)
        self.check_headers(head, names)
        payload_hash = self.check_payload(head, body)
        path, _, query = head.target.partition("?")
        if self.service == "s3" and not ENCODED.fullmatch(path):
            raise Refusal("SignatureDoesNotMatch", "The path is not percent-encoded as S3 encodes it.")
        self.check_signature(head, names, signature, timestamp, path, canonical_query(query), payload_hash)

    def check_date(self, timestamp):
        try:
            age = time.time() - calendar.timegm(time.strptime(timestamp, "%Y%m%dT%H%M%SZ"))
        except ValueError:
            raise Refusal("IncompleteSignature", "x-amz-date is missing or not of the form YYYYMMDDTHHMMSSZ.") from None
        if abs(age) > MAX_SKEW_SECONDS:
            raise Refusal("RequestTimeTooSkewed" if self.service == "s3" else "InvalidSignatureException",
                          f"Signature expired: x-amz-date is {age:.0f} s from the server's time.")
        return timestamp

    def check_scope(self, scope, timestamp):
        key_id, *rest = scope.split("/")
        if key_id != self.key_id:
            raise Refusal("InvalidAccessKeyId" if self.service == "s3" else "UnrecognizedClientException",
                          "The access key id is not known here.")
        wanted = [timestamp[:8], self.region, self.service, "aws4_request"]
        if rest != wanted:
            raise Refusal("SignatureDoesNotMatch", f"The scope is {'/'.join(rest)}; it must be {'/'.join(wanted)}.")

    def check_headers(self, head, names):
        if names != sorted(names):
            raise Refusal("SignatureDoesNotMatch", "SignedHeaders is not sorted.")
        if head.headers.get("host") not in self.hosts:
            raise Refusal("SignatureDoesNotMatch", f"The host is {head.headers.get('host')}; this is {self.hosts[0]}.")
        if "x-amz-security-token" in head.headers:
            raise Refusal("InvalidClientTokenId", "This key takes no session token.")
        must = {"host", *(name for name in head.headers if name.startswith("x-amz-"))}
        for missing in sorted(must.difference(names)):
            raise Refusal("SignatureDoesNotMatch", f"The header {missing} is not signed.")
        for absent in sorted(set(names).difference(head.headers)):
            raise Refusal("SignatureDoesNotMatch", f"The header {absent} is signed but was not sent.")

    def check_payload(self, head, body):
        true_hash = hashlib.sha256(body).hexdigest()
        said = head.headers.get("x-amz-content-sha256")
        if said is None and self.service == "s3":
            raise Refusal("InvalidRequest", "S3 wants x-amz-content-sha256.")
        if said not in (None, true_hash):
            raise Refusal("XAmzContentSHA256Mismatch", "x-amz-content-sha256 is not the body's hash.")
        return true_hash

    def check_signature(self, head, names, signature, timestamp, path, query, payload_hash):
        headers = HTTPHeaders()
        for name, value in head.fields:
            if name in names:
                headers[name] = value
        # botocore takes the hash from this header where it is sent, and from the body else.
        request = SimpleNamespace(method=head.method, url=f"http://{self.hosts[0]}{path}{query and '?'}{query}",
                                  params=None, headers=headers, context={"timestamp": timestamp})
        self.signer.payload = lambda _: payload_hash
        canonical = self.signer.canonical_request(request)
        right = self.signer.signature(self.signer.string_to_sign(request, canonical), request)
        if not hmac.compare_digest(right, signature):
            raise Refusal("SignatureDoesNotMatch", f"The signature is wrong. The canonical request is:\n{canonical}")


def canonical_query(query):
    """Decoded and encoded again, so that one that was sent in another form than it was signed in is told apart as AWS does."""
    pairs = (pair.partition("=")[::2] for pair in query.split("&") if pair)
    return "&".join("=".join(quote(unquote_to_bytes(part), safe="-_.~") for part in pair) for pair in pairs)


def refusal_answer(service, head, refusal):
    if service == "s3":
        kind = "application/xml"
        text = f"<Error><Code>{refusal.code}</Code><Message>{str(refusal).splitlines()[0]}</Message></Error>"
    else:
        kind = "application/x-amz-json-1.0"
        text = json.dumps({"__type": f"com.amazon.coral.service#{refusal.code}", "message": str(refusal)})
    return answer("400 Bad Request" if refusal.code in NO_MATTER_OF_RIGHTS else "403 Forbidden", kind, text, head.method == "HEAD")


def answer(status, kind, text, without_body=False):
    body = text.encode()
    date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime())
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nDate: {date}\r\n\r\n"
    return head.encode() + (b"" if without_body else body)


class Gate:
    """One service's front door on a socket that listens already."""

    def __init__(self, verifier, upstream_port):
        self.verifier, self.upstream_port = verifier, upstream_port
        self.passed = self.refused = 0
        self.reasons = []

    def statistics(self):
        return json.dumps({"passed": self.passed, "refused": self.refused, "reasons": self.reasons})

    def refuse(self, head, refusal):
        self.refused += 1
        self.reasons = [*self.reasons[-19:], str(refusal).splitlines()[0]]
        print(f"gate: {self.verifier.service}: refused {head.method} {head.target}: {refusal}", file=sys.stderr, flush=True)
        return refusal_answer(self.verifier.service, head, refusal)


class ClientSide(asyncio.Protocol):
    """A client's connection: gathers a whole request, has it checked, hands it on."""

    def __init__(self, gate):
        self.gate = gate
        self.buffer = bytearray()
        self.head, self.head_size, self.body_size = None, 0, 0
        self.upstream = None
        self.opening = None

    def connection_made(self, transport):
        self.transport = transport

    def connection_lost(self, _):
        if self.opening is not None:
            self.opening.cancel()
        if self.upstream is not None:
            self.upstream.close()

    def pause_writing(self):
        if self.upstream is not None:
            self.upstream.pause_reading()

    def resume_writing(self):
        if self.upstream is not None:
            self.upstream.resume_reading()

    def data_received(self, data):
        self.buffer += data
        try:
            while self.opening is None and self.has_whole_request():
                self.take_request()
        except ValueError:
            self.transport.write(answer("400 Bad Request", "text/plain", "This is not a request that the gate can read.\n"))
            self.transport.close()

    def has_whole_request(self):
        if self.head is None:
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                if len(self.buffer) > MAX_HEAD:
                    raise ValueError("head")
                return False
            self.head = Head(bytes(self.buffer[:end]))
            self.head_size = end + 4
            self.body_size = int(self.head.headers.get("content-length", "0"))
            if "transfer-encoding" in self.head.headers or not 0 <= self.body_size <= MAX_BODY:
                raise ValueError("framing")
            if self.head.headers.get("expect") == "100-continue" and len(self.buffer) < self.head_size + self.body_size:
                self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return len(self.buffer) >= self.head_size + self.body_size

    def take_request(self):
        size = self.head_size + self.body_size
        request = bytes(self.buffer[:size])
        del self.buffer[:size]
        head, self.head = self.head, None
        if head.target == "/__gate":
            self.transport.write(answer("200 OK", "application/json", self.gate.statistics()))
            return
        try:
            self.gate.verifier.check(head, memoryview(request)[self.head_size:])
        except Refusal as refusal:
            self.transport.write(self.gate.refuse(head, refusal))
            return
        self.gate.passed += 1
        if head.headers.get("expect"):
            request = re.sub(rb"(?i)\r\nexpect:[^\r]*", b"", request[:self.head_size]) + request[self.head_size:]
        if self.upstream is None:
            self.opening = asyncio.get_running_loop().create_task(self.open_upstream(request))
        else:
            self.upstream.write(request)

    async def open_upstream(self, request):
        try:
            self.upstream, _ = await asyncio.get_running_loop().create_connection(
                lambda: UpstreamSide(self), "127.0.0.1", self.gate.upstream_port)
        except OSError:
            self.transport.close()
            return
        finally:
            self.opening = None
        self.upstream.write(request)
        self.data_received(b"")


class UpstreamSide(asyncio.Protocol):
    """The peer's connection that belongs to one client's: what comes goes back as it is."""

    def __init__(self, client):
        self.client = client

    def data_received(self, data):
        self.client.transport.write(data)

    def connection_lost(self, _):
        self.client.transport.close()


async def serve(gate, listener):
    server = await asyncio.get_running_loop().create_server(lambda: ClientSide(gate), sock=listener, backlog=1024)
    async with server:
        await server.serve_forever()
