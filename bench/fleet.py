"""`./dev bench fleet`: ten thousand runs through two controllers and two workers on Redis and the AWS peers, while all is well,
while programs are killed every two seconds, and while Redis is stopped, frozen and restarted empty. It checks as it measures."""

import argparse
import sys
import threading
import time

from measured_program import drive


def rows_of(client, function):
    return [row["requestId"] for row in client.pages(f"/functions/{function}/logs?limit=1000")]


def counted(client, function):
    return client.get(f"/functions/{function}").json()["invocations"]


def until(condition, seconds):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.2)


class Bench:
    def __init__(self, runs, connections):
        from fleet_harness import FleetClients
        from fleet_load import INSTANT
        from harness import Infra
        self.runs, self.connections = runs, connections
        self.fleet = FleetClients(Infra).start()
        self.client = self.fleet.clients[1]
        self.function = self.client.deploy(INSTANT)

    def crowd(self, **more):
        from fleet_load import Crowd
        return Crowd(self.fleet.clients, self.function, self.runs, self.connections, **more)

    def settle(self, crowd):
        """What became of everything: unsettled jobs, rows that are there twice, and the rest for the table."""
        lost = []
        for job in crowd.accepted:
            try:
                if self.client.await_result(job, 120)["status"] != "SUCCESS":
                    lost.append(job)
            except AssertionError:
                lost.append(job)
        done = {request for request, _ in crowd.answered} | set(crowd.accepted)
        until(lambda: done <= set(rows_of(self.client, self.function)), 60)
        rows = rows_of(self.client, self.function)
        until(lambda: counted(self.client, self.function) == len(rows), 10)
        return {"answers": len(crowd.answered), "accepted": len(crowd.accepted), "refused": len(crowd.refused),
                "cut": len(crowd.broken), "wrong": len(crowd.wrong), "lost": len(lost) + len(done - set(rows)),
                "rows": len(rows), "twice": len(rows) - len(set(rows)), "counted": counted(self.client, self.function),
                "seconds": crowd.seconds, "p50": crowd.percentile(0.5) * 1000, "p99": crowd.percentile(0.99) * 1000,
                "elsewhere": sum(1 for index, *_ in (*crowd.broken, *crowd.refused) if index != 0)}

    def well(self):
        m = self.settle(self.crowd().start().join())
        return m, [*complaints(m), *(f"{m[what]} {what} where {self.runs} were to be" for what in ("answers", "rows", "counted")
                                     if m[what] != self.runs)]

    def killed(self):
        """The first controller and the first worker."""
        from fleet_load import Killer
        fleet = self.fleet.fleet
        with Killer([fleet.controllers[0], fleet.workers[0]]) as killer:
            crowd = self.crowd(is_async=lambda turn, _: turn % 2 == 0).start().begun()
        m = self.settle(crowd.join())
        print(f"both killed {killer.kills} times", file=sys.stderr)
        return m, [*complaints(m), *([f"{m['elsewhere']} requests failed on the controller that lived"] if m["elsewhere"] else [])]

    def redis_gone(self):
        redis = self.fleet.fleet.redis
        over = threading.Event()
        # Connections that wait for a result ask nothing meanwhile: two never wait.
        crowd = self.crowd(is_async=lambda turn, connection: connection < 2 or turn % 2 == 0,
                           more=lambda: not over.is_set()).start()
        for step, pause in ((redis.kill, 3), (redis.restart, 3), (redis.freeze, 10), (redis.thaw, 3)):
            time.sleep(0.5)
            step()
            time.sleep(pause)
        over.set()
        m = self.settle(crowd.join())
        return m, [*complaints(m), *([f"{m['cut']} connections broke"] if m["cut"] else []),
                   *([f"a 202 or 503 took {crowd.slowest:.1f} s"] if crowd.slowest > 6 else []),
                   *([f"{m['counted']} counted of {m['rows']} runs"] if m["counted"] != m["rows"] else [])]


def complaints(m):
    """What must hold in every case."""
    return [f"{m[what]} {words}" for what, words in (("wrong", "wrong answers"), ("lost", "accepted jobs lost"),
                                                     ("twice", "runs recorded twice")) if m[what]]


CASES = {"well": Bench.well, "kill -9 every 2 s": Bench.killed, "Redis stopped, emptied, frozen": Bench.redis_gone}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", required=True)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("cases", nargs="*", help=", ".join(CASES))
    given = parser.parse_args()
    drive(given.program)
    threading.excepthook = lambda _: None
    print("| case | answers | 202 | 503 | cut | wrong | lost | rows | twice | counted | s | runs/s | p50 ms | p99 ms |")
    print("| --- " * 14 + "|")
    all_complaints = []
    for name, case in CASES.items():
        if given.cases and name not in given.cases:
            continue
        bench = Bench(given.runs, given.connections)
        try:
            m, complained = case(bench)
        finally:
            bench.fleet.close()
        rate = (m["answers"] + m["accepted"]) / m["seconds"]
        print(f"| {name} | {m['answers']} | {m['accepted']} | {m['refused']} | {m['cut']} | {m['wrong']} | {m['lost']} | "
              f"{m['rows']} | {m['twice']} | {m['counted']} | {m['seconds']:.1f} | {rate:.0f} | {m['p50']:.1f} | "
              f"{m['p99']:.0f} |", flush=True)
        all_complaints += [f"{name}: {words}." for words in complained]
    print("\n".join(all_complaints), file=sys.stderr)
    return 1 if all_complaints else 0


if __name__ == "__main__":
    sys.exit(main())
