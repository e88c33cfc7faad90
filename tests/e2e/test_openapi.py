"""The description at /openapi.json against the program that gives it: the same routes and methods, every example is sent, every answer is as its
schema says and has nothing that the schema does not name."""

import json
import re
import sys
from pathlib import Path

from harness import Answer, Case, UUID_V7, bundle, form, main, wait_for

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "tools"))
import check_openapi  # noqa: E402  (it lives beside the tool that it checks)

HELLO = """
import os
def handler(event, context):
    with open(os.environ["OUTPUT_DIR"] + "/greeting.txt", "w") as file:
        file.write("hello")
    return {"hello": event["name"]}
"""


def closed(schema):
    """The same, where an object has no more than what it names."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: closed(value) for key, value in schema.items()}
    if found.get("type") == "object" and isinstance(found.get("properties"), dict):
        found.setdefault("additionalProperties", False)
    return found


class Described(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.document = cls.infra.get("/openapi.json", key=None).json()
        cls.closed = closed(cls.document)
        cls.ids = {}

    # --- the steps

    def hold(self, method, path, answer):
        """An answer against what the document says of it."""
        operation = self.closed["paths"][path][method]
        self.assertIn(str(answer.status), operation["responses"], answer)
        response = operation["responses"][str(answer.status)]
        kind = answer.headers.get("Content-Type", "").partition(";")[0]
        kinds = response.get("content", {"": None})
        self.assertIn(kind if "*/*" not in kinds else "*/*", kinds, f"{method} {path}")
        if "application/json" in kinds and kind == "application/json":
            said = list(check_openapi.complaints_of(self.closed, response["content"][kind]["schema"], answer.json()))
            self.assertEqual(said, [], f"{method} {path}: {answer}")
        for name in response["headers"]:
            if self.document["components"]["headers"][name].get("required"):
                self.assertIn(name, answer.headers)
        self.assertRegex(answer.headers["x-request-id"], UUID_V7)
        return answer

    def address(self, path, **other):
        """The path with its parameters' examples, or the ids that there are."""
        for method in self.document["paths"][path].values():
            for parameter in method.get("parameters", []):
                if parameter["in"] == "path":
                    value = other.get(parameter["name"]) or self.ids.get(parameter["name"]) or parameter["example"]
                    path = path.replace("{%s}" % parameter["name"], value)
        return path

    def streams(self, path):
        """Whether its answer goes on: of such a one the beginning is looked at."""
        return "text/event-stream" in self.document["paths"][path]["get"]["responses"]["200"].get("content", {})

    def begin(self, target):
        connection = self.infra.connect()
        self.addCleanup(connection.close)
        connection.request("GET", target, headers={"x-api-key": self.infra.key})
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read() if answer.status >= 400 else b"")

    def send_example(self, method, path, more_ids=None, **more):
        operation = self.document["paths"][path][method]
        target = self.address(path, **(more_ids or {}))
        query = [f"{p['name']}={p['example']}" for p in operation.get("parameters", []) if p["in"] == "query" and "example" in p]
        if query:
            target += "?" + "&".join(query)
        body = operation.get("requestBody", {}).get("content", {})
        if method == "get" and self.streams(path):
            answer = self.begin(target)
        elif "application/json" in body:
            answer = self.infra.request(method.upper(), target, body["application/json"]["example"], **more)
        elif body:
            fields = body["multipart/form-data"]["example"]
            answer = self.infra.upload(bundle({"main.py": HELLO}), [(n, None, v) for n, v in fields.items()], path=target, **more)
        else:
            answer = self.infra.request(method.upper(), target, **more)
        return self.hold(method, path, answer)

    # --- the tests

    def test_1_every_example_is_sent_and_answered_as_described(self):
        left = {(method, path) for path, methods in self.document["paths"].items() for method in methods}

        def send(method, path, status=200, **ids):
            left.discard((method, path))
            answer = self.send_example(method, path, ids)
            self.assertEqual(answer.status, status, f"{method} {path}: {answer}")
            return answer
        self.assertEqual(send("post", "/upload").json()["deployed"], "created")
        result = send("post", "/run").json()
        self.assertEqual(result["result"], {"hello": "Ada"})
        self.ids.update(requestId=result["requestId"], jobId=result["requestId"])
        self.infra.log_rows("name:hello", 1)
        job = self.infra.request("POST", "/run", {"functionId": "name:hello", "inputData": {"name": "B"}}, {"x-async": "true"})
        self.ids["jobId"] = self.hold("post", "/run", job).json()["jobId"]
        self.infra.await_result(self.ids["jobId"])
        for path, methods in self.document["paths"].items():
            if "get" in methods:
                send("get", path)
        send("post", "/worker/heartbeat")
        send("put", "/functions/{id}")
        send("put", "/functions/{id}/advice", 409)
        send("delete", "/functions/{id}")
        if "/keys" in self.document["paths"]:
            key = send("post", "/keys", 201).json()["id"]
            send("post", "/keys/{id}/rotate", id=key)
            send("delete", "/keys/{id}/secrets/old", id=key)
            send("delete", "/keys/{id}", id=key)
        self.assertEqual(left, set())

    def test_what_else_is_answered_is_described_too(self):
        function = self.infra.deploy(HELLO)
        failed = self.infra.run(function, {})
        self.assertEqual(self.hold("post", "/run", failed).json()["code"], "handler_error")
        rows = self.infra.log_rows(function, 1)
        self.assertEqual(rows[0]["code"], "handler_error")
        self.hold("get", "/functions/{id}/logs", self.infra.get(f"/functions/{function}/logs"))
        self.hold("get", "/logs", self.infra.get("/logs?format=native"))
        self.hold("get", "/status/{jobId}", self.infra.get(f"/status/{failed.json()['requestId']}"))
        self.hold("get", "/openapi.json", self.infra.get("/openapi.json", headers={"If-None-Match": "*"}))
        body, kind = form([("description", None, "by form"), ("file", "code.zip", bundle({"main.py": HELLO}))])
        self.hold("put", "/functions/{id}", self.infra.request("PUT", f"/functions/{function}", body, {"Content-Type": kind}))
        self.hold("get", "/status/{jobId}", self.infra.get("/status/nothing"))
        self.hold("post", "/upload", self.infra.upload(b"no zip"))
        self.hold("post", "/run", self.infra.request("POST", "/run", {"functionId": "name:nobody"}))
        for _ in range(9):
            self.infra.result(function, {"name": "C"})

        def measured():
            answer = self.infra.get(f"/functions/{function}/advice")
            return answer.json()["runs"] >= 9 and answer
        self.hold("get", "/functions/{id}/advice", wait_for(measured, what="the runs in the advice"))

    def test_the_program_has_the_methods_that_are_described_and_no_others(self):
        for path, methods in self.document["paths"].items():
            for prefix in ("", "/api"):
                answer = self.infra.request("PATCH", prefix + self.address(path, id="f", requestId="r", jobId="j"))
                self.assert_error(answer, 405, "method_not_allowed")
                self.assertEqual(set(answer.headers["Allow"].split(", ")), {method.upper() for method in methods}, path)
        for path in re.findall(r'"(/[^"]*)"', json.dumps(self.infra.get("/").json())):
            described = re.sub(r":(\w+)", r"{\1}", path.removeprefix("/api"))
            self.assertIn(described, self.document["paths"])

    def test_without_a_key_what_needs_one_is_refused_as_described(self):
        for path, methods in self.document["paths"].items():
            for method, operation in methods.items():
                if operation["security"]:
                    answer = self.infra.request(method.upper(), self.address(path), key=None)
                    self.assertEqual(self.hold(method, path, answer).status, 401, path)
                else:
                    self.assertNotIn("401", operation["responses"])

    def test_a_query_that_is_not_described_is_ignored(self):
        function = self.infra.deploy(HELLO)
        for path, methods in self.document["paths"].items():
            if "get" in methods and "{requestId}" not in path and "{jobId}" not in path and not self.streams(path):
                answer = self.infra.get(self.address(path, id=function) + "?never=heard&of=it")
                self.assertEqual(self.hold("get", path, answer).status, 200, path)

    def test_a_setting_that_is_not_described_is_refused(self):
        function = self.infra.deploy(HELLO)
        names = set(self.document["components"]["schemas"]["FunctionChange"]["properties"]) - {"memory"}  # an old word for memoryMb
        refused = self.infra.request("PUT", f"/functions/{function}", {"neverHeardOf": 1})
        said = self.assert_error(refused, 400, "unknown_field")["error"]
        self.assertEqual(set(re.findall(r"\w+", said.partition("allowed are")[2])) - {"and", "or", "file"}, names)


if __name__ == "__main__":
    main()
