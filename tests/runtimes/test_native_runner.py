"""The runner of compiled functions against docs/runner-protocol.md. What it runs are shell scripts: it takes any program."""

import json
import socket
import struct
import unittest

from runner_process import RunnerProcess

PLAIN = "#!/bin/sh\n"


class Native(RunnerProcess):
    def __init__(self, files, start=b'{"env":{}}'):
        super().__init__("native", files)
        self.send(start)


def native(script, **files):
    return Native({"main": PLAIN + script, **{name.replace("__", "/"): text for name, text in files.items()}})


class NativeRunner(unittest.TestCase):
    def test_it_is_ready_and_runs_the_program_once_a_call(self):
        with native('echo "$PAYLOAD $$"; echo oops >&2; exit 3') as runner:
            self.assertEqual(runner.ready, {"ready": True})
            outputs = []
            for _ in range(2):
                answer = runner.call(1, env={"PAYLOAD": "1"})
                self.assertEqual({**answer, "handlerMs": 0}, {"requestId": "r-1", "ok": True, "plain": True, "exitCode": 3,
                                                              "handlerMs": 0, "reusable": True})
                self.assertGreater(answer["handlerMs"], 0)
                outputs.append(runner.new_output("out"))
            self.assertNotEqual(*outputs)
            self.assertEqual(runner.new_output("err"), "oops\noops\n")

    def test_the_environment_is_the_calls_and_nothing_else(self):
        with native("env") as runner:
            values = {"PAYLOAD": json.dumps({"a": ["\u00e9", "\U0001f600", '"\\/']}), "TAB": "a\tb", "CONTROL": "\u0001\u007f", "EMPTY": "",
                      "EURO": "\u20ac"}
            runner.call({"a": 1}, env=values)
            seen = dict(line.split("=", 1) for line in runner.new_output("out").splitlines())
            self.assertEqual({name: seen[name] for name in values}, values)
            self.assertEqual(set(seen) - set(values) - {"PWD", "OLDPWD", "SHLVL", "_"}, {"PATH", "LANG", "HOME", "TMPDIR", "OUTPUT_DIR"})
            self.assertEqual((seen["TMPDIR"], seen["HOME"], seen["OUTPUT_DIR"]), (runner.scratch, runner.scratch, "/output"))

    def test_without_a_payload_the_input_is_in_a_file_for_as_long_as_the_call(self):
        with native('test -z "$PAYLOAD" && cat "$PAYLOAD_FILE" && ls "$TMPDIR"') as runner:
            event = {"text": "x" * 200_000, "nested": [[], {}, [{"a": "]}\\\""}]], "n": -1.5e3}
            self.assertEqual(runner.call(event)["exitCode"], 0)
            text, _, listing = runner.new_output("out").rpartition("payload-")
            self.assertEqual(json.loads(text), event)
            self.assertEqual(listing, "r-1.json\n")
            runner.call(1, env={"PAYLOAD": "1", "PAYLOAD_FILE": "/dev/null"})
            self.assertEqual(runner.new_output("out"), "")

    def test_a_signal_is_128_and_its_number(self):
        with native("kill -SEGV $$") as runner:
            self.assertEqual(runner.call(1, env={"PAYLOAD": "1"})["exitCode"], 139)

    def test_what_cannot_be_started_is_an_import_error(self):
        for script, says in (("#!/no/such/interpreter\n", "loader"), ("\0\0", "Exec format error")):
            with Native({"main": script}) as runner:
                answer = runner.call(1, env={"PAYLOAD": "1"})
                self.assertEqual((answer["ok"], answer["code"]), (False, "import_error"), answer)
                self.assertIn(says, answer["message"])

    def test_a_compiled_program_comes_before_one_of_the_bundle(self):
        with native("echo bundle", **{".infra__main": PLAIN + "echo built\n"}) as runner:
            runner.call(1, env={"PAYLOAD": "1"})
            self.assertEqual(runner.new_output("out"), "built\n")

    def test_after_a_program_that_leaves_a_process_behind_it_wants_no_other_call(self):
        with native("sleep 3 & exit 0") as runner:
            answer = runner.call(1, env={"PAYLOAD": "1"})
            self.assertEqual((answer["exitCode"], answer["reusable"]), (0, False))

    def test_a_program_has_no_other_descriptors(self):
        with native("ls /proc/self/fd | tr '\\n' ' '") as runner:
            runner.call(1, env={"PAYLOAD": "1"})
            self.assertLessEqual(set(runner.new_output("out").split()), {"0", "1", "2", "3"})  # 3 is the listing's own

    def test_a_marked_program_gets_the_socket_with_its_first_call_unread(self):
        with native('echo mine; head -c 4 <&3 | od -An -tu4 >&2; head -c 11 <&3 >/dev/null', **{".infra__warm": ""}) as runner:
            self.assertEqual(runner.ready, {"ready": True})
            body = b'{"input":1}'
            runner.send(body)
            self.assertIsNone(runner.receive())
            self.assertEqual((runner.new_output("out"), runner.new_output("err").strip()), ("mine\n", str(len(body))))

    def test_a_marked_program_begins_with_the_variables_of_the_start(self):
        values = {"GOMEMLIMIT": "64MiB", "TZ": "Asia/Tokyo", "QUOTED": "\"\u00e9\U0001f600\\\n", "EMPTY": "", "LARGE": "x" * 100_000}
        start = json.dumps({"env": values}).encode()
        with Native({"main": PLAIN + "env -0", ".infra/warm": ""}, start) as runner:
            runner.control.shutdown(socket.SHUT_WR)
            self.assertIsNone(runner.receive())
            seen = dict(variable.split("=", 1) for variable in runner.new_output("out").split("\0") if variable)
        self.assertEqual({name: seen.get(name) for name in values}, values)
        self.assertEqual(set(seen) - set(values) - {"PWD", "OLDPWD", "SHLVL", "_"}, {"PATH", "LANG", "HOME", "TMPDIR", "OUTPUT_DIR"})

    def test_a_marked_program_that_cannot_be_started_says_so_at_each_call(self):
        with Native({"main": "#!/no/such/interpreter\n", ".infra/warm": ""}) as runner:
            for _ in range(2):
                answer = runner.call(1)
                self.assertEqual((answer["code"], answer["requestId"]), ("import_error", "r-1"), answer)

    def test_what_is_no_start_ends_it(self):
        for start in (b"", b"[]", b'{"env":{"a":1}}', b'{"env":{}'):
            with Native({"main": PLAIN + "echo never"}, start) as runner:
                self.assertIsNone(runner.receive(), start)
                self.assertEqual(runner.new_output("out"), "")

    def test_what_is_no_call_ends_it(self):
        for frame in (b"[]", b"{", b'{"input":}', b'{"env":{"a":1},"input":1}', b'{"input":1', b""):
            with native("echo never") as runner:
                runner.send(frame)
                self.assertIsNone(runner.receive(), frame)
                self.assertEqual(runner.new_output("out"), "")
        with native("echo never") as runner:
            runner.control.sendall(struct.pack("<I", 33 * 1024 * 1024))
            self.assertIsNone(runner.receive())


if __name__ == "__main__":
    unittest.main()
