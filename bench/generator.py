"""Requests, and what http_load measures of them."""

import json
import os
import subprocess
import tempfile
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def raw_request(method, path, key, body=b"", headers=()):
    lines = [f"{method} {path} HTTP/1.1", "Host: bench", f"Content-Length: {len(body)}"]
    if key:
        lines.append(f"x-api-key: {key}")
    return "\r\n".join([*lines, *headers, "", ""]).encode() + body


def run_request(key, function, *headers):
    body = json.dumps({"functionId": function, "inputData": {"n": 1}}).encode()
    return raw_request("POST", "/run", key, body, ["Content-Type: application/json", *headers])


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def load(generator, infra, requests, connections, seconds):
    """The requests in turn, for so many seconds; 0: each once."""
    with tempfile.TemporaryDirectory(prefix="infra-bench-") as folder:
        files = [Path(folder, str(number)) for number in range(len(requests))]
        for file, request in zip(files, requests):
            file.write_bytes(request)
        before = cpu_seconds(infra.process.pid)
        done = subprocess.run([generator, str(infra.port), str(connections), str(seconds), *files], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{done.stderr.strip()}\nthe program's last words:\n" + "\n".join(infra.lines[-5:]))
    measured = json.loads(done.stdout)
    measured["cpuMs"] = (cpu_seconds(infra.process.pid) - before) * 1000 / measured["requests"]
    return measured
