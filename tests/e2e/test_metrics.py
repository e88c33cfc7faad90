"""What operators see: metrics that Prometheus takes, log lines that say enough, and no secret in either."""

import json
import re
import shutil
import subprocess

from harness import API_KEY, ECHO, Case, main, wait_for

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
        self.assertNotRegex(text, r"(?m)[\d.]e[+-]?\d+\S*$")  # simple readers stop at the e
        for word in ("queue", "in_flight", "pool"):
            self.assertTrue(re.search(rf"^# TYPE \w*{word}\w* gauge$", text, re.MULTILINE), f"no gauge about {word}")

    def events(self, **of):
        """Newest first."""
        answer = self.infra.get("/logs")
        self.assertEqual(answer.status, 200, answer)
        return [event for event in answer.json() if of.items() <= event.items()]

    def test_events_tell_what_happened_as_the_dashboard_reads_it(self):
        function = self.infra.deploy("def handler(e, c):\n  if e: raise ValueError('x')")
        results = [self.infra.result(function, fails) for fails in (False, True)]
        # They are there when the answer is.
        told = self.events(functionId=function)
        wanted = ["Function Executed: " + function, "Run Request"] * 2 + ["Upload Success"]
        self.assertEqual([event["msg"] for event in told], wanted)
        for event, result in zip((told[2], told[0]), results, strict=True):
            self.assertEqual(event["level"], "INFO" if result["status"] == "SUCCESS" else "ERROR")
            self.assertEqual((event["requestId"], event["duration"], event["memory"]), (
                result["requestId"], result["durationMs"], (result["peakMemoryBytes"] + 2**19) // 2**20))
            for same in ("handlerDurationMs", "status", "exitCode"):
                self.assertEqual(event[same], result[same])

        job = self.infra.run_async(function)
        self.infra.await_result(job)
        done = wait_for(lambda: self.events(requestId=job, status="SUCCESS"), 2, "the run's event")
        self.assertEqual([event["msg"] for event in done], ["Function Executed: " + function])

    def test_no_secret_reaches_the_log(self):
        function = self.infra.deploy("import os\ndef handler(e, c):\n  print('printed-by-function')\n  return os.environ['S']",
                                     envVars=json.dumps({"S": "value-of-env"}))
        self.infra.result(function, "text-of-input")
        self.infra.run(self.infra.deploy("def handler(e, c): raise ValueError('failed-with-' + e)"), "text-of-input")
        self.infra.get("/functions", key="a-wrong-key-99")
        self.infra.request("POST", "/run", b'{"functionId": "text-of-input', {"Content-Type": "application/json"})
        self.infra.get("/functions?cursor=text-of-query")
        events, lines, metrics = (self.infra.get(path) for path in ("/logs", "/logs?format=native", "/metrics"))
        self.infra.log_line_of(metrics)  # and so all lines before it
        said = self.infra.said() + events.text + lines.text + metrics.text
        for secret in (API_KEY, "a-wrong-key-99", "value-of-env", "text-of-input", "printed-by-function", "failed-with-",
                       "text-of-query"):
            self.assertNotIn(secret, said)


if __name__ == "__main__":
    main()
