"""C++ and Go source in a fleet: compiled by the first worker that runs it and kept in the bucket for the others; what does not
compile is the run's failure."""

import json
from concurrent.futures import ThreadPoolExecutor

from fleet_case import FleetCase
from harness import main, wait_for

SLEEPER = '#include <cstdio>\n#include <unistd.h>\nint main() { sleep(1); std::puts("slept"); }\n'
GO = 'package main\n\nimport (\n\t"encoding/json"\n\t"infra"\n)\n\nfunc main() {\n\tinfra.Handle(func(_ infra.Context, ' \
     'event json.RawMessage) (any, error) { return event, nil })\n}\n'


class Compile(FleetCase):
    def compilations(self, runtime):
        """What the workers' logs tell of them."""
        lines = [json.loads(line) for worker in self.fleet.fleet.workers for line in worker.log.read_text().splitlines()
                 if '"msg":"compiled"' in line]
        return [line for line in lines if line["runtime"] == runtime]

    def test_one_worker_compiles_for_all(self):
        function = self.one.deploy({"main.cpp": SLEEPER}, runtime="cpp")
        first = self.one.result(function)
        self.assertEqual((first["status"], first["stdout"]), ("SUCCESS", "slept\n"), first)
        self.assertEqual(len(self.compilations("cpp")), 1)

        def others():
            with ThreadPoolExecutor(8) as clients:
                results = list(clients.map(lambda client: client.result(function), [self.one, self.two] * 4))
            for result in results:
                self.assertEqual((result["status"], result["stdout"]), ("SUCCESS", "slept\n"), result)
            return len({first["workerId"], *(result["workerId"] for result in results)}) == 2
        wait_for(others, 60, "a run on the other worker")
        self.assertEqual(len(self.compilations("cpp")), 1)

    def test_a_go_handler(self):
        function = self.two.deploy({"main.go": GO}, runtime="go")
        self.assertEqual(self.one.result(function, {"n": 1})["result"], {"n": 1})
        self.assertEqual(len(self.compilations("go")), 1)

    def test_what_does_not_compile_is_the_runs_failure(self):
        function = self.one.deploy({"main.cpp": "int main() { return oops; }\n"}, runtime="cpp")
        for _ in range(2):
            result = self.one.result(function)
            self.assertEqual((result["status"], result["code"]), ("FAILED", "compile_error"), result)
            self.assertIn("main.cpp:1:21: error", result["stderr"])


if __name__ == "__main__":
    main()
