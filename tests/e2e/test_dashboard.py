"""packaging/grafana: every query of the dashboard, asked of a real Prometheus that scrapes the real program."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.parse
from http.client import HTTPConnection
from pathlib import Path

from harness import API_KEY, ECHO, PATIENCE, Case, main, wait_for

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "packaging"))
from promql import exported, metrics_in  # noqa: E402  (it is shared with the rules' test)

DASHBOARD = ROOT / "packaging" / "grafana" / "infra.json"
RULES = ROOT / "packaging" / "prometheus" / "infra.rules.yml"
LISTENING = re.compile(r'msg="Listening on" address=127\.0\.0\.1:(\d+)')
EVERY = {"$__rate_interval": "20s", "$instance": ".*", "$function": ".*"}


def panels():
    for panel in json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]:
        if panel["type"] != "row":
            yield panel


def queries():
    """Panel, and the query as Grafana asks it."""
    for panel in panels():
        for target in panel["targets"]:
            query = target["expr"]
            for variable, value in EVERY.items():
                query = query.replace(variable, value)
            yield panel["title"], query


class Prometheus:
    """In a folder of its own, on a port that the kernel chose."""

    def __init__(self, folder, ports):
        config = {"global": {"scrape_interval": "500ms", "evaluation_interval": "1s"}, "rule_files": [str(RULES)],
                  "scrape_configs": [{"job_name": "infra", "authorization": {"credentials": API_KEY},
                                      "static_configs": [{"targets": [f"127.0.0.1:{port}" for port in ports]}]}]}
        file = Path(folder) / "prometheus.yml"  # JSON is YAML
        file.write_text(json.dumps(config), encoding="utf-8")
        self.log = Path(folder) / "prometheus.log"
        with self.log.open("w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                ["prometheus", f"--config.file={file}", f"--storage.tsdb.path={folder}/tsdb", "--web.listen-address=127.0.0.1:0"],
                stdout=log, stderr=subprocess.STDOUT, cwd=folder)
        self.port = int(wait_for(self.listens, what="Prometheus")[1])

    def listens(self):
        assert self.process.poll() is None, self.log.read_text()
        return LISTENING.search(self.log.read_text())

    def ask(self, path, **query):
        connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request("GET", f"/api/v1/{path}?{urllib.parse.urlencode(query)}")
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def query(self, expression):
        return self.ask("query", query=expression)

    def close(self):
        self.process.kill()
        self.process.wait()


class Dashboard(Case):
    def ports(self):
        fleet = getattr(self.infra, "fleet", None)
        return [program.port for program in self.infra.programs] if fleet else [self.infra.port]

    def test_every_metric_is_one_of_the_table(self):
        known = exported()
        for title, query in queries():
            self.assertTrue(metrics_in(query), title)
            self.assertLessEqual(metrics_in(query), known, f"{title}: {query}")

    def test_it_is_what_grafana_imports(self):
        board = json.loads(DASHBOARD.read_text(encoding="utf-8"))
        self.assertEqual((board["title"], board["uid"]), ("Infra", "infra"))
        ids = [panel["id"] for panel in board["panels"]]
        self.assertEqual(len(ids), len(set(ids)))
        titles = [panel["title"] for panel in panels()]
        self.assertEqual(len(titles), len(set(titles)))
        for panel in panels():
            self.assertEqual(panel["datasource"]["uid"], "${datasource}", panel["title"])
            self.assertTrue(all(target["legendFormat"] is not None for target in panel["targets"]))
            place = panel["gridPos"]
            self.assertLessEqual(place["x"] + place["w"], 24)

    def test_every_query_is_answered(self):
        if shutil.which("prometheus") is None:
            self.skipTest("needs prometheus")
        folder = os.path.join(self.infra.folder, "prometheus")
        os.mkdir(folder)
        prometheus = Prometheus(folder, self.ports())
        self.addCleanup(prometheus.close)
        good, bad = self.infra.deploy(ECHO), self.infra.deploy("def handler(e, c): raise ValueError('x')")
        up = "count(up == 1)"
        wait_for(lambda: self.values(prometheus, up) == [len(self.ports())], what="the first scrape")
        for n in range(3):
            self.infra.result(good, n)
            self.infra.result(bad)
        self.infra.get("/functions")
        wait_for(lambda: self.values(prometheus, "sum(function_invocations_total)") == [6.0], what="the runs")
        for title, query in queries():
            answer = prometheus.query(query)
            self.assertEqual(answer["status"], "success", f"{title}: {query}: {answer}")

        def silent():  # a rate is one of two scrapes at least
            scraped = set(prometheus.ask("label/__name__/values")["data"])
            return [f"{title}: {query}" for title, query in queries()
                    if metrics_in(query) <= scraped and not prometheus.query(query)["data"]["result"]]

        with contextlib.suppress(AssertionError):
            wait_for(lambda: not silent())
        self.assertEqual(silent(), [], "what is scraped is shown")
        shown = {name for title, query in queries() for name in metrics_in(query) if prometheus.query(query)["data"]["result"]}
        self.assertGreaterEqual(shown, {
            "function_invocations_total", "function_duration_seconds_bucket", "function_cold_start_seconds_bucket",
            "job_wait_seconds_bucket", "engine_up", "workers_alive", "job_queue_depth", "worker_jobs_total", "overload_pressure"})
        groups = wait_for(lambda: self.evaluated(prometheus), what="the rules")
        for rule in (rule for group in groups for rule in group["rules"]):
            self.assertEqual((rule["health"], rule.get("lastError", "")), ("ok", ""), rule["name"])
            self.assertNotEqual(rule.get("state"), "firing", rule["name"])

    @staticmethod
    def values(prometheus, expression):
        return [float(found["value"][1]) for found in prometheus.query(expression)["data"]["result"]]

    @staticmethod
    def evaluated(prometheus):
        groups = prometheus.ask("rules")["data"]["groups"]
        return all(rule["health"] != "unknown" for group in groups for rule in group["rules"]) and groups


if __name__ == "__main__":
    main()
