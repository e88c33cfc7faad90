"""Named keys: made, used within what they may, refused beyond it, rotated and revoked, and what the audit says of it."""

import http.client
import os
import time

from harness import ECHO, FLEET, PATIENCE, Case, main, wait_for

REVOKED_WITHIN = 5  # seconds, at every controller


class Keys(Case):
    def make(self, *scopes, **more):
        answer = self.infra.request("POST", "/keys", {"name": "e2e", "scopes": scopes, **more})
        self.assertEqual(answer.status, 201, answer)
        return answer.json()

    def run_with(self, key, function):
        return self.infra.request("POST", "/run", {"functionId": function, "inputData": 1}, key=key)

    def status_elsewhere(self, key):
        """At another controller, where there is one."""
        fleet = getattr(self.infra, "fleet", None)
        port = fleet.controllers[1].port if fleet else self.infra.port
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        self.addCleanup(connection.close)
        return self.infra.get("/whoami", key=key, connection=connection).status

    def test_a_key_does_what_its_scopes_and_functions_say_until_it_is_revoked(self):
        mine, other = self.infra.deploy(ECHO), self.infra.deploy(ECHO)
        made = self.make("invoke", functions=[mine])
        key = made["key"]
        self.assertEqual(key.split(".")[0], made["id"])
        self.assertEqual(self.infra.get("/whoami", key=key).json(),
                         {"key": made["id"], "name": "e2e", "scopes": ["invoke"], "functions": [mine]})
        answer = self.run_with(key, mine)
        self.assertEqual(answer.json()["result"], {"echo": 1}, answer)
        for refused in (self.run_with(key, other), self.run_with(key, "name:nobody-has-it"), self.infra.get(f"/functions/{mine}", key=key),
                        self.infra.request("DELETE", f"/functions/{mine}", key=key), self.infra.get("/keys", key=key)):
            self.assert_error(refused, 403, "key_not_allowed")

        line = self.infra.log_line_of(answer)
        self.assertEqual(line["key"], made["id"])
        self.assertNotIn(key.split(".")[1], self.infra.said())

        self.assertEqual(self.status_elsewhere(key), 200)
        self.assertEqual(self.infra.request("DELETE", f"/keys/{made['id']}").json(), {"success": True, "deletedId": made["id"]})
        revoked_at = time.monotonic()
        wait_for(lambda: self.run_with(key, mine).status == 401, REVOKED_WITHIN, "the key to be refused")
        wait_for(lambda: self.status_elsewhere(key) == 401, REVOKED_WITHIN, "the key to be refused by the other controller")
        self.assertLess(time.monotonic() - revoked_at, REVOKED_WITHIN)
        row = next(row for row in self.infra.get("/keys").json()["keys"] if row["id"] == made["id"])
        self.assertTrue(row["revoked"])
        self.assertIsNotNone(row["lastUsedAt"])

    def test_a_second_secret_takes_over(self):
        made = self.make("read")
        second = self.infra.request("POST", f"/keys/{made['id']}/rotate").json()["key"]
        for key in (made["key"], second):
            wait_for(lambda key=key: self.infra.get("/functions", key=key).status == 200, what="both secrets to work")
        self.assertEqual(self.infra.request("DELETE", f"/keys/{made['id']}/secrets/old").status, 200)
        wait_for(lambda: self.infra.get("/functions", key=made["key"]).status == 401, REVOKED_WITHIN, "the older to be refused")
        self.assertEqual(self.infra.get("/functions", key=second).status, 200)

    def test_its_secret_is_sealed_where_there_is_a_key_for_that(self):
        made = self.make("read")
        row = next(row for row in self.infra.get("/keys").json()["keys"] if row["id"] == made["id"])
        self.assertEqual((row["signs"], made["signs"]), (not FLEET,) * 2)
        if FLEET:  # which has none unless it is given one
            return
        path = os.path.join(self.infra.data, "secrets-key")
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        with open(path, encoding="ascii") as file:
            kept = file.read()
        self.assertRegex(kept, r"^[A-Za-z0-9+/]{43}=\n$")
        self.assertNotIn(kept.strip(), self.infra.said())
        with open(os.path.join(self.infra.data, "infra.db"), "rb") as file:
            self.assertNotIn(made["key"].split(".")[1].encode(), file.read())

    def test_changes_are_audited_without_secrets(self):
        key = self.make("deploy", "read")
        function = self.infra.deploy(ECHO, envVars='{"TOKEN":"hidden-value"}')
        path = f"/functions/{function}"
        self.assertEqual(self.infra.request("PUT", path, {"memoryMb": 256}, key=key["key"]).status, 200)
        self.assertEqual(self.infra.get(path, key=key["key"]).json()["envVars"], {"TOKEN": None})
        self.assertEqual(self.infra.get(path + "?showEnv=true", key=key["key"]).json()["envVars"], {"TOKEN": "hidden-value"})
        self.assertEqual(self.infra.request("DELETE", path).status, 200)
        self.assert_error(self.infra.get("/audit", key=key["key"]), 403, "key_not_allowed", "admin")
        audit = self.infra.get("/audit")
        entries = [entry for entry in audit.json()["entries"] if function == entry["target"]]
        self.assertEqual([(entry["action"], entry["key"], entry["outcome"]) for entry in entries],
                         [("function.delete", "master", "done"), ("function.show_env", key["id"], "done"),
                          ("function.update", key["id"], "done"), ("function.upload", "master", "done")])
        self.assertEqual((entries[2]["before"]["memoryMb"], entries[2]["after"]["memoryMb"]), (128, 256))
        for secret in ("hidden-value", key["key"].split(".")[1]):
            self.assertNotIn(secret, audit.text)
        wait_for(lambda: any(entry["outcome"] == "key_not_allowed" and entry["key"] == key["id"]
                             for entry in self.infra.get("/audit").json()["entries"]), what="the refusal's entry")


if __name__ == "__main__":
    main()
