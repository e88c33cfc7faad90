"""A crowd of clients on a fleet, while it is well or while its programs are being killed: used by the tests in small, and by
`./dev bench fleet` at full size."""

import http.client
import threading
import time

INSTANT = "def handler(e, c): return e"
# Seconds. What a killed worker had is received 30 s later, or as long again after that, where the poll that it left behind has it or it
# is killed once more; then its jobs run one after the other. The rest is for a busy machine.
PATIENT = 120


class Crowd:
    """`connections` threads that together make `runs` runs, spread over the clients, and go on for as long as there is `more`.
    `is_async` says of a turn on a connection whether that run is. What came of each is kept."""

    def __init__(self, clients, function, runs, connections=32, is_async=lambda turn, connection: False, more=lambda: False):
        self.clients, self.function, self.runs, self.is_async, self.more = clients, function, runs, is_async, more
        self.lock, self.next, self.no_more = threading.Lock(), 0, threading.Event()
        self.accepted, self.answered, self.refused, self.broken, self.wrong = [], [], [], [], []
        self.slowest = 0.0  # seconds to a 202 or a 503
        self.threads = [threading.Thread(target=self.work, args=(number,)) for number in range(connections)]

    def start(self):
        self.started = time.monotonic()
        for thread in self.threads:
            thread.start()
        return self

    def begun(self):
        """Waits until the last run is begun, or refused; those that are under way may take a while yet."""
        self.no_more.wait()
        return self

    @property
    def goes_on(self):
        return any(thread.is_alive() for thread in self.threads)

    def join(self):
        for thread in self.threads:
            thread.join()
        self.seconds = time.monotonic() - self.started
        return self

    def turn(self):
        with self.lock:
            self.next += 1
            if self.next <= self.runs or self.more():
                return self.next
            self.no_more.set()
            return None

    def work(self, number):
        index = number % len(self.clients)
        client = self.clients[index]
        connection = client.connect(timeout=PATIENT)
        while (turn := self.turn()) is not None:
            started = time.monotonic()
            try:
                answer = client.run_on(connection, self.function, turn, self.is_async(turn, number))
            except (OSError, http.client.HTTPException) as error:
                self.broken.append((index, repr(error)))
                connection.close()
                connection = client.connect(timeout=PATIENT)
                time.sleep(0.05)  # it is being started again
                continue
            self.note(index, turn, answer, time.monotonic() - started)
            if answer.status == 503:
                time.sleep(0.5)  # as Retry-After asks, or nearly
        connection.close()

    def note(self, index, turn, answer, took):
        if answer.status in (202, 503):
            self.slowest = max(self.slowest, took)
        if answer.status == 202:
            self.accepted.append(answer.json()["jobId"])
        elif answer.status == 200 and answer.json().get("result") == turn:
            self.answered.append((answer.json()["requestId"], took))
        elif answer.status == 503:
            self.refused.append((index, answer.text))
        else:
            self.wrong.append((index, answer.status, answer.text[:300]))

    def percentile(self, part):
        times = sorted(took for _, took in self.answered)
        return times[min(int(len(times) * part), len(times) - 1)] if times else float("nan")


class Killer:
    """Kills the given programs with SIGKILL and starts them again, every `interval` seconds. The end of a crowd is not to be
    waited for meanwhile: a worker that lives for two seconds, and the polls of those that don't live any more, take messages
    out of sight for half a minute each time."""

    def __init__(self, programs, interval=2.0):
        self.programs, self.interval, self.kills = programs, interval, 0
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.go_on)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()

    def go_on(self):
        while not self.over.wait(self.interval):
            for program in self.programs:
                program.kill()
            for program in self.programs:
                program.start()
            self.kills += 1
