"""An instance in which a call left something is not given another call, and what was left ends with it; one that left nothing is.

Nor does an answer that was made for one call ever count as another's.
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import Case, FakeOllama, main, wait_for  # noqa: E402

PYTHON = """
import asyncio, json, os, signal, socket, struct, subprocess, threading, time, urllib.request, http.client
kept, loaded = [], threading.Thread(target=threading.Event().wait, daemon=True)
loaded.start()  # meant to stay

def process(): return os.fork() or signal.pause()
def thread(): threading.Thread(target=threading.Event().wait, daemon=True).start()
def listener(): kept.append(socket.create_server(("127.0.0.1", 0)))
def listener6(): kept.append(socket.create_server(("::1", 0), family=socket.AF_INET6))
def disk():
    with open("/tmp/big", "wb") as file: file.write(bytes(40 << 20))
def files():
    for n in range(9000): os.close(os.open(f"/tmp/{n}", os.O_CREAT))
def nothing():
    ended = [threading.Thread(target=int) for _ in range(5)]
    for one in ended: one.start()
    for one in ended: one.join()
    subprocess.run(["/bin/sh", "-c", "true"], check=True)
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()): pass
    asyncio.new_event_loop().close()
async def executor(): return await asyncio.get_running_loop().run_in_executor(None, len, "four")
def ask():
    if not kept: kept.append(http.client.HTTPConnection(os.environ["AI_ENDPOINT"].removeprefix("http://")))
    kept[0].request("POST", "/api/generate", json.dumps({"model": "m", "prompt": "p"}), {"Content-Type": "application/json"})
    return json.loads(kept[0].getresponse().read())["response"]
def forge():
    control = next(fd for fd in range(3, 1024)
                   if os.path.exists(f"/proc/self/fd/{fd}") and os.readlink(f"/proc/self/fd/{fd}")[:6] == "socket")
    body = json.dumps({"requestId": "018f0000-0000-7000-8000-000000000000", "ok": True, "value": "forged"}).encode()
    os.write(control, struct.pack("<I", len(body)) + body)
    time.sleep(5)
def handler(event, context):
    value = globals()[event]()
    return value
"""
NODE = """
const { spawn, spawnSync } = require('child_process'), fs = require('fs'), net = require('net'), crypto = require('crypto');
const { Worker } = require('worker_threads');
const kept = [];
const tries = {
  process() { spawn('/bin/sleep', ['1000'], { stdio: 'ignore', detached: true }).unref(); },
  thread: () => new Promise((done) => { kept.push(new Worker('setInterval(() => {}, 1000)', { eval: true }).on('online', () => done())); }),
  listener: () => new Promise((done) => { kept.push(net.createServer().listen(0, '127.0.0.1', () => done())); }),
  listener6: () => new Promise((done) => { kept.push(net.createServer().listen(0, '::1', () => done())); }),
  disk() { fs.writeFileSync('/tmp/big', Buffer.alloc(40 << 20)); },
  async nothing() {
    spawnSync('/bin/true');
    await new Promise((done) => crypto.pbkdf2('a', 'b', 10, 8, 'sha1', done));
    await fs.promises.readFile('/etc/hosts');
    const ended = new Worker('0', { eval: true });
    await new Promise((done) => ended.on('exit', done));
  },
  forge() {
    const body = JSON.stringify({ requestId: '018f0000-0000-7000-8000-000000000000', ok: true, value: 'forged' });
    const head = Buffer.alloc(4); head.writeUInt32LE(body.length);
    fs.writeSync(3, Buffer.concat([head, Buffer.from(body)]));
    return new Promise((done) => setTimeout(done, 5000));
  },
};
exports.handler = async (event) => { await tries[event](); return null; };
"""
CPP = r"""
#include <infra.hpp>
#include <arpa/inet.h>
#include <sys/wait.h>
#include <thread>
static int listen_on(const void* address, socklen_t size, int family) {
  const int fd = socket(family, SOCK_STREAM, 0);
  return bind(fd, static_cast<const sockaddr*>(address), size) == 0 ? listen(fd, 1) : -1;
}
std::string handler(const std::string& event, const infra::Context&) {
  if (event == "\"process\"") { if (fork() == 0) for (;;) pause(); }
  if (event == "\"thread\"") std::thread([] { for (;;) pause(); }).detach();
  if (event == "\"listener\"") { sockaddr_in any{}; any.sin_family = AF_INET;
    if (listen_on(&any, sizeof any, AF_INET) != 0) return "1"; }
  if (event == "\"listener6\"") { sockaddr_in6 any{}; any.sin6_family = AF_INET6;
    if (listen_on(&any, sizeof any, AF_INET6) != 0) return "1"; }
  if (event == "\"disk\"") {
    std::FILE* file = std::fopen("/tmp/big", "w");
    const std::string mib(1 << 20, 'x');
    for (int n = 0; n < 40; ++n) std::fwrite(mib.data(), 1, mib.size(), file);
    std::fclose(file);
  }
  if (event == "\"nothing\"") {
    std::thread([] {}).join();
    const pid_t child = fork();
    if (child == 0) _exit(0);
    waitpid(child, nullptr, 0);
  }
  if (event == "\"forge\"") {
    const std::string body = "{\"requestId\":\"018f0000-0000-7000-8000-000000000000\",\"ok\":true,\"value\":\"forged\"}";
    const std::uint32_t size = body.size();
    (void)!write(3, &size, 4), (void)!write(3, body.data(), size);
    sleep(5);
  }
  return "null";
}
INFRA_HANDLER(handler)
"""
GO = """package main

import (
\t"encoding/binary"
\t"encoding/json"
\t"net"
\t"os"
\t"os/exec"
\t"syscall"
\t"time"

\t"infra"
)

var kept []any

func main() {
\tinfra.Handle(func(_ infra.Context, event json.RawMessage) (any, error) {
\t\tvar name string
\t\tjson.Unmarshal(event, &name)
\t\tswitch name {
\t\tcase "process":
\t\t\treturn nil, exec.Command("/bin/sleep", "1000").Start()
\t\tcase "listener", "listener6":
\t\t\taddress := map[string]string{"listener": "127.0.0.1:0", "listener6": "[::1]:0"}[name]
\t\t\tserver, err := net.Listen("tcp", address)
\t\t\tkept = append(kept, server)
\t\t\treturn nil, err
\t\tcase "disk":
\t\t\treturn nil, os.WriteFile("/tmp/big", make([]byte, 40<<20), 0600)
\t\tcase "nothing":
\t\t\tdone := make(chan bool)
\t\t\tfor n := 0; n < 20; n++ {
\t\t\t\tgo func() { time.Sleep(time.Millisecond); done <- true }()
\t\t\t}
\t\t\tfor n := 0; n < 20; n++ {
\t\t\t\t<-done
\t\t\t}
\t\t\treturn nil, exec.Command("/bin/true").Run()
\t\tcase "forge":
\t\t\tbody := `{"requestId":"018f0000-0000-7000-8000-000000000000","ok":true,"value":"forged"}`
\t\t\tvar head [4]byte
\t\t\tbinary.LittleEndian.PutUint32(head[:], uint32(len(body)))
\t\t\tsyscall.Write(3, append(head[:], body...))
\t\t\ttime.Sleep(5 * time.Second)
\t\t}
\t\treturn nil, nil
\t})
}
"""
LEFT = {"process": "processes", "thread": "threads", "listener": "connections", "listener6": "connections", "disk": "disk",
        "files": "disk"}


class Leftovers:
    """Of one runtime; `tries` are what its function can leave."""

    tries = ("process", "thread", "listener", "listener6", "disk")

    @classmethod
    def setUpClass(cls):
        cls.node = FakeOllama()
        cls.addClassCleanup(cls.node.close)
        cls.environment = {"AI_NODE_URL": cls.node.url}
        super().setUpClass()
        cls.function = cls.infra.deploy(cls.files, runtime=cls.runtime, memoryMb=512, timeoutMs=20_000)

    def succeed(self, what):
        result = self.infra.result(self.function, what)
        self.assertEqual(result["status"], "SUCCESS", result)
        return result

    def not_reused(self):
        """How often an instance of this runtime was ended, by reason."""
        found = {}
        for line in self.infra.get("/metrics").text.splitlines():
            if line.startswith("worker_instances_not_reused_total{") and f'runtime="{self.runtime}"' in line:
                found[line.partition('reason="')[2].partition('"')[0]] = float(line.rpartition(" ")[2])
        return found

    def test_what_left_nothing_is_reused(self):
        self.succeed("nothing")
        before = self.not_reused()
        for _ in range(20):
            self.assertFalse(self.succeed("nothing")["coldStart"])
        self.assertEqual(self.not_reused(), before)

    def test_what_left_something_is_not(self):
        for what in self.tries:
            with self.subTest(left=what):
                self.succeed("nothing")
                before = self.not_reused().get(LEFT[what], 0)
                result = self.succeed(what)
                self.assertFalse(result["coldStart"], "it is the call that leaves something that matters")
                line = wait_for(lambda: next((e for e in self.infra.log()
                                              if e.get("requestId") == result["requestId"] and e.get("left")), None))
                self.assertEqual((line["left"], line["functionId"]), (LEFT[what], self.function))
                self.assertEqual(self.not_reused()[LEFT[what]], before + 1)
                self.assertTrue(self.succeed("nothing")["coldStart"])
                self.assertFalse(self.succeed("nothing")["coldStart"], "and one that left nothing is kept")

    def test_an_answer_of_another_call_is_refused(self):
        result = self.infra.result(self.function, "forge")
        self.assertEqual((result["status"], result["code"]), ("FAILED", "runner_broken"), result)
        self.assertIn("not this call's", result["stderr"])
        self.assertTrue(self.succeed("nothing")["coldStart"])


class Python(Leftovers, Case):
    runtime, files = "python", {"main.py": PYTHON}
    tries = (*Leftovers.tries, "files")

    def test_connections_to_the_ai_endpoint_may_stay(self):
        self.succeed("nothing")
        for _ in range(3):
            result = self.succeed("ask")
            self.assertEqual((result["result"], result["coldStart"]), ("generated:p", False))

    def test_threads_of_the_event_loop_end_with_the_call(self):
        function = self.infra.deploy(PYTHON.replace("def handler(event", "async def handler(event").replace(
            "value = globals()[event]()", "value = await globals()[event]()"), memoryMb=256)
        self.assertEqual([self.infra.result(function, "executor")["coldStart"] for _ in range(5)], [True] + [False] * 4)

    def test_a_lock_on_a_file_that_all_see_is_let_go_when_its_instance_stands_still(self):
        code = """
import fcntl, os
files = []
def handler(event, context):
    files.append(os.open(event["path"], os.O_RDWR | os.O_CREAT if event["own"] else os.O_RDONLY))
    fcntl.flock(files[-1], fcntl.LOCK_EX)
    return os.getpid(), len(files)
"""
        holder, other, modest = (self.infra.deploy(code, timeoutMs=20000) for _ in range(3))
        shared, own = {"path": "/usr/bin/yes", "own": False}, {"path": "/tmp/lock", "own": True}
        kept = self.infra.result(modest, own)["result"]
        self.assertEqual(self.infra.result(holder, shared)["status"], "SUCCESS")
        self.assertEqual(self.infra.result(other, shared)["status"], "SUCCESS")  # it waits for the other's end
        self.assertTrue(self.infra.result(holder, shared | {"path": "/usr/bin/id"})["coldStart"])
        self.assertEqual(self.infra.result(modest, own | {"path": "/tmp/second"})["result"], [kept[0], 2])


class Node(Leftovers, Case):
    runtime, files = "nodejs", {"index.js": NODE}


class Cpp(Leftovers, Case):
    runtime, files = "cpp", {"main.cpp": CPP}


class Go(Leftovers, Case):
    runtime, files = "go", {"main.go": GO}
    tries = ("process", "listener", "listener6", "disk")  # its threads are its scheduler's affair


if __name__ == "__main__":
    main()
