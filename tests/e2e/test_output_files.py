"""Output files: what a function leaves in /output is kept, listed in its result, and can be fetched; what can't be is named."""

import hashlib
import shutil
import subprocess
import tempfile
import urllib.parse

from harness import Case, main

MIB = 1024 * 1024
PYTHON = """
import os
OUT = os.environ.get('OUTPUT_DIR')

def handler(event, context):
    found = sorted(os.listdir(OUT))
    exec(event['code'], globals())
    return found
"""
NODE = """
const fs = require('fs'), path = require('path');
exports.handler = (event) => {
  const OUT = process.env.OUTPUT_DIR;
  const found = fs.readdirSync(OUT).sort();
  new Function('fs', 'path', 'OUT', event.code)(fs, path, OUT);
  return found;
};
"""


class OutputFiles(Case):
    def call(self, function, code, status="SUCCESS"):
        result = self.infra.result(function, {"code": code})
        self.assertEqual(result["status"], status, result)
        return result

    def fetch(self, result, name, prefix=""):
        quoted = urllib.parse.quote(name)
        return self.infra.get(f"{prefix}/functions/{result['functionId']}/logs/{result['requestId']}/files/{quoted}")

    def assert_kept(self, result, contents):
        self.assertEqual([file["name"] for file in result["outputFiles"]], sorted(contents), result["stderr"])
        for file in result["outputFiles"]:
            content = contents[file["name"]]
            self.assertEqual((file["size"], file["sha256"]), (len(content), hashlib.sha256(content).hexdigest()))
            answer = self.fetch(result, file["name"])
            self.assertEqual((answer.status, answer.body), (200, content))

    def test_files_of_a_python_function(self):
        function = self.infra.deploy(PYTHON)
        result = self.call(function, """
os.makedirs(OUT + '/sub/deep')
def put(name, data, mode=0o644):
    with open(f'{OUT}/{name}', 'wb') as file: file.write(data)
    os.chmod(f'{OUT}/{name}', mode)
put('plot.png', bytes(range(256)) * 100)
put('sub/deep/table.csv', b'a,b\\n', 0o600)
put('보고서 1.txt', '안녕'.encode())
put('.hidden', b'')
put('empty', b'')
""")
        self.assertEqual(result["stderr"], "")
        self.assert_kept(result, {"plot.png": bytes(range(256)) * 100, "sub/deep/table.csv": b"a,b\n", ".hidden": b"",
                                  "empty": b"", "보고서 1.txt": "안녕".encode()})
        answer = self.fetch(result, "plot.png", prefix="/api")
        self.assertEqual((answer.status, answer.headers["Content-Type"]), (200, "application/octet-stream"))
        self.assertEqual(answer.headers["Content-Disposition"], 'attachment; filename="plot.png"')
        self.assertEqual(answer.headers["X-Content-Type-Options"], "nosniff")
        answer = self.fetch(result, "보고서 1.txt")
        self.assertEqual(answer.headers["Content-Disposition"],
                         "attachment; filename*=UTF-8''" + urllib.parse.quote("보고서 1.txt"))

    def test_files_of_a_node_function(self):
        function = self.infra.deploy(NODE, runtime="nodejs")
        result = self.call(function, """
fs.mkdirSync(OUT + '/sub');
fs.writeFileSync(OUT + '/sub/a.json', '{"n":1}');
fs.writeFileSync(OUT + '/private', 'x', {mode: 0o600});
fs.symlinkSync('/etc/passwd', OUT + '/link');
fs.symlinkSync('..', OUT + '/up');
fs.linkSync(OUT + '/private', OUT + '/same');
fs.writeFileSync(OUT + '/big', '');
fs.truncateSync(OUT + '/big', 11 * 1024 * 1024);
""")
        self.assert_kept(result, {"sub/a.json": b'{"n":1}', "private": b"x", "same": b"x"})
        self.assertEqual(result["stderr"], '[not kept as output files: "big" is over 10 MiB; "link" is not a regular file; '
                                           '"up" is not a regular file]\n')
        self.assertEqual(self.call(function, "")["result"], [], "the next call finds an empty /output")

    def test_files_of_a_plain_script(self):
        function = self.infra.deploy("require('fs').writeFileSync(process.env.OUTPUT_DIR + '/n', process.env.PAYLOAD);",
                                     runtime="nodejs")
        for n in (1, 2):
            self.assert_kept(self.infra.result(function, n), {"n": str(n).encode()})

    def test_files_of_a_program(self):
        compiler = shutil.which("g++") or shutil.which("clang++-19")
        source = """
#include <cstdlib>
#include <fstream>
#include <string>
int main() { std::ofstream(std::string(std::getenv("OUTPUT_DIR")) + "/n") << std::getenv("PAYLOAD"); }
"""
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([compiler, "-x", "c++", "-", "-static", "-o", f"{folder}/main"], input=source.encode(), check=True)
            with open(f"{folder}/main", "rb") as program:
                function = self.infra.deploy({"main": program.read()}, runtime="cpp")
        for n in (1, 2):
            self.assert_kept(self.infra.result(function, n), {"n": str(n).encode()})

    def test_each_call_has_its_own_files_only(self):
        function = self.infra.deploy(PYTHON)
        first = self.call(function, "open(OUT + '/one', 'w').write('1'); os.makedirs(OUT + '/folder/inner')")
        second = self.call(function, "open(OUT + '/two', 'w').write('2')")
        third = self.call(function, "")
        self.assertEqual([r["coldStart"] for r in (first, second, third)], [True, False, False])
        self.assertEqual([r["result"] for r in (first, second, third)], [[], [], []])
        self.assert_kept(first, {"one": b"1"})
        self.assert_kept(second, {"two": b"2"})
        self.assertEqual(third["outputFiles"], [])
        self.assertEqual(self.fetch(second, "one").status, 404)
        failed = self.call(function, "open(OUT + '/why', 'w').write('3'); raise ValueError('no')", status="FAILED")
        self.assert_kept(failed, {"why": b"3"})

    def test_hostile_files(self):
        function = self.infra.deploy(PYTHON)
        result = self.call(function, """
import socket
with open(OUT + '/good', 'w') as file: file.write('good')
os.symlink('/etc/passwd', OUT + '/passwd')
os.symlink('good', OUT + '/alias')
os.symlink('/proc/self/environ', OUT + '/environ')
os.symlink('/', OUT + '/root')
os.mkfifo(OUT + '/pipe')
socket.socket(socket.AF_UNIX).bind(OUT + '/socket')
open(OUT.encode() + b'/not-utf8-\\xff', 'w').close()
open(OUT + '/line\\nbreak', 'w').close()
for name, size in (('giant', 100 << 20), ('over', (10 << 20) + 1)):
    open(f'{OUT}/{name}', 'w').close()
    os.truncate(f'{OUT}/{name}', size)
""")
        self.assert_kept(result, {"good": b"good"})
        self.assertEqual(result["stderr"].count("is not a regular file"), 6, result["stderr"])
        self.assertEqual(result["stderr"].count("is over 10 MiB"), 2)
        self.assertEqual(result["stderr"].count("not UTF-8, or holds control characters"), 2)
        self.assertIn('"line\\nbreak"', result["stderr"])
        result = self.call(function, "")
        self.assertEqual((result["result"], result["coldStart"]), ([], False))

    def test_bounds(self):
        function = self.infra.deploy(PYTHON)
        result = self.call(function, "for i in range(10, 35): open(f'{OUT}/{i}', 'w').write(str(i))")
        self.assert_kept(result, {str(i): str(i).encode() for i in range(10, 30)})
        self.assertEqual(result["stderr"], "[not kept as output files: " + "; ".join(
            f'"{i}" is past the 20 files of a run' for i in range(30, 35)) + "]\n")
        result = self.call(function, f"for i in range(4): open(f'{{OUT}}/{{i}}', 'wb').write(bytes([i]) * {10 * MIB})")
        self.assert_kept(result, {str(i): bytes([i]) * 10 * MIB for i in range(3)})
        self.assertEqual(result["stderr"], '[not kept as output files: "3" is past 32 MiB in all]\n')
        deep = "/".join("123456789")
        result = self.call(function, f"os.makedirs(OUT + '/{deep}'); open(OUT + '/{deep}/file', 'w').close()")
        self.assertEqual(result["stderr"], '[not kept as output files: "1/2/3/4/5/6/7/8" is more than 8 folders deep]\n')
        self.assertTrue(self.call(function, "")["coldStart"], "an instance with files that stay is not used again")
        result = self.call(function, "for i in range(3000): os.symlink('x', f'{OUT}/{i}')")
        self.assertEqual(result["outputFiles"], [])
        self.assertIn("more]", result["stderr"])
        self.assertLess(len(result["stderr"]), 2000)
        result = self.call(function, "")
        self.assertEqual((result["coldStart"], result["result"]), (True, []))

    def test_what_is_not_there(self):
        function = self.infra.deploy(PYTHON)
        result = self.call(function, "open(OUT + '/here', 'w').close()")
        base = f"/functions/{function}/logs/{result['requestId']}/files"
        for path in ("/there", "/here/x", "/.", "/..%2fhere", "/%00", "/a%2F..%2Fhere"):
            answer = self.infra.get(base + path)
            self.assertEqual((answer.status, answer.json()["code"]), (404, "output_file_not_found"), path)
        self.assertIn("expired", self.infra.get(base + "/there").json()["error"])
        self.assertEqual(self.infra.get(base + "/").status, 404)
        self.assertEqual(self.infra.get(base).status, 404)
        other = self.infra.deploy(PYTHON)
        self.assertEqual(self.infra.get(f"/functions/{other}/logs/{result['requestId']}/files/here").status, 404)
        self.assertEqual(self.infra.get(base + "/here", key=None).status, 401)
        self.assertEqual(self.infra.request("POST", base + "/here").status, 405)
        self.assertEqual(self.infra.request("HEAD", base + "/here").status, 200)
        self.infra.request("DELETE", f"/functions/{function}")
        self.assertEqual(self.infra.get(base + "/here").json()["code"], self.infra.get(f"/functions/{function}").json()["code"])

    def test_a_run_that_asked_for_no_answer_keeps_its_files_too(self):
        function = self.infra.deploy(PYTHON)
        job = self.infra.run_async(function, {"code": "open(OUT + '/a', 'w').write('async')"})
        self.assert_kept(self.infra.await_result(job), {"a": b"async"})


if __name__ == "__main__":
    main()
