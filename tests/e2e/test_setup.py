"""infra setup aws: against services that have nothing yet, and again when all is there; then a fleet on what it made."""

import shutil
import tempfile
import unittest

import fleet_harness
from cli_case import OK, PLATFORM_FAILED, USAGE, infra
from harness import Infra, bundle, main

import cli_docs  # it stands in tools, as fleet_harness' does

KINDS = ["s3 bucket", "s3 lifecycle rules", "dynamodb table", "dynamodb table", "dynamodb table", "sqs queue", "sqs queue", "redis"]
NAMES = ["fresh-bucket", "fresh-bucket", "InfraFunctions", "InfraExecutionLogs", "InfraConfiguration", "infra-jobs-dead", "infra-jobs"]


class Setup(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="infra-setup-")
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.redis, cls.peers = fleet_harness.Redis(cls.folder), fleet_harness.AwsPeers(cls.folder)
        for engine in (cls.redis, cls.peers):
            engine.start()
            cls.addClassCleanup(engine.stop)
        about = cls.peers.about
        cls.env = {"AWS_REGION": about["region"], "BUCKET_NAME": "fresh-bucket", "REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(cls.redis.port),
                   "AWS_ACCESS_KEY_ID": about["access_key_id"], "AWS_SECRET_ACCESS_KEY": about["secret_access_key"],
                   **{f"{service.upper()}_ENDPOINT": about[f"{service}_endpoint"] for service in ("s3", "sqs", "dynamodb")}}

    def setup(self, *words, **env):
        return infra(self.folder, "setup", "aws", *words, env={**self.env, **env})

    def states(self, said):
        return [row["state"] for row in said.json()["resources"]]

    def test_1_a_check_says_what_is_missing_and_makes_nothing(self):
        for _ in range(2):
            said = self.setup("--check", "--json")
            self.assertEqual(said.status, PLATFORM_FAILED, said)
            rows = said.json()["resources"]
            self.assertEqual({row["name"]: row["state"] for row in rows if row["resource"] != "redis"},
                             {name: "missing" for name in NAMES}, said)
            self.assertEqual((rows[-1]["resource"], rows[-1]["state"]), ("redis", "ok"), said)

    def test_2_what_is_missing_is_made(self):
        said = self.setup()
        self.assertEqual(said.status, OK, said)
        for name in NAMES[2:]:
            self.assertRegex(said.out, rf"(?m)^made +\S.* {name}$", said)
        self.assertRegex(said.out, r"(?m)^made +s3 bucket +fresh-bucket$", said)
        self.assertRegex(said.out, r"SQS_URL=http\S+/infra-jobs\n", said)

    def test_3_once_more_it_is_all_there(self):
        said = self.setup("--json")
        self.assertEqual(said.status, OK, said)
        self.assertEqual([row["resource"] for row in said.json()["resources"]], KINDS)
        self.assertLessEqual(set(self.states(said)), {"ok", "unknown"}, "what the stand-ins do not know they say")
        self.assertTrue(said.json()["queueUrl"].endswith("/infra-jobs"), said)

    def test_4_a_fleet_stands_on_it(self):
        queue = self.setup("--json").json()["queueUrl"]
        controller = Infra({**self.env, "SQS_URL": queue, "TABLE_NAME": "InfraFunctions", "RATE_LIMIT": "0"}).start()
        self.addCleanup(controller.close)
        health = controller.get("/health").json()
        self.assertEqual((health["status"], health["configuration"]), ("OK", "present"), health)
        made = controller.upload(bundle({"main.py": "def handler(event, context):\n    return 1\n"}),
                                 [("name", None, "named"), ("deploy", None, "true")])
        self.assertEqual(made.status, 200, made)

    def test_5_the_examples_of_its_help(self):
        lines = [line for command, line in cli_docs.examples() if command == "setup"]
        self.assertGreater(len(lines), 1)
        for line in lines:
            said = infra(self.folder, *line.split()[1:], env=self.env)
            # The stand-ins keep neither rules nor times of expiry, and a check says so.
            self.assertEqual(said.status, PLATFORM_FAILED if "--check" in line else OK, said)

    def test_a_table_with_another_key_is_said(self):
        self.peers.ask("make-logs-table", "Odd")
        said = self.setup("--json", CONFIG_TABLE_NAME="Odd")
        row = next(row for row in said.json()["resources"] if row["name"] == "Odd")
        self.assertEqual((said.status, row["state"]), (PLATFORM_FAILED, "differs"), said)
        self.assertIn("functionId, timestamp", row["detail"])
        self.assertIn("pk, sk", row["detail"])

    def test_wrong_credentials_are_each_resource_s_failure(self):
        said = self.setup("--json", AWS_SECRET_ACCESS_KEY="not-the-secret")
        self.assertEqual(said.status, PLATFORM_FAILED, said)
        self.assertEqual({row["state"] for row in said.json()["resources"] if row["resource"] not in ("redis", "s3 lifecycle rules")},
                         {"failed"}, said)
        self.assertNotIn("not-the-secret", said.out)

    def test_what_is_typed_wrong(self):
        said = self.setup(BUCKET_NAME="")
        self.assertEqual(said.status, USAGE, said)
        self.assertIn("BUCKET_NAME is missing", said.err)
        self.assertEqual(infra(self.folder, "setup", "azure").status, USAGE)
        self.assertEqual(infra(self.folder, "setup").status, USAGE)


if __name__ == "__main__":
    main()
