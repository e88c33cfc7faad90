"""W3C Trace Context, from a client's header through the queue into the function, and back in results, log rows and log lines."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from harness import Case, main, wait_for

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"
TELLS = """import os
def handler(event, context):
    print('told')
    return [context.trace_id, context.traceparent, os.environ['TRACEPARENT']]
"""


class Collector:
    """Takes spans as OpenTelemetry's does."""

    def __init__(self):
        spans = self.spans = []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if self.path == "/v1/traces":
                    spans.extend(span for resource in body["resourceSpans"] for scope in resource["scopeSpans"] for span in scope["spans"])
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def of(self, trace):
        return [span for span in list(self.spans) if span["traceId"] == trace]


COLLECTOR = Collector()


class Traces(Case):
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": COLLECTOR.url}

    def run_in(self, function, parent=None, **headers):
        return self.infra.run(function, headers={**({"traceparent": parent} if parent else {}), **headers})

    def test_a_trace_goes_all_the_way(self):
        function = self.infra.deploy(TELLS)
        for _ in ("cold", "warm"):
            answer = self.run_in(function, PARENT)
            result = answer.json()
            trace, parent, variable = result["result"]
            self.assertEqual((trace, result["traceId"]), (TRACE, TRACE))
            self.assertEqual(parent, variable)
            self.assertRegex(parent, f"^00-{TRACE}-[0-9a-f]{{16}}-01$")
            self.assertNotEqual(parent, PARENT, "the request is a span of its own")
            self.assertEqual(self.infra.log_line_of(answer)["traceId"], TRACE)
        own = self.run_in(function).json()
        self.assertRegex(own["traceId"], "^[0-9a-f]{32}$")
        self.assertNotEqual(own["traceId"], TRACE)
        self.assertEqual(self.infra.request("GET", "/health").status, 200)

    def test_an_asynchronous_run_is_found_by_its_trace(self):
        function = self.infra.deploy(TELLS)
        job = self.run_in(function, PARENT, **{"x-async": "true"}).json()["jobId"]
        self.run_in(function)
        self.assertEqual(self.infra.await_result(job)["traceId"], TRACE)
        rows = wait_for(lambda: self.infra.get(f"/functions/{function}/logs?traceId={TRACE}").json(), what="the row")
        self.assertEqual([(row["requestId"], row["traceId"], row["message"].splitlines()[0]) for row in rows], [(job, TRACE, "told")])
        self.assertEqual(self.infra.get(f"/functions/{function}/logs/{job}").json()["traceId"], TRACE)
        self.assertEqual(self.infra.get(f"/functions/{function}/logs?traceId={'a' * 32}").json(), [])
        self.assert_error(self.infra.get(f"/functions/{function}/logs?traceId=x"), 400, "invalid_trace_id")
        line = wait_for(lambda: next((entry for entry in self.infra.log() if entry["msg"] == "run" and entry["requestId"] == job), None),
                        what="the worker's line")
        self.assertEqual(line["traceId"], TRACE)

    def test_spans_come_to_the_collector(self):
        function = self.infra.deploy(TELLS)
        trace, caller = "b" * 32, "c" * 16
        before = self.infra.request("GET", "/health", headers={"traceparent": f"00-{'d' * 32}-{caller}-00"})
        self.assertEqual(before.status, 200)
        self.assertEqual(self.run_in(function, f"00-{trace}-{caller}-01").status, 200)
        wanted = {"http", "queue", "cold start", "handler", "settle"}
        spans = wait_for(lambda: {span["name"] for span in COLLECTOR.of(trace)} == wanted and
                         {span["name"]: span for span in COLLECTOR.of(trace)}, what="the spans")
        self.assertEqual(spans["http"]["parentSpanId"], caller)
        for name in wanted - {"http"}:
            self.assertEqual(spans[name]["parentSpanId"], spans["http"]["spanId"], name)
        length = {name: int(span["endTimeUnixNano"]) - int(span["startTimeUnixNano"]) for name, span in spans.items()}
        self.assertTrue(all(time >= 0 for time in length.values()), length)
        self.assertGreaterEqual(length["http"], length["handler"])
        attributes = {entry["key"]: entry["value"] for entry in spans["http"]["attributes"]}
        self.assertEqual(attributes["http.response.status_code"], {"intValue": "200"})
        self.assertEqual(attributes["infra.function_id"], {"stringValue": function})
        self.assertEqual(len({span["spanId"] for span in spans.values()}), 5)
        own = self.run_in(function).json()["traceId"]
        wait_for(lambda: len(COLLECTOR.of(own)) == 4, what="the spans of a trace that began here")  # it was warm
        self.assertEqual(COLLECTOR.of("d" * 32), [], "its caller does not record")

    def test_what_is_no_trace_begins_a_new_one(self):
        function = self.infra.deploy(TELLS)
        for wrong in (PARENT + "-more", PARENT.upper(), f"00-{'0' * 32}-b7ad6b7169203331-01", "nonsense"):
            self.assertNotIn(self.run_in(function, wrong).json()["traceId"], (TRACE, "0" * 32))
        self.assertEqual(self.run_in(function, f"cc-{TRACE}-b7ad6b7169203331-01-later").json()["traceId"], TRACE)


if __name__ == "__main__":
    main()
