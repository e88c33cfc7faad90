"""The decision pages: their form, their place in the index, and that a test or check of this tree proves each; the overview's length."""

import re

from sources import files, read

FOLDER = "docs/decisions"
SECTIONS = ["Context", "Decision", "Consequences", "Proof"]
PAGE = re.compile(r"(\d{4})-[a-z0-9-]+\.md")
OVERVIEW, OVERVIEW_LINES = "docs/architecture.md", 150
PROOF = re.compile(r"`(?:[\w./-]*(?:_test\.cc|_contract\.h|test_\w+\.py|session\.py|CMakeLists\.txt)|tests/[\w./-]+|\./dev check \w+)`")


def complaints_of(page, number):
    text = read(page)
    title = re.match(r"# (\d+)\. \S", text)
    if not title or int(title[1]) != number:
        yield f"{page}: the first line is no `# {number}. Title`."
    if re.findall(r"^## (.*)$", text, re.MULTILINE) != SECTIONS:
        yield f"{page}: its sections are not {', '.join(SECTIONS)}, in this order."
    if not PROOF.search(text.partition("## Proof")[2]):
        yield f"{page}: its proof names no test and no check."


def check():
    complaints, numbers = [], set()
    index = read(f"{FOLDER}/README.md")
    for page in files(".md", under=(FOLDER,)):
        name = PAGE.fullmatch(page.name)
        if not name:
            if page.name != "README.md":
                complaints.append(f"{page}: a decision is called NNNN-title-in-words.md.")
            continue
        if name[1] in numbers:
            complaints.append(f"{page}: another page has the number {name[1]}.")
        numbers.add(name[1])
        if f"]({page.name})" not in index:
            complaints.append(f"{page}: {FOLDER}/README.md does not list it.")
        complaints += complaints_of(page, int(name[1]))
    lines = read(OVERVIEW).count("\n")
    if lines > OVERVIEW_LINES:
        complaints.append(f"{OVERVIEW}: {lines} lines, of at most {OVERVIEW_LINES}: what is detail there has a page of its own.")
    return complaints
