"""The same tries by functions that have egress: they get no further, on a network where everything that is to be blocked would answer."""

import os
import unittest

import egress_network as net
import test_breakout
from harness import main

OWN_ADDRESS = """
import socket
def handler(event, context):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.connect((event, 53))
        return sender.getsockname()[0]
"""


def setUpModule():
    net.enter(forwards=True)
    unittest.addModuleCleanup(net.leave)


class BreakoutWithEgress(test_breakout.Breakout):
    runtimes, network, interfaces = ("python", "nodejs"), "egress", ["lo", "eth0"]
    test_names = None  # they are resolved

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        other = cls.infra.result(cls.infra.deploy(OWN_ADDRESS, network="egress"), net.PUBLIC)["result"]
        first, last = other.rsplit(".", 1)
        cls.elsewhere = (net.PRIVATE, net.RESOLVER, other, f"{first}.{int(last) - 1}")  # the last: that one's gateway

    def test_it_is_tried_with_a_network(self):
        for runtime, function in self.functions.items():
            result = self.run_try(function, "connect", addresses=[[net.PUBLIC, net.PORT]])
            with self.subTest(runtime):
                self.assertIn("a connection", result["result"][f"TCP {net.PUBLIC} {net.PORT}"])


if __name__ == "__main__":
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    main()
