"""go.mod, and vendor/modules.txt, as an older Go than they were written by takes them: what it refuses goes, the rest stays.

A version is a tuple (major, minor, patch). The language of a go line newer than the compiler's is lowered to the compiler's own:
code that needs nothing newer builds, and of the rest the compiler says what it does not know.
"""

import re

# Directives by the Go that first knew them. None of them says what is built.
SINCE = {"toolchain": (1, 21, 0), "godebug": (1, 23, 0), "tool": (1, 24, 0), "ignore": (1, 25, 0)}
PATCHES_SINCE = (1, 21, 0)  # before, a go line had two numbers and no more
DIRECTIVE = re.compile(r"\s*([a-z]+)\s*(\(?)")
GO_LINE = re.compile(r"(\s*go\s+)([\w.]+)(.*)", re.DOTALL)
VENDORED_GO = re.compile(r"(## (?:[^;]*;\s*)?go )([\w.]+)(.*)", re.DOTALL)
VERSION = re.compile(r"(?:go)?(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?")


def parse_version(text):
    """Of "go1.19.8", "1.22" or "1.23rc1"; None of anything else."""
    found = VERSION.match((text or "").removeprefix("devel "))
    return tuple(int(part or 0) for part in found.groups()) if found else None


def acceptable(asked, local):
    """The version that `local` takes for `asked`, both as they are written."""
    version, here = parse_version(asked), parse_version(local)
    if version is None or here is None:
        return asked
    if version > here:
        return f"{here[0]}.{here[1]}"
    if here < PATCHES_SINCE:
        return f"{version[0]}.{version[1]}"
    return asked


def directives(text):
    """(line, verb, it is inside of a block or begins one) for each line of a go.mod; comments have no verb."""
    block = ""
    for line in text.splitlines(keepends=True):
        code = line.partition("//")[0]
        if block:
            yield line, block, True
            block = "" if code.strip() == ")" else block
            continue
        found = DIRECTIVE.match(code)
        verb = found.group(1) if found else ""
        block = verb if found and found.group(2) and not code.rstrip().endswith(")") else ""
        yield line, verb, bool(block)


def asked_version(text):
    """What the go line of a go.mod says; empty without one."""
    for line, verb, in_block in directives(text):
        found = GO_LINE.match(line) if verb == "go" and not in_block else None
        if found:
            return found.group(2)
    return ""


def lowered(text, local):
    """A go.mod that `local` takes. Every line keeps its number."""
    here = parse_version(local)
    lines = []
    for line, verb, in_block in directives(text.removeprefix("\ufeff")):
        found = GO_LINE.match(line) if verb == "go" and not in_block else None
        if here is not None and SINCE.get(verb, here) > here:
            line = "\n"
        elif found:
            line = found.group(1) + acceptable(found.group(2), local) + found.group(3)
        lines.append(line)
    return "".join(lines)


def lowered_list(text, local):
    """The same of a vendor/modules.txt."""
    return "".join(VENDORED_GO.sub(lambda found: found.group(1) + acceptable(found.group(2), local) + found.group(3), line, count=1)
                   if line.startswith("## ") else line for line in text.splitlines(keepends=True))


def vendored_packages(text):
    """{import path: the version that its module asks for} of a vendor/modules.txt."""
    packages, asked = {}, ""
    for line in text.splitlines():
        if line.startswith("# "):
            asked = ""
        elif line.startswith("## "):
            found = VENDORED_GO.match(line)
            asked = found.group(2) if found else asked
        elif line.strip():
            packages[line.strip()] = asked
    return packages
