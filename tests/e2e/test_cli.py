"""The command line: whom it talks to, with which key, and how it says what went wrong."""

import json
import os
import shutil
import stat
import subprocess
import tempfile
import unittest

from cli_case import OK, REFUSED, UNREACHABLE, USAGE, CliCase, infra
from harness import API_KEY, ECHO, Infra, main, wait_for


class Alone(unittest.TestCase):
    """Without a platform."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="infra-cli-")
        self.addCleanup(shutil.rmtree, self.folder, True)

    def test_alone_it_says_what_to_do_first(self):
        said = infra(self.folder)
        self.assertEqual((said.status, said.err), (OK, ""))
        for words in ("infra dev", "infra init", "infra deploy", "infra login URL"):
            self.assertIn(words, said.out)

    def test_what_is_typed_wrong_leads_to_the_help(self):
        for words, says in ((("depoy",), "deploy"), (("deploy", "--memroy", "5"), "--memory"), (("invoke",), "NAME"),
                            (("deploy", "no-such-folder"), "no-such-folder"), (("logs", "f", "--since", "soon"), "--since"),
                            (("init", "cobol", "x"), "cobol"), (("completion", "csh"), "csh"), (("list", "--profile", "none"), "none")):
            said = infra(self.folder, *words)
            self.assertEqual(said.status, USAGE, said)
            self.assertIn(says, said.err)
            self.assertEqual(said.out, "")

    def test_without_a_platform_it_says_how_to_get_one(self):
        said = infra(self.folder, "list")
        self.assertEqual(said.status, USAGE)
        self.assertIn("infra dev", said.err)
        said = infra(self.folder, "list", "--url", "http://127.0.0.1:1", "--api-key", "x")
        self.assertEqual(said.status, UNREACHABLE, said)
        self.assertIn("http://127.0.0.1:1", said.err)
        self.assertIn("infra login", said.err)

    def test_each_command_has_its_help(self):
        overall = infra(self.folder, "--help").out
        commands = [line.split()[0] for line in overall.partition("commands:\n")[2].partition("\n\n")[0].splitlines()]
        self.assertGreater(len(commands), 15)
        for command in commands:
            said = infra(self.folder, command, "--help")
            self.assertEqual(said.status, OK, command)
            self.assertIn(f"usage: infra {command}", said.out)

    def test_init_makes_a_function_and_leaves_what_is_there(self):
        for runtime, entry in (("python", "main.py"), ("nodejs", "index.js"), ("cpp", "main.cpp"), ("go", "main.go")):
            said = infra(self.folder, "init", runtime, f"my-{runtime}")
            self.assertEqual(said.status, OK, said)
            self.assertEqual(set(os.listdir(os.path.join(self.folder, f"my-{runtime}"))),
                             {entry, "infra.toml", "event.json", ".infraignore"})
        with open(os.path.join(self.folder, "my-python", "main.py"), "w", encoding="utf-8") as file:
            file.write("mine")
        self.assertIn("left my-python/main.py", infra(self.folder, "init", "python", "my-python").out)
        with open(os.path.join(self.folder, "my-python", "main.py"), encoding="utf-8") as file:
            self.assertEqual(file.read(), "mine")

    def test_completion_and_manual_are_what_their_readers_take(self):
        for shell in ("bash", "zsh", "fish"):
            text = infra(self.folder, "completion", shell).out
            self.assertIn("max-concurrency", text)
            if shutil.which(shell):
                subprocess.run([shell, "-n"], input=text, check=True, text=True)
        asked = ('COMP_WORDS=(infra deploy --net); COMP_CWORD=2; _infra; echo "${COMPREPLY[@]}";'
                 'COMP_WORDS=(infra de); COMP_CWORD=1; _infra; echo "${COMPREPLY[@]}"')
        done = subprocess.run(["bash", "-c", infra(self.folder, "completion", "bash").out + asked], capture_output=True, text=True)
        self.assertEqual(done.stdout.split("\n")[:2], ["--network", "deploy describe dev"], done)
        self.assertTrue(infra(self.folder, "man").out.startswith(".TH INFRA 1"))


class Connected(CliCase):
    def test_login_keeps_the_key_for_its_user_alone(self):
        home = tempfile.mkdtemp(prefix="infra-cli-")
        self.addCleanup(shutil.rmtree, home, True)
        said = infra(home, "login", self.url, stdin="wrong\n")
        self.assertEqual(said.status, REFUSED, said)
        self.assertFalse(os.path.exists(os.path.join(home, ".config")), "nothing is kept that does not work")
        said = infra(home, "login", self.url + "/", "--profile", "here", stdin=API_KEY + "\n")
        self.assertEqual(said.status, OK, said)
        self.assertNotIn(API_KEY, said.out + said.err)
        profile = os.path.join(home, ".config/infra/profiles/here.toml")
        self.assertEqual(stat.S_IMODE(os.stat(profile).st_mode), 0o600)
        self.assertEqual(infra(home, "list", "--json").status, OK)

        # A folder of a stranger's that names another host gets no key.
        with open(os.path.join(home, "infra.toml"), "w", encoding="ascii") as file:
            file.write('url = "http://127.0.0.1:1"\n')
        said = infra(home, "list")
        self.assertEqual(said.status, USAGE, said)
        self.assertIn("No key is known for http://127.0.0.1:1", said.err)
        self.assertEqual(infra(home, "list", "--profile", "here").status, OK)

    def test_env_is_the_servers(self):
        with open(os.path.join(self.folder, ".env"), "w", encoding="ascii") as file:
            file.write(f"INFRA_API_KEY={API_KEY}\n")
        said = infra(self.folder, "list", "--url", self.url)
        self.assertEqual(said.status, USAGE, said)

    def test_a_wrong_key_says_so_with_the_requests_id(self):
        said = self.cli("list", INFRA_API_KEY="wrong")
        self.assertEqual(said.status, REFUSED, said)
        for words in ("API key", "the request's", "infra login", "request: "):
            self.assertIn(words, said.err)
        error = json.loads(self.cli("list", "--json", INFRA_API_KEY="wrong").err)
        self.assertEqual((error["code"], error["fault"], error["exit"]), ("unauthorized", "request", REFUSED))
        self.assertTrue(error["requestId"])

    def test_what_answers_may_be_no_infra(self):
        said = self.cli("list", INFRA_URL=self.url + "/nothing")
        self.assertEqual(said.status, REFUSED, said)

    def test_whom_to_ask_may_stand_before_the_command(self):
        nowhere = {"INFRA_URL": "http://127.0.0.1:1", "INFRA_API_KEY": "wrong"}
        said = self.good("--json", "--url", self.url, f"--api-key={API_KEY}", "list", **nowhere)
        self.assertIsInstance(said.json(), list, said)
        self.assertEqual(self.cli("--url", "list").status, USAGE, "an option without its value")
        self.assertEqual(self.cli("--json").status, USAGE)

    def test_nothing_is_coloured_in_a_pipe(self):
        self.assertNotIn("\x1b", repr(self.cli("list")) + repr(self.cli("nothing")))

    def test_a_function_by_its_id(self):
        function = self.infra.deploy(ECHO, name="by-id")
        said = self.good("invoke", function, "-d", "[1.5, 12345678901234567890]")
        self.assertEqual(said.out, '{"echo":[1.5,12345678901234567890]}\n')
        self.assertEqual(self.good("describe", function, "--json").json()["functionId"], function)
        self.assertIn("by-id", self.good("list").out)
        self.assertEqual(self.good("list", "--json").json()[0]["functionId"], function)
        self.assertEqual(self.cli("remove", function).status, USAGE, "without a terminal it is not asked")
        self.good("remove", function, "--yes")
        self.assertEqual(self.cli("describe", function).status, REFUSED)


class Dev(unittest.TestCase):
    def test_dev_writes_the_profile_that_works_at_once(self):
        program = Infra(arguments=("dev",))
        self.addCleanup(program.close)
        for name in ("INFRA_API_KEY", "INFRA_DATA_DIR"):
            del program.env[name]
        program.start()
        wait_for(lambda: "Infra is ready" in program.said(), what="the walk-through")
        profile = os.path.join(program.folder, ".config/infra/profiles/local.toml")
        self.assertEqual(stat.S_IMODE(os.stat(profile).st_mode), 0o600)
        listed = infra(program.folder, "list", "--json")
        self.assertEqual((listed.status, listed.out), (OK, "[]\n"), listed)
        self.assertEqual(program.stop(), 0)


if __name__ == "__main__":
    main()
