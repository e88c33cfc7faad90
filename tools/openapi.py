"""The OpenAPI document, put together: what the routes say of themselves in src/http/openapi/, and from the sources' tables who needs the key,
who counts on the rate, which status a code has. The build embeds it; `./dev check openapi` holds it against the tables and its own rules."""

import hashlib
import json
import re
import sys

from sources import read
import error_docs

SOURCES = "src/http/openapi"
ROUTES = "src/http/api.cc"
PAGE = "docs/http-api.md"
PARTS = ("functions", "runs", "monitoring", "keys")
ROW = re.compile(r'\{"([A-Z]+)", "([^"]+)",\s*(\w+),\s*(\w+),')
ROW_OF_PAGE = re.compile(r"^\| (`(?:GET|POST|PUT|DELETE) [^|]*) \|", re.MULTILINE)
VERSION = re.compile(r"project\(\w+ VERSION ([\d.]+)")
REASONS = {400: "The request is wrong.", 401: "The key is missing or wrong.", 403: "The key may not do this.", 404: "There is none.",
           409: "It does not fit what there is.", 413: "Too much.", 415: "It can't be read in this form.", 422: "The code or setting can't be used.",
           429: "Too often; Retry-After says when.", 500: "The platform's fault.", 501: "The fleet is not set up for it.",
           503: "Not now; Retry-After says when, mostly.", 504: "It did not come in time."}
HEADERS_OF_STATUS = {401: ["WWW-Authenticate"], 415: ["Accept-Encoding"], 429: ["Retry-After"], 503: ["Retry-After"]}
RATE_HEADERS = ["X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "RateLimit-Policy", "RateLimit"]
IN_RESULTS = {"kFailed", "kTimedOut", "kError"}


def source(name):
    return json.loads(read(f"{SOURCES}/{name}.json"))


def routes():
    """{"GET /x": (access, rate)} of the controller's table."""
    table = read(ROUTES).partition("controller_routes(")[2].partition("\n  };")[0]
    return {f"{method} {pattern}": (access, rate) for method, pattern, access, rate in ROW.findall(table)}


def operations():
    return {route: entry for part in PARTS for route, entry in source(part).items()}


class Codes:
    """The error table, by section and by the document's own groups."""

    def __init__(self, groups):
        self.groups, self.sections, self.status, self.in_results = groups, {}, {}, []
        statuses = error_docs.statuses()
        for section, _, code, kind, places, _, _ in error_docs.rows(error_docs.TABLE):
            if "kAnswer" in places:
                self.status[code] = int(statuses[kind])
                self.sections.setdefault(section, []).append(code)
            if IN_RESULTS & set(places):
                self.in_results.append(code)

    def expand(self, names):
        found = {}
        for name in names:
            kind, _, rest = name.partition(":")
            part = self.expand(self.groups[rest]) if kind == "group" else self.sections[rest] if kind == "section" else [name]
            found.update(dict.fromkeys(part))
        return list(found)

    def by_status(self, names):
        found = {}
        for code in self.expand(names):
            found.setdefault(self.status[code], []).append(code)
        return dict(sorted(found.items()))


def schema_ref(schema):
    """A name stands for a schema of that name, wherever a schema may stand in the sources of an answer."""
    if isinstance(schema, str):
        return {"$ref": f"#/components/schemas/{schema}"}
    found = dict(schema)
    if isinstance(found.get("items"), (str, dict)):
        found["items"] = schema_ref(found["items"])
    if "anyOf" in found:
        found["anyOf"] = [schema_ref(one) for one in found["anyOf"]]
    return found


def content(entry):
    if "schema" not in entry and "type" not in entry:
        return {}
    media = {"schema": schema_ref(entry.get("schema", {"type": "string"}))}
    if entry.get("type") in ("application/octet-stream", "*/*"):
        media = {}
    if "example" in entry:
        media["example"] = entry["example"]
    found = {entry.get("type", "application/json"): media}
    if "also" in entry:
        found.update(content(entry["also"]))
    return found


def headers(names):
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def parameters(pattern, entry, base, named):
    found = []
    for name in re.findall(r"[:*](\w+)", pattern):
        found.append({"name": name, "in": "path", "required": True, "schema": {"type": "string"}, **entry.get("path", base["pathParameters"])[name]})
    for name, about in entry.get("query", {}).items():
        found.append({"name": name, "in": "query", **about})
    for name in entry.get("headers", []):
        found.append({"name": name, "in": "header", **named[name]})
    return found


def error_answer(status, codes, also):
    """`also` is the answer that a status has beside errors, if it has one: a run's result with 500, an unhealthy health with 503."""
    error = {"allOf": [schema_ref("Error"), {"properties": {"code": {"enum": codes}}}]}
    schema = {"anyOf": [schema_ref(also["schema"]), error]} if also else error
    return {"description": also["description"] if also else REASONS[status], "content": {"application/json": {"schema": schema}}}


def operation(route, entry, words, base, codes, named):
    pattern = route.split(" ")[1]
    needs_key = "open" not in words and "health" not in words
    limited = "limited" in words
    names = ["group:every"] + ["group:key"] * needs_key + ["rate_limited"] * limited + ["group:body"] * ("body" in entry) + entry["errors"]
    found = {"operationId": entry["operationId"], "tags": [entry["tag"]], "summary": entry["summary"]}
    found["security"] = [{"apiKey": []}, {"bearer": []}] if needs_key else []
    given = parameters(pattern, entry, base, named)
    if given:
        found["parameters"] = given
    if "body" in entry:
        found["requestBody"] = {"required": True, "content": content(entry["body"])}
    common = ["x-request-id"] + RATE_HEADERS * limited
    answers = {}
    for status, answer in entry["answers"].items():
        answers[int(status)] = {"description": answer["description"], "headers": headers(common + answer.get("headers", []))}
        if content(answer):
            answers[int(status)]["content"] = content(answer)
    for status, of_status in codes.by_status(names).items():
        answers[status] = error_answer(status, of_status, entry["answers"].get(str(status)))
        answers[status]["headers"] = headers(["x-request-id"] + HEADERS_OF_STATUS.get(status, []) + RATE_HEADERS * limited)
    found["responses"] = {str(status): answers[status] for status in sorted(answers)}
    return found


def path_of(pattern):
    return re.sub(r"[:*](\w+)", r"{\1}", pattern)


def document():
    base, table, named = source("document"), routes(), source("parameters")
    codes = Codes(base["errorGroups"])
    found = {key: base[key] for key in ("openapi", "info", "servers", "tags")}
    found["info"]["version"] = VERSION.search(read("CMakeLists.txt")).group(1)
    found["paths"] = {}
    for route, entry in operations().items():
        method, pattern = route.split(" ")
        found["paths"].setdefault(path_of(pattern), {})[method.lower()] = \
            operation(route, entry, table.get(route, ("key", "free")), base, codes, named)
    schemas = dict(source("schemas"), RunErrorCode={"enum": codes.in_results, "description": "How a run ended; docs/errors.md."})
    found["components"] = {"schemas": schemas, "headers": base["headers"], "securitySchemes": base["securitySchemes"]}
    return found


def text():
    return json.dumps(document(), ensure_ascii=False, separators=(",", ":")) + "\n"


def source_file():
    """What the build compiles."""
    data = text().encode()
    rows = [",".join(map(str, data[at:at + 32])) for at in range(0, len(data), 32)]
    etag = hashlib.sha256(data).hexdigest()[:16]
    return f"""// Written by tools/openapi.py from {SOURCES}: the document that GET /openapi.json answers with.
#include "http/openapi_document.h"

namespace infra::http {{
namespace {{

constexpr char kText[] = {{
{",".join(f"{row}{chr(10)}" for row in rows)}}};

}}  // namespace

std::string_view openapi_document() {{
  return {{kText, sizeof(kText)}};
}}

std::string_view openapi_etag() {{
  return "\\"{etag}\\"";
}}

}}  // namespace infra::http
"""


def routes_of_page():
    """Routes as docs/http-api.md lists them; a cell may have several."""
    for cell in ROW_OF_PAGE.findall(read(PAGE)):
        for method, path in re.findall(r"`(GET|POST|PUT|DELETE) ([^`\s]+)`", cell):
            yield f"{method} {path.replace('/files/NAME', '/files/*name').replace('NAME', ':name')}"


def differences():
    """The three places that name the routes name the same."""
    described, table, page = set(operations()), set(routes()), set(routes_of_page())
    for route in sorted(table - described):
        yield f"{SOURCES}: {route} of {ROUTES} is not described."
    for route in sorted(described - table):
        yield f"{SOURCES}: {route} is described, and {ROUTES} has no such row."
    for route in sorted(described ^ page):
        yield f"{PAGE}: {route} is {'missing in the table of routes' if route in described else 'in the table, and not described'}."


def unused():
    used = text()
    base = source("document")
    for name in source("schemas"):
        if f"#/components/schemas/{name}\"" not in used:
            yield f"{SOURCES}/schemas.json: nothing uses {name}."
    for name in base["headers"]:
        if f"#/components/headers/{name}\"" not in used:
            yield f"{SOURCES}/document.json: nothing uses the header {name}."


def broken(found):
    """References lead somewhere, names are there once, and path parameters are those of the path."""
    for name in re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(found)):
        place = found
        for step in name.split("/"):
            place = place.get(step, {})
        if not place:
            yield f"{SOURCES}: nothing is at #/{name}."
    ids = [one["operationId"] for path in found["paths"].values() for one in path.values()]
    for name in {name for name in ids if ids.count(name) > 1}:
        yield f"{SOURCES}: two operations have the id {name}."
    tags = {tag["name"] for tag in found["tags"]}
    for path, methods in found["paths"].items():
        for method, one in methods.items():
            given = {p["name"] for p in one.get("parameters", []) if p["in"] == "path"}
            if given != set(re.findall(r"\{(\w+)\}", path)):
                yield f"{SOURCES}: {method.upper()} {path} has other path parameters than its path."
            if not set(one["tags"]) <= tags:
                yield f"{SOURCES}: {method.upper()} {path} has a tag that document.json does not describe."


def check():
    try:
        return [*differences(), *unused(), *broken(document())]
    except KeyError as missing:
        return [f"{SOURCES}: it names {missing}, which is in no table."]


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    made = source_file() if sys.argv[1] == "source" else text()
    if len(sys.argv) > 2:
        with open(sys.argv[2], "w", encoding="utf-8") as out:
            out.write(made)
    else:
        sys.stdout.write(made)
