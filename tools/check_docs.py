"""The documentation against the tree: links and anchors lead somewhere, files that it names exist, tables are those of the sources."""

import re
from urllib.parse import unquote

import check_decisions
import cli_docs
import generated_docs
import error_docs
from sources import ROOT, files, line_of, read

LINK = re.compile(r"\[[^\]\n]*\]\(([^()\s]+)\)")
NAMED = re.compile(r"`((?:\./)?(?:src|docs|tests|tools|bench|examples|runtimes|packaging)/[\w./-]*)`")
# The end of a path, by which pages below docs/ name our headers, sources and tests: folders move more often than files are renamed.
NAMED_BY_ITS_END = re.compile(r"`((?:[\w-]+/)*\w[\w-]*\.(?:h|cc)|(?:[\w-]+/)*test_\w+\.py)`")
OUR_CODE = ("src", "tests", "tools", "bench", "runtimes")
FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*$", re.MULTILINE)


def without_code(text):
    """The same text with code blocks blanked, line for line."""
    return FENCE.sub(lambda block: "\n" * block.group().count("\n"), text)


def anchors(path):
    """What GitHub makes of a page's headings."""
    found = set()
    for heading in HEADING.findall(without_code(read(path))):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", words).strip().replace(" ", "-")
        count = sum(1 for a in found if a == slug or re.fullmatch(re.escape(slug) + r"-\d+", a))
        found.add(f"{slug}-{count}" if count else slug)
    return found


def wrong_link(page, target):
    """Why a link leads nowhere, or None."""
    if re.match(r"[a-z][a-z0-9+.-]*:", target):
        return None
    file, _, anchor = unquote(target).partition("#")
    there = (page.parent / file) if file else page
    if not (ROOT / there).exists():
        return f"there is no {file}"
    if anchor and there.suffix == ".md" and anchor not in anchors(there):
        return f"{there} has no heading for #{anchor}"
    return None


def unknown_names(page, text, paths):
    for match in NAMED_BY_ITS_END.finditer(text):
        if not any(path.endswith("/" + match.group(1)) for path in paths):
            yield f"{page}:{line_of(text, match.start())}: no file's path ends in {match.group(1)}."


def check():
    complaints = check_decisions.check() + generated_docs.check() + error_docs.check() + cli_docs.check()
    paths = ["/" + path.as_posix() for path in files(".h", ".cc", ".py", under=OUR_CODE)]
    for page in files(".md"):
        text = without_code(read(page))
        if page.parts[0] in ("docs", "src"):
            complaints += unknown_names(page, text, paths)
        for match in LINK.finditer(text):
            reason = wrong_link(page, match.group(1))
            if reason:
                complaints.append(f"{page}:{line_of(text, match.start())}: {reason}.")
        for match in NAMED.finditer(text):
            if not (ROOT / match.group(1)).exists():
                complaints.append(f"{page}:{line_of(text, match.start())}: there is no {match.group(1)}.")
    return complaints
