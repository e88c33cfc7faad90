"""runtimes/nodejs/module_syntax.js: which files offer something to import, by their text alone."""

import json
import os
import subprocess
import unittest

from runner_process import ROOT, RUNNERS

READER = """
const { readModuleSyntax } = require(process.argv[1]);
const cases = JSON.parse(require('fs').readFileSync(0, 'utf8'));
console.log(JSON.stringify(cases.map(([text, esm]) => readModuleSyntax(text, esm))));
"""

OFFER = [
    # as people and compilers write them
    "exports.handler=1", "module.exports=1", "module['exports']=1", 'module["exports"].x=1', "module[`exports`]=1", "module?.exports",
    "module\n.exports={}", "module /*c*/ . // d\n exports = 1", "exports\n.handler = 1", "exports [`handler`]=1", "exports?.x", "(0,exports).h=1",
    "const self = exports;", "Object.assign(exports, {a})", "__exportStar(a, exports)", "0 && (module.exports = {handler})",
    "var m = module; m.exports = {}", "let m\nm = module\nm.exports = 1", "var exports = module.exports = {}",
    "this.handler = () => 1", "(()=>{this.handler = 1})()", "return exports.h=1",
    # and bundlers
    "var t=exports;for(n in r)t[n]=r[n]", '"use strict";var e=exports,t=module;', "!function(){exports.a=1}()", "(function(e){e.h=1})(exports)",
    '!function(e,t){"object"==typeof exports&&"object"==typeof module?module.exports=t():e.x=t()}(this,(()=>({})));',
    "(function(exports){})(module.exports)", "f(a, (exports))", "x = {exports}", "x = [exports]", "x={a:exports}", "({...exports})", "a?exports:b",
    "a.b?.5:exports", "void(exports.a=1)", "if(1)exports.a=1", "for(const a of b) exports[a]=1", "for (x in exports) ;", "((a=exports)=>1)",
    "class A { static x = exports.y = 1 }", "switch(a){case exports:}", "case1: exports.h=1", "label: { exports.h=1 }", "{ a: 1 }\nexports.h = 2",
    "a = b\n(exports.h = 1)", "x={f(exports){exports.y=1}};exports.h=1", "function f(exports) {}\nexports.h=1",
    "const f = exports => exports.x\nexports.h = f", "const f = (exports) => exports.x; exports.h = f",
    # ES modules
    "a=1;export{a as handler}", 'export * from "x"', "\ufeffexport const a=1", "\ufeff// c\r\nexport const h=1", "/* x */ export default 1",
    "export async function handler(){}", "export class A{}", "export let a", 'import a from "b";export{a}', "export{}\nexport const a=1",
    # behind what looks like something else
    "#!/usr/bin/node\nexports.h=1", "\ufeff#!/usr/bin/node\nexports.h=1", "\\u0065xports.h=1", "mod\\u{75}le.exports=1", "x=`${exports.a=1}`",
    "if (a) /\"/.test(b); exports.h=1", "x = a / b; y = \"/\"; exports.h=1", "a++ / 2; exports.h=\"/\"", "x => { } \n /re\"/.test(1)\nexports.h=1",
    "let x = y\n/* \" */ exports.h=1", "x=function(){}/2;exports.a=\"/\"", "const re=/[/\"]/g;exports.h=1", "x=a?/\"/:1;exports.h=1",
    "1..toString();exports.h=1", "a<!--exports.x\nexports.h=1", "x=`a${`b${c}'`}'`;exports.h=1", "x='\\\r\n\"';exports.h=1", "x = y\u2028exports.h=1",
]
OFFER_NOTHING = [
    "", "console.log(1)",
    # words
    "// exports.h", "/* module.exports */", '"exports.h=1"', "'module.exports'", "`exports.a`", '`${"exports"}`', "/exports.h/.test(x)",
    "// x\u2028// exports.h", "`a${`b${\"c\"}exports.h`}exports.a`", '"a\\\nexports.h"', "'\\'exports.h'", "<!-- exports.h\n", "x\n--> exports.h",
    "/\\/exports.a/", "/[\\]/]exports/", "a = /[/]exports.h/", "x = a / exports_b / c", "#!exports.h",
    # names of other things
    "x.exports", "x?.exports=1", "({exports: 1})", "{exports: 1}", "a=b?c:{exports:1}", "x={exports(){}}", "x={get exports(){return 1}}",
    "x={async exports(){}}", "class A{exports(){}}", "class A{exports=1;static exports(){}; #exports}", "new class{exports(){}}",
    "exports: for(;;) break exports", "x.module.exports", "x.export", 'pkg.exports["."]', "$exports.x=1", "xexports.x", "a = exports_",
    # questions
    "function f(module) { const m = module; m.exports = 1 }", "a = exported == module", "// exports\nif (require.main === module) main()",
    "if (exported !== module && a <= module) b()", "if (require.main === module) main()",
    "if (module === require.main) main()", "if(!module.parent)x()", "typeof exports", "typeof module",
    'require("module")', "this.handler == 1", "this.x=1", "function f(){this.handler=1}", "class A{constructor(){this.handler=1}}",
    # a function's own
    "function f(exports){exports.x=1}", "(exports)=>{exports.x=1}", "(exports)=>exports.x", "exports=>exports.y", "exports => { exports.x = 1 }",
    'f({"a"(exports,module){exports.x=1;module.exports=2}})', 'f({"./a":(module,exports,require)=>{module.exports=1;exports.a=2}})',
    'f({"./a":function(module,exports,require){eval("exports.a");module.exports=1}})', "f(function(exports){exports.a=1})",
    "for (const module of modules) console.log(module)", "modules.map(module => module.exports)", "modules.map((module) => module.exports.x)",
    "function g(){var exports={};exports.a=1;return exports}", "function g({exports}){return exports.a}", "({exports})=>exports.a",
    "function g(){const {exports}=x; exports.y}", "try{}catch(exports){exports.x}", "async (exports) => { exports.a }", "(exports, {a}) => { exports.a }",
    "async function f(module){ await module.exports }", "((exports, module) => { exports.a = module.exports })({}, {})",
    # ES modules without an export
    'import("x")', "export {}", 'import a from "b";\nexport {};', "import { exports } from 'x'; exports.a()", "import * as exports from 'x'; exports.a()",
]


def read(cases):
    node = RUNNERS["nodejs"][0]
    script = os.path.join(ROOT, "runtimes/nodejs/module_syntax.js")
    done = subprocess.run([node, "-e", READER, script], input=json.dumps(cases).encode(), stdout=subprocess.PIPE, check=True, timeout=60)
    return json.loads(done.stdout)


class Parts(unittest.TestCase):
    def test_the_runner_has_no_character_that_makes_v8_keep_a_file_at_two_bytes_each(self):
        folder = os.path.join(ROOT, "runtimes/nodejs")
        for name in os.listdir(folder):
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                self.assertLess(max(file.read()), "\u0100", name)


class ModuleSyntax(unittest.TestCase):
    def test_what_offers_something_to_import(self):
        for text, found in zip(OFFER, read([(text, False) for text in OFFER]), strict=True):
            self.assertTrue(found["offers"], text)

    def test_what_offers_nothing(self):
        for text, found in zip(OFFER_NOTHING, read([(text, False) for text in OFFER_NOTHING]), strict=True):
            self.assertFalse(found["offers"], text)

    def test_what_is_written_as_an_es_module(self):
        for text, esm in (("import a from 'b'; export default a", True), ("export default 1", True), ("exports.a = import.meta.url", False),
                          ("import('a'); exports.b = 1", False), ("const a = import.meta; exports.b = 1", True), ("x.import; exports.b = 1", False)):
            self.assertEqual(read([(text, False)])[0], {"offers": True, "esm": esm}, text)

    def test_in_an_es_module_the_names_of_commonjs_may_be_ones_own(self):
        for text in ("const exports = {}; exports.a = 1", "const { module } = x; module.exports", "a <!--b; exports"):
            self.assertEqual(read([(text, True)])[0]["offers"], text.startswith("a"), text)

    def test_deep_and_long_texts_take_time_in_proportion(self):
        # Of 0.5 MB each: minutes if any was read again and again, and the end of the process if anything recursed.
        units = ("[", "{a:", "(", "`${", "x=/[/", "a\\", "a?", "exports=>", "function(exports){", "class{x=", "<!--\n", "/*\n*/", "'\\\n'")
        self.assertEqual(len(read([(unit * (500_000 // len(unit)) + ";//exports", False) for unit in units])), len(units))


if __name__ == "__main__":
    unittest.main()
