"""C++ and Go source: compiled once a version, in a sandbox; what does not compile is refused with the compiler's words."""

import os

from harness import Case, bundle, main

CPP = r"""
#include <cstdio>
#include <cstdlib>
#include "lib/twice.hpp"
#include <deep.h>
int main() { std::printf("%d %s\n", twice(21) + other() + deep() + plain(), std::getenv("PAYLOAD")); }
"""
CPP_FILES = {"main.cpp": CPP, "other.cpp": "int other() { return 1; }\n",
             "lib/twice.hpp": "#pragma once\ninline int twice(int n) { return 2 * n; }\nint other();\n",
             "include/deep.h": 'int deep();\nextern "C" int plain(void);\n', "src/deep.cc": "#include <deep.h>\nint deep() { return 2; }\n",
             "plain.c": "int plain(void) { int class = -2; return class; }\n"}
GO = """package main

import (
\t"encoding/json"
\t"fmt"
\t"os"
)

func main() {
\tvar event map[string]int
\tif err := json.Unmarshal([]byte(os.Getenv("PAYLOAD")), &event); err != nil {
\t\tpanic(err)
\t}
\tfmt.Println(twice(event["n"]))
}
"""
GO_FILES = {"main.go": GO, "twice.go": "package main\n\nfunc twice(n int) int { return 2 * n }\n"}
# As a Go that nobody has yet writes it; the loop is what such a one makes of it.
VENDORED = {
    "go.mod": "module app\n\ngo 1.99.1\n\ntoolchain go1.99.2\n\nrequire example.com/dep v1.0.0\n",
    "vendor/modules.txt": "# example.com/dep v1.0.0\n## explicit; go 1.99\nexample.com/dep\n",
    "vendor/example.com/dep/dep.go": 'package dep\n\nconst Word = "vendored"\n',
    "inside/inside.go": 'package inside\n\nconst Word = "own package"\n',
    "main.go": 'package main\n\nimport (\n\t"app/inside"\n\t"fmt"\n\n\t"example.com/dep"\n)\n\n'
               'func main() {\n\tvar last func() string\n\tfor _, word := range []string{inside.Word, "of all"} {\n'
               '\t\tif last == nil {\n\t\t\tlast = func() string { return word }\n\t\t}\n\t}\n\tfmt.Println(dep.Word, last())\n}\n',
}
# What a build must not reach, asked by the preprocessor, which is the only code of a stranger's that runs in it.
NOSY = '#if __has_include("%s")\n#error it can see %s\n#endif\nint main() {}\n'


class Compiled(Case):
    def test_cpp_of_several_files_with_their_headers(self):
        function = self.infra.deploy(CPP_FILES, runtime="cpp")
        first = self.infra.result(function, {"a": 1})
        self.assertEqual((first["status"], first["stdout"]), ("SUCCESS", '43 {"a": 1}\n'), first)
        self.assertTrue(first["coldStart"])
        self.assertFalse(self.infra.result(function)["coldStart"])

    def test_go_with_the_standard_library_alone(self):
        result = self.infra.result(self.infra.deploy(GO_FILES, runtime="go"), {"n": 21})
        self.assertEqual((result["status"], result["stdout"]), ("SUCCESS", "42\n"), result)

    def test_go_with_a_module_and_vendored_packages(self):
        result = self.infra.result(self.infra.deploy(VENDORED, runtime="go"))
        self.assertEqual((result["status"], result["stdout"]), ("SUCCESS", "vendored own package\n"), result)

    def test_one_bundle_may_be_a_function_of_two_runtimes(self):
        files = {"main.py": "def handler(event, context):\n    return 'python'\n",
                 "main.cpp": '#include <cstdio>\nint main() { std::puts("c++"); }\n'}
        for _ in range(2):
            self.assertEqual(self.infra.result(self.infra.deploy(files, runtime="python"))["result"], "python")
            self.assertEqual(self.infra.result(self.infra.deploy(files, runtime="cpp"))["stdout"], "c++\n")

    def test_what_does_not_compile_is_refused_with_the_compilers_words(self):
        before = len(self.infra.get("/functions").json())
        for runtime, files, says in (
                ("cpp", {"main.cpp": "int main() {\n  return oops;\n}\n"}, ["main.cpp:2:10: error", "oops"]),
                ("cpp", {"main.cpp": "int helper() { return 1; }\n"}, ["undefined reference", "main"]),
                ("go", {"main.go": "package main\n\nfunc main() { oops() }\n"}, ["main.go:3", "undefined: oops"]),
                ("go", {"main.go": 'package main\n\nimport "example.com/absent"\n\nfunc main() { absent.F() }\n'},
                 ["example.com/absent", "go mod vendor"]),
                ("go", {"main.go": "package main\n\nfunc main() { future() }\n", "go.mod": "module app\n\ngo 1.99\n"},
                 ["undefined: future", "This worker has Go 1.", "go.mod asks for 1.99"]),
                ("go", {"main.go": "package other\n"}, ["package main"])):
            answer = self.infra.upload(bundle(files), [("runtime", None, runtime)])
            self.assert_error(answer, 422, "compile_error", says)
        self.assertEqual(len(self.infra.get("/functions").json()), before)

    def test_many_errors_are_cut_at_a_line(self):
        source = "".join(f"int f{n}() {{ return undeclared_{n}; }}\n" for n in range(2000))
        error = self.assert_error(self.infra.upload(bundle({"main.cpp": source}), [("runtime", None, "cpp")]), 422, "compile_error")
        self.assertLess(len(error["error"]), 20_000)
        self.assertIn("undeclared_0", error["error"])
        self.assertRegex(error["error"], r"\n\[cut: the first errors are kept\]$")

    def test_an_update_that_does_not_compile_changes_nothing(self):
        function = self.infra.deploy(CPP_FILES, runtime="cpp")
        answer = self.infra.upload(bundle({"main.cpp": "int main( {"}), path=f"/functions/{function}", method="PUT")
        self.assert_error(answer, 422, "compile_error")
        self.assertEqual(self.infra.result(function)["status"], "SUCCESS")

    def test_a_build_sees_nothing_of_the_machine(self):
        if os.environ.get("INFRA_SANDBOX") == "none":
            self.skipTest("nothing is isolated")
        for path in (os.path.join(self.infra.data, "infra.db"), "/etc/shadow", "/root/.bashrc", os.path.abspath(__file__)):
            self.assertTrue(os.path.exists(path) or path == "/root/.bashrc")
            answer = self.infra.upload(bundle({"main.cpp": NOSY % (path, path)}), [("runtime", None, "cpp")])
            self.assertEqual(answer.status, 200, f"{path}: {answer}")

    def test_a_compiler_that_eats_memory_is_stopped(self):
        if os.environ.get("INFRA_SANDBOX") == "none":
            self.skipTest("nothing bounds memory")
        source = '#include "/dev/zero"\nint main() {}\n'
        answer = self.infra.upload(bundle({"main.cpp": source}), [("runtime", None, "cpp")])
        self.assert_error(answer, 422, "compile_error")

    def test_a_crash_and_a_panic_are_the_functions_failure(self):
        crash = self.infra.deploy({"main.cpp": "int main() { *(volatile int*)8 = 1; }"}, runtime="cpp")
        result = self.infra.result(crash)
        self.assertEqual((result["status"], result["code"], result["exitCode"]), ("FAILED", "crashed", 139), result)
        panic = self.infra.deploy({"main.go": 'package main\n\nfunc main() { panic("at the disco") }\n'}, runtime="go")
        result = self.infra.result(panic)
        self.assertEqual((result["status"], result["exitCode"]), ("FAILED", 2), result)
        self.assertIn("at the disco", result["stderr"])


class Kept(Case):
    def test_a_program_is_kept_over_a_restart(self):
        function = self.infra.deploy(CPP_FILES, runtime="cpp")
        kept = [os.path.join(base, name) for base, _, names in os.walk(os.path.join(self.infra.data, "objects/builds")) for name in names]
        self.assertEqual(len(kept), 1)
        self.assertEqual(self.infra.stop(), 0)
        with open(kept[0], "r+b") as program:  # what runs after the restart is this file, not a new compilation
            text = program.read()
            self.assertIn(b"%d %s\n", text)
            program.seek(0)
            program.write(text.replace(b"%d %s\n", b"%d:%s\n"))
        self.infra.start()
        self.assertEqual(self.infra.result(function, 7)["stdout"], "43:7\n")


if __name__ == "__main__":
    main()
