"""The peers as the other tests rely on them: what AWS' own signer signed passes the gate, anything altered afterwards does not."""

import hashlib
import http.client
import json
import subprocess
import sys
import threading
import time
import unittest
from datetime import datetime, timedelta, timezone
from pathlib import Path

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

START = Path(__file__).resolve().parent / "start.py"


class Peers:
    def __init__(self):
        self.process = subprocess.Popen([sys.executable, "-B", START], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, bufsize=1)
        first = self.process.stdout.readline()
        if not first:
            raise RuntimeError(self.process.stderr.read())
        self.about = json.loads(first)
        self.said = []
        self.listener = threading.Thread(target=lambda: self.said.extend(self.process.stderr), daemon=True)
        self.listener.start()

    def ask(self, command):
        self.process.stdin.write(command + "\n")
        answer = json.loads(self.process.stdout.readline())
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["ok"]

    def host(self, service):
        return self.about[f"{service}_endpoint"].removeprefix("http://")

    def sign(self, service, method, path, body=b"", headers=None, age=0, region=None, secret=None, key_id=None):
        """The headers of a request as AWS' own signer makes them; `age` in seconds."""
        signer = (S3SigV4Auth if service == "s3" else SigV4Auth)(
            Credentials(key_id or self.about["access_key_id"], secret or self.about["secret_access_key"]),
            service, region or self.about["region"])
        when = datetime.now(timezone.utc) - timedelta(seconds=age)
        request = AWSRequest(method, f"http://{self.host(service)}{path}", data=body, headers={
            "Host": self.host(service), **(headers or {}), "X-Amz-Date": when.strftime("%Y%m%dT%H%M%SZ")})
        request.context["timestamp"] = when.strftime("%Y%m%dT%H%M%SZ")
        if service == "s3":
            request.headers["X-Amz-Content-SHA256"] = hashlib.sha256(body).hexdigest()
        canonical = signer.canonical_request(request)
        signer._inject_signature_to_request(request, signer.signature(signer.string_to_sign(request, canonical), request))
        return dict(request.headers.items())

    def send(self, service, method, path, body=b"", headers=None, connection=None):
        own = connection or http.client.HTTPConnection(self.host(service), timeout=25)
        own.request(method, path, body, headers or {})
        answer = own.getresponse()
        content = answer.read()
        if connection is None:
            own.close()
        return answer, content

    def call(self, service, method, path, body=b"", headers=None, **more):
        return self.send(service, method, path, body, self.sign(service, method, path, body, headers, **more))

    def json_call(self, service, target, body):
        headers = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": target}
        answer, content = self.call(service, "POST", "/", json.dumps(body).encode(), headers)
        return answer.status, json.loads(content)

    def sqs(self, action, **body):
        return self.json_call("sqs", f"AmazonSQS.{action}", body)

    def dynamodb(self, action, **body):
        return self.json_call("dynamodb", f"DynamoDB_20120810.{action}", body)

    def stop(self):
        self.process.stdin.close()
        status = self.process.wait(10)
        self.process.stdout.close()
        self.listener.join(5)
        self.process.stderr.close()
        return status


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.peers = Peers()

    @classmethod
    def tearDownClass(cls):
        assert cls.peers.stop() == 0


class GateTest(Case):
    def setUp(self):
        self.bucket = self.peers.ask("make-bucket")
        self.path = f"/{self.bucket}/functions/a%20b/1.zip"

    def refused(self, answer, content, code, status=403):
        self.assertEqual(answer.status, status, content)
        self.assertIn(code, content.decode())

    def put(self, body=b"bytes", alter=None, sent_body=None, path=None, **sign):
        headers = self.peers.sign("s3", "PUT", self.path, body, **sign)
        headers.update(alter or {})
        headers = {name: value for name, value in headers.items() if value is not None}
        return self.peers.send("s3", "PUT", path or self.path, body if sent_body is None else sent_body, headers)

    def test_what_is_signed_passes(self):
        self.assertEqual(self.put()[0].status, 200)
        answer, content = self.peers.call("s3", "GET", self.path)
        self.assertEqual((answer.status, content), (200, b"bytes"))

    def test_no_or_malformed_authorization(self):
        self.refused(*self.put(alter={"Authorization": None}), "MissingAuthenticationToken")
        self.refused(*self.put(alter={"Authorization": "AWS4-HMAC-SHA256 nothing"}), "IncompleteSignature")

    def test_unknown_key(self):
        self.refused(*self.put(key_id="AKIDOFNOBODY"), "InvalidAccessKeyId")

    def test_wrong_secret(self):
        self.refused(*self.put(secret="another"), "SignatureDoesNotMatch")

    def test_wrong_region(self):
        self.refused(*self.put(region="us-east-1"), "scope")

    def test_wrong_service(self):
        headers = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "AmazonSQS.ListQueues"}
        signed = self.peers.sign("dynamodb", "POST", "/", b"{}", {**headers, "Host": self.peers.host("sqs")})
        self.refused(*self.peers.send("sqs", "POST", "/", b"{}", signed), "scope")

    def test_stale_and_future_dates(self):
        self.refused(*self.put(age=301), "RequestTimeTooSkewed")
        self.refused(*self.put(age=-301), "RequestTimeTooSkewed")
        self.assertEqual(self.put(age=290)[0].status, 200)

    def test_another_host(self):
        self.refused(*self.put(headers={"Host": "127.0.0.1:1"}), "host")

    def test_another_path_query_or_method(self):
        self.refused(*self.put(path=f"/{self.bucket}/functions/other.zip"), "SignatureDoesNotMatch")
        self.refused(*self.put(path=self.path + "?uploadId=1"), "SignatureDoesNotMatch")
        headers = self.peers.sign("s3", "GET", self.path)
        self.refused(*self.peers.send("s3", "DELETE", self.path, b"", headers), "SignatureDoesNotMatch")

    def test_another_body(self):
        self.refused(*self.put(sent_body=b"bytEs"), "XAmzContentSHA256Mismatch", status=400)
        headers = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "DynamoDB_20120810.ListTables"}
        signed = self.peers.sign("dynamodb", "POST", "/", b"{}", headers)
        self.refused(*self.peers.send("dynamodb", "POST", "/", b"{ }", signed), "SignatureDoesNotMatch")

    def test_unsigned_payload(self):
        self.refused(*self.put(alter={"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"}), "XAmzContentSHA256Mismatch", status=400)
        self.refused(*self.put(alter={"X-Amz-Content-SHA256": None}), "SignatureDoesNotMatch")

    def test_an_unsigned_amz_header(self):
        self.refused(*self.put(alter={"X-Amz-Tagging": "infra=retired"}), "x-amz-tagging is not signed")

    def test_head_is_refused_without_a_body(self):
        connection = http.client.HTTPConnection(self.peers.host("s3"), timeout=5)
        answer, content = self.peers.send("s3", "HEAD", self.path, connection=connection)
        self.assertEqual((answer.status, content), (403, b""))
        self.put()
        answer, _ = self.peers.send("s3", "HEAD", self.path, headers=self.peers.sign("s3", "HEAD", self.path), connection=connection)
        self.assertEqual((answer.status, answer.headers["Content-Length"]), (200, "5"))
        connection.close()

    def test_refusals_are_counted_and_said(self):
        def statistics():
            return json.loads(self.peers.send("s3", "GET", "/__gate")[1])
        before = statistics()
        self.put()
        self.put(secret="another")
        after = statistics()
        self.assertEqual((after["passed"] - before["passed"], after["refused"] - before["refused"]), (1, 1))
        self.assertNotIn(self.peers.about["secret_access_key"], "".join(self.peers.said))


class S3Test(Case):
    def setUp(self):
        self.path = f"/{self.peers.ask('make-bucket')}/key"

    def call(self, method, headers=None, body=b"", query=""):
        return self.peers.call("s3", method, self.path + query, body, headers)

    def test_ranges_and_conditions(self):
        answer, _ = self.call("PUT", body=b"0123456789")
        etag = answer.headers["ETag"]
        answer, content = self.call("GET", {"Range": "bytes=2-4"})
        self.assertEqual((answer.status, content, answer.headers["Content-Range"]), (206, b"234", "bytes 2-4/10"))
        self.assertEqual(self.call("GET", {"If-None-Match": etag})[0].status, 304)
        self.assertEqual(self.call("GET", {"Range": "bytes=10-"})[0].status, 416)

    def test_an_empty_object(self):
        self.assertEqual(self.call("PUT")[0].status, 200)
        answer, content = self.call("GET")
        self.assertEqual((answer.status, content), (200, b""))

    def test_a_copy_onto_itself_keeps_the_bytes(self):
        self.call("PUT", body=b"bytes")
        answer, _ = self.call("PUT", {"x-amz-copy-source": self.path, "x-amz-tagging": "infra=retired",
                                      "x-amz-tagging-directive": "REPLACE", "x-amz-metadata-directive": "REPLACE"})
        self.assertEqual(answer.status, 200)
        self.assertEqual(self.call("GET")[1], b"bytes")

    def test_delete_twice(self):
        self.assertEqual(self.call("DELETE")[0].status, 204)
        self.assertEqual(self.call("DELETE")[0].status, 204)

    def test_multipart(self):
        answer, content = self.call("POST", query="?uploads=")
        self.assertEqual(answer.status, 200, content)
        upload = content.decode().split("<UploadId>")[1].split("<")[0]
        parts = [b"a" * (8 << 20), b"b" * 100]
        etags = [self.call("PUT", body=part, query=f"?partNumber={number}&uploadId={upload}")[0].headers["ETag"]
                 for number, part in enumerate(parts, 1)]
        listed = "".join(f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>" for number, etag in enumerate(etags, 1))
        answer, content = self.call("POST", body=f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode(),
                                    query=f"?uploadId={upload}")
        self.assertEqual(answer.status, 200, content)
        self.assertEqual(self.call("GET")[1], b"".join(parts))


class SqsTest(Case):
    def receive(self, url, **more):
        status, answer = self.peers.sqs("ReceiveMessage", QueueUrl=url, AttributeNames=["ApproximateReceiveCount"], **more)
        self.assertEqual(status, 200, answer)
        return answer.get("Messages", [])

    def test_a_moved_clock_ends_a_lease(self):
        for kind in ("standard", "fifo"):
            with self.subTest(kind):
                url = self.peers.ask(f"make-queue {kind}")
                fifo = {"MessageGroupId": "a", "MessageDeduplicationId": "a"} if kind == "fifo" else {}
                self.assertEqual(self.peers.sqs("SendMessage", QueueUrl=url, MessageBody="\U0001f680", **fifo)[0], 200)
                self.assertEqual(self.receive(url)[0]["Body"], "\U0001f680")
                self.peers.ask("advance 29000")
                self.assertEqual(self.receive(url), [])
                self.peers.ask("advance 1000")
                self.assertEqual(self.receive(url)[0]["Attributes"]["ApproximateReceiveCount"], "2")

    def test_a_moved_clock_wakes_a_long_poll(self):
        url = self.peers.ask("make-queue")
        self.peers.sqs("SendMessage", QueueUrl=url, MessageBody="a")
        self.receive(url)
        threading.Timer(0.3, lambda: self.peers.ask("advance 30000")).start()
        started = time.monotonic()
        self.assertEqual(len(self.receive(url, WaitTimeSeconds=20)), 1)
        self.assertLess(time.monotonic() - started, 10)

    def test_a_long_poll_is_ended(self):
        url = self.peers.ask("make-queue")
        threading.Timer(0.3, lambda: self.peers.ask("end-polls")).start()
        started = time.monotonic()
        self.assertEqual(self.receive(url, WaitTimeSeconds=20), [])
        self.assertLess(time.monotonic() - started, 10)

    def test_a_dead_receipt(self):
        url = self.peers.ask("make-queue")
        status, answer = self.peers.sqs("ChangeMessageVisibility", QueueUrl=url, ReceiptHandle="none", VisibilityTimeout=30)
        self.assertEqual((status, answer["__type"]), (400, "com.amazonaws.sqs#MessageNotInflight"))


class DynamoDbTest(Case):
    def test_conditional_puts_counters_and_batches(self):
        table = self.peers.ask("make-functions-table")
        item = {"functionId": {"S": "f"}, "invocations": {"N": "1"}}
        put = {"TableName": table, "Item": item, "ConditionExpression": "attribute_not_exists(functionId)",
               "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
        self.assertEqual(self.peers.dynamodb("PutItem", **put)[0], 200)
        status, answer = self.peers.dynamodb("PutItem", **put)
        self.assertEqual((status, answer["__type"].split("#")[1]), (400, "ConditionalCheckFailedException"))
        self.assertNotIn("Item", answer)  # dynalite does not know ReturnValuesOnConditionCheckFailure
        status, answer = self.peers.dynamodb("UpdateItem", TableName=table, Key={"functionId": {"S": "f"}}, ReturnValues="ALL_OLD",
                                             UpdateExpression="SET version = if_not_exists(version, :zero) + :one ADD invocations :one",
                                             ExpressionAttributeValues={":one": {"N": "1"}, ":zero": {"N": "0"}})
        self.assertEqual((status, answer.get("Attributes")), (200, item), answer)
        status, answer = self.peers.dynamodb("BatchGetItem", RequestItems={
            table: {"Keys": [{"functionId": {"S": "f"}}, {"functionId": {"S": "g"}}], "ConsistentRead": True}})
        self.assertEqual(answer["Responses"][table], [
            {"functionId": {"S": "f"}, "invocations": {"N": "2"}, "version": {"N": "1"}}])

    def test_logs_are_queried_newest_first(self):
        table = self.peers.ask("make-logs-table")
        for stamp in ("a", "b", "c"):
            self.peers.dynamodb("PutItem", TableName=table, Item={"functionId": {"S": "f"}, "timestamp": {"S": stamp}})
        _, answer = self.peers.dynamodb("Query", TableName=table, KeyConditionExpression="functionId = :f", Limit=2,
                                        ExpressionAttributeValues={":f": {"S": "f"}}, ScanIndexForward=False)
        self.assertEqual([item["timestamp"]["S"] for item in answer["Items"]], ["c", "b"])
        self.assertIn("LastEvaluatedKey", answer)


class LifeTest(unittest.TestCase):
    def test_everything_ends_with_stdin(self):
        peers = Peers()
        children = Path(f"/proc/{peers.process.pid}/task/{peers.process.pid}/children").read_text().split()
        self.assertEqual(len(children), 5)
        self.assertEqual(peers.stop(), 0)
        deadline = time.monotonic() + 5
        while any(Path(f"/proc/{child}").exists() for child in children):
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)

    def test_unknown_command(self):
        peers = Peers()
        with self.assertRaisesRegex(RuntimeError, "no such command"):
            peers.ask("make-tea")
        peers.stop()


if __name__ == "__main__":
    unittest.main()
