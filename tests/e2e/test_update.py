"""Changing code while it runs: every run gets the old version or the new one, whole, and never a missing file."""

import threading

from harness import PATIENCE, Case, bundle, main

VERSIONS = 15
CALLERS = 4


def version(number):
    """Two files that must agree: a mix of two versions would show."""
    return {"main.py": f"import other\ndef handler(event, context):\n    return [{number}, other.NUMBER]\n",
            "other.py": f"NUMBER = {number}\n"}


class Update(Case):
    def test_runs_see_one_version_or_the_next(self):
        function = self.infra.deploy(version(0))
        accepted = [0]  # versions whose PUT was answered
        stop = threading.Event()
        finished = threading.Semaphore(0)
        seen, wrong = set(), []

        def call():
            while not stop.is_set():
                least = accepted[0]
                result = self.infra.result(function)
                most = accepted[0] + 1
                value = result["result"]
                if result["status"] != "SUCCESS" or value[0] != value[1] or not least <= value[0] <= most:
                    wrong.append((least, most, result))
                    stop.set()
                seen.add(value[0])
                finished.release()

        callers = [threading.Thread(target=call) for _ in range(CALLERS)]
        for caller in callers:
            caller.start()
        for number in range(1, VERSIONS):
            answer = self.infra.upload(bundle(version(number)), path=f"/functions/{function}", method="PUT")
            self.assertEqual(answer.status, 200, answer)
            accepted[0] = number
            self.assertTrue(finished.acquire(timeout=PATIENCE))  # some run between two updates
        stop.set()
        for caller in callers:
            caller.join()
        self.assertEqual(wrong, [])
        self.assertGreater(len(seen), 2)
        self.assertEqual(self.infra.result(function)["result"], [VERSIONS - 1, VERSIONS - 1])


if __name__ == "__main__":
    main()
