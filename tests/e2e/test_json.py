"""JSON on its way through the platform: what is valid comes back as its runtime writes it, what is not is refused with words."""

import gzip
import json
import zlib

from harness import ECHO, Case, bundle, form, main

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

    def test_every_runtime_takes_and_gives_what_the_grammar_allows(self):
        lone = {"python": '"\ufffd"', "nodejs": '"\ufffd"'}  # the others hand the text on
        for runtime, files in ECHOES.items():
            with self.subTest(runtime):
                function = self.infra.deploy(files, runtime=runtime, memoryMb=512)
                self.assertEqual(self.echo(function, nested(DEEPEST)), nested(DEEPEST))
                self.assertEqual(self.echo(function, '"\\ud83d"'), lone.get(runtime, '"\\ud83d"'))
                named = json.loads(self.echo(function, '{"\\udc00":"\\ud83d\\ude00"}'))
                self.assertEqual(list(named.values()), ["😀"])
                answer = self.post(f'{{"functionId":"{function}","inputData":{nested(DEEPEST + 1)}}}')
                self.assert_error(answer, 400, "invalid_json", ("inputData", "at most 499 levels deep"))
        # Through the queue and the stores; what is valid and no runtime's number is kept as text.
        for text in (nested(DEEPEST), '"\\ud83d"', "1e99999999999", '{"n":123456789012345678901234567890,"n":1.0}'):
            self.assertEqual(self.echo(function, text, is_async=True), text)
        row = self.infra.log_rows(function, 1)[0]
        self.infra.get(f"/functions/{function}/logs/{row['requestId']}").text.encode("utf-8")

    def test_a_functions_fields_are_text(self):
        function = self.infra.deploy(ECHO)
        path = f"/functions/{function}"
        self.assertEqual(self.post('{"description":"a\\ud83d","envVars":{"A":"\\udc00"}}', path=path, method="PUT").status, 200)
        self.assertEqual(self.infra.get(path).json()["description"], "a\ufffd")
        self.assertEqual(self.infra.get("/functions").status, 200)
        self.assertEqual(self.infra.result(function, 1)["result"], {"echo": 1})
        self.assert_error(self.post('{"memoryMb":1e99999999999}', path=path, method="PUT"), 400, "invalid_json", "memoryMb")
        self.assert_error(self.post(f'{{"envVars":{nested(5000)}}}', path=path, method="PUT"), 400, "invalid_json", "deep")
        beat = b'{"workerId":"w-\\ud83d","status":"healthy"}'
        self.assertEqual(self.post(beat, path="/worker/heartbeat").status, 200)
        self.assertIn("w-\ufffd", [worker["workerId"] for worker in self.infra.get("/workers").json()["workers"]])

    def test_only_utf_8_is_read_and_others_are_named(self):
        function = self.infra.deploy(ECHO)
        text = json.dumps({"functionId": function, "inputData": "ü"}, ensure_ascii=False)
        self.assertEqual(self.post(b"\xef\xbb\xbf" + text.encode()).json()["result"], {"echo": "ü"})
        self.assertEqual(self.post(b"\xef\xbb\xbf" + b'{"description":"x"}', path=f"/functions/{function}", method="PUT").status, 200)
        for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"):
            self.assert_error(self.post(text.encode(encoding)), 400, "invalid_json", (encoding[:6].upper(), "UTF-8"))
        self.assert_error(self.post(text.encode("latin-1")), 400, "invalid_json", "UTF-8")
        for charset in ("utf-16", "iso-8859-1", '"utf-7"'):
            answer = self.post(text.encode(), {"Content-Type": f"application/json; charset={charset}"})
            self.assert_error(answer, 415, "unsupported_charset", "UTF-8")
            self.assertNotIn("Accept-Encoding", answer.headers)
        for charset in ("UTF-8", '"utf-8"', "us-ascii"):
            self.assertEqual(self.post(text.encode(), {"Content-Type": f"application/json; charset={charset}"}).status, 200)

    def test_what_is_no_json_is_told_where(self):
        for body, says in ((b"", "empty"), (b"functionId=f", "at byte 0"), (b"{'functionId':1}", "at byte 1"),
                           (b'{"functionId":"f",}', "at byte 18"), (b'{"a":NaN}', "at byte 5"), (b'{"a":1}x', "at byte 7")):
            self.assert_error(self.post(body), 400, "invalid_json", says)

    def test_gzip_is_read_within_the_bodys_bound(self):
        function = self.infra.deploy("def handler(e, c): return len(e)")
        packed = gzip.compress(json.dumps({"functionId": function, "inputData": "x" * (9 * MIB)}).encode())
        for headers in ({"Content-Encoding": "gzip"}, {"Content-Encoding": "X-Gzip", "Transfer-Encoding": "chunked"}):
            body = iter([packed[:10], packed[10:]]) if "Transfer-Encoding" in headers else packed
            self.assertEqual(self.post(body, headers).json()["result"], 9 * MIB)
        packed_change = gzip.compress(b'{"description":"packed"}')
        self.assertEqual(self.post(packed_change, {"Content-Encoding": "gzip"}, f"/functions/{function}", "PUT").status, 200)
        self.assertEqual(self.infra.get(f"/functions/{function}").json()["description"], "packed")
        self.assertEqual(self.post(gzip.compress(b'{"workerId":"w-gzip"}'), {"Content-Encoding": "gzip"}, "/worker/heartbeat").status, 200)

        bomb = gzip.compress(b"[" * (16 * MIB))
        self.assert_error(self.post(bomb, {"Content-Encoding": "gzip"}), 413, "body_too_large", str(10 * MIB))
        for broken in (packed[:-1], packed[:-8] + bytes(8), b"{}", packed + b"more"):
            self.assert_error(self.post(broken, {"Content-Encoding": "gzip"}), 400, "invalid_content_encoding", "gzip")
        self.assert_error(self.post(packed), 400, "invalid_json", "Content-Encoding: gzip")
        for other in ("br", "deflate", "gzip, gzip"):
            answer = self.post(zlib.compress(b"{}"), {"Content-Encoding": other})
            self.assert_error(answer, 415, "unsupported_content_encoding", (other, "gzip"))
            self.assertEqual(answer.headers["Accept-Encoding"], "gzip")
        # Refused by its header alone, as without it.
        self.assert_error(self.infra.request("POST", "/run", bomb, {"Content-Encoding": "gzip", "Content-Type": "text/plain"}), 415,
                          "unsupported_media_type")

    def test_a_form_may_be_packed_too(self):
        body, content_type = form([("name", None, "packed"), ("file", "code.zip", bundle({"main.py": ECHO}))])
        answer = self.infra.request("POST", "/upload", gzip.compress(body), {"Content-Type": content_type, "Content-Encoding": "gzip"})
        self.assertEqual((answer.status, answer.json().get("name")), (200, "packed"), answer)
        answer = self.infra.request("POST", "/upload", body, {"Content-Type": content_type, "Content-Encoding": "br"})
        self.assert_error(answer, 415, "unsupported_content_encoding")


if __name__ == "__main__":
    main()
