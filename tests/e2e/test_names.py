"""Functions by name: deployed in one step, run, changed and removed by it, and found again after a restart."""

from harness import Case, bundle, main


def answers(number):
    return {"main.py": f"def handler(event, context):\n    return {number}\n"}


class Names(Case):
    def deploy(self, name, number, **fields):
        return self.upload_as(name, answers(number), **fields)

    def upload_as(self, name, files, **fields):
        fields = {"name": name, "deploy": "true", **fields}
        return self.infra.upload(bundle(files), [(field, None, value) for field, value in fields.items()])

    def result(self, name):
        return self.infra.result(f"name:{name}")["result"]

    def test_one_step_makes_replaces_and_is_run(self):
        made = self.deploy("one-step", 1, memoryMb="256").json()
        self.assertEqual((made["deployed"], made["name"]), ("created", "one-step"))
        self.assertEqual(self.result("one-step"), 1)
        replaced = self.deploy("one-step", 2).json()
        self.assertEqual((replaced["deployed"], replaced["functionId"], replaced["memoryMb"]), ("replaced", made["functionId"], 256))
        self.assertNotEqual(replaced["codeSha256"], made["codeSha256"])
        self.assertEqual(self.result("one-step"), 2)
        job = self.infra.run_async("name:one-step")
        self.assertEqual(self.infra.await_result(job)["functionId"], made["functionId"])
        self.infra.log_rows("name:one-step", 3)
        self.assertEqual(self.infra.get("/api/functions/name%3Aone-step").json()["functionId"], made["functionId"])

    def test_a_new_name_and_an_end(self):
        made = self.deploy("first", 1).json()["functionId"]
        self.deploy("other", 2)
        path = "/functions/name:first"
        self.assert_error(self.infra.request("PUT", path, {"name": "other"}), 409, "name_taken")
        self.assert_error(self.infra.request("PUT", path, {"name": "no name"}), 400, "invalid_name", ["no-name"])
        self.assertEqual(self.infra.request("PUT", path, {"name": "second"}).json()["functionId"], made)
        self.assertEqual(self.result("second"), 1)
        self.assert_error(self.infra.run("name:first"), 404, "name_not_found")
        self.assertEqual(self.infra.request("DELETE", "/functions/name:second").json()["deletedId"], made)
        self.assert_error(self.infra.run("name:second"), 404, "name_not_found")
        self.assertEqual(self.deploy("second", 3).json()["deployed"], "created")
        self.assertEqual(self.result("second"), 3)

    def test_uploads_of_before_share_names_until_one_claims_it(self):
        ids = [self.infra.deploy(answers(number), name="shared") for number in (1, 2)]
        self.assert_error(self.infra.run("name:shared"), 404, "name_not_found")
        self.assertEqual(self.infra.request("PUT", f"/functions/{ids[1]}", {"claim": True}).status, 200)
        self.assertEqual(self.result("shared"), 2)
        self.assert_error(self.infra.request("PUT", f"/functions/{ids[0]}", {"claim": True}), 409, "name_taken")

    def test_code_that_is_refused_leaves_what_has_the_name(self):
        self.deploy("kept", 1)
        self.assert_error(self.upload_as("kept", {"other.txt": ""}), 400, "bundle_entry_missing")
        self.assert_error(self.deploy("", 1), 400)
        self.assertEqual(self.result("kept"), 1)
        self.assertEqual(self.infra.get("/health").json()["configuration"], "present")


if __name__ == "__main__":
    main()
