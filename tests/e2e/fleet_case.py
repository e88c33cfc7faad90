"""What the tests share that are about a fleet as such."""

import contextlib
import json
import time
import unittest

import raw_engines
from fleet_harness import FleetClients, sum_of
from harness import Infra, wait_for

LEASE = 30  # seconds of a worker's lease of a job, and of its message's visibility
PAUSE = 3
LEASES = """
local found = {}
for _, key in ipairs(redis.call('KEYS', 'infra:lease:*')) do
  local holder = redis.call('HGET', key, 'holder')
  if holder and holder ~= '' then found[#found + 1] = key found[#found + 1] = holder end
end
return found"""
END_LEASE = """
local lease = redis.call('HMGET', KEYS[1], 'holder', 'until')
if lease[1] ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'until', '0')
return math.ceil(tonumber(lease[2]) / 1000 - tonumber(redis.call('TIME')[1]))"""


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

    def leases(self):
        """Who has which job; a holder begins with its worker."""
        found = iter(self.redis("EVAL", LEASES, "0"))
        return {key.rpartition(":")[2]: holder for key, holder in zip(found, found, strict=True)}

    def await_past_leases(self, condition, what, is_gone=lambda holder: False, seconds=60):
        """In place of waiting for as long as leases last: those whose holder is gone are over in Redis, the polls that it left behind
        end, and the queue's clock goes on. Again after a while, for more may have come to be in the way."""
        deadline = time.monotonic() + seconds
        while not condition():
            self.assertLess(time.monotonic(), deadline, f"{what} did not come within {seconds} s")
            for job, holder in self.leases().items():
                if is_gone(holder):
                    self.end_lease(job, holder)
            self.engines.peers.ask("end-polls")
            self.engines.peers.ask("advance", str((LEASE + 1) * 1000))
            with contextlib.suppress(AssertionError):
                wait_for(condition, PAUSE)

    def end_lease(self, job, holder):
        left = self.redis("EVAL", END_LEASE, "1", f"infra:lease:{job}", holder)
        self.assertLessEqual(left, LEASE + 1, "it would not end by itself")
        for limited in self.redis("KEYS", "infra:running:*"):
            self.redis("ZADD", limited, "XX", "1", job)

    def invocations(self, function):
        return self.two.get(f"/functions/{function}").json()["invocations"]

    def runs_of_workers(self):
        """How many jobs the workers that live now have settled."""
        return sum(sum_of(worker.get("/metrics").text, "worker_jobs_total") for worker in self.fleet.worker_clients)
