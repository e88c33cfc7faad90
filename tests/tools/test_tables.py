"""The tables in the sources as the tools read them, and what `./dev check docs` says of documents that are not theirs."""

import re
import sys
import unittest
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import generated_docs  # noqa: E402  (it lives beside the tool that is tested)
import table_rows  # noqa: E402
import variables  # noqa: E402


class Rows(unittest.TestCase):
    def test_members_are_strings_lists_and_enumerators(self):
        text = '''inline constexpr auto kTable = std::to_array<Row>({
    {.name = "ONE", .role = Role::fleet, .about = "a \\"word\\", and {braces}, "
                                                  "in two literals"},
    {.name = "TWO", .labels = {"method", "route"}, .value = whole(0, 5, [](Config& c) -> auto& { return c.two; })},
});
'''
        with mock.patch.object(table_rows, "read", lambda path: text):
            self.assertEqual(table_rows.rows("any.h"), [
                {"name": "ONE", "role": "fleet", "about": 'a "word", and {braces}, in two literals'},
                {"name": "TWO", "labels": ["method", "route"]}])

    def test_no_row_of_a_table_is_missed(self):
        source = (ROOT / generated_docs.METRICS).read_text(encoding="utf-8")
        metrics = table_rows.rows(generated_docs.METRICS)
        self.assertEqual([row["name"] for row in metrics], re.findall(r'\.name = "(\w+)"', source))
        self.assertEqual({row["kind"] for row in metrics}, {"counter", "gauge", "histogram"})
        self.assertTrue(all(row["help"].endswith(".") for row in metrics))
        source = (ROOT / variables.TABLE).read_text(encoding="utf-8")
        self.assertEqual(variables.names(), re.findall(r'\.name = "(\w+)"', source))
        self.assertTrue(all(row["name"] and row["role"] for row in variables.variables()))


class Documents(unittest.TestCase):
    def complaints(self, page, change):
        """What is said when that page is another."""
        def read(path):
            text = (ROOT / path).read_text(encoding="utf-8")
            return change(text) if Path(path) == Path(page) else text
        with mock.patch.object(generated_docs, "read", read):
            return generated_docs.check()

    def test_they_are_right(self):
        self.assertEqual(generated_docs.check(), [])

    def test_a_wrong_default_or_a_missing_row_is_found(self):
        for change in (lambda text: text.replace("waits for what runs | 30 |", "waits for what runs | 31 |"),
                       lambda text: text.replace("waits for what runs |", "is waited for |"),
                       lambda text: re.sub(r"\| `SHUTDOWN_TIMEOUT_SECONDS`.*\n", "", text)):
            self.assertRegex("\n".join(self.complaints("README.md", change)), r"^README.md: the block variables .*`./dev docs`")

    def test_a_metric_that_is_another_or_missing_is_found(self):
        for change in (lambda text: text.replace("| `jobs_running` | gauge |", "| `jobs_running` | counter |"),
                       lambda text: re.sub(r"\| `worker_jobs_total`.*\n", "", text)):
            self.assertRegex("\n".join(self.complaints("docs/operations.md", change)), r"^docs/operations.md: the block metrics ")

    def test_a_variable_that_no_table_has_is_found(self):
        said = self.complaints("docs/operations.md", lambda text: text + "\nSet `INFRA_MAX_WAITIN` to 5.\n")
        self.assertEqual(len(said), 1, said)
        self.assertRegex(said[0], r"docs/operations.md:\d+: .* has no INFRA_MAX_WAITIN\.")

    def test_the_services_files_show_defaults(self):
        said = self.complaints("packaging/debian/infra.env", lambda text: text.replace("#RATE_LIMIT=100", "#RATE_LIMIT=60"))
        self.assertEqual(len(said), 1, said)
        self.assertIn("RATE_LIMIT is shown with 60, and its default is 100", said[0])
        said = self.complaints("packaging/debian/worker.env", lambda text: text + "#RATE_LIMITS=1\n")
        self.assertEqual(len(said), 1, said)
        self.assertIn("has no RATE_LIMITS", said[0])


if __name__ == "__main__":
    unittest.main()
