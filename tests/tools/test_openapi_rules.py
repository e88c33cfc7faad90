"""What `./dev check openapi` finds in a description that is wrong, and what the end-to-end tests find in an answer that is not as described."""

import copy
import sys
import unittest
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tests/e2e")]
import check_openapi  # noqa: E402  (they live beside the tool that is tested)
import described  # noqa: E402
import openapi  # noqa: E402


class Sources(unittest.TestCase):
    def complaints(self, page, old, new):
        """What is said when that file has another text in a place."""
        def read(path):
            text = (ROOT / path).read_text(encoding="utf-8")
            self.assertIn(old, text if str(path) == page else old)
            return text.replace(old, new, 1) if str(path) == page else text
        with mock.patch.object(openapi, "read", read):
            return "\n".join(check_openapi.check())

    def test_they_are_right(self):
        self.assertEqual(check_openapi.check(), [])

    def test_the_three_tables_of_routes_are_one(self):
        row = '{"GET", "/models", key, free, bind(h.system, &S::models), read, own},'
        self.assertIn("GET /models is described, and", self.complaints(openapi.ROUTES, row, ""))
        self.assertIn("GET /modes of", self.complaints(openapi.ROUTES, '"/models"', '"/modes"'))
        self.assertIn("GET /models is missing in", self.complaints(openapi.PAGE, "`GET /models`", "`GET`"))

    def test_what_leads_nowhere_or_is_left_over_is_found(self):
        schemas, functions = f"{openapi.SOURCES}/schemas.json", f"{openapi.SOURCES}/functions.json"
        self.assertIn("names 'no_such_code'", self.complaints(functions, '"invalid_limit"', '"no_such_code"'))
        self.assertIn("nothing is at #/components/schemas/Pill", self.complaints(schemas, "schemas/Pools", "schemas/Pill"))
        self.assertIn("nothing uses Orphan", self.complaints(schemas, '"Runtime": {', '"Orphan": {"type": "null"}, "Runtime": {'))
        self.assertIn("two operations have the id", self.complaints(functions, '"listFunctions"', '"getFunction"'))

    def test_a_client_that_is_another_is_found(self):
        self.assertIn("`./dev docs` writes it anew", self.complaints(f"{openapi.SOURCES}/functions.json", "All functions", "Functions"))

    def test_examples_and_schemas_are_judged(self):
        schemas, functions = f"{openapi.SOURCES}/schemas.json", f"{openapi.SOURCES}/functions.json"
        self.assertIn("example of request: memoryMb", self.complaints(functions, '"Says hello.", "memoryMb": 256', '"", "memoryMb": 64'))
        self.assertIn("schema Noted", self.complaints(schemas, '"Noted": {"type": "object"', '"Noted": {"type": "thing"'))


class Answers(unittest.TestCase):
    class Answer:
        def __init__(self, status, body):
            self.status, self.body = status, body

    def test_undocumented_statuses_and_codes_are_found(self):
        for method, target, status, body, word in (
                ("GET", "/api/functions?limit=0", 400, b'{"code": "invalid_limit"}', None),
                ("GET", "/functions?limit=0", 400, b'{"code": "invalid_async"}', "the code invalid_async"),
                ("GET", "/functions/x/logs/y/files/a/b.txt", 404, b'{"code": "output_file_not_found"}', None),
                ("GET", "/functions", 418, b"{}", "answers 418"),
                ("GET", "/functions", 201, b"{}", "answers 201"),
                ("HEAD", "/functions/x/", 200, b"", None),
                ("GET", "/nowhere", 404, b'{"code": "unknown_route"}', None),
                ("POST", "/run", 500, b'{"status": "ERROR", "code": "worker_lost"}', None)):
            said = described.undocumented(method, target, self.Answer(status, body))
            self.assertEqual(said is None, word is None, said)
            self.assertIn(word or "", said or "")

    def test_a_member_that_is_too_many_is_found_once_objects_are_closed(self):
        document = copy.deepcopy(openapi.document())
        document["components"]["schemas"]["Noted"]["additionalProperties"] = False
        schema = document["paths"]["/worker/heartbeat"]["post"]["responses"]["200"]["content"]["application/json"]["schema"]
        self.assertEqual(list(check_openapi.complaints_of(document, schema, {"ok": True})), [])
        for wrong in ({"ok": True, "more": 1}, {"ok": False}, {}):
            self.assertNotEqual(list(check_openapi.complaints_of(document, schema, wrong)), [])


if __name__ == "__main__":
    unittest.main()
