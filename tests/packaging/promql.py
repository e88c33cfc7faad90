"""The metrics that a PromQL expression names, for tests that hold rules and dashboards against the table in the sources."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))
from table_rows import rows  # noqa: E402  (it lives beside the tools)

WORDS = {"and", "or", "unless", "bool", "offset", "by", "without", "on", "ignoring", "group_left", "group_right", "inf", "nan"}
NOT_NAMES = (r'"(?:[^"\\]|\\.)*"', r"\{[^}]*\}", r"\[[^\]]*\]", r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)")


def metrics_in(expression):
    for pattern in NOT_NAMES:
        expression = re.sub(pattern, " ", expression)
    names = re.findall(r"(?<![\w:.])([A-Za-z_:][\w:]*)\b(?!\s*\()", expression)
    return {name for name in names if name not in WORDS}


def exported():
    """Every name that a scrape may show."""
    names = {"up"}
    for row in rows("src/telemetry/metric_table.h"):
        suffixes = ("_bucket", "_sum", "_count") if row["kind"] == "histogram" else ("",)
        names |= {row["name"] + suffix for suffix in suffixes}
    return names
