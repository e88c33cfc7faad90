"""C++ and Go handlers that stay warm: the same promises as those of Python and Node.js, in each language."""

import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import Case, main, wait_for  # noqa: E402
from test_binaries import compiled  # noqa: E402

CPP = r"""
#include <infra.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <stdexcept>

static const char* const given = std::getenv("EARLY");
static const std::string at_start = given ? given : "unset";

// The hour at which 1970 began there. What a call makes of the zone must not be there in the next.
static std::string zone() {
  const std::time_t zero = 0;
  std::tm here{};
  localtime_r(&zero, &here);
  setenv("TZ", "America/New_York", 1);
  tzset();
  return std::to_string(here.tm_hour);
}

static int calls = 0;
std::string handler(const std::string& event, const infra::Context& context) {
  ++calls;
  const auto has = [&](const char* word) { return event.find(word) != std::string::npos; };
  if (has("throw")) throw std::runtime_error("b\xc3\xa4" "d \"one\"");
  if (has("other")) throw 7;
  if (has("broken")) return "{not json";
  if (has("latin")) return "\"\xe4\"";
  if (has("large")) return "\"" + std::string(6 * 1024 * 1024, 'x') + "\"";
  if (has("nothing")) return "";
  if (has("crash")) std::raise(SIGSEGV);
  if (has("spin")) for (;;) {}
  if (has("exit")) std::exit(3);
  if (has("size")) return std::to_string(event.size());
  if (has("start")) return "[\"" + at_start + "\"," + zone() + "]";
  std::printf("printed\n");
  const char* own = std::getenv("OWN");
  const std::string kept = own ? own : "unset";
  setenv("OWN", "changed", 1);
  return "{\"calls\":" + std::to_string(calls) + ",\"event\":" + event + ",\"id\":\"" + context.request_id + "\",\"memory\":" +
         std::to_string(context.memory_mb) + ",\"left\":" + (context.remaining_time_ms() > 1000 ? "true" : "false") +
         ",\"own\":\"" + kept + "\",\"model\":\"" + context.model_id + "\"}";
}
INFRA_HANDLER(handler)
"""

GO = """package main

import (
\t"encoding/json"
\t"errors"
\t"fmt"
\t"math"
\t"os"
\t"runtime"
\t"runtime/debug"
\t"strings"
\t"syscall"
\t"time"

\t"infra"
)

var early = os.Getenv("EARLY")

var calls int

func handler(ctx infra.Context, event json.RawMessage) (any, error) {
\tcalls++
\thas := func(word string) bool { return strings.Contains(string(event), word) }
\tswitch {
\tcase has("throw"):
\t\treturn nil, errors.New(`b\u00e4d "one"`)
\tcase has("other"):
\t\tpanic(7)
\tcase has("broken"), has("latin"):
\t\treturn math.NaN(), nil
\tcase has("large"):
\t\treturn strings.Repeat("x", 6<<20), nil
\tcase has("nothing"):
\t\treturn nil, nil
\tcase has("crash"):
\t\tsyscall.Kill(os.Getpid(), syscall.SIGKILL)
\tcase has("spin"):
\t\tfor {
\t\t}
\tcase has("exit"):
\t\tos.Exit(3)
\tcase has("size"):
\t\treturn len(event), nil
\tcase has("start"):
\t\treturn []any{early, time.Unix(0, 0).Hour(), debug.SetMemoryLimit(-1) >> 20, runtime.GOMAXPROCS(0)}, nil
\t}
\tfmt.Println("printed")
\town, found := os.LookupEnv("OWN")
\tif !found {
\t\town = "unset"
\t}
\tos.Setenv("OWN", "changed")
\treturn map[string]any{"calls": calls, "event": event, "id": ctx.RequestID, "memory": ctx.MemoryMB,
\t\t"left": ctx.RemainingTime() > time.Second, "own": own, "model": ctx.ModelID}, nil
}

func main() { infra.Handle(handler) }
"""

VENDORED_GO = {
    "go.mod": "module app\n\ngo 1.18\n\nrequire example.com/dep v1.0.0\n",
    "vendor/modules.txt": "# example.com/dep v1.0.0\n## explicit\nexample.com/dep\n",
    "vendor/example.com/dep/dep.go": 'package dep\n\nconst Word = "vendored"\n',
    "main.go": 'package main\n\nimport (\n\t"encoding/json"\n\n\t"example.com/dep"\n\t"infra"\n)\n\nfunc main() {\n\tinfra.Handle(func('
               'infra.Context, json.RawMessage) (any, error) { return dep.Word, nil })\n}\n',
}


class Warm:
    """Of one language; `files` is the function's source."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.function = cls.infra.deploy(cls.files, runtime=cls.runtime, memoryMb=256, timeoutMs=20_000)

    def call(self, data=None):
        return self.infra.result(self.function, data)

    def test_one_process_answers_call_after_call(self):
        function = self.infra.deploy(self.files, runtime=self.runtime, memoryMb=256, timeoutMs=20_000,
                                     envVars=json.dumps({"OWN": "mine \u00e9\U0001f600\n\""}) if self.runtime == "go" else "{}")
        event = {"text": "\u00e4\U0001f600\n\"", "n": [1, 2.5, -3e10, None, True]}
        first = self.infra.result(function, event)
        self.assertEqual((first["status"], first["coldStart"]), ("SUCCESS", True), first)
        value = first["result"]
        self.assertEqual((value["calls"], value["event"], value["id"], value["memory"], value["left"], value["model"]),
                         (1, event, first["requestId"], 256, True, "llama3:8b"))
        self.assertEqual(value["own"], "mine \u00e9\U0001f600\n\"" if self.runtime == "go" else "unset")
        printed, returned = first["stdout"].strip().split("\n")
        self.assertEqual((printed, json.loads(returned)), ("printed", value))
        self.assertLessEqual(first["handlerDurationMs"], first["durationMs"])
        second = self.infra.result(function, event)
        self.assertEqual((second["coldStart"], second["result"]["calls"], second["result"]["own"]), (False, 2, value["own"]))

    def test_a_process_begins_with_the_functions_variables(self):
        """What a language reads before any call, and never again, is there; other variables make another process."""
        def variables(early, zone):
            return {"EARLY": early, "TZ": zone, "GOMEMLIMIT": "64MiB", "GOMAXPROCS": "3"}
        function = self.infra.deploy(self.files, runtime=self.runtime, memoryMb=256, envVars=json.dumps(variables("\u00e9 1", "Asia/Tokyo")))
        own = [64, 3] if self.runtime == "go" else []
        for early, hour in (("\u00e9 1", 9), ("2", 5)):
            for cold in (True, False):
                result = self.infra.result(function, "start")
                self.assertEqual((result["result"], result["coldStart"]), ([early, hour, *own], cold), result)
            answer = self.infra.request("PUT", f"/functions/{function}", {"envVars": variables("2", "Asia/Kathmandu")})
            self.assertEqual(answer.status, 200, answer)

    def test_one_that_waited_begins_with_them_too(self):
        def waiting():
            name = f'worker_pool_instances{{runtime="{self.runtime}"}}'
            return sum(float(line.split()[-1]) for line in self.infra.worker_metrics().splitlines() if line.startswith(name))
        before = waiting()
        function = self.infra.deploy(self.files, runtime=self.runtime, memoryMb=256, keepWarm=1, envVars=json.dumps({"EARLY": "kept"}))
        wait_for(lambda: waiting() == before + 1, what="an instance that waits")
        result = self.infra.result(function, "start")
        self.assertEqual((result["result"][0], result["coldStart"]), ("kept", False), result)

    def test_what_it_throws_fails_the_call_and_the_process_goes_on(self):
        before = self.call()["result"]["calls"]
        for data, says in (("throw", 'b\u00e4d "one"'), ("other", "")):
            result = self.call(data)
            self.assertEqual((result["status"], result["code"], result["coldStart"]), ("FAILED", "handler_error", False), result)
            self.assertIn(says, result["stderr"])
        self.assertEqual(self.call()["result"]["calls"], before + 3)

    def test_what_is_no_result_is_said_and_the_process_goes_on(self):
        before = self.call()["result"]["calls"]
        for data, code in (("broken", "result_not_json"), ("latin", "result_not_json"), ("large", "result_too_large")):
            result = self.call(data)
            self.assertEqual((result["status"], result["code"]), ("FAILED", code), result)
        nothing = self.call("nothing")
        self.assertEqual((nothing["status"], nothing["result"], nothing["stdout"]), ("SUCCESS", None, ""))
        self.assertEqual(self.call()["result"]["calls"], before + 5)

    def test_a_large_input(self):
        result = self.call({"size": "x" * 5_000_000})
        self.assertEqual(result["status"], "SUCCESS", result)
        self.assertGreater(result["result"], 5_000_000)

    def test_large_inputs_for_ever(self):
        """More of them than its memory holds: nothing of a call may stay, the variables that it set included."""
        function = self.infra.deploy(self.files, runtime=self.runtime, memoryMb=128)
        large = "x" * 90_000
        results = [self.infra.result(function, {"size": f"{number:06}{large}"}) for number in range(1600)]
        self.assertEqual({result["status"] for result in results}, {"SUCCESS"}, results[-1])
        self.assertEqual(sum(result["coldStart"] for result in results), 1)

    def test_crash_exit_and_timeout_end_the_process_and_nothing_else(self):
        function = self.infra.deploy(self.files, runtime=self.runtime, memoryMb=256, timeoutMs=700)
        for data, status, code in (("crash", "FAILED", "crashed"), ("exit", "FAILED", "exited"), ("spin", "TIMEOUT", "timeout")):
            result = self.infra.result(function, data)
            self.assertEqual((result["status"], result["code"]), (status, code), result)
            after = self.infra.result(function)
            self.assertEqual((after["status"], after["coldStart"], after["result"]["calls"]), ("SUCCESS", True, 1))


class WarmCpp(Warm, Case):
    runtime, files = "cpp", {"main.cpp": CPP}

    def test_a_ready_binary_of_this_form_stays_warm_too(self):
        headers = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../runtimes/cpp")
        program = compiled(CPP, "-static", "-std=c++17", "-s", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-Wl,--gc-sections",
                           "-ffunction-sections", "-fdata-sections", "-I" + headers)
        function = self.infra.deploy({"main": program}, runtime="cpp", memoryMb=256)
        self.assertEqual([self.infra.result(function)["result"]["calls"] for _ in range(3)], [1, 2, 3])

    def test_a_failure_before_the_first_call_is_the_functions_own(self):
        source = CPP + "\nstatic const int early = (std::fprintf(stderr, \"too early\\n\"), std::abort(), 1);\n"
        result = self.infra.result(self.infra.deploy({"main.cpp": source}, runtime="cpp"))
        self.assertEqual((result["status"], result["code"]), ("FAILED", "crashed"), result)
        self.assertIn("too early", result["stderr"])


class WarmGo(Warm, Case):
    runtime, files = "go", {"main.go": GO}

    def test_with_vendored_packages(self):
        result = self.infra.result(self.infra.deploy(VENDORED_GO, runtime="go"))
        self.assertEqual((result["status"], result["result"]), ("SUCCESS", "vendored"), result)


if __name__ == "__main__":
    main()
