"""How a request goes to Infra and what comes back: written by hand, beside __init__.py, which is generated. Python's standard library alone."""

import json
import re
import urllib.error
import urllib.parse
import urllib.request
import uuid


class InfraError(Exception):
    """An answer that is no success. `code` is for programs and stays (docs/errors.md); `body` is the whole answer."""

    def __init__(self, status, body, headers):
        self.status, self.body = status, body
        told = body if isinstance(body, dict) else {}
        self.code = told.get("code")
        self.request_id = told.get("requestId") or headers.get("x-request-id")
        self.job_id = told.get("jobId")  # where a run goes on: get_status() has its result later
        wait = headers.get("Retry-After", "")
        self.retry_after = int(wait) if wait.isdigit() else None  # seconds
        super().__init__(f"{status} {self.code}: {told.get('error', body)} (request {self.request_id})")


def text_of(value):
    """As a header, a query and a form's field have it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value) if isinstance(value, (dict, list)) else str(value)


def form(fields, percent_encoded):
    """multipart/form-data of them: bytes are a file, all else is text. The body and its content type."""
    boundary = uuid.uuid4().hex
    body = b""
    for name, value in fields.items():
        is_file = isinstance(value, (bytes, bytearray))
        if not is_file:
            value = text_of(value)
            value = (urllib.parse.quote(value, safe="") if name in percent_encoded else value).encode()
        file_name = f'; filename="{name}.zip"\r\nContent-Type: application/zip' if is_file else ""
        body += f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{file_name}\r\n\r\n'.encode() + value + b"\r\n"
    return body + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def decoded(headers, body):
    kind = headers.get("Content-Type", "").partition(";")[0]
    if kind == "application/json":
        return json.loads(body)
    return body.decode() if kind == "text/plain" else body


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Infra sends none; who stands before it must not have the key sent elsewhere."""

    def redirect_request(self, *_):
        return None


class Transport:
    """One Infra and one key. Each call has a connection of its own, so any thread may call."""

    def __init__(self, url, api_key=None, timeout=300.0):  # seconds: a run may take 290 before it is answered
        self.url, self.api_key, self.timeout = url.rstrip("/"), api_key, timeout
        self._opener = urllib.request.build_opener(_NoRedirects)

    def ask(self, method, path, query=None, headers=None, body=None, content_type=None):
        return self.request(method, path, query, headers, body, content_type)[0]

    def request(self, method, path, query=None, headers=None, body=None, content_type=None):
        """(decoded body, headers) of a success; InfraError for what is none, OSError without an answer."""
        address = self.url + path
        given = {name: text_of(value) for name, value in (query or {}).items() if value is not None}
        if given:
            address += "?" + urllib.parse.urlencode(given)
        sent = {name: text_of(value) for name, value in (headers or {}).items() if value is not None}
        if self.api_key is not None:
            sent["x-api-key"] = self.api_key
        if content_type is not None:
            sent["Content-Type"] = content_type
        asked = urllib.request.Request(address, data=body, headers=sent, method=method)
        try:
            with self._opener.open(asked, timeout=self.timeout) as answer:
                return decoded(answer.headers, answer.read()), answer.headers
        except urllib.error.HTTPError as refused:
            with refused:
                if refused.status == 304:  # what the client has is what there is
                    return None, refused.headers
                raise InfraError(refused.status, decoded(refused.headers, refused.read()), refused.headers) from None

    def pages(self, path, query, headers):
        """Every item of a listing, page after page by its Link headers."""
        while True:
            items, told = self.request("GET", path, query, headers)
            yield from items
            link = re.match(r'<([^>]+)>; rel="next"$', told.get("Link", ""))
            if link is None:
                return
            query = dict(query, **dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(link.group(1)).query)))
