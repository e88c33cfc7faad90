"""Changes reach every controller; neighbours of the reference platform work with ours in both directions."""

import json
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import raw_engines
from fleet_case import FleetCase
from fleet_harness import sum_of
from reference_neighbours import ReferenceController, ReferenceWorker
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

    def test_a_reference_controller_that_listens_late_hears_all(self):
        """Warm runs take less time than it does from its message to its subscription."""
        function = self.one.deploy(ECHO)
        key = self.row_of(function)["s3Key"]["S"]
        controller = ReferenceController(self)
        with ThreadPoolExecutor(16) as clients:
            results = list(clients.map(lambda n: controller.run(function, {"n": n}, s3Key=key), range(64)))
        self.assertEqual([result["result"] for result in results], [{"echo": {"n": n}} for n in range(64)])
        self.assertGreater(controller.heard, 0, "this machine is too slow to say anything")

    def test_what_cannot_be_run_is_told_to_whoever_waits(self):
        function = self.one.deploy(ECHO)
        key = self.row_of(function)["s3Key"]["S"]
        controller = ReferenceController(self)
        for changes, code in (({}, "function_has_no_code"), ({"s3Key": None}, "function_has_no_code"),
                              ({"s3Key": key, "runtime": "cobol"}, "invalid_runtime")):
            result = controller.run(function, **changes)
            self.assertEqual((result["status"], result["code"]), ("ERROR", code), changes)
            self.assertEqual(json.loads(self.redis("GET", f"job:{result['requestId']}"))["code"], code)
        self.assertEqual(controller.run(function, {"n": 1}, s3Key=key, memoryMb="32", envVars={"N": 1})["status"], "SUCCESS")
        request = "01980000-0000-7000-8000-000000000001"
        with raw_engines.subscribed(self.engines.redis.port, "result-of:somebody") as heard:
            self.send({"requestId": request, "functionId": function, "replyTo": "result-of:somebody"})
            self.assertEqual(json.loads(heard())["code"], "function_has_no_code")
        self.assertEqual([row["requestId"] for row in self.one.log_rows(function, 1)], [request])

    def test_a_message_that_says_no_request_is_counted(self):
        self.aws("sqs", "AmazonSQS.SendMessage", {"QueueUrl": self.engines.queue_url, "MessageBody": "hello"})
        wait_for(lambda: sum(sum_of(worker.get("/metrics").text, "worker_unreadable_messages_total")
                             for worker in self.fleet.worker_clients) == 1, what="its count")

    def test_a_row_without_code_is_listed_refused_and_given_code(self):
        """As a reference controller leaves it when it counts a run of a function that was deleted meanwhile."""
        bare = f"bare-{uuid.uuid4().hex[:8]}"
        self.aws("dynamodb", "DynamoDB_20120810.UpdateItem", {
            "TableName": self.engines.functions_table, "Key": {"functionId": {"S": bare}},
            "UpdateExpression": "ADD invocations :inc, totalDuration :dur",
            "ExpressionAttributeValues": {":inc": {"N": "1"}, ":dur": {"N": "12"}}})
        listed = wait_for(lambda: [f for f in self.one.get("/functions").json() if f["functionId"] == bare], 3, "the row in the list")[0]
        self.assertEqual((listed["name"], listed["runtime"], listed["memoryMb"], listed["invocations"]), ("Unknown", "python", 128, 1))
        self.assertEqual(self.two.get(f"/functions/{bare}").json()["name"], "Unknown")
        for headers in ({}, {"x-async": "true"}):
            answer = self.one.run(bare, 1, headers)
            self.assertEqual((answer.status, answer.json()["code"]), (409, "function_has_no_code"), answer)
        answer = self.one.upload(bundle({"main.py": ECHO}), method="PUT", path=f"/functions/{bare}")
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(self.one.result(bare, 7)["result"], {"echo": 7})
        self.assertEqual(self.two.request("DELETE", f"/functions/{bare}").status, 200)
        self.assertEqual(self.two.get(f"/functions/{bare}").status, 404)

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

    def test_a_reference_worker_is_listed_and_spared_large_payloads(self):
        function = self.one.deploy(ECHO)
        self.one.result(function, 1)
        self.redis("SET", "system:status", json.dumps({"worker_id": "old-1", "pools": {"python": 2}, "active_jobs": 1,
                                                       "uptime_seconds": 5, "timestamp": "now"}), "EX", "8")
        wait_for(lambda: "old-1" in [w["workerId"] for w in self.one.get("/workers").json()["workers"]], 3, "its name")
        answer = self.one.run(function, "x" * 400_000)
        self.assertEqual((answer.status, answer.json()["code"]), (413, "payload_too_large"), answer)
        wait_for(lambda: self.one.run(function, "x" * 400_000).status == 200, 15, "its end")


class OldWorkers(FleetCase):
    """With none of ours beside them."""

    options = {"workers": 0}

    def answered_by(self, answer):
        worker = ReferenceWorker(self, answer)
        worker.start()
        self.addCleanup(worker.close)

    def test_the_first_one_is_noticed_by_its_answer(self):
        """Tests of one class run by name: this one needs a fleet to which no such worker has answered yet."""
        function = self.one.deploy(ECHO)
        self.answered_by(lambda job: {"status": "SUCCESS", "exitCode": 0, "stdout": json.dumps(job.get("input", {}))})
        big = "x" * 400_000
        answer = self.one.run(function, big)
        self.assertEqual((answer.status, answer.json()["code"]), (500, "input_not_seen"), answer)
        self.assertEqual(answer.json()["stdout"], "{}")
        rows = self.two.log_rows(function, 1)
        self.assertEqual([(row["status"], row["requestId"]) for row in rows], [("ERROR", answer.json()["requestId"])])
        for client in (self.one, self.two):
            refused = client.run(function, big)
            self.assertEqual((refused.status, refused.json()["code"]), (413, "payload_too_large"), refused)
        self.assertEqual(self.one.result(function, 7)["stdout"], "7")

    def test_what_it_leaves_out_is_filled_in_and_the_run_recorded_once(self):
        function = self.one.deploy(ECHO)
        self.answered_by(lambda job: {"status": "FAILED", "exitCode": 3, "stdout": "old", "cpuUsage": 0.37,
                                      "outputFiles": ["plot.png"]})
        jobs = [self.one.result(function, 1)["requestId"], self.two.run_async(function, 2)]
        result = self.one.await_result(jobs[1])
        self.assertEqual({name: result[name] for name in ("functionId", "requestId", "workerId", "status", "exitCode", "stdout",
                                                          "durationMs", "cpuUsage", "outputFiles")},
                         {"functionId": function, "requestId": jobs[1], "workerId": "reference-worker", "status": "FAILED",
                          "exitCode": 3, "stdout": "old", "durationMs": 12, "cpuUsage": 0.37, "outputFiles": ["plot.png"]})
        rows = self.two.log_rows(function, 2)
        self.assertEqual(sorted(row["requestId"] for row in rows), sorted(jobs))
        wait_for(lambda: self.invocations(function) == 2, 5, "the counts")


if __name__ == "__main__":
    main()
