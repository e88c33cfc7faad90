"""What pages cost with 100,000 functions and 1,000,000 log rows: each page of the API beside the read of one row by its key, in turn,
so that both see the same machine."""

import os
import shutil
import sqlite3
import statistics
import tempfile
import time

FUNCTIONS = 100_000
ROWS = 1_000_000
BUSY = 500  # functions that share the rows
CHARTED = 5  # of them, which ran in each minute of the last 30 days
ROUNDS = 300
BAR = 20.0  # times the read by key

NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i+1 FROM n WHERE i<{last}) "
FUNCTION_ROWS = NUMBERS + """
INSERT INTO functions(id, name, original_name, runtime, memory_mb, timeout_ms, code_key, code_sha256, version, uploaded_at, updated_at,
                      description, env)
SELECT printf('%08x-0000-7000-8000-000000000000', i), 'function-' || i, 'f.zip', 0, 128, 30000, 'k', printf('%064x', i), 1,
       1700000000000 + i, 1700000000000 + i, 'what it is for', '{{}}' FROM n"""
COUNTER_ROWS = "INSERT INTO function_counters(function_id) SELECT id FROM functions"
LOG_ROWS = NUMBERS + """
INSERT INTO logs(function_id, timestamp, request_id, status, duration_ms, handler_ms, memory_mb, expires_at, error_code, message)
SELECT printf('%08x-0000-7000-8000-000000000000', i % {busy}), strftime('%Y-%m-%dT%H:%M:%f', 1700000000 + i, 'unixepoch') || '000Z',
       printf('r%08d', i), 0, 1.5, 1.0, 128, {never}, '', 'what it printed' FROM n"""

SUM_ROWS = NUMBERS + """
INSERT INTO run_sums(function_id, span, begin, sums)
SELECT printf('%08x-0000-7000-8000-000000000000', f.i), {span}, ({now} / {span} - n.i) * {span} * 60000,
       '60 1 2 180.000 12.500 31457280 4:20 5:20 6:15 9:4 15:1'
FROM n, (SELECT 0 AS i UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4) AS f"""


def fill(file):
    with sqlite3.connect(file) as database:
        database.execute(FUNCTION_ROWS.format(last=FUNCTIONS - 1))
        database.execute(COUNTER_ROWS)
        database.execute(LOG_ROWS.format(last=ROWS - 1, busy=BUSY, never=4_000_000_000_000))
        for span in (1, 60):
            database.execute(SUM_ROWS.format(last=30 * 1440 // span - 1, span=span, now=int(time.time() // 60)))
    database.close()


def function(number):
    return f"{number:08x}-0000-7000-8000-000000000000"


def chart(number, seconds, step):
    begin = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - seconds))
    return f"/functions/{function(number % CHARTED)}/series?from={begin}&step={step}"


def cursor_at(infra, path, pages):
    """The address of the page that many further on."""
    for _ in range(pages):
        link = infra.get(path).headers.get("Link", "")
        path = link[link.index("<") + 1:link.index(">")]
    return path


def compare(harness):
    folder = tempfile.mkdtemp(prefix="infra-pages-")
    environment = {"INFRA_DATA_DIR": os.path.join(folder, "data"), "RATE_LIMIT": "0"}
    try:
        harness.Infra(environment).start().stop()  # makes the tables
        fill(os.path.join(folder, "data", "infra.db"))
        infra = harness.Infra(environment).start()
        try:
            measure(infra)
        finally:
            infra.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def measure(infra):
    deep = cursor_at(infra, "/functions?limit=1000", 60).replace("limit=1000", "limit=50")
    deep_log = cursor_at(infra, f"/functions/{function(7)}/logs?limit=500", 3).replace("limit=500", "limit=50")
    pages = {  # name -> the address in a round; the key's another row each time, as a page's is
        "one function": lambda i: f"/functions/{function(i * 97 % FUNCTIONS)}",
        "functions, the first 50": lambda i: "/functions?limit=50",
        "functions, 50 of them 60,000 on": lambda i: deep,
        "a log, the newest 50": lambda i: f"/functions/{function(i % BUSY)}/logs?limit=50",
        "a log, 50 rows 1,500 on": lambda i: deep_log,
        "a log since a time": lambda i: f"/functions/{function(i % BUSY)}/logs?limit=50&startTime=2023-11-20T00:00:00Z",
        "a chart of an hour": lambda i: chart(i, 3600, 60),
        "a chart of a day": lambda i: chart(i, 86_400, 900),
        "a chart of 30 days": lambda i: chart(i, 30 * 86_400, 21_600),
        "one run": lambda i: f"/functions/{function(i * 31 % ROWS % BUSY)}/logs/r{i * 31 % ROWS:08d}",
    }
    took = {name: [] for name in pages}
    connection = infra.connect()
    for i in range(ROUNDS):
        for name, address in pages.items():
            begun = time.perf_counter()
            answer = infra.request("GET", address(i), connection=connection)
            took[name].append((time.perf_counter() - begun) * 1e6)
            if answer.status != 200:
                raise SystemExit(f"{name}: {answer}")
    key = statistics.median(took["one function"])
    print(f"{FUNCTIONS:,} functions, {ROWS:,} log rows, {ROUNDS} rounds; the bar is {BAR:.0f}\n")
    print("| page | median µs | times a row by its key |\n| --- | --- | --- |")
    for name, times in took.items():
        print(f"| {name} | {statistics.median(times):.0f} | {statistics.median(times) / key:.1f} |")
    worst = max(statistics.median(times) for times in took.values()) / key
    if worst > BAR:
        raise SystemExit(f"a page takes {worst:.1f} times as long as a row by its key")
