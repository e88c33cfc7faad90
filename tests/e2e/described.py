"""The description of the HTTP interface (tools/openapi.py) as the end-to-end tests hold answers against it: a status or an error code that it
does not name fails the test that met it."""

import functools
import json
import re
import sys
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "tools"))
import openapi  # noqa: E402  (it lives beside the check that uses it, too)


@functools.cache
def document():
    return openapi.document()


@functools.cache
def _patterns():
    """Of each path its expression; those without parameters first, as `/functions/{id}/advice` is no run of a function."""
    paths = sorted(document()["paths"], key=lambda path: (path.count("{"), path))
    return [(re.compile(re.sub(r"\\{name\\}", ".+", re.sub(r"\\{(?!name)\w+\\}", "[^/]+", re.escape(path)))), path) for path in paths]


@functools.cache
def _path_of(target):
    path = urlsplit(target).path
    path = path[4:] if path.startswith("/api/") else path
    path = path[:-1] if len(path) > 1 and path.endswith("/") else path
    return next((found for pattern, found in _patterns() if pattern.fullmatch(path)), None)


def operation(method, target):
    """What the document has of a request, or None."""
    found = document()["paths"].get(_path_of(target) or "", {})
    return found.get("get" if method == "HEAD" else method.lower())


@functools.cache
def _codes(method, target, status):
    response = operation(method, target)["responses"].get(str(status))
    if response is None:
        return None
    return frozenset(re.findall(r'"(\w+)"', "".join(re.findall(r'"code": {"enum": \[([^\]]*)\]', json.dumps(response)))))


def undocumented(method, target, answer):
    """What the document should have said of this answer, or None."""
    known = operation(method, target)
    if known is None or method == "OPTIONS" or (answer.status < 400 and str(answer.status) in known["responses"]):
        return None
    where = f"{method} {_path_of(target)} answers {answer.status}"
    if answer.status == 404 and b'"unknown_route"' in answer.body:
        return None  # of `infra worker`, which has three of the routes; test_openapi.py knows those of a controller
    if str(answer.status) not in known["responses"]:
        return f"{where}, which src/http/openapi/ does not name: {answer!r}"
    try:
        error = json.loads(answer.body)
    except ValueError:
        return None
    code = error.get("code") if isinstance(error, dict) and "status" not in error else None  # a result's has a schema of its own
    if code is None or code in _codes(method, _path_of(target), answer.status):
        return None
    return f"{where} with the code {code}, which src/http/openapi/ does not name there."
