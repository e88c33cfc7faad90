"""Names over a fleet: what one controller changes the other finds, at once and also in a race; and a fleet without the table."""

import threading

from fleet_case import FleetCase
from harness import bundle, main, wait_for


def answers(number):
    return {"main.py": f"def handler(event, context):\n    return {number}\n"}


def deploy(client, name, number):
    return client.upload(bundle(answers(number)), [("name", None, name), ("deploy", None, "true")])


class Names(FleetCase):
    def await_result(self, client, name, value):
        """A change is announced, and seen a moment later."""
        def seen():
            answer = client.run(f"name:{name}")
            return answer.status == 200 and answer.json()["result"] == value
        wait_for(seen, what=f"{value} of {name}")

    def await_gone(self, client, name):
        wait_for(lambda: client.run(f"name:{name}").json().get("code") == "name_not_found", what=f"the end of {name}")

    def test_both_controllers_find_the_same(self):
        made = deploy(self.one, "a", 1).json()
        self.assertEqual(self.two.result("name:a")["result"], 1)
        self.assertEqual(deploy(self.two, "a", 2).json()["functionId"], made["functionId"])
        self.assertEqual(self.two.result("name:a")["result"], 2)
        self.await_result(self.one, "a", 2)
        self.assertEqual(self.one.request("PUT", "/functions/name:a", {"name": "b"}).status, 200)
        self.await_result(self.two, "b", 2)
        self.await_gone(self.two, "a")
        self.assertEqual(self.two.request("DELETE", "/functions/name:b").status, 200)
        self.await_gone(self.one, "b")
        self.assertEqual(deploy(self.one, "b", 3).json()["deployed"], "created")
        self.await_result(self.two, "b", 3)

    def test_of_many_that_deploy_one_name_one_makes_it(self):
        answered = []

        def call(number):
            answered.append(deploy((self.one, self.two)[number % 2], "race", number))

        callers = [threading.Thread(target=call, args=(number,)) for number in range(8)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
        self.assertTrue(all(answer.status in (200, 409) for answer in answered), answered)
        made = [answer.json() for answer in answered if answer.status == 200]
        self.assertEqual(len({answer["functionId"] for answer in made}), 1, made)
        self.assertLessEqual([answer["deployed"] for answer in made].count("created"), 1)
        rows = [row for row in self.one.get("/functions").json() if row["name"] == "race"]
        self.assertEqual([row["functionId"] for row in rows], [made[0]["functionId"]])

    def test_a_row_that_an_old_program_removed_gives_its_name_back(self):
        made = deploy(self.one, "old", 1).json()["functionId"]
        self.aws("dynamodb", "DynamoDB_20120810.DeleteItem",
                 {"TableName": self.engines.functions_table, "Key": {"functionId": {"S": made}}})
        again = deploy(self.two, "old", 2).json()
        self.assertEqual(again["deployed"], "created")
        self.assertNotEqual(again["functionId"], made)
        self.assertEqual(self.two.result("name:old")["result"], 2)


class WithoutATable(FleetCase):
    options = {"configuration": False}

    def test_all_but_names_works(self):
        health = self.one.get("/health").json()
        self.assertEqual((health["status"], health["configuration"]), ("OK", "absent"))
        answer = deploy(self.one, "a", 1)
        self.assertEqual((answer.status, answer.json()["code"]), (501, "configuration_absent"))
        function = self.one.deploy(answers(1), name="any text")
        self.assertEqual(self.two.result(function)["result"], 1)
        self.assertEqual(self.two.run("name:a").status, 501)
        self.assertEqual(self.one.request("PUT", f"/functions/{function}", {"name": "other text"}).status, 200)
        self.assertEqual(self.one.request("DELETE", f"/functions/{function}").status, 200)


class ATableThatComesLater(FleetCase):
    options = {"configuration": False}

    def test_names_work_from_then_on(self):
        self.assertEqual(deploy(self.one, "a", 1).status, 501)
        self.engines.peers.ask("make-configuration-table", "InfraConfiguration")
        for controller in (self.one, self.two):
            wait_for(lambda controller=controller: controller.get("/health").json()["configuration"] == "present", what="the table")
        self.assertEqual(deploy(self.one, "a", 1).status, 200)
        self.assertEqual(self.two.result("name:a")["result"], 1)


if __name__ == "__main__":
    main()
