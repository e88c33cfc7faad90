"""Every route through a socket and on real engines, once each."""

import gzip
import math
import re
import time
import urllib.parse

from harness import ECHO, Case, bundle, form, main, wait_for

FUNCTION_FIELDS = {"functionId", "id", "name", "description", "runtime", "memoryMb", "network", "keepWarm",
                   "maxConcurrency", "invocations", "avgDuration",
                   "avgHandlerDuration", "uploadedAt", "updatedAt", "s3Key"}
LOG_FIELDS = {"id", "requestId", "timestamp", "status", "code", "duration", "handlerDurationMs", "memory", "allocatedMemoryMb", "peakMemoryBytes",
              "cpuUsage", "coldStart", "traceId", "message"}
UNKNOWN = "01890000-0000-7000-8000-000000000000"
ISO = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"


class Access(Case):
    """The interface's own rules are tried without a socket (src/http/*_test.cc); here is what takes one, and that they are there."""

    environment = {"CORS_ORIGINS": "https://dash.example, http://localhost:3000"}

    def test_the_key_is_asked_for_before_the_body_arrives(self):
        # Announced, never sent: the answer can't have waited for it.
        head = b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 40000000\r\nConnection: close\r\n\r\n"
        connection = self.infra.connect()
        connection.connect()
        connection.sock.sendall(head)
        self.assertIn(b" 401 ", connection.sock.recv(4096))
        connection.close()

    def test_health_needs_no_key(self):
        answer = self.infra.get("/health", key=None)
        self.assertEqual(answer.status, 200, answer)
        health = answer.json()
        self.assertEqual(health["status"], "OK")
        self.assertTrue(health["checks"])
        for check in health["checks"].values():
            self.assertEqual(check["status"], "OK")
            self.assertGreaterEqual(check["latencyMs"], 0)
        self.assertEqual(self.infra.get("/", key=None).json()["status"], "OK")
        self.assert_error(self.infra.get("/metrics", key=None), 401, "unauthorized")

    def test_a_browser_gets_the_dashboard(self):
        page = self.infra.get("/", key=None, headers={"Accept": "text/html,*/*;q=0.8"})
        self.assertEqual((page.status, page.headers["Content-Encoding"]), (200, "gzip"), page)
        script = re.search(r'src="\./assets/(main-\w+\.js)"', gzip.decompress(page.body).decode()).group(1)
        self.assertEqual(self.infra.get(f"/assets/{script}", key=None).headers["Content-Type"], "text/javascript; charset=utf-8")

    def test_head_is_get_without_a_body(self):
        answer = self.infra.request("HEAD", "/health", key=None)
        self.assertEqual((answer.status, answer.body), (200, b""))
        self.assertEqual(self.infra.request("HEAD", "/nope").status, 404)

    def test_what_never_was_a_request_has_an_id_too(self):
        self.assertRegex(self.infra.raw(b"NONSENSE\r\n\r\n").decode().lower(), r"http/1.1 400 [\s\S]*x-request-id: [0-9a-f-]{36}")

    def test_named_origins_are_preflighted(self):
        preflight = self.infra.request("OPTIONS", "/api/run", key=None, headers={
            "Origin": "http://localhost:3000", "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-api-key"})
        self.assertEqual((preflight.status, preflight.body), (204, b""))
        self.assertEqual(preflight.headers["Access-Control-Allow-Origin"], "http://localhost:3000")
        self.assertNotIn("Access-Control-Allow-Origin", self.infra.get("/functions", headers={"Origin": "https://evil.example"}).headers)


class Functions(Case):
    def test_from_upload_to_deletion(self):
        name = "größe & Co"
        answer = self.infra.upload(bundle({"main.py": ECHO}), headers={
            "x-runtime": "python", "x-memory-mb": "256", "x-function-name": urllib.parse.quote(name)}, path="/api/upload")
        self.assertEqual(answer.status, 200, answer)
        made = answer.json()
        self.assertEqual((made["success"], made["name"], made["runtime"], made["memoryMb"]), (True, name, "python", 256))
        path = f"/functions/{made['functionId']}"

        row = self.infra.get(path).json()
        self.assertEqual(row.pop("envVars"), {})
        self.assertEqual(set(row), FUNCTION_FIELDS)
        self.assertEqual((row["id"], row["name"], row["invocations"], row["avgDuration"], row["avgHandlerDuration"]),
                         (made["functionId"], name, 0, 0, None))
        self.assertRegex(row["s3Key"], rf"^functions/{made['functionId']}/.+\.zip$")
        self.assertIn(row, self.infra.get("/functions").json())

        # Half a surrogate pair is no character, and what engines keep is text.
        change = b'{"description":"a\\ud83d","memory":512,"keepWarm":0,"maxConcurrency":5}'
        self.assertEqual(self.infra.request("PUT", path, change, {"Content-Type": "application/json"}).json(),
                         {"success": True, "functionId": made["functionId"]})
        changed = self.infra.get(path).json()
        self.assertEqual((changed["description"], changed["memoryMb"], changed["name"], changed["maxConcurrency"]),
                         ("a\ufffd", 512, name, 5))
        self.assertGreaterEqual(changed["updatedAt"], row["updatedAt"])

        self.assertEqual(self.infra.request("DELETE", path).json(), {"success": True, "deletedId": made["functionId"]})
        for method in ("GET", "DELETE"):
            self.assert_error(self.infra.request(method, path), 404)
        self.assert_error(self.infra.run(made["functionId"]), 404)

    def test_put_changes_code_or_settings_or_nothing(self):
        function = self.infra.deploy("def handler(e, c): return 1")
        path = f"/functions/{function}"
        self.assertEqual(self.infra.result(function)["result"], 1)
        answer = self.infra.upload(bundle({"main.py": "def handler(e, c): return 2"}), path=path, method="PUT")
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(self.infra.result(function)["result"], 2)
        body, content_type = form([("memoryMb", None, "192"), ("name", None, "renamed")])
        self.assertEqual(self.infra.request("PUT", path, body, {"Content-Type": content_type}).status, 200)
        self.assert_error(self.infra.request("PUT", path, {"description": "kept?", "memoryMb": 64}), 400, "invalid_memory")
        self.assert_error(self.infra.upload(b"no zip", path=path, method="PUT"), 400)
        row = self.infra.get(path).json()
        self.assertEqual((row["memoryMb"], row["name"], row["description"]), (192, "renamed", ""))
        self.assertEqual(self.infra.result(function)["result"], 2)
        self.assert_error(self.infra.upload(bundle({"main.py": ECHO}), path=f"/functions/{UNKNOWN}", method="PUT"), 404)

    def test_functions_come_in_pages(self):
        made = {self.infra.deploy(ECHO, name=f"page {n}") for n in range(5)}
        rows = self.infra.pages("/api/functions?limit=2")
        ids = [row["id"] for row in rows]
        self.assertEqual(len(ids), len(set(ids)))
        self.assertLessEqual(made, set(ids))
        self.assert_error(self.infra.get("/functions?cursor=made-up"), 400, "invalid_cursor")

    def test_logs_newest_first_in_pages_and_whole(self):
        function = self.infra.deploy("def handler(e, c):\n    print('z' * 500)\n    return e")
        runs = [self.infra.result(function, n)["requestId"] for n in range(5)]
        self.infra.log_rows(function, 5)
        rows = self.infra.pages(f"/functions/{function}/logs?limit=2")
        self.assertEqual(sorted(row["requestId"] for row in rows), sorted(runs))
        stamps = [row["timestamp"] for row in rows]  # of one millisecond in any order
        self.assertEqual(stamps, sorted(stamps, reverse=True))
        for row in rows:
            self.assertEqual(set(row), LOG_FIELDS)
            self.assertEqual((row["id"], row["status"], row["allocatedMemoryMb"]), (row["requestId"], "SUCCESS", 128))
            self.assertEqual(row["memory"], math.floor(row["peakMemoryBytes"] / 2**20 + 0.5))
            self.assertEqual(row["message"], "z" * 200 + "...")
            self.assertRegex(row["timestamp"], ISO)
            self.assertIsInstance(row["duration"], int)
        whole = self.infra.get(f"/api/functions/{function}/logs/{runs[0]}").json()
        self.assertIn("z" * 500, whole["message"])
        self.assertEqual(whole["requestId"], runs[0])
        for row in rows:
            later = self.infra.get(f"/functions/{function}/logs?startTime={row['timestamp']}").json()
            self.assertIn(row, later)
            self.assertTrue(all(other["timestamp"] >= row["timestamp"] for other in later), later)
        self.assert_error(self.infra.get(f"/functions/{function}/logs/{UNKNOWN}"), 404)

        def counted():  # behind the answer, within two seconds
            row = self.infra.get(f"/functions/{function}").json()
            return row["invocations"] >= 5 and row
        row = wait_for(counted, 2, "the count of the runs")
        self.assertEqual(row["invocations"], 5)
        self.assertIsInstance(row["avgDuration"], int)
        self.assertGreater(row["avgDuration"], 0)
        self.assertGreater(row["avgHandlerDuration"], 0)
        self.assertEqual(row["avgHandlerDuration"], round(row["avgHandlerDuration"], 3))


class System(Case):
    def test_status_of_jobs_nobody_knows(self):
        self.assert_error(self.infra.get(f"/status/{UNKNOWN}"), 404)

    def test_workers_tell_and_are_told_of(self):
        beat = {"workerId": "w-elsewhere", "status": "healthy", "pools": {"python": 2, "nodejs": 1, "cpp": 0, "go": 0},
                "activeJobs": 3, "uptimeSeconds": 12.5, "timestamp": "2026-01-01T00:00:00.000Z"}
        self.assertEqual(self.infra.request("POST", "/api/worker/heartbeat", beat).json(), {"ok": True})
        for path in ("/workers", "/worker/status"):
            known = self.infra.get(path).json()
            self.assertEqual(known["totalWorkers"], len(known["workers"]))
            self.assertGreaterEqual(known["healthyWorkers"], 2)  # the program's own worker, too
            told = next(w for w in known["workers"] if w["workerId"] == "w-elsewhere")
            self.assertEqual({k: told[k] for k in ("status", "pools", "activeJobs", "uptimeSeconds")},
                             {k: beat[k] for k in ("status", "pools", "activeJobs", "uptimeSeconds")})
            self.assertLess(abs(told["lastSeen"] / 1000 - time.time()), 30)
        status = self.infra.get("/system/status").json()
        self.assertEqual((status["status"], status["worker_count"]), ("online", known["totalWorkers"]))
        self.assertGreaterEqual(status["active_jobs"], 3)
        self.assertLess(abs(status["timestamp"] - time.time()), 30)

    def test_without_an_ai_node_the_default_model_is_named(self):
        answer = self.infra.get("/models").json()
        self.assertEqual(answer["models"], [{"id": "llama3:8b", "name": "llama3:8b (Default)", "details": {}, "status": "fallback"}])
        self.assertTrue(answer["warning"])


if __name__ == "__main__":
    main()
