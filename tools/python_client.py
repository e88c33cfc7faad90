"""clients/python/infra_client/__init__.py out of the OpenAPI document: `./dev docs` writes it, `./dev check openapi` holds it against it."""

import keyword
import re
import textwrap

import openapi
from sources import ROOT, read

PAGE = "clients/python/infra_client/__init__.py"
WIDTH = 140
SCALARS = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}
OPENING = '''"""A client of Infra's HTTP interface, a method an operation. Written by `./dev docs` from the description at /openapi.json: change that in
src/http/openapi/, not this file. transport.py says how requests are sent, and what InfraError tells."""

import json
from collections.abc import Iterator
from typing import Any, Literal, NotRequired, TypedDict
from urllib.parse import quote

from .transport import InfraError, Transport, form

__all__ = [
%s
]

'''


WIDTH = 150


def snake(name):
    own = re.sub(r"(?<=[a-z])([A-Z])", r"_\1", name).lower().replace("-", "_")
    return own + "_" if keyword.iskeyword(own) else own


def literal(values):
    return f"Literal[{', '.join(repr(value).replace(chr(39), chr(34)) for value in values)}]"


def of_form(schema):
    """What a person has in hand for a form's field, which travels as text."""
    media = schema.get("contentMediaType")
    if media:
        return "bytes" if media == "application/zip" else "dict[str, str]"
    if schema.get("enum") == ["true", "false"]:
        return "bool"
    return "int" if schema.get("pattern") == "^[0-9]+$" else None


def type_of(schema):
    if "$ref" in schema:
        return schema["$ref"].rpartition("/")[2]
    if of_form(schema):
        return of_form(schema)
    if "anyOf" in schema:
        return " | ".join(dict.fromkeys(type_of(one) for one in schema["anyOf"]))
    if "enum" in schema:
        return literal(schema["enum"])
    if "const" in schema:
        return literal([schema["const"]])
    kind = schema.get("type")
    if isinstance(kind, list):
        return " | ".join(type_of({**schema, "type": one}) for one in kind)
    if kind == "array":
        return f"list[{type_of(schema['items'])}]"
    if kind == "object":
        more = schema.get("additionalProperties", True)
        return f"dict[str, {'Any' if more is True else type_of(more)}]"
    return SCALARS.get(kind, "Any")


def filled(text):
    return textwrap.fill(text, WIDTH, initial_indent="    ", subsequent_indent="    ", break_long_words=False)


def comment(schema):
    return f"  # {schema['description']}" if "description" in schema else ""


def kind_of(schema, member):
    kind = type_of(schema["properties"][member])
    return kind if member in schema.get("required", []) else f"NotRequired[{kind}]"


def typed_dict(name, schema):
    if any(map(keyword.iskeyword, schema["properties"])):  # no class can have such a member
        members = ", ".join(f'"{member}": {kind_of(schema, member)}' for member in schema["properties"])
        yield f'{name} = TypedDict("{name}", {{\n{filled(members)}}})'
        return
    yield f"class {name}(TypedDict):"
    if "description" in schema:
        yield f'    """{schema["description"]}"""'
    for member, of_member in schema["properties"].items():
        line = f"    {member}: {kind_of(schema, member)}"
        told = line + comment(of_member)
        if len(told) > WIDTH:
            told = "\n".join(f"    # {part}" for part in textwrap.wrap(of_member["description"], WIDTH - 6)) + "\n" + line
        yield told


def types(schemas):
    """Aliases first: classes may name each other only as text, and these are not evaluated late."""
    later = []
    for name, schema in schemas.items():
        if "properties" in schema:
            later.append("\n".join(typed_dict(name, schema)))
            continue
        line = f"{name} = {type_of(schema)}"
        if len(line) > WIDTH:
            line = f"{name} = Literal[\n" + filled(line.partition("[")[2].rstrip("]")) + "]"
        yield line
    yield from ("\n\n" + text for text in in_order(later))


def in_order(classes):
    """Each behind those that it names."""
    names = {re.match(r"(?:class )?(\w+)", text).group(1): text for text in classes}
    done = []

    def put(name):
        if name in done:
            return
        for other in names:
            if other != name and re.search(rf": .*\b{other}\b", names[name]):
                put(other)
        done.append(name)
    for name in names:
        put(name)
    return [names[name] for name in done]


def answer_type(responses):
    found = []
    for status, response in responses.items():
        if not status.startswith("2"):
            continue
        for kind, media in response.get("content", {}).items():
            if kind == "text/html":
                continue
            found.append("bytes" if kind == "application/octet-stream" else type_of(media["schema"]))
    return " | ".join(dict.fromkeys(found))


def is_data(operation):
    """Whether a call can give it back: no stream that goes on, no file of a page."""
    kinds = {kind for status, response in operation["responses"].items() if status[0] == "2" for kind in response.get("content", {})}
    return bool(kinds & {"application/json", "text/plain", "application/octet-stream"})


def body_of(operation, schemas):
    """(its type, the lines that make it, what request() is told of it)."""
    contents = operation.get("requestBody", {}).get("content", {})
    kinds = {kind: media["schema"]["$ref"].rpartition("/")[2] for kind, media in contents.items()}
    percent = {name for schema in kinds.values() for name, one in schemas[schema]["properties"].items() if one.get("x-percent-encoded")}
    as_json = '        sent, kind = json.dumps(body).encode(), "application/json"'
    as_form = f"        sent, kind = form(body, {percent or '()'})".replace("'", '"')
    if not kinds:
        return None, [], ""
    if len(kinds) == 2:
        lines = ['        if "file" in body:', "    " + as_form, "        else:", "    " + as_json]
    else:
        lines = [as_json if "application/json" in kinds else as_form]
    return " | ".join(kinds.values()), lines, ", body=sent, content_type=kind"


def method(path, verb, operation, schemas):
    name = snake(operation["operationId"])
    given = operation.get("parameters", [])
    body, lines, send = body_of(operation, schemas)
    is_form = "multipart/form-data" in operation.get("requestBody", {}).get("content", {})
    arguments, options, query, headers = [], [], [], []
    for parameter in given:
        own, kind = snake(parameter["name"]), type_of(parameter["schema"])
        if parameter["in"] == "path":
            arguments.append(f"{own}: str")
        elif parameter["in"] == "query":
            options.append(f"{own}: {kind} | None = None")
            query.append(f'"{parameter["name"]}": {own}')
        elif not is_form:  # a form's settings are fields
            options.append(f"{own}: {kind} | None = None")
            headers.append(f'"{parameter["name"]}": {own}')
    signature = ", ".join(["self", *arguments, *([f"body: {body}"] if body else []), *(["*", *options] if options else [])])
    quoted = re.sub(r"{(\w+)}", lambda found: "{quote(%s, safe='')}" % snake(found[1]), path)
    target = f'f"{quoted}"' if "{" in path else f'"{path}"'
    sent = f"{{{', '.join(query)}}}, {{{', '.join(headers)}}}"
    head = f"    def {name}({signature}) -> {answer_type(operation['responses'])}:"
    yield head if len(head) <= WIDTH else head.replace(", *, ", ",\n" + " " * (len(name) + 9) + "*, ", 1)
    yield f'        """{operation["summary"]}"""'
    yield from lines
    yield f'        return self._ask("{verb.upper()}", {target}, {sent}{send})'
    listed = re.fullmatch(r"list\[(.*)\]", answer_type(operation["responses"]))
    if listed and any(p["name"] == "cursor" for p in given):
        options = [option for option in options if not option.startswith("cursor")]
        yield ""
        yield f"    def {name.replace('list_', 'iter_')}({', '.join(['self', *arguments, '*', *options])}) -> Iterator[{listed.group(1)}]:"
        yield f'        """{operation["summary"].replace("a page at a time", "all pages")}"""'
        yield f"        return self._pages({target}, {{{', '.join(q for q in query if 'cursor' not in q)}}}, {{{', '.join(headers)}}})"


def page():
    document = openapi.document()
    schemas = document["components"]["schemas"]
    exported = ", ".join(f'"{name}"' for name in sorted(["Client", "InfraError", *schemas]))
    text = OPENING % filled(exported) + "\n".join(types(schemas)) + "\n\n\nclass Client:\n"
    text += '    """One Infra and one key; any thread may call. What is no success is an InfraError."""\n\n'
    text += "    def __init__(self, url: str, api_key: str | None = None, timeout: float = 300.0):\n"
    text += "        transport = Transport(url, api_key, timeout)\n        self._ask, self._pages = transport.ask, transport.pages\n"
    for path, methods in document["paths"].items():
        for verb, operation in methods.items():
            if not is_data(operation):
                continue
            text += "\n" + "\n".join(method(path, verb, operation, schemas)) + "\n"
    return text


def check():
    if not (ROOT / PAGE).exists() or read(PAGE) != page():
        return [f"{PAGE} is not what {openapi.SOURCES} says; `./dev docs` writes it anew."]
    return []


if __name__ == "__main__":
    (ROOT / PAGE).write_text(page(), encoding="utf-8")
