"""Changes reach every controller; neighbours of the reference platform work with ours in both directions."""

import json
import threading
import time
import uuid

import raw_engines
from fleet_case import FleetCase
from harness import ECHO, SANITIZED, bundle, main, wait_for

UNTOLD = 2.5 * (4 if SANITIZED else 1)  # seconds until a change without a message is seen: two, and the run that sees it


class Changes(FleetCase):
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


class Neighbours(FleetCase):
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


if __name__ == "__main__":
    main()
