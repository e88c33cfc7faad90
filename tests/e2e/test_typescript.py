"""The way to Infra from TypeScript (clients/typescript): a validator of the standard's own schema finds the document right, types are made
from a running program's /openapi.json, tsc checks the example by them and finds what is wrong with others, and the example runs."""

import base64
import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from harness import API_KEY, ECHO, Case, bundle, main

ROOT = Path(__file__).resolve().parent.parent.parent
CLIENT, INSTALLED = ROOT / "clients/typescript", ROOT / "build/typescript"
TOOLS = INSTALLED / "node_modules"

WRONG = {
    'body: { functionId: id, inputData: 2 }': 'body: { functionIt: id, inputData: 2 }',
    'GET("/status/{jobId}"': 'GET("/statuses/{jobId}"',
    'body: { memoryMb: 256 }': 'body: { memoryMb: true }',
    'deploy: "true"': 'deploy: "yes"',
    'code: gone.error?.code': 'code: gone.error?.code === "job_not_found"',
    'row, deleted': 'row: row.memoryMB, deleted'}


class TypeScript(Case):
    @classmethod
    def setUpClass(cls):
        assert TOOLS.is_dir(), "the TypeScript client's packages are not installed: run `./dev setup`."
        super().setUpClass()
        cls.folder = Path(tempfile.mkdtemp(prefix="made-", dir=INSTALLED))  # below the packages, where imports find them
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        for name in ("package.json", "tsconfig.json", "hello.ts"):
            shutil.copy(CLIENT / name, cls.folder)
        (cls.folder / "openapi.json").write_bytes(cls.infra.get("/openapi.json", key=None).body)
        done = cls.node("openapi-typescript/bin/cli.js", "openapi.json", "--output", "infra.d.ts")
        assert done.returncode == 0, done.stderr

    @classmethod
    def node(cls, program, *arguments, **environment):
        return subprocess.run(["node", TOOLS / program, *arguments], cwd=cls.folder, capture_output=True, text=True, check=False,
                              env={**os.environ, **environment})

    def test_the_document_is_openapi(self):
        validator = "@seriousme/openapi-schema-validator/bin/validate-api-cli.js"
        found = json.loads(self.node(validator, "openapi.json").stdout)
        self.assertTrue(found["valid"], found)
        broken = json.loads((self.folder / "openapi.json").read_text(encoding="utf-8"))
        del broken["paths"]["/run"]["post"]["responses"]["200"]["description"]
        (self.folder / "broken.json").write_text(json.dumps(broken), encoding="utf-8")
        self.assertFalse(json.loads(self.node(validator, "broken.json").stdout)["valid"])

    def test_the_example_is_well_typed_and_runs(self):
        checked = self.node("typescript/bin/tsc", "--project", ".")
        self.assertEqual((checked.returncode, checked.stdout), (0, ""))
        ran = self.node(self.folder / "hello.js", INFRA_URL=f"http://127.0.0.1:{self.infra.port}", INFRA_API_KEY=API_KEY,
                        ZIP_BASE64=base64.b64encode(bundle({"main.py": ECHO})).decode())
        self.assertEqual(ran.returncode, 0, ran.stderr)
        told = json.loads(ran.stdout)
        self.assertEqual((told["made"]["deployed"], told["made"]["memoryMb"]), ("created", 192))
        self.assertEqual(told["result"]["result"], {"echo": {"name": "Ada"}})
        self.assertEqual((told["later"]["status"], told["later"]["result"]), ("SUCCESS", {"echo": 2}))
        self.assertEqual((told["row"]["memoryMb"], told["deleted"]["deletedId"]), (256, told["made"]["functionId"]))
        self.assertEqual((told["code"], told["status"]), ("name_not_found", 404))

    def test_what_the_interface_has_not_is_an_error_of_types(self):
        text = (self.folder / "hello.ts").read_text(encoding="utf-8")
        lines = set()
        for right, wrong in WRONG.items():
            before, found, _ = text.partition(right)
            self.assertTrue(found, right)
            lines.add(before.count("\n") + 1)
            text = text.replace(right, wrong, 1)
        (self.folder / "wrong.ts").write_text(text, encoding="utf-8")
        settings = json.loads((self.folder / "tsconfig.json").read_text(encoding="utf-8"))
        (self.folder / "wrong.json").write_text(json.dumps({**settings, "files": ["wrong.ts", "infra.d.ts"]}), encoding="utf-8")
        said = self.node("typescript/bin/tsc", "--noEmit", "--project", "wrong.json").stdout
        self.assertLessEqual(lines, set(map(int, re.findall(r"^wrong.ts\((\d+),", said, re.MULTILINE))), said)


if __name__ == "__main__":
    main()
