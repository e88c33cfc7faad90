"""The dashboard's first paint against an empty page's, in Debian's Chromium: no more than twice as long."""

import json
import subprocess
import sys

ROUNDS = 21
BAR = 2.0


def compare(harness, root):
    sys.path.insert(0, str(root / "tests" / "web"))
    from node import environment, node_program
    infra = harness.Infra().start()
    try:
        done = subprocess.run([node_program(), str(root / "bench" / "first_paint.mjs"), str(ROUNDS)], check=True, capture_output=True,
                              text=True, env=environment(f"http://127.0.0.1:{infra.port}", harness.API_KEY))
    finally:
        infra.close()
    took = json.loads(done.stdout)
    ratio = took["dashboard"] / took["empty"]
    print(f"first paint, medians of {ROUNDS}: an empty page {took['empty']:.0f} ms, the dashboard {took['dashboard']:.0f} ms, "
          f"{ratio:.2f} times as long (the bar is {BAR:.0f})")
    if ratio > BAR:
        raise SystemExit("the dashboard's first paint takes too long")
