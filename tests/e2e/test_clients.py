"""The client in clients/python against a running program: what a newcomer does with it, in an interpreter that has nothing but the standard
library."""

import json
import os
import subprocess
from pathlib import Path

from harness import API_KEY, ECHO, Case, bundle, main

CLIENTS = Path(__file__).resolve().parent.parent.parent / "clients"

HELLO = """
import json, os, sys, time
sys.path.insert(0, os.environ["CLIENT"])
from infra_client import Client, InfraError

infra = Client(os.environ["URL"], os.environ["KEY"])
with open("code.zip", "rb") as code:
    made = infra.upload_function({"file": code.read(), "name": "client-hello", "deploy": True, "memoryMb": 192,
                                  "envVars": {"A": "b"}, "description": "100 % \\u00fc"})
result = infra.run_function({"functionId": "name:client-hello", "inputData": {"n": 7}})
job = infra.run_function({"functionId": made["functionId"], "inputData": 8}, x_async=True)["jobId"]
while (later := infra.get_status(job))["status"] == "pending":
    time.sleep(0.02)
while len(rows := list(infra.iter_logs("name:client-hello", limit=1))) < 2:
    time.sleep(0.02)
infra.update_function("name:client-hello", {"memoryMb": 256})
with open("code.zip", "rb") as code:
    infra.update_function(made["functionId"], {"file": code.read(), "name": "client-hello-2"})
row = infra.get_function("name:client-hello-2")
listed = [one["id"] for one in infra.iter_functions(limit=1)]
metrics = infra.get_metrics()
same = infra.get_openapi(if_none_match="*")
deleted = infra.delete_function("name:client-hello-2")
errors = []
for wrong in (lambda: infra.get_function("name:client-hello"), lambda: Client(os.environ["URL"], "wrong").list_functions(),
              lambda: infra.run_function({"functionId": ""})):
    try:
        wrong()
    except InfraError as error:
        errors.append([error.status, error.code, len(error.request_id)])
print(json.dumps([made, result, later, rows, row, listed, "http_request_duration_seconds" in metrics, same, deleted, errors]))
"""


class Python(Case):
    def test_hello(self):
        folder = self.infra.folder
        Path(folder, "code.zip").write_bytes(bundle({"main.py": ECHO}))
        self.infra.deploy(ECHO, name="another")
        environment = {"CLIENT": str(CLIENTS / "python"), "URL": f"http://127.0.0.1:{self.infra.port}", "KEY": API_KEY,
                       "PATH": os.environ["PATH"]}
        done = subprocess.run(["/usr/bin/python3", "-I", "-S", "-B", "-W", "error", "-c", HELLO], cwd=folder, env=environment,
                              capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        made, result, later, rows, row, listed, has_metrics, same, deleted, errors = json.loads(done.stdout)
        self.assertEqual((made["deployed"], made["name"], made["memoryMb"]), ("created", "client-hello", 192))
        self.assertEqual((result["status"], result["result"]), ("SUCCESS", {"echo": {"n": 7}}))
        self.assertEqual((later["status"], later["result"]), ("SUCCESS", {"echo": 8}))
        self.assertEqual({one["requestId"] for one in rows}, {result["requestId"], later["requestId"]})
        self.assertEqual((row["name"], row["memoryMb"], row["description"]), ("client-hello-2", 256, "100 % ü"))
        self.assertIn(made["functionId"], listed)
        self.assertGreaterEqual(len(listed), 2)  # pages of one
        self.assertEqual((has_metrics, same, deleted), (True, None, {"success": True, "deletedId": made["functionId"]}))
        self.assertEqual(errors, [[404, "name_not_found", 36], [401, "unauthorized", 36], [400, "invalid_functionId", 36]])


if __name__ == "__main__":
    main()
