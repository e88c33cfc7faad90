"""What becomes of C++ and Go source: the builder with the machine's own compilers, and how it reads go.mod for others."""

import json
import os
import stat
import subprocess
import sys
import unittest

from runner_process import ROOT, RunnerProcess

sys.path.insert(0, os.path.join(ROOT, "runtimes/build"))
from go_module import asked_version, lowered, lowered_list, vendored_packages  # noqa: E402

NOISE = b"\x00\x05\x16\x07 an AppleDouble"
CPP = {
    # as an editor on Windows writes it
    "main.cpp": b"\xef\xbb\xbf" + r"""#include <cstdio>
#include "config.hpp"
#include "part.c"
#include "src/piece.cpp"
extern "C" int halve(int number);
int of_root();
int of_src();
int main() { std::printf("%d %d %d %d %d %d\n", halve(WHOLE), of_root(), of_src(), part(), piece(), registered); }
""".replace("\n", "\r\n").encode(),
    "include/config.hpp": "#define WHOLE 84\nextern int registered;\n",
    "helper.c": "#include <stdlib.h>\nint halve(int class) { int *room = malloc(4); *room = class / 2; return *room; }\n",
    "part.c": "static int part(void) { return 4; }\n#ifndef WHOLE\n#error only a part\n#endif\n",
    "util.cpp": "int registered = 0;\nint of_root() { return 2; }\n",
    "src/util.cpp": '#include "own.hpp"\nint of_src() { return OWN; }\n',
    "src/own.hpp": "#define OWN 3\n",
    "src/piece.cpp": "int piece() { return std::printf(\"\") + 5; }\n",  # with what stands before it where it is included
    "src/plugin.cc": "#include <config.hpp>\nstatic const bool done = (registered = 6, true);\n",  # nobody calls it
    "src/tool.cpp": "#define START int main\nSTART() { return 1; }\nint of_src();\nint twice() { return 2 * of_src(); }\n",
    "other.cc": "int main() { return 2; }\n",
    "._main.cpp": NOISE, "._helper.c": NOISE, ".hidden.cpp": "not C++", "src/._util.cpp": NOISE, "__MACOSX/._main.cpp": NOISE,
}
# Nothing in it needs a new Go, but all of it was written by one. What the last loop prints depends on the language's version.
GO = {
    "go.mod": b"\xef\xbb\xbf" + """module example.com/fn // as `go get` writes it

go 1.99.1

toolchain go1.99.3

godebug (
\tdefault=go1.98
\tpanicnil=1
)

require (
\tgithub.com/someone/thing v1.0.0
\texample.com/local v0.0.0
)

tool github.com/someone/thing/cmd/thing

ignore ./node_modules

replace example.com/local => ./local
""".replace("\n", "\r\n").encode(),
    "main.go": b"\xef\xbb\xbf" + r"""package main

import (
	"encoding/json"
	"strings"

	"example.com/local"
	"github.com/someone/thing"
	"infra"
)

func main() {
	infra.Handle(func(ctx infra.Context, event json.RawMessage) (any, error) {
		said := []string{thing.Hello(), local.Hello()}
		said = append(said, each()...)
		return strings.Join(said, " "), nil
	})
}

func each() []string {
	var later []func() string
	for _, word := range []string{"a", "b"} {
		later = append(later, func() string { return word })
	}
	for i := 0; i < 4; i++ {
		if i == 1 {
			continue
		}
		later = append(later, func() string { i += 3; return string(rune('0' + i)) })
		i++
	}
	var words []string
	for _, f := range later {
		words = append(words, f())
	}
	return words
}
""".replace("\n", "\r\n").encode(),
    "local/go.mod": "module example.com/local\n\ngo 1.99.0\n\ntoolchain go1.99.1\n",
    "vendor/example.com/local/local.go": 'package local\n\nfunc Hello() string { return "local" }\n',
    "vendor/modules.txt": "# example.com/local v0.0.0 => ./local\n## explicit; go 1.99.0\nexample.com/local\n# github.com/someone/thing v1.0.0\n"
                          "## explicit; go 1.99\ngithub.com/someone/thing\n# example.com/local => ./local\n",
    "vendor/github.com/someone/thing/thing.go": """package thing

func Hello() string {
	var last func() string
	for _, word := range []string{"thing", "none"} {
		if last == nil {
			last = func() string { return word }
		}
	}
	return last()
}
""",
    "go.work": "go 1.99\n\nuse (\n\t.\n\t../elsewhere\n)\n",
    "main_test.go": 'package main\n\nimport "github.com/stretchr/testify/assert"\n',
}


def build(language, files):
    with RunnerProcess(language, files) as builder:
        builder.control.settimeout(110)
        builder.send(b"{}")
        return builder.receive_bytes()


class Builder(unittest.TestCase):
    def output_of(self, language, files, event=b""):
        program = build(language, files)
        self.assertTrue(program.startswith(b"\x7fELF"), program[:2000])
        with RunnerProcess("native", {"main": program}) as place:
            path = os.path.join(place.folder, "workspace/main")
            os.chmod(path, stat.S_IRWXU)
            return subprocess.run([path], input=event, stdout=subprocess.PIPE, timeout=20, check=True).stdout.decode()

    def refusal_of(self, language, files):
        answer = json.loads(build(language, files))
        return answer["failed"], answer.get("note", "")


class Cpp(Builder):
    def test_a_project(self):
        self.assertEqual(self.output_of("cpp", CPP), "42 2 3 4 5 6\n")

    def test_where_main_is_elsewhere(self):
        files = {"main.cpp": "int answer() { return 42; }\n",
                 "src/start.cpp": "#include <cstdio>\nint answer();\nint main() { std::printf(\"%d\\n\", answer()); }\n"}
        self.assertEqual(self.output_of("cpp", files), "42\n")

    def test_errors_name_their_file(self):
        for name, text in (("src/bad.cpp", "int broken(\n"), ("bad.c", "int broken(\n"), ("src/bad.c", "int class = 1; int *wrong = new int;\n")):
            words, _ = self.refusal_of("cpp", {"main.cpp": "int main() {}\n", name: text})
            self.assertRegex(words, f"(?m)^{name}:1:.* error: ")
        words, _ = self.refusal_of("cpp", {"main.cpp": "void absent();\nint main() { absent(); }\n"})
        self.assertIn("undefined reference to `absent()'", words)

    def test_what_is_no_source_at_all(self):
        words, _ = self.refusal_of("cpp", {"main.cpp/file": ""})
        self.assertIn("no input files", words)


class Go(Builder):
    def test_what_a_newer_go_wrote(self):
        answer = json.loads(self.output_of("go", GO, b"{}"))
        self.assertEqual(answer["value"], "thing local a b 4 6")

    def test_without_a_module_it_is_all_that_this_go_has(self):
        files = {"main.go": "package main\n\nimport \"fmt\"\n\nfunc first[T any](all ...T) T { return all[0] }\nfunc main() { fmt.Println(first(7)) }\n"}
        self.assertEqual(self.output_of("go", files), "7\n")

    def test_code_that_needs_a_newer_go_is_told_which_is_here(self):
        main = "package main\n\nimport \"strings\"\n\nfunc main() { strings.%s(1) }\n"
        words, note = self.refusal_of("go", {"main.go": main % "OfTheFuture", "go.mod": "module fn\n\ngo 1.99.1\n"})
        self.assertIn("main.go:5", words)
        self.assertRegex(note, r"^This worker has Go 1\.\d+\S*; go\.mod asks for 1\.99\.1\. .*CGO_ENABLED=0.* upload the binary main\.$")
        _, note = self.refusal_of("go", {"main.go": main % "OfTheFuture"})
        self.assertRegex(note, r"^This worker has Go 1\.\d+[\d.]*\. ")
        _, note = self.refusal_of("go", {"main.go": "package main\n\nfunc main() { oops() }\n"})
        self.assertEqual(note, "")

    def test_what_can_not_be_there_is_said(self):
        imports = 'package main\n\nimport "github.com/google/uuid"\n\nfunc main() { uuid.NewString() }\n'
        for module in ("", "require github.com/google/uuid v1.6.0\n"):
            words, note = self.refusal_of("go", {"main.go": imports, "go.mod": f"module fn\n\ngo 1.18\n\n{module}"})
            self.assertIn("github.com/google/uuid", words)
            self.assertEqual(note, "Modules are not downloaded here: put them into the ZIP (go mod vendor).")
        c = 'package main\n\n// int two() { return 2; }\nimport "C"\n\n'
        for files in ({"main.go": c + "func main() { C.two() }\n"},
                      {"main.go": "package main\n\nfunc main() { two() }\n", "two.go": c + "func two() { C.two() }\n"}):
            self.assertIn("without cgo", self.refusal_of("go", files)[1])
        words, _ = self.refusal_of("go", {"main.go": "package handler\n\nfunc Handle() {}\n"})
        self.assertIn("package main", words)

    def test_a_loop_that_can_not_be_parted_is_refused(self):
        main = "package main\n\nfunc main() {\n\tfor i := 0; func() bool { return i < 2 }(); i++ {\n\t}\n}\n"
        answer = build("go", {"main.go": main, "go.mod": "module fn\n\ngo 1.99\n"})
        if not answer.startswith(b"\x7fELF"):  # of Go 1.22 and later it is one
            self.assertIn("main.go:4:2: a function in the for clause", json.loads(answer)["failed"])
            self.assertIn("go.mod asks for 1.99", json.loads(answer)["note"])

    def test_bytes_that_are_no_text_and_folders_in_the_way_end_in_words(self):
        words, _ = self.refusal_of("go", {"main.go": "package main\n\nfunc main() {}\n", "go.mod": b"module \xff\n"})
        self.assertIn("invalid UTF-8", words)
        words, _ = self.refusal_of("go", {"main.go": "package main\n\nfunc main() {}\n", "go.mod/x": ""})
        self.assertIn("go.mod", words)


class GoModule(unittest.TestCase):
    NEW = ("module m\n\ngo 1.24.2 // newest\n\ntoolchain go1.24.3\n\ngodebug (\n\tdefault=go1.21\n)\ntool (\n\tx/y\n)\ntool x/z\nignore ./web\n"
           "require (\n\tgo.uber.org/zap v1.0.0\n\ttool.example v1.0.0 // indirect\n)\n\nretract v1.0.0\n")

    def test_each_go_loses_what_it_does_not_know(self):
        for local, go, kept in (("go1.19.8", "1.19", []), ("go1.21.3", "1.21", ["toolchain"]), ("go1.23.1", "1.23", ["toolchain", "godebug"]),
                                ("go1.24.1", "1.24", ["toolchain", "godebug", "tool"]), ("go1.24.2", "1.24.2", ["toolchain", "godebug", "tool"])):
            text = lowered(self.NEW, local)
            self.assertEqual(asked_version(text), go, local)
            self.assertEqual([verb for verb in ("toolchain", "godebug", "tool", "ignore") if f"\n{verb} " in text], kept, local)
            self.assertEqual(text.splitlines()[14:], self.NEW.splitlines()[14:], local)
        self.assertEqual(lowered(self.NEW, "go1.25.0"), self.NEW)

    def test_what_is_understood_stays_as_it_is(self):
        for text in ("", "module m\n", "module m\n\ngo 1.19\n", "// go 1.99\nmodule m\n", "module m\n\ngo newest\n",
                     "module m\n\nrequire (\n\tgo v1.99.0\n)\n"):
            self.assertEqual(lowered(text, "go1.19.8"), text)
        self.assertEqual(lowered("go 1.19.4\n", "go1.19.8"), "go 1.19\n")
        self.assertEqual(lowered("go 1.18rc1\n", "go1.19.8"), "go 1.18\n")
        self.assertEqual(lowered("go 1.23rc1\n", "go1.23.0"), "go 1.23rc1\n")

    def test_the_list_of_what_is_vendored(self):
        text = ("## workspace\n# a/b v1.0.0\n## explicit; go 1.22.0\na/b\na/b/c\n# d/e v1.0.0\n## go 1.18\nd/e\n# f v1.0.0\n## explicit\nf\n"
                "# g v1.0.0 => ./g\n## explicit; go 1.99\ng\n# g => ./g\n")
        self.assertEqual(vendored_packages(text), {"a/b": "1.22.0", "a/b/c": "1.22.0", "d/e": "1.18", "f": "", "g": "1.99"})
        self.assertEqual(lowered_list(text, "go1.19.8"), text.replace("1.22.0", "1.19").replace("1.99", "1.19"))
        self.assertEqual(lowered_list(text, "go1.22.5"), text.replace("1.99", "1.22"))


if __name__ == "__main__":
    unittest.main()
