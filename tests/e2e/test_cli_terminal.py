"""The command line at a terminal: what is coloured, what is asked, what is not shown."""

import os
import pty
import re
import select
import signal
import socket
import termios
import threading
import time

from cli_case import OK, USAGE, CliCase
from harness import API_KEY, ECHO, PATIENCE, PROGRAM, main

COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class Terminal:
    """The program with a terminal of its own."""

    def __init__(self, folder, words, env):
        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.execve(PROGRAM, [PROGRAM, *words], {"PATH": os.environ["PATH"], "HOME": folder, "TERM": "xterm", **env})
        self.text = ""

    def read_until(self, words=None):
        """Until it shows these words, or ends."""
        deadline = time.monotonic() + PATIENCE
        while words is None or words not in self.text:
            if not select.select([self.descriptor], [], [], max(0, deadline - time.monotonic()))[0]:
                os.kill(self.pid, signal.SIGKILL)
                raise AssertionError(f"it does not come to {words!r}: {self.text!r}")
            try:
                piece = os.read(self.descriptor, 4096)
            except OSError:  # the terminal is closed: it has ended
                break
            if not piece:
                break
            self.text += piece.decode(errors="replace")
        return self.text

    def type(self, text):
        os.write(self.descriptor, text.encode())

    def end(self):
        self.read_until()
        os.close(self.descriptor)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


class AtATerminal(CliCase):
    def setUp(self):
        self.write("fn/main.py", ECHO)

    def at(self, *words, **env):
        return Terminal(self.folder, words, {"INFRA_URL": self.url, "INFRA_API_KEY": API_KEY, **env})

    def test_statuses_are_coloured_unless_nobody_wants_it(self):
        self.good("deploy", "fn", "--name", "coloured")
        self.good("invoke", "coloured")
        for env, wanted in (({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)):
            seen = self.at("logs", "coloured", **env)
            self.assertEqual(seen.end(), OK, seen.text)
            self.assertIn("SUCCESS", seen.text)
            self.assertEqual(bool(COLOUR.search(seen.text)), wanted, f"{env}: {seen.text!r}")

    def test_what_a_function_prints_commands_no_terminal(self):
        self.write("hostile/main.py", "def handler(event, context):\n    print('\\x1b]0;owned\\x07\\x1b[2Jgone')\n    return '\\x1b[31mred'\n")
        self.good("deploy", "hostile", "--name", "hostile")
        seen = self.at("invoke", "hostile", NO_COLOR="1")
        self.assertEqual(seen.end(), OK, seen.text)
        self.assertIn("gone", seen.text)
        self.assertNotIn("\x1b]0", seen.text)
        self.assertNotIn("\x1b[2J", seen.text)
        self.assertNotIn("\x1b[31m", seen.text)

    def test_a_removal_is_asked_for(self):
        self.good("deploy", "fn", "--name", "asked")
        for answer, gone in (("y", False), ("asked", True)):
            seen = self.at("remove", "asked")
            seen.read_until("asked")
            seen.type(answer + "\n")
            status = seen.end()
            self.assertEqual(self.cli("describe", "asked").status != OK, gone, f"{answer}: {status}, {seen.text!r}")

    def test_a_key_is_typed_unseen(self):
        seen = self.at("login", self.url, INFRA_URL="", INFRA_API_KEY="")
        seen.read_until("ey")
        seen.type(API_KEY + "\n")
        self.assertEqual(seen.end(), OK, seen.text)
        self.assertNotIn(API_KEY, seen.text)
        self.assertEqual(self.at("list", INFRA_URL="", INFRA_API_KEY="").end(), OK, "it knows it from now on")

    def test_ctrl_c_at_the_key_leaves_a_terminal_that_shows_what_is_typed(self):
        seen = self.at("login", self.url, INFRA_URL="", INFRA_API_KEY="")
        seen.read_until("ey")
        self.assertFalse(termios.tcgetattr(seen.descriptor)[3] & termios.ECHO)
        seen.type("\x03")
        seen.read_until()
        self.assertTrue(termios.tcgetattr(seen.descriptor)[3] & termios.ECHO)
        self.assertEqual(seen.end(), -signal.SIGINT)

    def test_a_slow_upload_shows_how_far_it_is(self):
        self.write("large/main.py", ECHO)
        with open(os.path.join(self.folder, "large", "data.bin"), "wb") as file:
            file.write(os.urandom(24_000_000))
        with SlowProxy(self.infra.port, 12_000_000) as proxy:
            seen = self.at("deploy", "large", "--name", "large", INFRA_URL=f"http://127.0.0.1:{proxy.port}")
            self.assertEqual(seen.end(), OK, seen.text)
        shown = [int(part) for part in re.findall(r"(\d+) % of", seen.text)]
        self.assertGreater(len(set(shown)), 2, seen.text)
        self.assertEqual(shown, sorted(shown))
        quiet = self.at("deploy", "fn", "--name", "small")
        self.assertEqual(quiet.end(), OK)
        self.assertNotIn("Uploading", quiet.text, "a quick one shows none")

    def test_an_option_that_is_none_is_coloured_as_a_failure(self):
        seen = self.at("list", "--jsn")
        self.assertEqual(seen.end(), USAGE, seen.text)
        self.assertIn("--json", seen.text)


class SlowProxy:
    """Passes one connection at a time on; what the client sends, at so many bytes a second."""

    def __init__(self, port, rate):
        self.target, self.rate = port, rate
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]

    def __enter__(self):
        threading.Thread(target=self.serve, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.close()

    def serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
            server = socket.create_connection(("127.0.0.1", self.target))
            threading.Thread(target=self.back, args=(server, client), daemon=True).start()
            threading.Thread(target=self.forth, args=(client, server), daemon=True).start()

    def forth(self, client, server):
        while piece := client.recv(32_768):
            server.sendall(piece)
            time.sleep(len(piece) / self.rate)

    @staticmethod
    def back(server, client):
        while piece := server.recv(65_536):
            client.sendall(piece)


if __name__ == "__main__":
    main()
