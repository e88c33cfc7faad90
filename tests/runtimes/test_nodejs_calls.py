"""How a Node.js call ends, and what of it the next one sees: callbacks, what is left behind, the process' state."""

import os
import unittest

from runner_process import RunnerProcess


def start(code, arguments=(), **files):
    return RunnerProcess("nodejs", {"index.js": code, **{key.replace("__", "."): text for key, text in files.items()}}, arguments)


class Answers(unittest.TestCase):
    def answers(self, code, *events):
        with start(code) as runner:
            return [runner.call(event) for event in events or (None,)]

    def test_a_callback_gives_the_value(self):
        for code in ("exports.handler = (event, context, callback) => { callback(null, 'done'); };",
                     "exports.handler = (event, context, callback) => { setTimeout(() => callback(null, 'done'), 5); };",
                     "exports.handler = (event, context, callback) => setTimeout(callback, 5, undefined, 'done');",
                     "exports.handler = (event, context, callback) => require('fs').readFile(__filename, (error) => callback(error, 'done'));",
                     "exports.handler = (event, context, callback) => require('zlib').gzip('a', (error) => callback(error, 'done'));",
                     "exports.handler = function () { process.nextTick(arguments[2], null, 'done'); };",
                     "exports.handler = (event, context) => { setTimeout(() => context.succeed('done'), 5); };",
                     "exports.handler = (event, context) => setImmediate(() => context.done(null, 'done'));",
                     "exports.handler = (event, { done }) => { done(null, 'done'); done(null, 'again'); };",
                     "exports.handler = (event, context, callback) => { callback(null, 'done'); callback(new Error('too late')); };",
                     "exports.handler = async (event, context, callback) => { callback(null, 'ignored'); return 'done'; };",
                     "exports.handler = async (event, context) => { context.succeed('done'); return 'ignored'; };",
                     "exports.handler = (event, context, callback) => { callback(null, 'done'); return new Promise(() => {}); };"):
            for answer in self.answers(code, 1, 2):
                self.assertEqual(answer.get("value"), "done", (code, answer))

    def test_an_error_given_is_the_failure(self):
        for code, says in (("callback(new TypeError('bad'))", "TypeError: bad"), ("callback('only words')", "string given as the error: only words"),
                           ("callback(200, 'done')", "number given as the error: 200"), ("callback({code: 7})", 'Object given as the error: {"code":7}'),
                           ("context.fail(new Error('bad'))", "Error: bad"), ("context.fail()", "without an error"),
                           ("context.done('no')", "string given as the error: no"), ("setTimeout(() => callback(new Error('later')), 5)", "Error: later"),
                           ("callback(null, 1); throw new Error('thrown')", "Error: thrown"),
                           ("callback(require('vm').runInNewContext('new RangeError(\"elsewhere\")'))", "RangeError: elsewhere")):
            with start("exports.handler = (event, context, callback) => { %s };" % code) as runner:
                for _ in range(2):
                    answer = runner.call()
                    self.assertEqual((answer.get("code"), answer["reusable"]), ("handler_error", True), code)
                    if "without" not in says:
                        self.assertEqual(answer["message"], says, code)
                    self.assertIn(says, answer["message"])
                    self.assertIn(says.split(": ")[-1], runner.new_output("err"))

    def test_a_callback_that_is_no_function_is_explained(self):
        answer = self.answers("module.exports = function (event, callback) { callback(200, 'done'); };")[0]
        self.assertEqual(answer["code"], "handler_error")
        self.assertIn("TypeError: callback is not a function", answer["message"])
        self.assertIn("third argument", answer["message"])

    def test_a_callback_waits_for_what_the_call_began_unless_told_not_to(self):
        code = ("exports.handler = (event, context, callback) => { context.callbackWaitsForEmptyEventLoop = event; "
                "setTimeout(() => console.log('ticked'), 200); callback(null, 1); console.log('called'); };")
        with start(code) as runner:
            self.assertEqual(runner.call(True)["value"], 1)
            self.assertEqual(runner.new_output("out"), "called\nticked\n")
            self.assertEqual(runner.call(False)["value"], 1)
            self.assertEqual(runner.new_output("out"), "called\n")

    def test_without_an_answer_it_is_null_when_nothing_is_under_way(self):
        for code in ("exports.handler = () => {};", "exports.handler = (event, context, callback) => { setTimeout(() => {}, 5); };",
                     "exports.handler = (event, context, callback) => 'nobody sees this';"):
            for answer in self.answers(code, 1, 2):
                self.assertEqual((answer["ok"], answer.get("value", 0)), (True, None), code)

    def test_what_earlier_calls_and_the_loading_left_keeps_nobody_waiting(self):
        left = ("const net = require('net'); setInterval(() => {}, 20); const server = net.createServer().listen(0);\n"
                "exports.handler = (event%s) => { if (event === 'leave') return new Promise((done) => { setTimeout(() => {}, 1e6); %s });\n%s };")
        connection, nothing = "server.once('connection', () => done('left')); net.connect(server.address().port);", "done('left');"
        for parameter, also, code, value in (
                ("", connection, "", None), (", context, callback", nothing, "", None), (", context, callback", connection, "callback(null, 1)", 1),
                (", context, callback", connection, "setTimeout(callback, 20, null, 2)", 2),
                (", context, callback", connection, "require('zlib').gzip('a', () => callback(null, 3))", 3),
                (", context, callback", nothing, "require('fs').readFile(__filename, () => callback(null, 4))", 4),
                (", context, callback", nothing, "require('crypto').pbkdf2('a', 'b', 20000, 8, 'sha1', () => callback(null, 5))", 5),
                (", context, callback", nothing, "const c = net.connect(server.address().port, () => { c.destroy(); callback(null, 6); })", 6)):
            with start(left % (parameter, also, code)) as runner:
                self.assertEqual([runner.call(event).get("value", "failed") for event in (1, "leave", 2, 3)], [value, "left", value, value], code)

    def test_what_was_left_does_not_hide_what_is_under_way(self):
        for way in ("require('fs').promises.readFile(__filename).then(() => callback(null, 'done'), callback)",
                    "require('fs').promises.open(__filename).then((file) => file.close()).then(() => context.succeed('done'))",
                    "require('dns').resolve4('name.invalid', () => callback(null, 'done'))"):
            code = f"setInterval(() => {{}}, 50);\nexports.handler = (event, context, callback) => {{ {way}; }};"
            self.assertEqual([answer["value"] for answer in self.answers(code, 1, 2, 3)], ["done"] * 3, way)

    def test_code_that_waits_for_ever_while_it_is_loaded(self):
        with RunnerProcess("nodejs", {"index.mjs": "await new Promise(() => {}); export const handler = () => 1;"}) as runner:
            answer = runner.call()
            self.assertEqual(answer["code"], "import_error", answer)
            self.assertIn("nothing can settle", answer["message"])

    def test_patched_promises_do_not_keep_an_answer(self):
        code = ("exports.handler = (event) => { Promise.prototype.then = () => new (class {})(); process.emit = () => true; return event; };")
        self.assertEqual([answer["value"] for answer in self.answers(code, 1, 2)], [1, 2])


class Strangers(unittest.TestCase):
    """What one call leaves behind and the next one runs beside."""

    LATE = ("let left = {};\nexports.handler = async (event) => { if (event !== 'leave') { await new Promise((done) => setTimeout(done, 120)); "
            "console.log('mine'); return event; }\n%s\nreturn 'left'; };")

    def test_a_late_failure_is_nobodys_and_ends_the_instance(self):
        for late in ("setTimeout(() => { console.log('late'); console.error('late'); throw new Error('late'); }, 20);",
                     "setTimeout(() => { throw new Error('late'); }, 20).unref();",
                     "setTimeout(async () => { throw new Error('late'); }, 20);",
                     "(async () => { await new Promise((done) => setTimeout(done, 20)); console.log('late'); throw new Error('late'); })();",
                     "setTimeout(() => setImmediate(() => process.nextTick(() => { throw new Error('late'); })), 20);",
                     "setTimeout(() => Promise.resolve().then(() => { console.log('late'); throw new Error('late'); }), 20);",
                     "setTimeout(() => process.exit(3), 20);", "setTimeout(() => { process.stdout.write('late'); throw 1; }, 0);"):
            with start(self.LATE % late) as runner:
                first = runner.call("leave")
                self.assertEqual((first["value"], first.get("reusable")), ("left", None), late)
                second = runner.call(2)
                self.assertEqual((second.get("value"), second.get("reusable")), (2, False), (late, second))
                self.assertEqual((runner.new_output("out"), runner.new_output("err")), ("mine\n", ""), late)

    def test_what_only_prints_late_is_not_heard(self):
        with start(self.LATE % "setInterval(() => console.log('late'), 10); const lost = setTimeout(() => {}, 1e6);") as runner:
            runner.call("leave")
            for event in (1, 2):
                answer = runner.call(event)
                self.assertEqual((answer["value"], answer.get("reusable")), (event, None))
                self.assertEqual(runner.new_output("out"), "mine\n")

    def test_a_calls_own_failure_is_its_own_beside_strangers(self):
        code = ("setInterval(() => {}, 5); exports.handler = async (event) => { console.log(event); "
                "if (event === 'timer') setTimeout(() => { throw new Error('own'); }, 5);\n"
                "if (event === 'promise') (async () => { await null; throw new Error('own'); })();"
                "\nif (event === 'exit') setTimeout(() => process.exit(3), 5);\nif (event) await new Promise(() => {}); };")
        for event, fails in (("timer", "handler_error"), ("promise", "handler_error"), ("exit", "exited")):
            with start(code) as runner:
                self.assertTrue(runner.call()["ok"])
                answer = runner.call(event)
                self.assertEqual((answer.get("code"), answer["reusable"]), (fails, False), answer)
                self.assertIn(event, runner.new_output("out"))

    def test_a_connection_that_is_kept_serves_the_call_that_runs(self):
        code = ("const net = require('net');\nconst server = net.createServer((peer) => peer.pipe(peer)).listen(0);\nlet kept; const waiting = [];\n"
                "exports.handler = (event, context, callback) => { context.callbackWaitsForEmptyEventLoop = false;\n"
                "if (!kept) { kept = net.connect(server.address().port); kept.on('data', (data) => waiting.shift()(String(data))); }\n"
                "waiting.push((text) => { console.log('got ' + text); if (text === 'bad') throw new Error(text); callback(null, text); });\n"
                "kept.write(event); };")
        with start(code) as runner:
            for event in ("a", "b", "c"):
                self.assertEqual(runner.call(event).get("value"), event)
                self.assertEqual(runner.new_output("out"), f"got {event}\n")
            self.assertEqual(runner.call("bad").get("message"), "Uncaught: Error: bad")

    def test_an_answer_comes_from_its_own_call(self):
        code = ("let last; exports.handler = (event, context, callback) => {\n"
                "context.callbackWaitsForEmptyEventLoop = false; const before = last; last = callback;\n"
                "if (before) before(null, 'stale'); setTimeout(callback, 20, null, event); };")
        with start(code) as runner:
            self.assertEqual([runner.call(event).get("value") for event in (1, 2, 3)], [1, 2, 3])

    def test_a_rejection_after_the_answer_is_not_printed_in_the_next(self):
        code = ("exports.handler = async (event, context) => { if (event) { await new Promise((done) => setTimeout(done, 60)); return event; }\n"
                "context.succeed('early'); await new Promise((done) => setTimeout(done, 20)); throw new Error('late'); };")
        with start(code) as runner:
            self.assertEqual([runner.call(event).get("value") for event in (None, 2)], ["early", 2])
            self.assertEqual(runner.new_output("err"), "")


class State(unittest.TestCase):
    def test_what_a_call_does_to_its_process_is_undone(self):
        spoil = ("process.stdout.write = process.stderr._write = () => true; console.log = () => {}; console.mine = 1; process.exit = () => {}; "
                 "process.exitCode = 3; process.chdir('/'); globalThis.console = {}; process.stderr.cork(); process.stderr.write('corked'); "
                 "process.stdout.mine = 1;",
                 "process.stdout = null; process.stderr.destroy();", "process.stdout.end('last'); process.stderr.end();",
                 "Object.defineProperty(process, 'stdout', { value: 1, configurable: true }); process.stdout.setDefaultEncoding?.('hex');")
        for code in spoil:
            with start("const real = { exit: process.exit, console, stdout: process.stdout };\nexports.handler = async (event) => { if (event) { %s return; }\n"
                       "console.log('out'); console.error('err'); process.stdout.write('end');\n"
                       "return [process.exitCode ?? null, process.cwd(), console.mine ?? null, process.stdout.mine ?? null, "
                       "process.exit === real.exit, console === real.console, process.stdout === real.stdout]; };" % code) as runner:
                self.assertTrue(runner.call(True)["ok"], code)
                runner.new_output("out"), runner.new_output("err")
                for _ in range(2):
                    self.assertEqual(runner.call().get("value"), [None, os.path.join(runner.folder, "workspace"), None, None, True, True, True], code)
                    self.assertEqual((runner.new_output("out"), runner.new_output("err")), ("out\nend", "err\n"), code)

    def test_standard_output_can_be_ended_in_each_call(self):
        code = ("const { pipeline, finished } = require('stream/promises'); const { Readable } = require('stream');\n"
                "exports.handler = async (how) => {\n  if (how === 'pipe') await pipeline(Readable.from(['a\\n']), process.stdout);\n"
                "  else await new Promise((done) => process.stdout.end('b\\n', done));\n  return how; };")
        with start(code) as runner:
            for how in ("pipe", "pipe", "end", "end", "pipe"):
                self.assertEqual(runner.call(how)["value"], how)
            self.assertEqual(runner.new_output("out"), "a\na\nb\nb\na\n")

    def test_groups_of_the_console_end_with_the_call(self):
        with start("exports.handler = () => { console.log('in'); console.group('g'); };") as runner:
            for _ in range(3):
                runner.call()
            self.assertEqual(runner.new_output("out"), "in\ng\n" * 3)

    def test_what_loading_did_stays(self):
        code = ("const { log } = console; console.log = (text) => log('logged', text); process.chdir('/'); process.env.LOADED = '1'; process.env.A = 'mine'; "
                "delete process.env.B;\nexports.handler = () => { console.log('x'); const { LOADED, A, B, LEFT } = process.env; process.env.LEFT = '1'; "
                "return [LOADED, A, B ?? null, LEFT ?? null, process.cwd()]; };")
        with start(code) as runner:
            for env in ({"A": "1", "B": "1"}, {"A": "2", "B": "2"}, {"A": "2"}):
                self.assertEqual(runner.call(env=env).get("value"), ["1", "mine", None, None, "/"])
                self.assertEqual(runner.new_output("out"), "logged x\n")
        with start("process.env = { ...process.env, LOADED: '1' }; exports.handler = () => [process.env.LOADED, process.env.A]") as runner:
            self.assertEqual([runner.call(env={"A": a})["value"] for a in "12"], [["1", "1"], ["1", "2"]])

    def test_the_time_zone_is_that_of_the_variable(self):
        code = "exports.handler = (event) => { if (event) process.env.TZ = event; return new Date(0).getHours(); };"
        with start(code) as runner:
            tokyo = {"TZ": "Asia/Tokyo"}
            self.assertEqual([runner.call(env=env)["value"] for env in (tokyo, tokyo, {}, tokyo)], [9, 9, 0, 9])
            self.assertEqual([runner.call(event)["value"] for event in ("Asia/Tokyo", None)], [9, 0])
        with start("console.log(new Date(0).getHours())") as runner:
            runner.call(env=tokyo)
            self.assertEqual(runner.new_output("out"), "9\n")

    def test_the_input_is_in_payload_while_loading_and_in_each_call(self):
        code = ("const { PAYLOAD } = process.env; const loaded = JSON.parse(PAYLOAD);\n"
                "exports.handler = () => [loaded, process.env.PAYLOAD, 'PAYLOAD' in process.env, "
                "Object.keys(process.env).includes('PAYLOAD'), require('child_process').execSync('echo \"$PAYLOAD\"').toString().trim(), "
                "(process.env.PAYLOAD = 'mine') && process.env.PAYLOAD];")
        with start(code) as runner:
            for text in ('{"n": 1.0}', "7"):
                self.assertEqual(runner.call(env={"PAYLOAD": text})["value"], [{"n": 1}, text, True, False, text, "mine"])

    def test_large_input_is_in_a_file_for_as_long_as_the_call(self):
        code = ("const fs = require('fs'); exports.handler = (event) => { const { PAYLOAD, PAYLOAD_FILE } = process.env; "
                "return [PAYLOAD ?? null, JSON.parse(fs.readFileSync(PAYLOAD_FILE)).length, PAYLOAD_FILE === process.env.PAYLOAD_FILE]; };")
        with start(code) as runner:
            for size in (200_000, 200_001):
                self.assertEqual(runner.call("x" * size)["value"], [None, size, True])
                self.assertEqual(os.listdir(runner.scratch), [])

    def test_the_pool_of_threads_has_the_size_that_the_runner_is_started_with(self):
        def threads(runner):
            return len(os.listdir(f"/proc/{runner.process.pid}/task"))
        code = "exports.handler = async () => process.env.UV_THREADPOOL_SIZE ?? null"
        with start(code) as usual, start(code, ["9"]) as larger:
            self.assertEqual(threads(larger) - threads(usual), 5)
            self.assertEqual((usual.call()["value"], larger.call(env={"UV_THREADPOOL_SIZE": "9"})["value"]), (None, "9"))

    def test_a_variable_that_a_call_deleted_or_added_is_as_it_was_whichever_come_and_go(self):
        code = ("delete process.env.B; process.env.MINE = 'mine';\n"
                "exports.handler = () => { const { A, B, C, MINE, LEFT, PATH } = process.env;\n"
                "  for (const name of ['A', 'C', 'MINE', 'PATH']) delete process.env[name]; process.env.B = process.env.LEFT = '1';\n"
                "  return [A, B, C, MINE, LEFT, PATH].map((value) => value ?? null); };")
        path = "/usr/local/bin:/usr/bin:/bin"
        with start(code) as runner:
            for given in ({"A": "1", "B": "1"}, {"A": "2", "B": "2"}, {"A": "2", "C": "3"}, {"C": "4"}, {"A": "5", "C": "5"}, {"MINE": "given"}, {}):
                self.assertEqual(runner.call(env=given)["value"], [given.get("A"), None, given.get("C"), "mine", None, path], given)

    def test_what_the_runner_is_started_with_is_in_no_environment(self):
        code = ("const loaded = process.env.GLIBC_TUNABLES; const { execSync } = require('child_process');\n"
                "exports.handler = () => [loaded, process.env.GLIBC_TUNABLES, execSync('echo \"$GLIBC_TUNABLES\"').toString()].map(String);")
        with RunnerProcess("nodejs", {"index.js": code}, GLIBC_TUNABLES="glibc.malloc.arena_max=2") as runner:
            self.assertEqual(runner.call()["value"], ["undefined", "undefined", "\n"])
        with RunnerProcess("nodejs", {"index.js": "console.log(process.env.GLIBC_TUNABLES)"}, GLIBC_TUNABLES="glibc.malloc.arena_max=2") as runner:
            self.assertEqual((runner.call()["exitCode"], runner.new_output("out")), (0, "undefined\n"))


if __name__ == "__main__":
    unittest.main()
