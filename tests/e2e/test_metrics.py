"""What operators see: metrics that Prometheus takes, log lines that say enough, and no secret in either."""

import json
import re
import shutil
import subprocess

from harness import API_KEY, ECHO, UUID_V7, Case, main, wait_for

SAMPLE = re.compile(r'^(\w+)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


class Metrics(Case):
    def samples(self):
        answer = self.infra.get("/metrics")
        self.assertEqual(answer.status, 200)
        found = []
        for line in answer.text.splitlines():
            if line and not line.startswith("#"):
                name, labels, value = SAMPLE.match(line).groups()
                found.append((name, dict(LABEL.findall(labels or "")), float(value)))
        return found

    def value(self, name, **labels):
        return sum(v for n, has, v in self.samples() if n == name and labels.items() <= has.items())

    def lint(self):
        """promtool's complaints; it has one about the label functionId, which the contract's dashboards need."""
        tool = shutil.which("promtool")
        if tool is None:
            self.skipTest("needs promtool")
        done = subprocess.run([tool, "check", "metrics"], input=self.infra.get("/metrics").text, capture_output=True, text=True)
        lines = (done.stdout + done.stderr).splitlines()
        return [line for line in lines if not re.match(
            r"function_\w+ label names should be written in 'snake_case' not 'camelCase'$", line)]

    def test_promtool_accepts_them(self):
        self.assertEqual(self.lint(), [])
        self.infra.result(self.infra.deploy(ECHO), 1)
        self.assertEqual(self.lint(), [])

    def test_requests_are_counted_by_route_pattern(self):
        self.infra.deploy(ECHO)
        before = self.value("http_requests_total", method="GET", route="/functions/:id")
        for n in range(3):
            self.infra.get(f"/functions/nobody-{n}")
            self.infra.get(f"/api/functions/nobody-{n}")
        self.assertEqual(self.value("http_requests_total", method="GET", route="/functions/:id") - before, 6)
        routes = {labels["route"] for name, labels, _ in self.samples() if "route" in labels}
        self.assertFalse([route for route in routes if "nobody" in route])
        for _ in range(5):
            self.infra.get(f"/made-up/{_}")
            self.infra.request(f"VERB{_}", "/functions")
        samples = self.samples()
        self.assertFalse([labels for _, labels, _ in samples if "made-up" in labels.get("route", "")])
        self.assertFalse([labels for _, labels, _ in samples if labels.get("method", "").startswith("VERB")])
        names = {name for name, _, _ in samples}
        self.assertLessEqual({"http_request_duration_seconds_bucket", "http_request_duration_seconds_count"}, names)
        labels = next(has for name, has, _ in samples if name == "http_request_duration_seconds_count")
        self.assertEqual(set(labels), {"method", "route", "status_code"})

    def test_runs_are_counted_by_function_and_status(self):
        good = self.infra.deploy(ECHO)
        bad = self.infra.deploy("def handler(e, c): raise ValueError('x')")
        for n in range(3):
            self.infra.result(good, n)
        self.infra.result(bad)
        wait_for(lambda: self.value("function_invocations_total", functionId=bad, status="FAILED") == 1, 2, "the count")
        self.assertEqual(self.value("function_invocations_total", functionId=good, status="SUCCESS"), 3)
        for name in ("function_duration_seconds_count", "function_handler_duration_seconds_count"):
            self.assertEqual(self.value(name, functionId=good, status="SUCCESS"), 3)
        text = self.infra.get("/metrics").text
        for word in ("queue", "in_flight", "pool"):
            self.assertTrue(re.search(rf"^# TYPE \w*{word}\w* gauge$", text, re.MULTILINE), f"no gauge about {word}")

    def test_log_lines_say_who_asked_what_and_how_it_went(self):
        answer = self.infra.get("/functions/nobody-at-all", headers={"x-request-id": "the-clients-own"})
        line = self.infra.log_line_of(answer)
        self.assertEqual((line["route"], line["status"], line["clientRequestId"]), ("/functions/:id", 404, "the-clients-own"))
        self.assertGreaterEqual(line["durationMs"], 0)
        for entry in self.infra.log():
            self.assertLessEqual({"msg", "level"}, set(entry))
            if "requestId" in entry:
                self.assertRegex(entry["requestId"], UUID_V7)

    def test_no_secret_reaches_the_log(self):
        function = self.infra.deploy("import os\ndef handler(e, c):\n  print('printed-by-function')\n  return os.environ['S']",
                                     envVars=json.dumps({"S": "value-of-env"}))
        self.infra.result(function, "text-of-input")
        self.infra.run(self.infra.deploy("def handler(e, c): raise ValueError('failed-with-' + e)"), "text-of-input")
        self.infra.get("/functions", key="a-wrong-key-99")
        self.infra.request("POST", "/run", b'{"functionId": "text-of-input', {"Content-Type": "application/json"})
        self.infra.get("/functions?cursor=text-of-query")
        logs, metrics = self.infra.get("/logs"), self.infra.get("/metrics")
        self.infra.log_line_of(metrics)  # and so all lines before it
        said = self.infra.said() + logs.text + metrics.text
        for secret in (API_KEY, "a-wrong-key-99", "value-of-env", "text-of-input", "printed-by-function", "failed-with-",
                       "text-of-query"):
            self.assertNotIn(secret, said)


if __name__ == "__main__":
    main()
