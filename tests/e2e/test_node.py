"""Node.js functions as users and bundlers write them: module or script, callbacks, what one call leaves to the next, variables."""

import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import Case, main  # noqa: E402


class NodeFunctions(Case):
    def deploy(self, code, **fields):
        return self.infra.deploy(code, runtime="nodejs", **fields)

    def test_modules_and_scripts(self):
        bundle = "(()=>{const h=async e=>({hello:`Hi ${e.name}`});var r={handler:h};var t=exports;for(var n in r)t[n]=r[n]})();"
        module = {"index.js": "\ufeff// made elsewhere\r\nexport const handler = async (e) => ({ hello: `Hi ${e.name}` });\r\n",
                  "package.json": "\ufeff{\"type\":\"module\"}"}
        for code in (bundle, module):
            self.assertEqual(self.infra.result(self.deploy(code), {"name": "Ada"})["result"], {"hello": "Hi Ada"})
        script = self.infra.result(self.deploy("// not module.exports\nconsole.log('exports.handler', JSON.parse(process.env.PAYLOAD).n)"), {"n": 7})
        self.assertEqual((script["status"], script["stdout"]), ("SUCCESS", "exports.handler 7\n"))
        for code in ("console.log('never'", "exports.handler = async () => {"):
            result = self.infra.result(self.deploy(code))
            self.assertEqual((result["status"], result["code"]), ("FAILED", "import_error"))
            self.assertIn("SyntaxError", result["error"])

    def test_callbacks(self):
        function = self.deploy("exports.handler = (event, context, callback) => { setTimeout(() => callback(event.error, 'done'), 5); };")
        self.assertEqual([self.infra.result(function, {})["result"] for _ in range(2)], ["done", "done"])
        failed = self.infra.result(function, {"error": "no such thing"})
        self.assertEqual((failed["status"], failed["code"], failed["error"]), ("FAILED", "handler_error", "string given as the error: no such thing"))
        self.assertFalse(self.infra.result(function, {})["coldStart"])

    def test_a_late_failure_does_not_reach_the_next_call(self):
        function = self.deploy("exports.handler = async (event) => { if (event) { await new Promise((done) => setTimeout(done, 100)); return 'mine'; }\n"
                               "setTimeout(() => { console.log('late'); throw new Error('late'); }, 20); };")
        self.assertEqual(self.infra.result(function, 0)["status"], "SUCCESS")
        beside = self.infra.result(function, 1)
        self.assertEqual((beside["status"], beside["result"], beside["stdout"].strip(), beside["stderr"], beside["coldStart"]),
                         ("SUCCESS", "mine", "mine", "", False))
        self.assertTrue(self.infra.result(function, 1)["coldStart"])

    def test_the_pool_of_threads_is_as_large_as_the_variable_says(self):
        code = ("const fs = require('fs'); exports.handler = async () => { await fs.promises.stat('/'); "
                "return [fs.readdirSync('/proc/self/task').length, process.env.UV_THREADPOOL_SIZE ?? null]; };")
        usual = self.infra.result(self.deploy(code))["result"]
        function = self.deploy(code, envVars=json.dumps({"UV_THREADPOOL_SIZE": "9"}))
        first, second = (self.infra.result(function) for _ in range(2))
        self.assertEqual((first["result"], second["result"]), ([usual[0] + 5, "9"],) * 2)
        self.assertFalse(second["coldStart"])  # a pool that is at work is nothing that was left
        changed = self.infra.request("PUT", f"/functions/{function}", {"envVars": {"UV_THREADPOOL_SIZE": "2"}})
        self.assertEqual(changed.status, 200, changed)
        self.assertEqual(self.infra.result(function)["result"], [usual[0] - 2, "2"])
        refused = self.infra.request("PUT", f"/functions/{function}", {"envVars": {"UV_THREADPOOL_SIZE": "many"}})
        self.assert_error(refused, 400, "invalid_env_vars", "UV_THREADPOOL_SIZE must be a whole number from 1 to 1024")


if __name__ == "__main__":
    main()
