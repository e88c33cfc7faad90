"""Functions with `network: "egress"`: they reach public addresses and nothing else, and all others still reach nothing."""

import json
import os
import shutil
import subprocess
import unittest

import egress_network as net
from harness import Case, Infra, bundle, main
from test_binaries import COMPILER, compiled

CLONE_NEWNS = 0x20000
PYTHON = """
import socket, urllib.request
def handler(event, context):
    url = event["url"]
    try:
        with urllib.request.urlopen(url, timeout=event.get("timeout", 3)) as answer:
            return answer.read().decode()
    except OSError as error:
        return "failed: " + str(getattr(error, "reason", error))
"""
NODE = """
const http = require('http');
exports.handler = (event) => new Promise((resolve) => {
  const request = http.get(event.url, (answer) => {
    let text = '';
    answer.on('data', (part) => { text += part; });
    answer.on('end', () => resolve(text));
  });
  request.setTimeout(3000, () => request.destroy(new Error('timeout')));
  request.on('error', (error) => resolve('failed: ' + error.message));
});
"""


CPP = r"""
#include <arpa/inet.h>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sys/socket.h>

int main() {
  char host[32];
  unsigned port = 0;
  if (std::sscanf(std::getenv("PAYLOAD"), "{ \"host\" : \"%31[0-9.]\" , \"port\" : %u", host, &port) != 2)
    return 1;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<unsigned short>(port));
  inet_pton(AF_INET, host, &address.sin_addr);
  const int made = connect(socket(AF_INET, SOCK_STREAM, 0), reinterpret_cast<sockaddr*>(&address), sizeof address);
  std::printf("%s\n", made == 0 ? "connected" : std::strerror(errno));
}
"""


def url(host, port=net.PORT):
    return {"url": f"http://{host}:{port}/"}


def setUpModule():
    net.enter()
    unittest.addModuleCleanup(net.leave)


class Egress(Case):
    environment = {"INFRA_EGRESS_DNS": net.RESOLVER, "INFRA_EGRESS_ALLOW": f"{net.PRIVATE}:80"}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.function = cls.infra.deploy(PYTHON, network="egress")

    def reached(self, function, host, port=net.PORT):
        result = self.infra.result(function, url(host, port))
        self.assertEqual(result["status"], "SUCCESS", result)
        return result["result"]

    def test_a_python_function(self):
        self.assertEqual(self.infra.get(f"/functions/{self.function}").json()["network"], "egress")
        result = self.infra.result(self.function, url(net.PUBLIC))
        self.assertEqual(result["result"], net.MACHINE, "it is seen under the machine's address")
        self.assertGreater(result["networkTx"], 100)
        self.assertGreater(result["networkRx"], 100)
        again = self.infra.result(self.function, url("no.such.host.invalid"))
        self.assertEqual(again["result"], net.MACHINE, "the resolver, which is private itself, is reached")
        self.assertLess(again["networkTx"], 10_000, "bytes are counted a call")

    def test_a_node_function(self):
        function = self.infra.deploy(NODE, runtime="nodejs", network="egress")
        self.assertEqual(self.reached(function, net.PUBLIC), net.MACHINE)
        self.assertEqual(self.reached(function, "some.name.example"), net.MACHINE)
        self.assertRegex(self.reached(function, net.METADATA, 80), "^failed: ")

    @unittest.skipUnless(COMPILER, "there is no compiler")
    def test_a_ready_binary(self):
        function = self.infra.deploy({"main": compiled(CPP)}, runtime="cpp", network="egress")
        for host, port, printed in ((net.PUBLIC, net.PORT, "connected"), (net.METADATA, 80, "Connection refused")):
            result = self.infra.result(function, {"host": host, "port": port})
            self.assertEqual((result["status"], result["stdout"].strip()), ("SUCCESS", printed), result)

    def test_connections_may_stay(self):
        keeps = self.infra.deploy("import socket\nkept = []\ndef handler(event, context):\n"
                                  "    kept.append(socket.create_connection((event['host'], event['port']), 3))\n    return len(kept)",
                                  network="egress")
        for number in (1, 2, 3):
            result = self.infra.result(keeps, {"host": net.PUBLIC, "port": net.PORT})
            self.assertEqual((result["result"], result["coldStart"]), (number, number == 1), result)

    def test_what_is_not_public_is_blocked(self):
        for host, port in ((net.PRIVATE, net.PORT), (net.METADATA, 80), (net.MACHINE, self.infra.port), ("127.0.0.1", self.infra.port),
                           (net.RESOLVER, net.PORT)):
            with self.subTest(host):
                self.assertRegex(self.reached(self.function, host, port), "^failed: .*refused")

    def test_what_is_allowed_is_open(self):
        self.assertEqual(self.reached(self.function, net.PRIVATE, 80), net.MACHINE)

    def test_without_it_there_is_no_network(self):
        function = self.infra.deploy(PYTHON)
        self.assertEqual(self.infra.get(f"/functions/{function}").json()["network"], "none")
        result = self.infra.result(function, url(net.PUBLIC))
        self.assertIn("unreachable", result["result"])
        self.assertEqual((result["networkRx"], result["networkTx"]), (0, 0))
        self.assertRegex(self.reached(function, "some.name.example"), "^failed: ")

    def test_it_is_given_and_taken(self):
        function = self.infra.deploy(PYTHON)
        for network, reaches in (("egress", net.MACHINE), ("none", "unreachable"), ("egress", net.MACHINE)):
            answer = self.infra.request("PUT", f"/functions/{function}", {"network": network})
            self.assertEqual(answer.status, 200, answer)
            self.assertIn(reaches, self.reached(function, net.PUBLIC))

    def test_the_log_says_what_was_changed_on_the_machine(self):
        notes = [entry for entry in self.infra.log() if entry.get("msg") == "egress is open"]
        self.assertEqual(len(notes), 1)
        self.assertIn("ip_forward", notes[0]["note"])


class NoEgress(Case):
    """Every address that sandboxes could have is in use on this machine."""

    environment = {"INFRA_EGRESS_SUBNET": "203.0.112.0/20"}

    def test_it_is_refused_with_the_reason(self):
        answer = self.infra.upload(bundle({"main.py": PYTHON}), [("network", None, "egress")])
        self.assert_error(answer, 422, "egress_unavailable", ["network", "INFRA_EGRESS_SUBNET"])
        function = self.infra.deploy(PYTHON)
        answer = self.infra.request("PUT", f"/functions/{function}", {"network": "egress"})
        self.assert_error(answer, 422, "egress_unavailable", ["network"])
        self.assertIn("unreachable", self.infra.result(function, url(net.PUBLIC))["result"], "all else goes on")


class WithoutNft(unittest.TestCase):
    """A machine that lacks the program that loads the rules."""

    def test_it_starts_and_says_what_is_missing(self):
        nft = os.path.realpath(shutil.which("nft", path="/usr/sbin:/usr/bin:/sbin"))
        self.assertEqual(net.LIBC.unshare(CLONE_NEWNS), 0)
        subprocess.run(["mount", "--make-rprivate", "/"], check=True)
        subprocess.run(["mount", "--bind", "/dev/null", nft], check=True)
        self.addCleanup(subprocess.run, ["umount", nft], check=True)
        infra = Infra().start()
        self.addCleanup(infra.close)
        answer = infra.upload(bundle({"main.py": PYTHON}), [("network", None, "egress")])
        self.assertEqual((answer.status, answer.json()["code"]), (422, "egress_unavailable"), answer)
        self.assertIn("nftables", answer.json()["error"])
        self.assertIn("unreachable", infra.result(infra.deploy(PYTHON), url(net.PUBLIC))["result"])
        self.assertEqual(infra.stop(), 0)


class LaterWithout(unittest.TestCase):
    """A program that finds a function with egress, and can't give it: the run fails, and says why."""

    def test_a_run_fails_with_the_reason(self):
        infra = Infra().start()
        self.addCleanup(infra.close)
        function = infra.deploy(PYTHON, network="egress")
        self.assertEqual(infra.result(function, url(net.PUBLIC))["result"], net.MACHINE)
        infra.kill()
        infra.env["INFRA_EGRESS_SUBNET"] = "203.0.112.0/20"
        infra.start()
        result = infra.result(function, url(net.PUBLIC))
        self.assertEqual(result["status"], "FAILED", result)
        self.assertIn("INFRA_EGRESS_SUBNET", json.dumps(result))
        tables = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True).stdout
        self.assertNotIn("inet infra_", tables, "what the killed program left is gone")
        self.assertEqual(infra.stop(), 0)


if __name__ == "__main__":
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    main()
