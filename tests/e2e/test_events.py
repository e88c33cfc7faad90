"""GET /events: a run is heard of while it happens, what it prints too, and a stop ends the streams at once."""

import json
import queue
import threading
import time

from harness import API_KEY, FLEET, PATIENCE, Case, Infra, main, same_in_a_fleet

PRINTS = """import time, sys
def handler(event, context):
    print("first", flush=True)
    print("aside", file=sys.stderr, flush=True)
    time.sleep(event)
    print("second", flush=True)
    return "done"
"""
BEGINS_TO_TELL = 4.5  # a fleet's workers, after the first listener has come


class Stream:
    """What one client hears, as (kind, data, id)."""

    def __init__(self, infra, query="", last_id=None):
        self.connection = infra.connect(PATIENCE)
        headers = {"x-api-key": API_KEY, **({"Last-Event-ID": last_id} if last_id else {})}
        self.connection.request("GET", "/events" + query, headers=headers)
        self.answer = self.connection.getresponse()
        self.events = queue.Queue()
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        event = {}
        try:
            for line in self.answer:
                field, _, value = line.decode().rstrip("\r\n").partition(": ")
                if field in ("event", "data", "id"):
                    event[field] = value
                elif not field and "event" in event:
                    self.events.put((event["event"], json.loads(event["data"]), event.get("id")))
                    event = {}
            self.ended.set()
        except OSError:
            pass

    def next(self, kinds=("run", "log")):
        while True:
            event = self.events.get(timeout=PATIENCE)
            if event[0] in kinds:
                return event

    def close(self):
        self.connection.close()


class Events(Case):
    def listen(self, query="", **more):
        stream = Stream(self.infra, query, **more)
        self.addCleanup(stream.close)
        self.assertEqual(stream.answer.status, 200)
        return stream

    def until_all_tell(self):
        if FLEET:
            time.sleep(BEGINS_TO_TELL)  # no word of it can be awaited

    def test_a_run_is_heard_of_while_it_happens(self):
        function = self.infra.deploy(PRINTS)
        other = self.infra.deploy(PRINTS)
        stream = self.listen(f"?functions={function}&kinds=run,log")
        self.until_all_tell()
        self.infra.result(other, 0)
        job = self.infra.run_async(function, 1)
        heard = [stream.next() for _ in range(4)]
        self.assertEqual([(kind, data.get("phase") or data["text"]) for kind, data, _ in heard][:2],
                         [("run", "accepted"), ("run", "started")])
        # The function sleeps still.
        self.assertEqual({(data["stream"], data["text"]) for _, data, _ in heard[2:]}, {("stdout", "first"), ("stderr", "aside")})
        self.assertEqual(self.infra.get(f"/status/{job}").json()["status"], "pending")
        self.assertEqual(stream.next()[1]["text"], "second")
        kind, end, last = stream.next()
        self.assertEqual((kind, end["phase"], end["status"]), ("run", "finished", "SUCCESS"))
        self.assertEqual({data["requestId"] for _, data, _ in heard}, {job})
        self.assertGreater(end["durationMs"], 1000)
        self.assertTrue(end["coldStart"] and end["workerId"] and end["peakMemoryBytes"] > 0, end)

    def test_workers_are_told_of(self):
        kind, worker, _ = self.listen("?kinds=worker").next(("worker",))
        self.assertEqual((kind, worker["healthStatus"]), ("worker", "healthy"))

    @same_in_a_fleet
    def test_a_stop_ends_streams_at_once(self):
        infra = Infra({}).start()
        self.addCleanup(infra.close)
        stream = Stream(infra)
        stream.next(("worker",))
        began = time.monotonic()
        self.assertEqual(infra.stop(), 0)
        self.assertTrue(stream.ended.wait(PATIENCE), "the stream broke off without its end")
        self.assertLess(time.monotonic() - began, 10)


main()
