"""What the tests share that are about a fleet as such."""

import json
import unittest

import raw_engines
from fleet_harness import FleetClients, sum_of
from harness import Infra


class FleetCase(unittest.TestCase):
    """With a fleet of its own, and raw hands on its engines, as a neighbour would have them."""

    environment = {}  # of all its programs
    options = {}  # of tools/fleet.py's Fleet

    @classmethod
    def setUpClass(cls):
        cls.fleet = FleetClients(Infra, cls.environment, **cls.options).start()
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

    def invocations(self, function):
        return self.two.get(f"/functions/{function}").json()["invocations"]

    def runs_of_workers(self):
        """How many jobs the workers that live now have settled."""
        return sum(sum_of(worker.get("/metrics").text, "worker_jobs_total") for worker in self.fleet.worker_clients)
