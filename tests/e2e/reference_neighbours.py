"""Stand-ins for programs of the reference platform, as far as others see them: what they read and write, in which order."""

import contextlib
import json
import threading
import time
import uuid

import raw_engines
from harness import wait_for


LISTENS = 0.2  # seconds after its message a reference controller does, at the latest


class ReferenceController:
    """Accepts runs its own way: sends the message first, and listens for the result `late` seconds after that. Where this
    machine was too slow for that, it asks for the result instead; `heard` counts those that it need not ask for."""

    def __init__(self, case, late=0.1):
        self.case, self.late, self.heard = case, late, 0

    def run(self, function, data=None, **changes):
        """The result; `changes` are of the message, None taking a field out."""
        request = str(uuid.uuid4())
        message = {"requestId": request, "functionId": function, "runtime": "python", "memoryMb": 128,
                   "s3Bucket": self.case.engines.bucket, "s3Key": "", "timeoutMs": 300000, "input": data or {},
                   "modelId": "llama3:8b", "envVars": {}, **changes}
        began = time.monotonic()
        self.case.send({name: value for name, value in message.items() if value is not None})
        time.sleep(self.late)
        with raw_engines.subscribed(self.case.engines.redis.port, f"result:{request}") as heard:
            if time.monotonic() - began < LISTENS:
                result = json.loads(heard())
                self.heard += 1
            else:
                result = json.loads(wait_for(lambda: self.case.redis("GET", f"job:{request}"), what="the result"))
        assert result["requestId"] == request, result
        return result


class ReferenceWorker(threading.Thread):
    """Takes jobs and answers each with what `answer` makes of its message; names neither itself nor the function, and tells by
    nothing else that it lives. That is how the earliest workers are."""

    def __init__(self, case, answer):
        super().__init__(daemon=True)
        self.case, self.answer, self.ended = case, answer, threading.Event()

    def run(self):
        queue = self.case.engines.queue_url
        while not self.ended.is_set():
            taken = self.case.aws("sqs", "AmazonSQS.ReceiveMessage", {"QueueUrl": queue, "WaitTimeSeconds": 1})
            for message in taken.get("Messages", []):
                job = json.loads(message["Body"])
                result = json.dumps({"requestId": job["requestId"], "stderr": "", "durationMs": 12, **self.answer(job)})
                self.case.redis("PUBLISH", f"result:{job['requestId']}", result)
                self.case.redis("SETEX", f"job:{job['requestId']}", "3600", result)
                self.case.aws("sqs", "AmazonSQS.DeleteMessage",
                              {"QueueUrl": queue, "ReceiptHandle": message["ReceiptHandle"]})

    def close(self):
        self.ended.set()
        with contextlib.suppress(RuntimeError):
            self.join()
