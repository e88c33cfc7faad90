"""JSON on its way through the platform: what is valid comes back as its runtime writes it. What is refused: src/http/body_test.cc."""

import gzip
import json

from harness import Case, main, same_in_a_fleet

MIB = 1024 * 1024
DEEPEST = 499
ECHOES = {
    "python": {"main.py": "def handler(event, context):\n    return event\n"},
    "nodejs": {"index.js": "exports.handler = async (event) => event;\n"},
    "cpp": {"main.cpp": "#include <infra.hpp>\n#include <string>\n"
                        "std::string handler(const std::string& e, const infra::Context&) { return e; }\nINFRA_HANDLER(handler)\n"},
    "go": {"main.go": 'package main\n\nimport (\n\t"encoding/json"\n\t"infra"\n)\n\n'
                      "func main() { infra.Handle(func(c infra.Context, e json.RawMessage) (any, error) { return e, nil }) }\n"},
}


def nested(depth):
    return "[" * depth + "]" * depth


class Bodies(Case):
    def post(self, body, headers=None, path="/run", method="POST"):
        return self.infra.request(method, path, body, {"Content-Type": "application/json", **(headers or {})})

    def echo(self, function, text, is_async=False):
        """The result's own text."""
        answer = self.post(f'{{"functionId":"{function}","inputData":{text}}}', {"x-async": "true"} if is_async else None)
        if is_async:
            self.assertEqual(answer.status, 202, answer)
            self.infra.await_result(answer.json()["jobId"])
            answer = self.infra.get(f"/status/{answer.json()['jobId']}")
        self.assertEqual((answer.status, answer.json()["status"]), (200, "SUCCESS"), answer)
        return answer.text.split('"result":', 1)[1].split(',"durationMs"', 1)[0]

    @same_in_a_fleet
    def test_every_runtime_takes_and_gives_what_the_grammar_allows(self):
        lone = {"python": '"\ufffd"', "nodejs": '"\ufffd"'}  # the others hand the text on
        for runtime, files in ECHOES.items():
            with self.subTest(runtime):
                function = self.infra.deploy(files, runtime=runtime, memoryMb=512)
                self.assertEqual(self.echo(function, nested(DEEPEST)), nested(DEEPEST))
                self.assertEqual(self.echo(function, '"\\ud83d"'), lone.get(runtime, '"\\ud83d"'))
                named = json.loads(self.echo(function, '{"\\udc00":"\\ud83d\\ude00"}'))
                self.assertEqual(list(named.values()), ["😀"])

    def test_what_is_valid_and_no_runtimes_number_is_kept_as_text(self):
        """Through the queue and the stores."""
        function = self.infra.deploy(ECHOES["go"], runtime="go", memoryMb=512)  # it hands the text on
        for text in (nested(DEEPEST), '"\\ud83d"', "1e99999999999", '{"n":123456789012345678901234567890,"n":1.0}'):
            self.assertEqual(self.echo(function, text, is_async=True), text)
        row = self.infra.log_rows(function, 1)[0]
        self.infra.get(f"/functions/{function}/logs/{row['requestId']}").text.encode("utf-8")

    def test_gzip_is_read(self):
        function = self.infra.deploy("def handler(e, c): return len(e)")
        packed = gzip.compress(json.dumps({"functionId": function, "inputData": "x" * (9 * MIB)}).encode())
        answer = self.post(iter([packed[:10], packed[10:]]), {"Content-Encoding": "gzip", "Transfer-Encoding": "chunked"})
        self.assertEqual(answer.json()["result"], 9 * MIB)


if __name__ == "__main__":
    main()
