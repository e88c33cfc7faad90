"""packaging/prometheus: each alert comes when it should, stays away when all is well, and leads to words that help."""

import json
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from promql import ROOT, exported, metrics_in

RULES = ROOT / "packaging" / "prometheus" / "infra.rules.yml"
RUNBOOK = ROOT / "docs" / "operations.md"
HOUR = 60


def counted(name, before, rate, labels=""):
    """A counter that stands still at first, and then grows by `rate` a minute."""
    return {name + labels: f"0x{before} {rate}+{rate}x{HOUR * 2}"}


def told(name, *values, labels=""):
    """A gauge, twenty minutes a value."""
    return {name + labels: " ".join(f"{value}x19" for value in values)}


def slow(name, bound, labels=""):
    """A histogram's requests, ten a minute, none of them faster than `bound`."""
    begin = labels + "," if labels else ""
    return {f'{name}_bucket{{{begin}le="{bound}"}}': "0x90", f'{name}_bucket{{{begin}le="60"}}': "0+10x90",
            f'{name}_bucket{{{begin}le="+Inf"}}': "0+10x90"}


REQUESTS = {'http_requests_total{status_code="200"}': "0+600x90"}
RUNS = {'function_invocations_total{status="SUCCESS"}': "0+600x90"}
READ = 'method="GET",route="/functions"'

# The series, the minute at which it fires, the labels beside its own, the summary; then series with which it must not.
ALERTS = {
    "InfraDown": (
        told("up", 1, 0, labels='{job="infra",instance="a"}'), 25, {"job": "infra", "instance": "a"}, "a does not answer.",
        {**told("up", 1, 1, labels='{job="infra",instance="a"}'), **told("up", 0, 0, labels='{job="other"}')}),
    "InfraNoWorkers": (
        told("workers_alive", 1, 0), 25, {}, "No worker lives; jobs wait.", told("workers_alive", 0, 1)),
    "InfraWorkerGone": (
        told("workers_alive", 3, 2), 30, {}, "2 workers live, fewer than within the last hour.", told("workers_alive", 2, 3)),
    "InfraEngineDown": (
        told("engine_up", 1, 0, labels='{engine="queue",instance="a"}'), 25, {"engine": "queue", "instance": "a"},
        "a can't use its engine queue.", told("engine_up", 1, 1, labels='{engine="queue",instance="a"}')),
    "InfraRunErrors": (
        {**RUNS, **counted("function_invocations_total", 15, 30, '{status="ERROR"}')}, 30, {},
        "4.762% of the runs end with ERROR, the platform's own fault.",
        {**RUNS, **counted("function_invocations_total", 15, 300, '{status="FAILED"}')}),
    "InfraHttpErrors": (
        {**REQUESTS, **counted("http_requests_total", 15, 200, '{status_code="503"}')}, 30, {},
        "25% of the requests are answered 5xx.", {**REQUESTS, **counted("http_requests_total", 15, 10, '{status_code="503"}')}),
    "InfraSlow": (
        slow("http_request_duration_seconds", "1", READ), 30, {},
        "One of a hundred requests that read something takes 59.41s and more.",
        slow("http_request_duration_seconds", "1", 'method="POST",route="/run"')),
    "InfraJobsWait": (
        slow("job_wait_seconds", "30"), 30, {}, "One of a hundred jobs waits 59.7s and more before it is begun.",
        {'job_wait_seconds_bucket{le="30"}': "0+10x90", 'job_wait_seconds_bucket{le="+Inf"}': "0+10x90"}),
    "InfraQueueDeep": (
        told("job_queue_depth", 0, 5000, labels='{state="ready"}'), 35, {}, "5000 jobs wait in the queue.",
        told("job_queue_depth", 0, 5000, labels='{state="in_flight"}')),
    "InfraDeadLetters": (
        told("job_queue_depth", 3, 5, labels='{state="dead"}'), 30, {},
        "Jobs were given up within the last hour; 5 dead letters are kept.", told("job_queue_depth", 5, 3, 3, labels='{state="dead"}')),
    "InfraQuarantine": (
        counted("function_quarantined_refusals_total", 15, 1), 20, {},
        "Runs are refused because their function takes its worker down.", counted("function_quarantined_refusals_total", 15, 0)),
    "InfraThrottles": (
        {**REQUESTS, **counted("rate_limit_refusals_total", 10, 60, '{bucket="default"}')}, 40, {},
        "10% of the requests are refused by the rate limit.",
        {**REQUESTS, **counted("rate_limit_refusals_total", 10, 6, '{bucket="default"}')}),
    "InfraWrongKeys": (
        counted("rate_limit_refusals_total", 10, 60, '{bucket="auth"}'), 30, {}, "Somebody goes on asking with wrong keys.",
        counted("rate_limit_refusals_total", 10, 1, '{bucket="auth"}')),
    "InfraLimiterAlone": (
        counted("rate_limiter_local_total", 10, 60, '{instance="a"}'), 20, {"instance": "a"},
        "a limits rates by itself, because Redis is away.", counted("rate_limiter_local_total", 10, 0, '{instance="a"}')),
    "InfraDiskFills": (
        told("overload_pressure", 0.2, 0.6, labels='{resource="disk",instance="a"}'), 30, {"resource": "disk", "instance": "a"},
        "a has used 60% of the room that it may (disk).", told("overload_pressure", 0.2, 0.4, labels='{resource="disk"}')),
    "InfraDescriptors": (
        told("overload_pressure", 0.2, 0.9, labels='{resource="descriptors",instance="a"}'), 30,
        {"resource": "descriptors", "instance": "a"}, "a has 90% of its descriptors in use.",
        told("overload_pressure", 0.9, 0.5, labels='{resource="descriptors"}')),
    "InfraOverloaded": (
        told("overload_action_active", 0, 1, labels='{action="shed_async",instance="a"}'), 30,
        {"action": "shed_async", "instance": "a"}, "a sheds load: shed_async.",
        told("overload_action_active", 1, 0, labels='{action="shed_async"}')),
    "InfraLogLinesDropped": (
        counted("log_lines_dropped_total", 15, 5, '{instance="a"}'), 20, {"instance": "a"}, "a drops lines of its log.",
        counted("log_lines_dropped_total", 15, 0, '{instance="a"}')),
    "InfraTaskFailures": (
        {'task_failures_total{task="job",instance="a"}': "_x15 1x60"}, 20, {"task": "job", "instance": "a"},
        "A task of a ended with an exception (job).", {'task_failures_total{task="job",instance="a"}': "1x60"}),
}
QUIET_AT = 45  # minutes


def rules():
    """Name, severity and runbook of each alert, and every expression."""
    text = RULES.read_text(encoding="utf-8")
    alerts = {}
    for part in re.split(r"\n {6}- ", text)[1:]:
        found = re.match(r"alert: (\w+)", part)
        if found:
            alerts[found[1]] = {name: re.search(rf"{name}: ([^\s}}]+)", part)[1] for name in ("severity", "runbook")}
    return alerts, re.findall(r"expr: (.*)", text), set(re.findall(r"record: (\S+)", text))


def unit(series, alert, minute, expected):
    return {"interval": "1m", "input_series": [{"series": name, "values": values} for name, values in series.items()],
            "alert_rule_test": [{"eval_time": f"{minute}m", "alertname": alert, "exp_alerts": expected}]}


class Prometheus(unittest.TestCase):
    def test_every_alert_comes_and_stays_away(self):
        if shutil.which("promtool") is None:
            self.skipTest("needs promtool")
        alerts, _, _ = rules()
        self.assertEqual(list(alerts), list(ALERTS), "every alert has its case")
        tests = []
        for name, (series, minute, labels, summary, quiet) in ALERTS.items():
            tests.append(unit(series, name, minute, [{
                "exp_labels": {**labels, "severity": alerts[name]["severity"]},
                "exp_annotations": {"summary": summary, "runbook": alerts[name]["runbook"]}}]))
            tests.append(unit(quiet, name, QUIET_AT, []))
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "test.yml"  # JSON is YAML
            file.write_text(json.dumps({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": tests}), encoding="utf-8")
            done = subprocess.run(["promtool", "test", "rules", str(file)], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_only_metrics_that_there_are_are_named(self):
        _, expressions, records = rules()
        known = exported() | records
        for expression in expressions:
            self.assertTrue(metrics_in(expression))
            self.assertLessEqual(metrics_in(expression), known, expression)

    def test_every_alert_leads_to_its_words(self):
        headings = {heading.lower() for heading in re.findall(r"^#+ (\w+)$", RUNBOOK.read_text(encoding="utf-8"), re.MULTILINE)}
        for name, alert in rules()[0].items():
            self.assertEqual(alert["runbook"], f"docs/operations.md#{name.lower()}")
            self.assertIn(name.lower(), headings)
            self.assertIn(alert["severity"], ("warning", "critical"))


if __name__ == "__main__":
    unittest.main()
