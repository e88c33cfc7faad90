"""Starting: what is missing or wrong is said in one message, at once, and the exit status is 1."""

import os
import re
import socket
import subprocess
import tempfile
import time
import unittest

from harness import API_KEY, PROGRAM, SANITIZED, Infra, main, wait_for

AWS = ("AWS_REGION", "BUCKET_NAME", "TABLE_NAME", "SQS_URL", "REDIS_HOST")


class Starting(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="infra-e2e-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def start(self, *arguments, **env):
        """Runs the program to its end, with nothing in its environment but `env`."""
        return subprocess.run([PROGRAM, *arguments], cwd=self.folder, env=env, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=30)

    def refuse(self, says, arguments=("serve",), **env):
        done = self.start(*arguments, **env)
        self.assertEqual(done.returncode, 1, done)
        said = done.stdout + done.stderr
        for words in [says] if isinstance(says, str) else says:
            self.assertIn(words, said)
        return said

    def test_an_empty_environment(self):
        said = self.refuse("INFRA_API_KEY")
        for name in AWS:
            self.assertNotIn(name, said)

    def test_everything_wrong_is_said_at_once(self):
        """Each variable's bounds: src/main/config_bounds_test.cc."""
        said = self.refuse(("INFRA_API_KEY", *AWS[1:], "RATE_LIMIT", "METRICS_PUBLIC"),
                           AWS_REGION="eu-west-1", RATE_LIMIT="many", METRICS_PUBLIC="maybe")
        self.assertNotIn("LOGS_TABLE_NAME is missing", said)

    @unittest.skipIf(SANITIZED, "a sanitizer's start takes its time")
    def test_it_exits_within_100_ms(self):
        times = [1.0]
        while min(times) >= 0.1 and len(times) <= 20:  # others run beside it
            started = time.monotonic()
            self.refuse("INFRA_API_KEY")
            times.append(time.monotonic() - started)
        self.assertLess(min(times), 0.1)

    def test_a_bad_line_of_the_env_file_is_named(self):
        with open(os.path.join(self.folder, ".env"), "w", encoding="utf-8") as file:
            file.write("# fine\nINFRA_API_KEY=secret-in-file\n\nthis is no assignment\nPORT='80\n")
        said = self.refuse((".env", "line 4", "line 5"))
        self.assertNotIn("secret-in-file", said)

    def test_the_env_file_counts_and_the_environment_wins(self):
        infra = Infra({"INFRA_API_KEY": "", "RATE_LIMIT": "7", "INFRA_MAX_WAITNG": "3"})
        del infra.env["INFRA_API_KEY"]
        self.addCleanup(infra.close)
        with open(os.path.join(infra.folder, ".env"), "w", encoding="utf-8") as file:
            file.write('export INFRA_API_KEY=from-file#1  # a comment\nRATE_LIMIT=1#2\nSHUTDOWN_TIMEOUT_SECONDS="5" #5\n')
        infra.start()
        answer = infra.request("POST", "/run", {"functionId": "x"}, key="from-file")
        self.assertEqual((answer.status, answer.headers["X-RateLimit-Limit"]), (404, "7"))
        self.assertEqual(infra.stop(), 0)
        # Said of the key alone: the environment has the other one.
        warnings = [entry["msg"] for entry in infra.log() if ".env" in entry.get("msg", "")]
        self.assertEqual(len(warnings), 1, infra.said())
        self.assertIn("INFRA_API_KEY", warnings[0])
        self.assertIn("quotes", warnings[0])
        self.assertNotIn("from-file", infra.said())
        slips = [entry["msg"] for entry in infra.log() if "INFRA_MAX_WAITNG" in entry.get("msg", "")]
        self.assertEqual(len(slips), 1, infra.said())
        self.assertIn("INFRA_MAX_WAITING", slips[0])

    def test_a_port_in_use_is_named(self):
        with socket.create_server(("0.0.0.0", 0)) as taken:
            port = str(taken.getsockname()[1])
            self.refuse(port, INFRA_API_KEY=API_KEY, PORT=port, PATH=os.environ["PATH"], INFRA_DATA_DIR=self.folder + "/data")

    def test_a_data_folder_that_cant_be_written_is_named(self):
        blocking = os.path.join(self.folder, "file")
        open(blocking, "w", encoding="utf-8").close()
        self.refuse(blocking, INFRA_API_KEY=API_KEY, PORT="0", PATH=os.environ["PATH"], INFRA_DATA_DIR=blocking + "/data")
        self.refuse("/proc", INFRA_API_KEY=API_KEY, PORT="0", PATH=os.environ["PATH"], INFRA_DATA_DIR="/proc/infra-data")

    def test_two_programs_do_not_share_a_data_folder(self):
        infra = Infra().start()
        self.addCleanup(infra.close)
        self.refuse(infra.data, INFRA_API_KEY=API_KEY, PORT="0", PATH=os.environ["PATH"], INFRA_DATA_DIR=infra.data)
        self.assertEqual(infra.get("/health").status, 200)
        self.assertEqual(infra.stop(), 0)

    def test_the_table_of_descriptors_never_grows(self):
        """In a program with threads that takes the kernel some 20 ms, in which one run waits."""
        infra = Infra().start()
        self.addCleanup(infra.close)
        with open(f"/proc/{infra.process.pid}/status", encoding="ascii") as status:
            size = next(int(line.split()[1]) for line in status if line.startswith("FDSize:"))
        with open(f"/proc/{infra.process.pid}/limits", encoding="ascii") as limits:
            most = re.search(r"^Max open files +(\d+|unlimited)", limits.read(), re.MULTILINE)[1]
        self.assertGreaterEqual(size, 65_536 if most == "unlimited" else min(int(most), 65_536))
        self.assertEqual(infra.stop(), 0)

    def test_help_and_version(self):
        for arguments in (("--help",), ("-h",)):
            done = self.start(*arguments)
            self.assertEqual(done.returncode, 0, done)
            for word in ("serve", "dev", "version"):
                self.assertIn(word, done.stdout)
        done = self.start("version")
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout, r"^infra \d+\.\d+\.\d+ \([0-9A-Za-z._-]+\)\n$")
        self.assertEqual(self.start("--version").stdout, done.stdout)
        done = self.start("no-such-command")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("--help", done.stdout + done.stderr)
        self.assertIn('no command "no-such-command"', done.stderr)


class Dev(unittest.TestCase):
    def test_dev_makes_a_key_and_listens_on_loopback(self):
        infra = Infra(arguments=("dev",))
        self.addCleanup(infra.close)
        for name in ("INFRA_API_KEY", "INFRA_DATA_DIR"):
            del infra.env[name]
        infra.start()
        wait_for(lambda: "INFRA_API_KEY=" in infra.said(), what="the walk-through")
        candidates = set(re.findall(r"[A-Za-z0-9_-]{16,}", infra.said()))
        keys = [word for word in candidates if infra.get("/functions", key=word).status == 200]
        self.assertEqual(len(keys), 1, infra.said())
        self.assertNotIn(keys[0], "\n".join(line for line in infra.lines if line.startswith("{")))
        self.assertTrue(os.path.isdir(os.path.join(infra.folder, ".infra")))
        with open("/proc/net/tcp", encoding="ascii") as table:
            listening = [line.split()[1] for line in table if line.split()[3] == "0A"]
        self.assertIn(f"0100007F:{infra.port:04X}", listening)
        self.assertNotIn(f"00000000:{infra.port:04X}", listening)
        self.assertEqual(infra.stop(), 0)


if __name__ == "__main__":
    main()
