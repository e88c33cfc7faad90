"""docs/cli.md out of the command line's table: `./dev docs` writes it, `./dev check docs` holds it against the table. The end-to-end
tests read the examples by it, too."""

import re

from sources import ROOT, read

PAGE = "docs/cli.md"
TABLE, HELP = "src/cli/command_table.cc", "src/cli/help.cc"
TOKEN = re.compile(r'\s+|//[^\n]*|("(?:[^"\\]|\\.)*")|([A-Za-z_][\w:]*)|(\d+)|([{}(),.=;])')
DEFINITION = re.compile(r"const std::vector<\w+> (\w+) =\s*(?=\{|with)")

OPENING = """# The command line

Written by `./dev docs` from `cli/command_table.cc`; change that table, not this page. `infra --help` and `infra COMMAND --help` say the same,
`infra man` is it as a manual page, and `infra completion bash` (or `zsh`, `fish`) teaches it to a shell.

The program that serves is also its client: it talks HTTP ([http-api.md](http-api.md)) with any Infra, here or elsewhere.

```sh
infra dev                                 # in a terminal of its own: starts Infra, and writes the profile local
infra init python hello                   # a function that works, with its settings and an input to try
infra deploy hello
infra invoke hello -d '{"name": "Ada"}'
```
"""

BEHIND = """
## Which platform

Where it is and its key are taken from, in this order:

1. the options `--url` and `--api-key`,
2. the environment: `INFRA_URL` and `INFRA_API_KEY`,
3. `infra.toml` in the folder (of `deploy` and `watch`: beside the code), its `url` alone,
4. a profile: the one that `--profile` or `INFRA_PROFILE` names, else the default.

`INFRA_CA_FILE`, or a profile's `ca_file`, names the authorities (PEM) that an `https://` platform's certificate is verified against, in place
of the system's.

A profile is a file `~/.config/infra/profiles/NAME.toml` (or below `$XDG_CONFIG_HOME`), mode 600, with `url`, `key` and perhaps `ca_file`.
`infra dev` writes the profile `local`, which is the default; `infra login URL` writes another, and makes it the default. A profile that is
named comes before `infra.toml`. The key of a profile is sent to its own URL alone, whatever else names another: code from a stranger gets
nobody's key. `.env` is the server's, and is never read.

## Settings beside the code: infra.toml

```toml
name = "hello"
runtime = "python"
memory = 256              # MB, or "1gb"
timeout = "30s"
network = "egress"
keep_warm = 1
max_concurrency = 10
description = "Greets."
url = "https://infra.example.com"

[env]
GREETING = "Hello"
```

All of it may be left out. Options of `infra deploy` come before it, `--env` variable by variable; what neither names stays as it is on the
platform. An unknown name is an error. `infra.toml` itself is not uploaded, but what stands in `[env]` is in your repository: secrets belong
into options.

## What is uploaded

Everything in the folder but `.git`, `.hg`, `.svn`, `__pycache__`, `*.pyc`, `.DS_Store`, `.env`, `infra.toml`, `.infraignore`, and what
`.infraignore` names, in the form of `.gitignore`: a pattern a line, the last that matches counts, `!` takes back. Links stay links and
executable files executable. The same files make the same ZIP, byte for byte. The runtime is that of the one entry file at the root
([functions.md](functions.md)).

## For scripts

With `--json` stdout has the API's own JSON and nothing else: of `deploy`, `describe`, `update`, `remove`, `advice`, `workers` and `models` the
answer as it came, of `invoke` and `status` the result, of `list` and `logs` one array, of `logs --follow` an object a line, of `files` the
`outputFiles`. Its members are those of [http-api.md](http-api.md), which stay. A failure is one object on stderr:

```json
{"error": "…", "code": "function_not_found", "fault": "request", "exit": 3, "requestId": "…", "stderr": null, "next": "infra list"}
```

`fault` is `function`, `command`, `request`, `platform` or `connection`; `code` is the API's ([errors.md](errors.md)), or null. Without
`--json` `invoke` and `status` print what the handler returned to stdout; a run that returned nothing, as a plain script's, prints what it
printed. All else goes to stderr. Colours are for terminals alone, and not with `NO_COLOR`.
"""


def tokens(source):
    position = 0
    while position < len(source):
        match = TOKEN.match(source, position)
        if match is None:
            raise SystemExit(f"{TABLE}: tools/cli_docs.py can't read on at: {source[position:position + 60]!r}")
        position = match.end()
        if match.lastgroup or match.lastindex:
            yield match.group().strip()


def text_of(literal):
    return re.sub(r"\\(.)", lambda escaped: {"n": "\n"}.get(escaped[1], escaped[1]), literal[1:-1])


class Reader:
    """An aggregate of texts, lists and named members, and what `with` joins."""

    def __init__(self, source, known):
        self.left, self.known = list(tokens(source))[::-1], known

    def take(self, wanted=None):
        token = self.left.pop()
        if wanted is not None and token != wanted:
            raise SystemExit(f"{TABLE}: tools/cli_docs.py wants {wanted} where {token} is.")
        return token

    def value(self):
        token = self.take()
        if token.startswith('"'):
            text = text_of(token)
            while self.left[-1].startswith('"'):
                text += text_of(self.take())
            return text
        if token == "{":
            return self.aggregate()
        if token == "with":
            self.take("(")
            first = self.value()
            self.take(",")
            more = self.value()
            self.take(")")
            return first + more
        return self.known.get(token, token)

    def aggregate(self):
        members, items = {}, []
        while self.left[-1] != "}":
            if self.left[-1] == ".":
                self.take(".")
                name = self.take()
                self.take("=")
                members[name] = self.value()
            else:
                items.append(self.value())
            if self.left[-1] == ",":
                self.take(",")
        self.take("}")
        return members or items


def tables(path):
    """{name: value} of each table in a source."""
    source, known = read(path), {}
    for match in DEFINITION.finditer(source):
        end = source.index(";\n", match.end())
        while source[end - 1] not in "})":
            end = source.index(";\n", end + 1)
        known[match.group(1)] = Reader(source[match.end():end + 1], known).value()
    return known


def commands():
    return tables(TABLE)["kCommands"]


def examples():
    """(command, line) of each, in the table's order."""
    return [(command["name"], example["line"]) for command in commands() for example in command.get("examples", [])]


def cell(text):
    return text.replace("|", "\\|")


def option_rows(options):
    yield "| option | |"
    yield "| --- | --- |"
    for option in options:
        words = f"{option['letter']}, " if "letter" in option else ""
        words += option["name"] + (f" {option['value']}" if "value" in option else "")
        several = " May come several times." if option.get("many") == "true" else ""
        yield f"| `{words}` | {cell(option['help'])}{several} |"


def section(command):
    usage = f"infra {command['name']}" + (f" {command['arguments']}" if "arguments" in command else "") + " [OPTIONS]"
    yield f"\n### infra {command['name']}\n"
    yield f"`{usage}`: {command['summary']}"
    if "details" in command:
        yield "\n" + command["details"]
    if command.get("options"):
        yield ""
        yield from option_rows(command["options"])
    if command.get("examples"):
        yield "\n```sh"
        width = max(len(example["line"]) for example in command["examples"])
        for example in command["examples"]:
            yield f"{example['line']:{width}}  # {example['says']}"
        yield "```"


def page():
    known = tables(TABLE)
    exits = [(row["exit"].rpartition("::")[2], row["meaning"]) for row in tables(HELP)["kExits"]]
    lines = [OPENING.rstrip(), "\n## Commands\n", "Each that asks a platform has these, too:\n", *option_rows(known["kConnectionOptions"])]
    for command in known["kCommands"]:
        lines += section(command)
    lines.append(BEHIND.rstrip())
    lines += ["\n## Exit status\n", "| status | |", "| --- | --- |"]
    lines += [f"| {number} | {meaning} |" for number, (_, meaning) in enumerate(exits)]
    lines.append("\nEvery failure says whose fault it was, the id of its request, the end of the function's stderr, and what to do next.")
    return "\n".join(lines) + "\n"


def check():
    if not (ROOT / PAGE).exists() or read(PAGE) != page():
        return [f"{PAGE} is not what {TABLE} says; `./dev docs` writes it anew."]
    return []


if __name__ == "__main__":
    (ROOT / PAGE).write_text(page(), encoding="utf-8")
