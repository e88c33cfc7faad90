"""Every route: what it answers, to whom, in which shape, under both prefixes."""

import math
import re
import time
import urllib.parse
from datetime import datetime, timedelta

from harness import API_KEY, ECHO, UUID_V7, Case, FakeOllama, bundle, form, main, wait_for

FUNCTION_FIELDS = {"functionId", "id", "name", "description", "runtime", "memoryMb", "network", "keepWarm",
                   "maxConcurrency", "invocations", "avgDuration",
                   "avgHandlerDuration", "uploadedAt", "updatedAt", "s3Key"}
LOG_FIELDS = {"id", "requestId", "timestamp", "status", "code", "duration", "handlerDurationMs", "memory", "allocatedMemoryMb", "peakMemoryBytes",
              "cpuUsage", "coldStart", "message"}
UNKNOWN = "01890000-0000-7000-8000-000000000000"
ISO = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"

KEYED = [("POST", "/run"), ("GET", f"/status/{UNKNOWN}"), ("POST", "/upload"), ("GET", "/functions"),
         ("GET", f"/functions/{UNKNOWN}"), ("PUT", f"/functions/{UNKNOWN}"), ("DELETE", f"/functions/{UNKNOWN}"),
         ("GET", f"/functions/{UNKNOWN}/logs"), ("GET", f"/functions/{UNKNOWN}/logs/{UNKNOWN}"),
         ("GET", f"/functions/{UNKNOWN}/advice"), ("PUT", f"/functions/{UNKNOWN}/advice"), ("GET", "/metrics"),
         ("GET", "/logs"), ("POST", "/worker/heartbeat"), ("GET", "/workers"), ("GET", "/worker/status"),
         ("GET", "/system/status"), ("GET", "/models")]


class Access(Case):
    def test_every_route_but_health_needs_the_key_under_both_prefixes(self):
        for method, path in KEYED:
            for prefix in ("", "/api"):
                for key in (None, "wrong", API_KEY + "x", ""):
                    with self.subTest(f"{method} {prefix}{path} with {key!r}"):
                        self.assert_error(self.infra.request(method, prefix + path, key=key), 401, "unauthorized")

    def test_the_key_is_asked_for_before_the_body_or_the_route_is_looked_at(self):
        broken = self.infra.request("POST", "/run", b"{not json", {"Content-Type": "text/plain"}, key=None)
        self.assert_error(broken, 401)
        self.assert_error(self.infra.request("POST", "/upload", b"x", {"Content-Type": "nonsense"}, key="no"), 401)
        self.assert_error(self.infra.get("/no/such/route", key=None), 401)
        self.assert_error(self.infra.request("PATCH", "/functions", key=None), 401)
        # Announced, never sent: the answer can't have waited for it.
        head = b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 40000000\r\nConnection: close\r\n\r\n"
        connection = self.infra.connect()
        connection.connect()
        connection.sock.sendall(head)
        self.assertIn(b" 401 ", connection.sock.recv(4096))
        connection.close()

    def test_a_bearer_token_is_a_key_too(self):
        self.assertEqual(self.infra.get("/functions", key=None, headers={"Authorization": f"Bearer {API_KEY}"}).status, 200)
        self.assert_error(self.infra.get("/functions", key=None, headers={"Authorization": "Bearer nope"}), 401)
        self.assert_error(self.infra.get("/functions", key=None, headers={"Authorization": f"Basic {API_KEY}"}), 401)

    def test_health_needs_no_key(self):
        for path in ("/health", "/api/health"):
            answer = self.infra.get(path, key=None)
            self.assertEqual(answer.status, 200, answer)
            health = answer.json()
            self.assertEqual(health["status"], "OK")
            self.assertTrue(health["version"])
            self.assertTrue(health["checks"])
            for check in health["checks"].values():
                self.assertEqual(check["status"], "OK")
                self.assertGreaterEqual(check["latencyMs"], 0)

    def test_the_root_needs_no_key_and_says_where_to_go(self):
        for path, accept in (("/", "*/*"), ("/api/", "application/json"), ("/", "text/html")):
            answer = self.infra.get(path, key=None, headers={"Accept": accept})
            self.assertEqual((answer.status, answer.headers.get_content_type()), (200, "application/json"), answer)
            overview = answer.json()
            self.assertEqual((overview["version"], overview["status"]), (self.infra.get("/health").json()["version"], "OK"))
            self.assertTrue(overview["service"])
            self.assertLessEqual({"health": "/health", "metrics": "/metrics", "functions": "/api/functions",
                                  "workers": "/api/workers"}.items(), overview["endpoints"].items())
            for target in overview["endpoints"].values():
                self.assertIn(self.infra.get(target).status, (200, 404 if ":" in target else 405), target)
        self.assert_error(self.infra.request("POST", "/"), 405)

    def test_a_slash_at_the_end_changes_nothing(self):
        for prefix in ("", "/api"):
            for path in ("/functions/", "/health/", "/workers/", "/metrics/"):
                self.assertEqual(self.infra.get(prefix + path).status, 200)
            self.assert_error(self.infra.request("POST", prefix + "/run/", {"functionId": UNKNOWN}), 404, "function_not_found")
            self.assert_error(self.infra.get(prefix + "/functions/", key=None), 401)
            self.assert_error(self.infra.get(prefix + "/functions//"), 404, "unknown_route")
        self.assertIn('route="/functions"', self.infra.get("/metrics").text)
        self.assertNotIn('route="/functions/"', self.infra.get("/metrics").text)

    def test_unknown_routes_and_methods(self):
        self.assert_error(self.infra.get("/nope"), 404)
        self.assert_error(self.infra.get("/api"), 404)
        self.assert_error(self.infra.get("/functions/a/b/c/d"), 404)
        answer = self.infra.request("PATCH", "/functions")
        self.assert_error(answer, 405)
        self.assertIn("GET", answer.headers["Allow"])
        answer = self.infra.get("/run")
        self.assert_error(answer, 405)
        self.assertIn("POST", answer.headers["Allow"])

    def test_head_is_get_without_a_body(self):
        answer = self.infra.request("HEAD", "/health", key=None)
        self.assertEqual((answer.status, answer.body), (200, b""))
        self.assertEqual(self.infra.request("HEAD", "/functions").status, 200)
        self.assertEqual(self.infra.request("HEAD", "/nope").status, 404)

    def test_every_answer_has_an_id_of_ours(self):
        seen = set()
        for method, path, key in [("GET", "/health", None), ("GET", "/nope", API_KEY), ("GET", "/functions", None),
                                  ("PATCH", "/run", API_KEY), ("GET", "/functions", API_KEY), ("POST", "/run", API_KEY)]:
            answer = self.infra.request(method, path, key=key, headers={"x-request-id": UNKNOWN})
            self.assertRegex(answer.headers["x-request-id"], UUID_V7)
            self.assertNotEqual(answer.headers["x-request-id"], UNKNOWN)
            seen.add(answer.headers["x-request-id"])
        self.assertEqual(len(seen), 6)
        # What never was a request has one too.
        self.assertRegex(self.infra.raw(b"NONSENSE\r\n\r\n").decode().lower(), r"http/1.1 400 [\s\S]*x-request-id: [0-9a-f-]{36}")

    def test_without_origins_there_is_no_cors(self):
        answer = self.infra.get("/health", headers={"Origin": "https://dash.example"})
        self.assertFalse([name for name in answer.headers if name.lower().startswith("access-control")])
        preflight = self.infra.request("OPTIONS", "/functions", key=None, headers={
            "Origin": "https://dash.example", "Access-Control-Request-Method": "GET"})
        self.assertNotIn("Access-Control-Allow-Origin", preflight.headers)
        self.assertGreaterEqual(preflight.status, 400)


class Functions(Case):
    def test_from_upload_to_deletion(self):
        for prefix in ("", "/api"):
            name = "größe & Co"
            answer = self.infra.upload(bundle({"main.py": ECHO}), headers={
                "x-runtime": "python", "x-memory-mb": "256", "x-function-name": urllib.parse.quote(name)}, path=prefix + "/upload")
            self.assertEqual(answer.status, 200, answer)
            made = answer.json()
            self.assertEqual(set(made), {"success", "functionId", "name", "runtime", "memoryMb", "codeSha256"})
            self.assertEqual((made["success"], made["name"], made["runtime"], made["memoryMb"]), (True, name, "python", 256))
            self.assertRegex(made["codeSha256"], "^[0-9a-f]{64}$")
            path = f"{prefix}/functions/{made['functionId']}"

            row = self.infra.get(path).json()
            self.assertEqual(set(row), FUNCTION_FIELDS)
            self.assertEqual((row["id"], row["name"], row["invocations"], row["avgDuration"], row["avgHandlerDuration"]),
                             (made["functionId"], name, 0, 0, None))
            self.assertRegex(row["uploadedAt"], ISO)
            self.assertRegex(row["s3Key"], rf"^functions/{made['functionId']}/.+\.zip$")
            self.assertIn(row, self.infra.get(prefix + "/functions").json())

            self.assertEqual(self.infra.request("PUT", path, {"description": "new", "memory": 512}).json(),
                             {"success": True, "functionId": made["functionId"]})
            changed = self.infra.get(path).json()
            self.assertEqual((changed["description"], changed["memoryMb"], changed["name"]), ("new", 512, name))
            self.assertGreaterEqual(changed["updatedAt"], row["updatedAt"])

            self.assertEqual(self.infra.request("DELETE", path).json(), {"success": True, "deletedId": made["functionId"]})
            for method in ("GET", "DELETE"):
                self.assert_error(self.infra.request(method, path), 404)
            self.assert_error(self.infra.request("PUT", path, {"description": "x"}), 404)
            self.assert_error(self.infra.get(path + "/logs"), 404)
            self.assert_error(self.infra.run(made["functionId"]), 404)

    def test_put_changes_what_it_may_and_nothing_else(self):
        function = self.infra.deploy("def handler(e, c): return 1")
        path = f"/functions/{function}"
        self.assertEqual(self.infra.result(function)["result"], 1)
        answer = self.infra.upload(bundle({"main.py": "def handler(e, c): return 2"}), path=path, method="PUT")
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(self.infra.result(function)["result"], 2)
        body, content_type = form([("memoryMb", None, "192"), ("name", None, "renamed")])
        self.assertEqual(self.infra.request("PUT", path, body, {"Content-Type": content_type}).status, 200)

        def settings():
            row = self.infra.get(path).json()
            return {name: row[name] for name in row if name not in ("invocations", "avgDuration", "avgHandlerDuration")}

        before = settings()
        self.assertEqual((before["memoryMb"], before["name"]), (192, "renamed"))
        self.assertEqual((before["network"], before["keepWarm"], before["maxConcurrency"]), ("none", 0, 0))
        for change, wanted in [({"keepWarm": 1, "maxConcurrency": 5, "network": "none"}, (1, 5)),
                               ({"maxConcurrency": None}, (1, 0)), ({"keepWarm": 0, "maxConcurrency": 1000}, (0, 1000)),
                               ({"maxConcurrency": 0}, (0, 0))]:
            with self.subTest(change):
                self.assertEqual(self.infra.request("PUT", path, change).status, 200)
                self.assertEqual((settings()["keepWarm"], settings()["maxConcurrency"]), wanted)
        for given, wanted in ((32, 128), (300, 300), (192, 192)):  # what the reference's dashboard sends
            self.assertEqual(self.infra.request("PUT", path, {"memory": given}).status, 200)
            self.assertEqual(settings()["memoryMb"], wanted)
        before = settings()
        for wrong in [{}, {"color": 1}, {"memoryMb": 64}, {"memoryMb": "256"}, {"memoryMb": 128.5}, {"memory": 0},
                      {"memory": 128, "memoryMb": 128},
                      {"envVars": {"LD_PRELOAD": "x"}}, {"envVars": {"1A": "x"}}, {"envVars": {"A": 1}}, {"envVars": []},
                      {"timeoutMs": 99}, {"timeoutMs": 900001}, {"name": ""}, {"description": 7}, [], {"runtime": "go"},
                      {"keepWarm": 17}, {"keepWarm": None}, {"keepWarm": "1"}, {"maxConcurrency": 1001}, {"maxConcurrency": -1},
                      {"maxConcurrency": 1.5}, {"maxConcurrency": "5"}, {"network": "all"}, {"network": None},
                      {"description": "kept?", "memoryMb": 1}]:
            with self.subTest(wrong):
                self.assert_error(self.infra.request("PUT", path, wrong), 400)
        self.assert_error(self.infra.request("PUT", path, {"memoryMb": 64}), 400, "invalid_memory",
                          "Invalid memoryMb: it must be a whole number from 128 to 10240.")
        self.assert_error(self.infra.request("PUT", path, b"{", {"Content-Type": "application/json"}), 400)
        self.assert_error(self.infra.upload(b"no zip", path=path, method="PUT"), 400)
        self.assertEqual(settings(), before)
        self.assertEqual(self.infra.result(function)["result"], 2)
        self.assert_error(self.infra.upload(bundle({"main.py": ECHO}), path=f"/functions/{UNKNOWN}", method="PUT"), 404)

    def test_functions_come_in_pages(self):
        made = {self.infra.deploy(ECHO, name=f"page {n}") for n in range(5)}
        rows = self.infra.pages("/api/functions?limit=2")
        ids = [row["id"] for row in rows]
        self.assertEqual(len(ids), len(set(ids)))
        self.assertLessEqual(made, set(ids))
        self.assertIn('rel="next"', self.infra.get("/functions?limit=2").headers["Link"])
        self.assertNotIn("Link", self.infra.get("/functions").headers)
        for wrong in ("0", "-1", "1001", "x", ""):
            self.assert_error(self.infra.get(f"/functions?limit={wrong}"), 400)

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
            at = row["timestamp"]
            east = (datetime.fromisoformat(at) + timedelta(hours=9)).isoformat(timespec="milliseconds").replace("+00:00", "+09:00")
            for same in (at, at[:-1] + "+00:00", at[:-1] + "999999999z", at.replace("T", "%20"), east, urllib.parse.quote(east)):
                later = self.infra.get(f"/functions/{function}/logs?startTime={same}").json()
                self.assertIn(row, later, same)
                self.assertTrue(all(other["timestamp"] >= at for other in later), (same, later))
        self.assertEqual(self.infra.get(f"/functions/{function}/logs?startTime=2999-01-01").json(), [])
        self.assert_error(self.infra.get(f"/functions/{function}/logs?startTime=yesterday"), 400)
        for wrong in ("0", "1001", "ten"):
            self.assert_error(self.infra.get(f"/functions/{function}/logs?limit={wrong}"), 400)
        self.assert_error(self.infra.get(f"/functions/{function}/logs/{UNKNOWN}"), 404)
        self.assert_error(self.infra.get(f"/functions/{UNKNOWN}/logs"), 404)

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
        self.assert_error(self.infra.get("/status/nope"), 404, "job_not_found", "UUID")

    def test_workers_tell_and_are_told_of(self):
        beat = {"workerId": "w-elsewhere", "status": "healthy", "pools": {"python": 2, "nodejs": 1, "cpp": 0, "go": 0},
                "activeJobs": 3, "uptimeSeconds": 12.5, "timestamp": "2026-01-01T00:00:00.000Z"}
        self.assertEqual(self.infra.request("POST", "/api/worker/heartbeat", beat).json(), {"ok": True})
        for path in ("/workers", "/worker/status", "/api/workers"):
            known = self.infra.get(path).json()
            self.assertLessEqual({"totalWorkers", "healthyWorkers", "workers"}, set(known))
            self.assertEqual(known["totalWorkers"], len(known["workers"]))
            self.assertGreaterEqual(known["healthyWorkers"], 2)  # the program's own worker, too
            told = next(w for w in known["workers"] if w["workerId"] == "w-elsewhere")
            self.assertEqual({k: told[k] for k in ("status", "pools", "activeJobs")},
                             {k: beat[k] for k in ("status", "pools", "activeJobs")})
            self.assertEqual(set(told), {"workerId", "status", "healthStatus", "pools", "activeJobs", "uptimeSeconds", "lastSeen",
                                         "lastSeenAgo", "receivedAt"})
            self.assertEqual((told["healthStatus"], told["uptimeSeconds"]), ("healthy", 12.5))
            self.assertIsInstance(told["lastSeen"], int)
            self.assertLess(abs(told["lastSeen"] / 1000 - time.time()), 30)
            self.assertRegex(told["lastSeenAgo"], r"^\d+s$")
            self.assertRegex(told["receivedAt"], ISO)
        for wrong in [{}, {"workerId": 7}, {"workerId": ""}, {**beat, "pools": 3}, [], {**beat, "activeJobs": "many"}]:
            with self.subTest(wrong):
                self.assert_error(self.infra.request("POST", "/worker/heartbeat", wrong), 400)
        status = self.infra.get("/system/status").json()
        self.assertLessEqual({"status", "worker_count", "active_jobs", "pools", "uptime_seconds", "timestamp"}, set(status))
        self.assertEqual((status["status"], status["worker_count"]), ("online", known["totalWorkers"]))
        self.assertGreaterEqual(status["active_jobs"], 3)
        self.assertIsInstance(status["uptime_seconds"], int)
        self.assertGreaterEqual(status["uptime_seconds"], 1)
        self.assertLess(abs(status["timestamp"] - time.time()), 30)

    def test_without_an_ai_node_the_default_model_is_named(self):
        answer = self.infra.get("/models").json()
        self.assertEqual(answer["models"], [{"id": "llama3:8b", "name": "llama3:8b (Default)", "details": {}, "status": "fallback"}])
        self.assertTrue(answer["warning"])


class Variants(Case):
    @classmethod
    def setUpClass(cls):
        cls.node = FakeOllama()
        cls.environment = {"AI_NODE_URL": cls.node.url, "CORS_ORIGINS": "https://dash.example, http://localhost:3000",
                           "METRICS_PUBLIC": "true"}
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.node.close()

    def test_the_nodes_models_are_listed(self):
        answer = self.infra.get("/api/models").json()
        self.assertNotIn("warning", answer)
        model, = answer["models"]
        self.assertEqual(set(model), {"id", "name", "size", "details", "status"})
        self.assertEqual((model["id"], model["size"], model["details"]["family"]), ("tiny:1b", 1_300_000_000, "tiny"))
        self.assertNotEqual(model["status"], "fallback")

    def test_named_origins_get_cors_and_others_none(self):
        for origin in ("https://dash.example", "http://localhost:3000"):
            preflight = self.infra.request("OPTIONS", "/api/run", key=None, headers={
                "Origin": origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-api-key, x-async"})
            self.assertIn(preflight.status, (200, 204))
            self.assertEqual(preflight.headers["Access-Control-Allow-Origin"], origin)
            self.assertIn("POST", preflight.headers["Access-Control-Allow-Methods"])
            for name in ("x-api-key", "x-async", "content-type"):
                self.assertIn(name, preflight.headers["Access-Control-Allow-Headers"].lower())
            self.assertRegex(preflight.headers["x-request-id"], UUID_V7)
            answer = self.infra.get("/functions", headers={"Origin": origin})
            self.assertEqual(answer.headers["Access-Control-Allow-Origin"], origin)
            self.assertIn("origin", answer.headers["Vary"].lower())
            for name in ("x-request-id", "server-timing"):
                self.assertIn(name, answer.headers["Access-Control-Expose-Headers"].lower())
            self.assertEqual(answer.headers["Timing-Allow-Origin"], origin)
            refused = self.infra.get("/functions", key=None, headers={"Origin": origin})
            self.assertEqual((refused.status, refused.headers["Access-Control-Allow-Origin"]), (401, origin))
        for origin in ("https://evil.example", "https://dash.example.evil", "null"):
            answer = self.infra.get("/functions", headers={"Origin": origin})
            self.assertNotIn("Access-Control-Allow-Origin", answer.headers)
            self.assertNotIn("Timing-Allow-Origin", answer.headers)

    def test_metrics_can_be_public(self):
        answer = self.infra.get("/metrics", key=None)
        self.assertEqual(answer.status, 200)
        self.assertTrue(re.match(r"text/plain", answer.headers["Content-Type"]))
        self.assert_error(self.infra.get("/functions", key=None), 401)


if __name__ == "__main__":
    main()
