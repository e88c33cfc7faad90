"""Once means once, however often the queue delivers and however many controllers listen; changes reach every controller;
neighbours of the reference platform work with ours in both directions."""

import json
import threading
import time
import unittest
import uuid

import raw_engines
from fleet_harness import FleetClients, sum_of
from harness import ECHO, SANITIZED, Infra, bundle, main, wait_for

SLEEPER = "import time\ndef handler(seconds, context):\n  time.sleep(seconds)\n  return 'slept'"
UNTOLD = 2.5 * (4 if SANITIZED else 1)  # seconds until a change without a message is seen: two, and the run that sees it
LEASE = 31  # seconds: a dead worker's lease and its message's visibility are over


class Fleet(unittest.TestCase):
    """With raw hands on the engines, as a neighbour would have them."""

    options = {}

    @classmethod
    def setUpClass(cls):
        cls.fleet = FleetClients(Infra, **cls.options).start()
        cls.addClassCleanup(cls.fleet.close)
        cls.one, cls.two = cls.fleet.clients

    @property
    def engines(self):
        return self.fleet.fleet

    def aws(self, service, target, body):
        return raw_engines.aws(self.engines.peers.about, service, target, body)

    def send(self, message):
        self.aws("sqs", "AmazonSQS.SendMessage", {"QueueUrl": self.engines.queue_url, "MessageBody": json.dumps(message)})

    def redis(self, *words):
        return raw_engines.redis(self.engines.redis.port, *words)

    def row_of(self, function):
        return self.aws("dynamodb", "DynamoDB_20120810.GetItem",
                        {"TableName": self.engines.functions_table, "Key": {"functionId": {"S": function}}})["Item"]

    def message_of(self, function, request, data, **more):
        row = self.row_of(function)
        return {"requestId": request, "functionId": function, "runtime": "python", "memoryMb": 128,
                "s3Bucket": self.engines.bucket, "s3Key": row["s3Key"]["S"], "timeoutMs": 60000, "input": data, **more}

    def invocations(self, function, client=None):
        return (client or self.two).get(f"/functions/{function}").json()["invocations"]

    def runs_of_workers(self):
        """How many jobs the workers that live now have settled."""
        return sum(sum_of(worker.get("/metrics").text, "worker_jobs_total") for worker in self.fleet.worker_clients)


class Once(Fleet):
    def test_a_message_that_is_there_three_times_runs_once(self):
        wait_for(self.fleet.queue_is_empty, 60, "the end of what other tests sent")
        function = self.one.deploy(SLEEPER)
        before = self.runs_of_workers()
        self.one.result(function, 0)
        job = str(uuid7())
        for _ in range(3):
            self.send(self.message_of(function, job, 1.5, **{"async": True}))
        wait_for(lambda: self.one.get(f"/status/{job}").status == 200, what="the result")
        self.assertEqual(self.one.get(f"/status/{job}").json()["result"], "slept")
        wait_for(lambda: self.invocations(function) == 2, 5, "the count")
        # The copies come back when the lease may have ended; what they find is a settled job.
        wait_for(self.fleet.queue_is_empty, 60, "the end of the copies")
        self.assertEqual(self.runs_of_workers() - before, 2)
        self.assertEqual(self.invocations(function), 2)
        self.assertEqual(len(self.two.log_rows(function, 2)), 2)

    def test_a_killed_workers_job_runs_on_another(self):
        function = self.one.deploy(SLEEPER)
        answers = []
        waiting = threading.Thread(target=lambda: answers.append(
            self.one.request("POST", "/run", {"functionId": function, "inputData": 4}, timeout=120)))
        waiting.start()
        busy = wait_for(self.fleet.busy_worker, what="the job's start")
        busy.kill()
        busy.start()
        started = time.monotonic()
        waiting.join()
        self.assertEqual((answers[0].status, answers[0].json().get("result")), (200, "slept"), answers)
        self.assertLess(time.monotonic() - started, LEASE + 20)
        self.assertEqual(wait_for(lambda: self.invocations(function), 5, "the count"), 1)

    def test_a_job_that_takes_its_worker_down_three_times_is_given_up(self):
        function = self.one.deploy(SLEEPER)
        job = self.one.run_async(function, 50)
        for _ in range(3):
            busy = wait_for(self.fleet.busy_worker, LEASE + 30, "a start")
            busy.kill()
            busy.start()
        result = self.two.await_result(job, LEASE + 30)
        self.assertEqual((result["status"], result["code"]), ("ERROR", "worker_lost"), result)
        rows = self.two.log_rows(function, 1)
        self.assertEqual([row["status"] for row in rows], ["ERROR"])

    def test_changes_are_seen_by_the_other_controller_at_once(self):
        function = self.one.deploy("def handler(e, c): return 'old'")
        self.assertEqual(self.two.result(function)["result"], "old")
        answer = self.one.upload(bundle({"main.py": "def handler(e, c): return 'new'"}), method="PUT",
                                 path=f"/functions/{function}")
        self.assertEqual(answer.status, 200, answer)
        wait_for(lambda: self.two.result(function)["result"] == "new", 0.5, "the new code")
        self.assertEqual(self.one.request("DELETE", f"/functions/{function}").status, 200)
        wait_for(lambda: self.two.run(function).status == 404, 0.5, "the end")

    def test_a_change_that_nobody_announced_is_seen_within_two_seconds(self):
        """As when the announcement is lost, or its author is a reference controller."""
        function = self.one.deploy("def handler(e, c): return 'old'")
        changed = self.row_of(self.one.deploy("def handler(e, c): return 'new'"))
        for client in (self.one, self.two):
            self.assertEqual(client.result(function)["result"], "old")
        table = self.engines.functions_table
        self.aws("dynamodb", "DynamoDB_20120810.PutItem", {"TableName": table, "Item": {**changed, "functionId": {"S": function}}})
        started = time.monotonic()
        for client in (self.one, self.two):
            wait_for(lambda: client.result(function)["result"] == "new", what="the new code")  # noqa: B023
        self.assertLess(time.monotonic() - started, UNTOLD)
        self.aws("dynamodb", "DynamoDB_20120810.DeleteItem", {"TableName": table, "Key": {"functionId": {"S": function}}})
        started = time.monotonic()
        for client in (self.one, self.two):
            wait_for(lambda: client.run(function).status == 404, what="the end")  # noqa: B023
        self.assertLess(time.monotonic() - started, UNTOLD)

    def test_a_large_payload_travels_through_the_bucket(self):
        function = self.one.deploy("def handler(e, c): return [len(e), e[-3:]]")
        big = "x" * 3_000_000 + "end"
        self.assertEqual(self.one.result(function, big)["result"], [len(big), "end"])
        job = self.one.run_async(function, big)
        self.assertEqual(self.two.await_result(job)["result"], [len(big), "end"])


class Neighbours(Fleet):
    def test_a_reference_controllers_message_is_run_and_answered_its_way(self):
        function = self.one.deploy(ECHO)
        request = str(uuid.uuid4())
        with raw_engines.subscribed(self.engines.redis.port, f"result:{request}") as heard:
            self.send({**self.message_of(function, request, {"n": 1}), "modelId": "llama3:8b", "envVars": {}})
            result = json.loads(heard())
        self.assertEqual((result["status"], result["result"], result["requestId"]), ("SUCCESS", {"echo": {"n": 1}}, request))
        self.assertEqual(json.loads(self.redis("GET", f"job:{request}"))["status"], "SUCCESS")
        # Its own controller logs and counts it.
        self.assertEqual(self.one.pages(f"/functions/{function}/logs"), [])
        self.assertEqual(self.invocations(function), 0)

    def test_rows_of_the_reference_are_listed_run_and_updated(self):
        function = self.one.deploy(ECHO)
        row = self.row_of(function)
        old = f"legacy-{uuid.uuid4().hex[:8]}"
        self.aws("dynamodb", "DynamoDB_20120810.PutItem", {"TableName": self.engines.functions_table, "Item": {
            "functionId": {"S": old}, "originalName": {"S": "legacy.zip"}, "s3Key": row["s3Key"], "runtime": {"S": "python"},
            "uploadedAt": {"S": "2024-01-01T00:00:00.000Z"}}})
        wait_for(lambda: old in [f["id"] for f in self.one.get("/functions").json()], 3, "the row in the list")
        self.assertEqual(self.one.result(old, 7)["result"], {"echo": 7})
        self.assertEqual(self.one.request("PUT", f"/functions/{old}", {"memoryMb": 256}).status, 200)
        self.assertEqual(self.two.get(f"/functions/{old}").json()["memoryMb"], 256)
        wait_for(lambda: self.invocations(old) == 1, 5, "the count")

    def test_code_that_a_reference_controller_replaces_is_run(self):
        """It knows nothing of the attributes that are ours alone, and leaves them as they were."""
        function = self.one.deploy("def handler(e, c): return 'old'")
        self.assertEqual(self.two.result(function)["result"], "old")
        new = self.row_of(self.one.deploy("def handler(e, c): return 'new'"))["s3Key"]
        self.aws("dynamodb", "DynamoDB_20120810.UpdateItem", {
            "TableName": self.engines.functions_table, "Key": {"functionId": {"S": function}},
            "UpdateExpression": "SET s3Key = :key, updated_at = :now",
            "ExpressionAttributeValues": {":key": new, ":now": {"S": "2026-01-01T00:00:00.000Z"}}})
        wait_for(lambda: self.two.result(function)["result"] == "new", UNTOLD, "the new code")

    def test_a_reference_workers_result_is_heard_and_recorded_once(self):
        function = self.one.deploy(ECHO)
        for worker in self.engines.workers:
            worker.stop()
        try:
            answers = []
            waiting = threading.Thread(target=lambda: answers.append(self.one.run(function, {"n": 1})))
            waiting.start()
            message = wait_for(lambda: self.receive(), 10, "the message")
            job = json.loads(message["Body"])
            result = {"requestId": job["requestId"], "functionId": function, "workerId": "old-1", "status": "SUCCESS",
                      "exitCode": 0, "stdout": "from the old one", "stderr": "", "durationMs": 12}
            self.redis("PUBLISH", f"result:{job['requestId']}", json.dumps(result))
            self.redis("SET", f"job:{job['requestId']}", json.dumps(result), "EX", "3600")
            self.aws("sqs", "AmazonSQS.DeleteMessage",
                     {"QueueUrl": self.engines.queue_url, "ReceiptHandle": message["ReceiptHandle"]})
            waiting.join()
            self.assertEqual((answers[0].status, answers[0].json()["stdout"]), (200, "from the old one"))
            rows = self.two.log_rows(function, 1)
            self.assertEqual([row["requestId"] for row in rows], [job["requestId"]])
            wait_for(lambda: self.invocations(function) == 1, 5, "the count")
        finally:
            for worker in self.engines.workers:
                worker.start()

    def receive(self):
        return next(iter(self.aws("sqs", "AmazonSQS.ReceiveMessage",
                                  {"QueueUrl": self.engines.queue_url, "WaitTimeSeconds": 1}).get("Messages", [])), None)

    def test_a_reference_worker_is_listed_and_spared_large_payloads(self):
        function = self.one.deploy(ECHO)
        self.one.result(function, 1)
        self.redis("SET", "system:status", json.dumps({"worker_id": "old-1", "pools": {"python": 2}, "active_jobs": 1,
                                                       "uptime_seconds": 5, "timestamp": "now"}), "EX", "8")
        wait_for(lambda: "old-1" in [w["workerId"] for w in self.one.get("/workers").json()["workers"]], 3, "its name")
        answer = self.one.run(function, "x" * 400_000)
        self.assertEqual((answer.status, answer.json()["code"]), (413, "payload_too_large"), answer)
        wait_for(lambda: self.one.run(function, "x" * 400_000).status == 200, 15, "its end")


def uuid7():
    ms = int(time.time() * 1000)
    value = (ms << 80) | (0x7 << 76) | (uuid.uuid4().int & ((1 << 76) - 1))
    return uuid.UUID(int=(value & ~(0x3 << 62)) | (0x2 << 62))


if __name__ == "__main__":
    main()
