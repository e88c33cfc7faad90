"""Ready binaries of C++ and Go: a plain program is run once a call, and what can't run here is refused at the upload."""

import functools
import json
import os
import shutil
import subprocess
import tempfile

from harness import Case, bundle, main

COMPILER = shutil.which("g++") or shutil.which("clang++-19")
ISOLATED = os.environ.get("INFRA_SANDBOX") != "none"  # nothing else bounds memory

PROGRAM = r"""
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <unistd.h>

int main() {
  const char* payload = std::getenv("PAYLOAD");
  const char* file = std::getenv("PAYLOAD_FILE");
  if (file != nullptr) {
    std::FILE* input = std::fopen(file, "r");
    std::size_t size = 0;
    for (char block[4096]; std::size_t count = std::fread(block, 1, sizeof block, input);) size += count;
    std::printf("%zu bytes in a file\n", size);
    return payload == nullptr ? 0 : 1;
  }
  if (std::strstr(payload, "crash") != nullptr) std::raise(SIGSEGV);
  if (std::strstr(payload, "spin") != nullptr) for (;;) pause();
  if (std::strstr(payload, "memory") != nullptr) for (;;) std::memset(std::malloc(1 << 20), 1, 1 << 20);
  if (std::strstr(payload, "leave") != nullptr && fork() == 0) for (;;) pause();
  if (std::strstr(payload, "seven") != nullptr) return 7;
  std::printf("%s %s %s %s\n", payload, std::getenv("MEMORY_MB"), std::getenv("WHO"), std::getenv("OUTPUT_DIR"));
  std::fprintf(stderr, "to stderr\n");
  return access("data.txt", R_OK) == 0 ? 0 : 1;
}
"""


@functools.cache
def compiled(source=PROGRAM, *options):
    """The bytes of a program; what a user's own compiler would give."""
    with tempfile.TemporaryDirectory() as folder:
        target = os.path.join(folder, "main")
        subprocess.run([COMPILER, "-x", "c++", "-", "-O1", *(options or ["-static"]), "-o", target], input=source.encode(),
                       check=True, timeout=120)
        with open(target, "rb") as file:
            return file.read()


class ReadyBinaries(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.function = cls.infra.deploy({"main": compiled(), "data.txt": "here"}, runtime="cpp", envVars=json.dumps({"WHO": "me"}))

    def test_it_runs_once_a_call_with_its_input_in_the_environment(self):
        for runtime in ("cpp", "go"):
            function = self.infra.deploy({"main": compiled(), "data.txt": "x"}, runtime,
                                         envVars=json.dumps({"WHO": "I \u00e9\U0001f600\n\""}))
            result = self.infra.result(function, {"a": "\u00fc", "n": 1.50})
            self.assertEqual((result["status"], result["exitCode"], result["result"]), ("SUCCESS", 0, None), result)
            self.assertTrue(result["stdout"].startswith('{"a"'), result)
            self.assertIn(' 128 I \u00e9\U0001f600\n"', result["stdout"])
            self.assertEqual(result["stderr"], "to stderr\n")
            self.assertTrue(result["coldStart"])
            self.assertGreater(result["handlerDurationMs"], 0)
            self.assertGreater(result["peakMemoryBytes"], 0)
            self.assertFalse(self.infra.result(function, 2)["coldStart"])

    def test_a_dynamically_linked_program_runs_too(self):
        function = self.infra.deploy({"main": compiled(PROGRAM, "-pie", "-fPIE"), "data.txt": ""}, runtime="cpp")
        self.assertEqual(self.infra.result(function, {})["status"], "SUCCESS")

    def test_a_large_input_comes_in_a_file(self):
        big = {"text": "x" * 3_000_000}
        result = self.infra.result(self.function, big)
        self.assertEqual(result["status"], "SUCCESS", result)
        size = int(result["stdout"].split()[0])
        self.assertIn(size, (len(json.dumps(big)), len(json.dumps(big, separators=(",", ":")))))

    def test_each_way_to_fail(self):
        for data, code, exit_code, says in (("seven", "exited", 7, "exit code 7"), ("crash", "crashed", 139, "signal 11 (SIGSEGV)"),
                                            ("memory", "out_of_memory", 137, "128 MB")):
            if data == "memory" and not ISOLATED:
                continue
            result = self.infra.result(self.function, data)
            self.assertEqual((result["status"], result["code"], result["exitCode"]), ("FAILED", code, exit_code), result)
            self.assertIn(says, result["stderr"])
            self.assertEqual(self.infra.result(self.function, "fine")["status"], "SUCCESS")

    def test_a_program_that_does_not_end_is_killed(self):
        function = self.infra.deploy({"main": compiled(), "data.txt": ""}, runtime="cpp", timeoutMs=500)
        self.assertEqual(self.infra.result(function, "spin")["status"], "TIMEOUT")
        self.assertEqual(self.infra.result(function, "fine")["status"], "SUCCESS")

    def test_what_leaves_a_process_behind_is_not_used_again(self):
        function = self.infra.deploy({"main": compiled(), "data.txt": ""}, runtime="cpp")
        for _ in range(3):
            result = self.infra.result(function, "leave")
            self.assertEqual((result["status"], result["coldStart"]), ("SUCCESS", True), result)

    def test_what_cannot_run_here_is_refused_by_name(self):
        foreign = bytearray(compiled())
        foreign[18] = 243  # e_machine: RISC-V
        for content, says in ((bytes(foreign), "RISC-V"), (b"#!/bin/sh\necho", "a script"), (b"MZ\x90\0", "Windows"),
                              (b"", "is empty"), (compiled()[:30], "is cut off"),
                              (compiled("int f() { return 1; }", "-c"), "never linked")):
            answer = self.infra.upload(bundle({"main": content}), [("runtime", None, "cpp")])
            self.assert_error(answer, 400, "invalid_executable", ["main", says])
        answer = self.infra.upload(bundle({"main": b"#!"}), path=f"/functions/{self.function}", method="PUT")
        self.assert_error(answer, 400, "invalid_executable")
        self.assertEqual(self.infra.result(self.function, "still")["status"], "SUCCESS")


if __name__ == "__main__":
    main()
