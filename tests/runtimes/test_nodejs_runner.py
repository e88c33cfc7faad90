"""runtimes/nodejs against the protocol of docs/runner-protocol.md."""

import unittest

from runner_process import RunnerProcess


def start(code, name="index.js", **files):
    return RunnerProcess("nodejs", {name: code, **{key.replace("__", "."): text for key, text in files.items()}})


class NodeRunner(unittest.TestCase):
    def failure(self, code, expected, name="index.js", event=None):
        with start(code, name) as runner:
            answer = runner.call(event)
            self.assertEqual((answer["ok"], answer["code"]), (False, expected), answer)
            return answer["message"], runner.new_output("err"), answer.get("reusable")

    def test_ways_to_export(self):
        for name, code in (("index.js", "exports.handler = async (e) => e + 1"),
                           ("index.js", "module.exports = { handler: (e) => e + 1 }"),
                           ("index.js", "module.exports = function (e) { return e + 1 }"),
                           ("index.mjs", "export const handler = (e) => e + 1"),
                           ("index.mjs", "export default async (e) => e + 1"),
                           ("index.mjs", "import 'node:fs'; export const handler = (e) => e + 1"),
                           ("index.mjs", "const h = (e) => e + 1; export { h as handler }"),
                           ("index.mjs", "\ufeffconst one = await Promise.resolve(1);\r\nexport const handler = (e) => e + one\r\n"),
                           ("index.mjs", "export * from './other.mjs'"), ("index.js", "this.handler = (e) => e + 1"),
                           ("index.js", "#!/usr/bin/env node\nexports.handler = (e) => e + 1"),
                           ("index.js", "(()=>{var r={handler:async e=>e+1};var t=exports;for(var n in r)t[n]=r[n]})();"),
                           ("index.js", "module.exports = { default: { handler: (e) => e + 1 } }"),
                           ("index.js", "module.exports = { default: (e) => e + 1, other: 1 }"),
                           ("index.js", "module.exports = { default: { default: (e) => e + 1 } }"),
                           ("index.js", "module.exports = new (class { one = 1; handler(e) { return e + this.one } })"),
                           ("index.js", "Object.defineProperty(exports, 'handler', { get: () => (e) => e + 1 })"),
                           ("index.js", "exports.default = class { static handler(e) { return e + 1 } }")):
            with start(code, name, other__mjs="export const handler = (e) => e + 1") as runner:
                self.assertEqual(runner.ready, {"ready": True})
                self.assertEqual([runner.call(1).get("value"), runner.call(2).get("value")], [2, 3], code)

    def test_package_type_module(self):
        with start("export function handler() { return import.meta.url.endsWith('index.js') }",
                   package__json='{"type":"module"}') as runner:
            self.assertIs(runner.call()["value"], True)
        with start("export const handler = () => 1", package__json='\ufeff{"type":"module"}') as runner:
            self.assertEqual(runner.call()["value"], 1)

    def test_stays_warm_and_tells_the_context(self):
        code = ("let n = 0; exports.handler = (e, c) => [++n, c.requestId, c.functionId, c.modelId, c.memoryMb, "
                "c.getRemainingTimeMs() > 4000, c.getRemainingTimeInMillis() <= 5000, typeof c.deadlineMs]")
        with start(code) as runner:
            for n in (1, 2):
                self.assertEqual(runner.call()["value"], [n, "r-1", "f-1", "m", 128, True, True, "number"])

    def test_the_trace(self):
        code = ("const { execSync } = require('child_process'); exports.handler = (e, c) => [c.traceId, c.traceparent, "
                "process.env.TRACEPARENT ?? null, execSync('echo $TRACEPARENT').toString().trim()]")
        with start(code) as runner:
            for trace in ("a" * 32, "b" * 32):
                parent = f"00-{trace}-00f067aa0ba902b7-01"
                answer = runner.call(env={"TRACEPARENT": parent}, traceparent=parent)
                self.assertEqual(answer["value"], [trace, parent, parent, parent], answer)
            self.assertEqual(runner.call()["value"], ["", "", None, ""])
        with start("console.log(process.env.TRACEPARENT)") as runner:  # a plain script
            self.assertTrue(runner.call(env={"PAYLOAD": "1"}, traceparent="00-x")["ok"])
            self.assertEqual(runner.new_output("out"), "00-x\n")

    def test_code_is_loaded_ahead_of_its_first_call(self):
        with start("let n = 0; const seen = process.env.A; exports.handler = (e) => [seen, ++n, e]") as runner:
            answer = runner.call(env={"A": "1"}, load=True)
            self.assertEqual((answer["ok"], answer["value"]), (True, None))
            self.assertNotIn("handlerMs", answer)
            self.assertEqual(runner.call(7, env={"A": "2"})["value"], ["1", 1, 7])
        with start("throw new Error('not today')") as runner:
            answer = runner.call(load=True)
            self.assertEqual((answer["ok"], answer.get("plain")), (True, None))  # a plain script: nothing of it ran
        with start("exports.handler = 1; throw new Error('not today')") as runner:
            answer = runner.call(load=True)
            self.assertEqual((answer["ok"], answer["code"], answer["reusable"]), (False, "import_error", False))

    def test_environment_is_replaced(self):
        with start("exports.handler = () => { const seen = {...process.env}; process.env.LEFT = '1'; return seen }") as runner:
            self.assertEqual(runner.call(env={"A": "1"})["value"]["A"], "1")
            second = runner.call(env={"B": "2"})["value"]
            self.assertEqual(second["B"], "2")
            self.assertNotIn("A", second)
            self.assertNotIn("LEFT", second)
            self.assertEqual(second["OUTPUT_DIR"], "/output")

    def test_exceptions(self):
        for code in ("exports.handler = () => { throw new TypeError('bad') }",
                     "exports.handler = async () => { throw new TypeError('bad') }"):
            message, err, reusable = self.failure(code, "handler_error")
            self.assertEqual(message, "TypeError: bad")
            self.assertIn("index.js", err)
            self.assertNotIn("runner.js", err)
            self.assertTrue(reusable)
        self.assertIn("string thrown: plain", self.failure("exports.handler = () => { throw 'plain' }", "handler_error")[0])

    def test_what_escapes_the_handler(self):
        for code, said in (("exports.handler = () => { Promise.reject(new Error('lost')); return 1 }", "lost"),
                           ("exports.handler = () => new Promise(() => setTimeout(() => { throw new Error('late') }))", "late"),
                           ("exports.handler = () => new Promise(() => {})", "nothing can settle")):
            message, _, reusable = self.failure(code, "handler_error")
            self.assertIn(said, message)
            self.assertFalse(reusable)

    def test_exit(self):
        message, _, reusable = self.failure("exports.handler = () => process.exit(3)", "exited")
        self.assertIn("process.exit(3)", message)
        self.assertFalse(reusable)

    def test_code_that_does_not_load(self):
        for code, said in (("exports.handler = (", "SyntaxError"), ("exports.x = require('no-such')", "Cannot find module"),
                           ("module.exports = 1; throw new Error('top')", "top"),
                           ("module.exports = 1; process.exit(2)", "process.exit(2)"),
                           ("exports.a = 1;\n\nconst const", "(index.js, line 3)"), ("console.log('a'\n", "SyntaxError: missing ) after argument list"),
                           ("import fs from 'fs';\nfs.x(;", "SyntaxError: "), ("exports.handler = async () => `${1", "SyntaxError"),
                           ("Object.defineProperty(exports, 'handler', { get() { throw new Error('getter'); } })", "getter")):
            message, _, reusable = self.failure(code, "import_error")
            self.assertIn(said, message)
            self.assertFalse(reusable)

    def test_missing_handler(self):
        for code, says in (("exports.other = 1; exports.another = 2", "what it exports is other, another."), ("exports = 1", "it exports nothing by name"),
                           ("for (let n = 0; n < 12; ++n) exports['n' + n] = n", "n0, n1, n2, n3, n4, n5, n6, n7 and 4 more"),
                           ("module.exports = class A { handler() {} }", "it exports nothing by name"), ("module.exports = null", "exports nothing by name")):
            message = self.failure(code, "handler_missing")[0]
            self.assertIn("index.js exports no handler", message)
            self.assertIn(says, message)

    def test_results_that_are_not_json(self):
        for value, said in (("10n", "bigint"), ("() => 1", "function"), ("(() => { const a = {}; a.a = a; return a })()", "circular")):
            message, _, reusable = self.failure(f"exports.handler = () => ({value})", "result_not_json")
            self.assertIn(said, message)
            self.assertTrue(reusable)
        with start("exports.handler = () => {}") as runner:
            self.assertIsNone(runner.call()["value"])

    def test_result_size_and_lone_surrogates(self):
        with start("exports.handler = (n) => n > 0 ? 'x'.repeat(n) : 'a\\ud800b\\\\ud800 😀'") as runner:
            limit = 6 * 1024 * 1024
            self.assertEqual(len(runner.call(limit - 2)["value"]), limit - 2)
            self.assertEqual(runner.call(limit - 1)["code"], "result_too_large")
            self.assertEqual(runner.call(0)["value"], "a\ufffdb\\ud800 😀")

    def test_output_comes_before_the_answer(self):
        code = ("exports.handler = (n) => { console.log('x'.repeat(n)); console.error('e'); process.stdout.write('last'); "
                "return process.stdout.writable }")
        with start(code) as runner:
            for size in (1, 300_000):
                self.assertIs(runner.call(size)["value"], True)
                self.assertEqual(runner.new_output("out"), "x" * size + "\nlast")
                self.assertEqual(runner.new_output("err"), "e\n")

    def test_patched_globals_do_not_break_framing(self):
        code = ("const broken = () => { throw new Error('patched') };\n"
                "JSON.stringify = JSON.parse = Date.now = Buffer.from = Buffer.allocUnsafe = Buffer.byteLength = broken;\n"
                "globalThis.setImmediate = broken; globalThis.process.env = {}; const fs = require('fs');\n"
                "fs.readSync = fs.writeSync = broken; console.log = broken;\n"
                "exports.handler = (e) => ({ e })")
        with start(code) as runner:
            for event in ("a", "b"):
                self.assertEqual(runner.call(event).get("value"), {"e": event})

    def test_plain_script(self):
        code = ("const payload = process.env.PAYLOAD ?? require('fs').readFileSync(process.env.PAYLOAD_FILE, 'utf8');\n"
                "const input = JSON.parse(payload);\nconsole.log('ran', input.text.length, !!process.env.PAYLOAD_FILE, process.env.A);\n"
                "process.exitCode = input.code")
        with start(code) as runner:
            answer = runner.call({"text": "ab", "code": 0}, {"A": "1"})
            self.assertEqual((answer["ok"], answer["plain"], answer["exitCode"]), (True, True, 0))
            self.assertEqual(runner.new_output("out"), "ran 2 false 1\n")
            answer = runner.call({"text": "a" * 200_000, "code": 5})
            self.assertEqual(answer["exitCode"], 5)
            self.assertEqual(runner.new_output("out"), "ran 200000 true undefined\n")

    def test_a_script_may_speak_of_exports(self):
        for name, code in (("index.js", "// module.exports = exports.handler\nconsole.log('ran', 'exports.x', /module.exports/.source.length)"),
                           ("index.js", "if (require.main === module) console.log('ran exports.x 14')"),
                           ("index.mjs", "console.log(await 'ran', 'exports.x', 14); export {}")):
            with start(code, name) as runner:
                self.assertEqual(runner.call().get("exitCode"), 0, code)
                self.assertEqual(runner.new_output("out"), "ran exports.x 14\n")

    def test_a_script_that_fails_is_no_syntax_error(self):
        for code in ("process.exit(1)", "throw new SyntaxError('mine')", "require('./other.mjs.txt')", "return process.exit(1)"):
            with start(code) as runner:
                self.assertEqual([runner.call().get("exitCode") for _ in range(2)], [1, 1], code)

    def test_plain_script_ended_by_a_signal(self):
        with start("process.kill(process.pid, 'SIGKILL'); setTimeout(() => {}, 1e6)") as runner:
            self.assertEqual(runner.call()["exitCode"], 137)

    def test_plain_esm_script(self):
        with start("import fs from 'fs'; fs.writeSync(1, 'esm')", "index.mjs") as runner:
            self.assertEqual(runner.call()["exitCode"], 0)
            self.assertEqual(runner.new_output("out"), "esm")


if __name__ == "__main__":
    unittest.main()
