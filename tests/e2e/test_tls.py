"""HTTPS on the program's own port, and a certificate that is renewed while it runs."""

import http.client
import os
import signal
import ssl
import subprocess
import unittest

import cli_case
from harness import API_KEY, ECHO, Infra, main, wait_for


class Tls(unittest.TestCase):
    def setUp(self):
        self.infra = Infra()
        self.addCleanup(self.infra.close)
        self.cert, self.key = (os.path.join(self.infra.folder, name) for name in ("cert.pem", "key.pem"))
        self.infra.env.update(TLS_CERT_FILE=self.cert, TLS_KEY_FILE=self.key)

    def make_pair(self, name):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                        "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", self.key, "-out", self.cert],
                       check=True, capture_output=True)

    def connect(self):
        trusting = ssl.create_default_context(cafile=self.cert)
        connection = http.client.HTTPSConnection("127.0.0.1", self.infra.port, timeout=60, context=trusting)
        self.addCleanup(connection.close)
        return connection

    def name_of(self, connection):
        if connection.sock is None:
            connection.connect()
        return dict(part[0] for part in connection.sock.getpeercert()["subject"])["commonName"]

    def lines(self, words):
        return [entry for entry in self.infra.log() if words in entry.get("msg", "")]

    def test_requests_and_a_renewed_certificate(self):
        self.make_pair("first")
        self.infra.start()
        before = self.connect()
        self.assertEqual(self.name_of(before), "first")
        self.assertEqual(self.infra.get("/health", connection=before).status, 200)
        self.infra.connect = lambda timeout=60: self.connect()
        function = self.infra.deploy(ECHO)
        self.assertEqual(self.infra.result(function, "x" * 1_000_000)["result"], {"echo": "x" * 1_000_000})

        self.make_pair("second")
        self.infra.signal(signal.SIGHUP)
        wait_for(lambda: self.lines("are read again"), what="the reload")
        self.assertEqual(self.name_of(self.connect()), "second")
        self.assertEqual(self.infra.run_on(before, function, 1).json()["result"], {"echo": 1}, "the old connection goes on")

        with open(self.key, "w", encoding="ascii") as key:
            key.write("no key")
        self.infra.signal(signal.SIGHUP)
        why = wait_for(lambda: self.lines("are not read again"), what="the refusal")[0]["reason"]
        self.assertIn("TLS_KEY_FILE has no key", why)
        self.assertEqual(self.name_of(self.connect()), "second")

        self.assertIn(b"HTTP/1.1 400 ", self.infra.raw(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n"), "plain HTTP is told so")
        self.assertFalse(self.lines("without TLS"))
        self.assertNotIn(API_KEY, self.infra.said())
        self.assertEqual(self.infra.stop(), 0)

    def test_the_command_line_trusts_the_authority_that_it_is_given(self):
        self.make_pair("own")
        self.infra.start()
        url, folder = f"https://127.0.0.1:{self.infra.port}", self.infra.folder

        def cli(*words, stdin="", **env):
            return cli_case.infra(folder, *words, stdin=stdin, env=env)

        said = cli("list", INFRA_URL=url, INFRA_API_KEY=API_KEY)
        self.assertEqual(said.status, cli_case.UNREACHABLE, said)
        self.assertIn("not trusted", said.err)
        self.assertIn(f"infra login {url} --ca-file FILE", said.err)
        said = cli("login", f"https://localhost:{self.infra.port}", "--ca-file", self.cert, stdin=API_KEY)
        self.assertEqual(said.status, cli_case.UNREACHABLE, said)
        self.assertIn("a host that its certificate names", said.err)
        self.assertEqual(cli("list").status, cli_case.USAGE, "nothing was kept")
        said = cli("list", INFRA_URL=url, INFRA_API_KEY=API_KEY, INFRA_CA_FILE=self.cert)
        self.assertEqual(said.status, cli_case.OK, said)
        said = cli("list", INFRA_URL=url, INFRA_API_KEY=API_KEY, INFRA_CA_FILE=self.cert + ".gone")
        self.assertEqual(said.status, cli_case.UNREACHABLE, said)
        self.assertIn(self.cert + ".gone", said.err)
        self.assertEqual(cli("login", url, "--ca-file", self.cert, stdin=API_KEY).status, cli_case.OK)
        for words in (("list",), ("describe", self.deployed()), ("workers",)):
            self.assertEqual(cli(*words).status, cli_case.OK)
        said = cli("list", INFRA_URL=url.replace("https", "http"), INFRA_API_KEY=API_KEY)
        self.assertEqual(said.status, cli_case.REFUSED, said)
        self.assertIn("https://", said.err)

    def deployed(self):
        self.infra.connect = lambda timeout=60: self.connect()
        return self.infra.deploy(ECHO)

    def test_a_pair_that_cant_be_used_keeps_it_from_starting(self):
        self.infra.start(wait=False)
        self.assertEqual(self.infra.wait(), 1)
        self.assertIn(f"TLS_CERT_FILE: there is no file {self.cert}", self.infra.said())


class Plain(unittest.TestCase):
    def test_all_addresses_without_tls_are_warned_about(self):
        for arguments, warned in ((("serve",), 1), (("serve", "--address", "127.0.0.1"), 0)):
            infra = Infra(arguments=arguments).start()
            self.addCleanup(infra.close)
            self.assertEqual(infra.said().count("on all addresses without TLS"), warned)
            self.assertEqual(infra.stop(), 0)


if __name__ == "__main__":
    main()
