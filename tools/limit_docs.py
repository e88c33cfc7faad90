"""The bounds that a client can meet, for the page of limits: numbers as src/core/limits.h has them, words that are written here."""

import re

import error_docs
from sources import read

LIMITS = "src/core/limits.h"
CONSTANT = re.compile(r"inline constexpr (?:std::)?([\w:]+) (k\w+)(?: = |\{)([^;}]+)\}?;")
HOURS = {"hours": 3600, "seconds": 1, "milliseconds": 0.001}
MIB = 1024 * 1024

# What is bounded, how the number is said, and what comes past it: an error code of docs/errors.md, or words.
ROWS = [
    ("the ZIP", "{size:kMaxPackedBytes}", "{code:bundle_too_large}"),
    ("what it unpacks to", "{size:kMaxUnpackedBytes}", "{code:bundle_too_large_unpacked}"),
    ("entries of it", "{count:kMaxEntries}", "{code:bundle_too_many_entries}"),
    ("a file of it over 1 MiB", "packed {count:kMaxRatio} to 1", "{code:bundle_ratio}"),
    ("folders in each other in it", "{count:kMaxBundleDepth}", "{code:invalid_bundle_path}"),
    ("`memoryMb`", "{count:kMinMemoryMb} to {count:kMaxMemoryMb} MB; {count:kDefaultMemoryMb} if nothing is said", "{code:invalid_memory}"),
    ("CPU", "in proportion: one core at {count:kMemoryPerCpuMb} MB", "it is slower"),
    ("`timeoutMs`", "{time:kMinTimeout} to {time:kMaxTimeout}; {time:kDefaultTimeout} if nothing is said", "{code:invalid_timeout}"),
    ("`keepWarm`", "0 to {count:kMaxKeepWarm} instances", "{code:invalid_keep_warm}"),
    ("`maxConcurrency`", "1 to {count:kMaxConcurrency} runs at once", "{code:invalid_max_concurrency}"),
    ("a name; one that is claimed", "{count:kMaxNameBytes} bytes; {count:kMaxClaimedName} characters", "{code:invalid_name}"),
    ("`description`", "{count:kMaxDescriptionBytes} bytes", "{code:invalid_description}"),
    ("`envVars`, names and values together", "{size:kMaxEnvBytes}", "{code:invalid_env_vars}"),
    ("the body of `POST /run`", "{size:kMaxRunBodyBytes}", "{code:body_too_large}"),
    ("how long a client waits for a run", "{time:kSyncWait}", "`504` with the `jobId`; the run goes on"),
    ("what a function returns", "{size:kMaxResultBytes}", "{code:result_too_large}"),
    ("stdout and stderr, each", "{size:kMaxOutputBytes}", "the rest is left out, and says so"),
    ("output files of a run", "{count:kMaxOutputFiles}, {size:kMaxOutputFileBytes} each, {size:kMaxOutputFilesBytes} together",
     "those past it are not kept, and the result says which"),
    ("how long a result can be asked for", "{time:kResultTtl}", "{code:job_not_found}"),
    ("how long log rows and output files are kept", "{time:kLogTtl}", "they are gone"),
    ("a log row's message", "{count:kMaxLogMessageBytes} bytes", "it is cut, and says so"),
    ("starts of a job whose worker is lost each time", "{count:kMaxReceives}", "{code:worker_lost}; that version rests for {time:kQuarantine}"),
]
NAMED = re.compile(r"\{(\w+):(\w+)\}")


def constants():
    """Sizes and counts as they are, times in seconds."""
    found = {"kMiB": MIB}
    for kind, name, text in CONSTANT.findall(read(LIMITS)):
        words = [word for word in re.split(r"[\s*]+", text.replace("'", "")) if word]
        value = 1
        for word in words:
            value *= found[word] if word in found else int(word)
        found[name] = value * HOURS.get(kind.rpartition("::")[2], 1)
    return found


def size(value):
    return f"{value // MIB} MiB" if value % MIB == 0 else f"{value // 1024} KiB"


def time(value):
    for unit, seconds in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if value >= 2 * seconds and value % seconds == 0:
            return f"{value / seconds:g} {unit}"
    if value == 3600:
        return "an hour"
    return f"{value:g} s" if value >= 1 else f"{value * 1000:g} ms"


def codes():
    """What each error code comes with: `413`, `bundle_too_large`."""
    statuses = error_docs.statuses()
    return {code: f"`{statuses[kind]}`, `{code}`" if "kAnswer" in places else f"a result with `{code}`"
            for _, _, code, kind, places, _, _ in error_docs.rows(error_docs.TABLE)}


def documented():
    known, errors = constants(), codes()
    said = {"size": size, "time": time, "count": lambda value: f"{value:,}" if value >= 10_000 else str(value)}

    def filled(text):
        return NAMED.sub(lambda match: errors[match[2]] if match[1] == "code" else said[match[1]](known[match[2]]), text)

    return ["| what | at most | past that |", "| --- | --- | --- |", *(f"| {what} | {filled(bound)} | {filled(past)} |" for what, bound, past in ROWS)]
