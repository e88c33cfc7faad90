"""W3C Trace Context, from a client's header through the queue into the function, and back in results, log rows and log lines."""

from harness import Case, main, wait_for

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"
TELLS = """import os
def handler(event, context):
    print('told')
    return [context.trace_id, context.traceparent, os.environ['TRACEPARENT']]
"""


class Traces(Case):
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

    def test_what_is_no_trace_begins_a_new_one(self):
        function = self.infra.deploy(TELLS)
        for wrong in (PARENT + "-more", PARENT.upper(), f"00-{'0' * 32}-b7ad6b7169203331-01", "nonsense"):
            self.assertNotIn(self.run_in(function, wrong).json()["traceId"], (TRACE, "0" * 32))
        self.assertEqual(self.run_in(function, f"cc-{TRACE}-b7ad6b7169203331-01-later").json()["traceId"], TRACE)


if __name__ == "__main__":
    main()
