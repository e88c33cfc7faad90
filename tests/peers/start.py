"""Starts the AWS services that tests talk to, each behind its gate, all in memory and on loopback, and ends them with itself.

The first line on stdout is a JSON object with the endpoints and the key; then each line on stdin is a command (below) that one
line answers, {"ok": …} or {"error": …}. The end of stdin ends everything. Arguments like s3=127.0.0.1:1234 name a host, such as a
proxy's, under which a gate may be spoken to besides its own. Run by Debian's /usr/bin/python3, which has botocore.
"""

import asyncio
import contextlib
import ctypes
import glob
import http.client
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
from pathlib import Path

sys.dont_write_bytecode = True
from gate import Gate, Verifier, serve  # noqa: E402  (its own bytecode stays unwritten)

HERE = Path(__file__).resolve().parent
REGION = "eu-north-1"
KEY_ID = "AKIDOFTHETESTPEERS"
PR_SET_PDEATHSIG = 1


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def installed_peers():
    folder = Path(os.environ.get("INFRA_PEERS", HERE.parent.parent / "build" / "peers"))
    if not (folder / "node_modules" / "fauxqs").is_dir():
        raise RuntimeError(f"the test peers are not installed in {folder}: run `./dev setup`.")
    return folder


def node_program(folder):
    """The pinned Node.js where it was installed because the machine's own is too old."""
    own = glob.glob(str(folder / "node_modules" / "node-linux-*" / "bin" / "node"))
    return own[0] if own else "/usr/bin/node"


class Peer:
    """A process of peers.mjs."""

    def __init__(self, kind, node, folder):
        self.kind = kind
        self.process = subprocess.Popen([node, HERE / "peers.mjs", kind, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, bufsize=1, preexec_fn=die_with_parent)

    def wait_until_listening(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.kind} did not start (above are its words).")
        self.port = json.loads(line)["port"]

    def tell(self, line):
        self.process.stdin.write(line + "\n")
        if self.process.stdout.readline() != "ok\n":
            raise RuntimeError(f"{self.kind} does not obey: {line}")

    def request(self, method, path, headers, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        with contextlib.closing(connection):
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{self.kind} answered {answer.status}: {content.decode(errors='replace')}")
        return content


class Peers:
    """All of them, and what the commands do: each is a method, its words the arguments."""

    def __init__(self, more_hosts):
        folder = installed_peers()
        node = node_program(folder)
        self.more_hosts = more_hosts
        self.fauxqs, self.dynalite = Peer("fauxqs", node, folder), Peer("dynalite", node, folder)
        for peer in (self.fauxqs, self.dynalite):
            peer.wait_until_listening()
        self.secret = secrets.token_urlsafe(30)
        self.hosts, self.gates = {}, []
        for service, peer in (("s3", self.fauxqs), ("sqs", self.fauxqs), ("dynamodb", self.dynalite)):
            self.hosts[service] = self.start_gate(service, peer)

    def start_gate(self, service, peer):
        """In a process of its own: a gate computes, and there are more cores than one."""
        listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        host = "127.0.0.1:%d" % listener.getsockname()[1]
        child = os.fork()
        if child == 0:
            die_with_parent()
            os.close(0)
            hosts = (host, *(more for name, more in self.more_hosts if name == service))
            gate = Gate(Verifier(service, REGION, KEY_ID, self.secret, hosts), peer.port)
            asyncio.run(serve(gate, listener))
            os._exit(0)
        self.gates.append(child)
        listener.close()
        return host

    def description(self):
        return {**{f"{service}_endpoint": f"http://{host}" for service, host in self.hosts.items()}, "region": REGION,
                "access_key_id": KEY_ID, "secret_access_key": self.secret}

    def make_bucket(self, name=None):
        name = name or f"bucket-{secrets.token_hex(6)}"
        self.fauxqs.request("PUT", f"/{name}", {"Host": self.hosts["s3"]})
        return name

    def make_queue(self, kind="standard", name=None, dead_letters=None):
        """Its URL. `dead_letters` is the URL of a queue that takes what was received more than 1000 times."""
        attributes = {"VisibilityTimeout": "30"}
        suffix = ".fifo" if kind == "fifo" else ""
        if suffix:
            attributes["FifoQueue"] = "true"
        if dead_letters:
            arn = f"arn:aws:sqs:{REGION}:000000000000:{dead_letters.rsplit('/', 1)[1]}"
            attributes["RedrivePolicy"] = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1000})
        body = {"QueueName": (name or f"queue-{secrets.token_hex(6)}") + suffix, "Attributes": attributes}
        answer = self.fauxqs.request("POST", "/", {
            "Host": self.hosts["sqs"], "Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "AmazonSQS.CreateQueue",
            "Authorization": f"AWS4-HMAC-SHA256 Credential={KEY_ID}/20200101/{REGION}/sqs/aws4_request"}, json.dumps(body))
        return json.loads(answer)["QueueUrl"]

    def make_functions_table(self, name=None):
        return self.make_table(name or f"functions-{secrets.token_hex(6)}", functionId="HASH")

    def make_logs_table(self, name=None):
        return self.make_table(name or f"logs-{secrets.token_hex(6)}", functionId="HASH", timestamp="RANGE")

    def make_configuration_table(self, name=None):
        return self.make_table(name or f"configuration-{secrets.token_hex(6)}", pk="HASH", sk="RANGE")

    def make_table(self, name, **keys):
        body = {"TableName": name, "BillingMode": "PAY_PER_REQUEST",
                "KeySchema": [{"AttributeName": key, "KeyType": kind} for key, kind in keys.items()],
                "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"} for key in keys]}
        self.dynamodb("CreateTable", body)
        while self.dynamodb("DescribeTable", {"TableName": name})["Table"]["TableStatus"] != "ACTIVE":
            pass
        return name

    def dynamodb(self, action, body):
        return json.loads(self.dynalite.request("POST", "/", {
            "Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": f"DynamoDB_20120810.{action}",
            "X-Amz-Date": "20200101T000000Z", "Authorization":
            f"AWS4-HMAC-SHA256 Credential={KEY_ID}/20200101/{REGION}/dynamodb/aws4_request, SignedHeaders=host, Signature=0"},
            json.dumps(body)))

    def advance(self, step):
        self.fauxqs.tell(f"advance {step}")
        self.dynalite.tell(f"advance {step}")
        return int(step)

    def end_polls(self):
        """Those that wait at a queue get what there is, as they would at their end."""
        self.fauxqs.tell("end-polls")
        return True

    def stop(self):
        for process in (self.fauxqs.process, self.dynalite.process):
            process.kill()
        for child in self.gates:
            os.kill(child, signal.SIGKILL)


COMMANDS = {"make-bucket": Peers.make_bucket, "make-queue": Peers.make_queue, "make-functions-table": Peers.make_functions_table,
            "make-logs-table": Peers.make_logs_table, "make-configuration-table": Peers.make_configuration_table,
            "advance": Peers.advance, "end-polls": Peers.end_polls}


def say(value):
    print(json.dumps(value), flush=True)


def obey(peers, words):
    try:
        return {"ok": COMMANDS[words[0]](peers, *words[1:])}
    except KeyError:
        return {"error": f"no such command: {words[0]}"}
    except (RuntimeError, OSError, TypeError, ValueError) as problem:
        return {"error": str(problem)}


def main():
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; whoever started this closes stdin
    try:
        peers = Peers([tuple(argument.split("=", 1)) for argument in sys.argv[1:]])
    except RuntimeError as problem:
        sys.exit(f"peers: {problem}")
    say(peers.description())
    for line in sys.stdin:
        if words := line.split():
            say(obey(peers, words))
    peers.stop()


if __name__ == "__main__":
    main()
