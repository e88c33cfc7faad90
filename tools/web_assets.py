"""Bundles src/web with esbuild, and writes a C++ file that holds the outcome: what web/assets.h declares.

All but the list of sizes is compressed here, once. The whole must not be larger than a page that comes at once may be.
"""

import argparse
import gzip
import hashlib
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

MOST_BYTES = 100 * 1024  # compressed
TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
         ".json": "application/json", ".svg": "image/svg+xml"}
MACHINES = {"x86_64": "x64", "aarch64": "arm64"}


def esbuild(sources):
    program = sources / "node_modules" / "@esbuild" / f"linux-{MACHINES.get(platform.machine())}" / "bin" / "esbuild"
    if not program.is_file():
        sys.exit(f"web_assets: esbuild is not in {sources}/node_modules: `./dev build` installs it, `npm ci --ignore-scripts` there too.")
    return program


def bundle(sources, folder):
    """The files of the bundle by name, what of the page's is at which, and every file that went into it."""
    found = Path(folder, "meta.json")
    subprocess.run([esbuild(sources), "main.tsx", "style.css", "icon.svg", "--bundle", "--splitting", "--format=esm", "--minify",
                    "--target=es2022", "--jsx=automatic", "--jsx-import-source=preact", "--loader:.svg=copy", "--charset=utf8",
                    "--entry-names=[name]-[hash]", "--chunk-names=[name]-[hash]", f"--outdir={folder}/out", f"--metafile={found}",
                    "--log-level=warning", "--legal-comments=none"], cwd=sources, check=True)
    meta = json.loads(found.read_text(encoding="utf-8"))
    entries = {output["entryPoint"]: Path(name).name for name, output in meta["outputs"].items() if "entryPoint" in output}
    icon = next(path.name for path in Path(folder, "out").iterdir() if path.suffix == ".svg")
    files = {path.name: path.read_bytes() for path in sorted(Path(folder, "out").iterdir())}
    return files, {**entries, "icon.svg": icon}, [sources / name for name in meta["inputs"]]


def literal(data):
    """As numbers of type char: a string literal of that length is more than compilers have to take."""
    return ",".join(str(byte - 256 if byte > 127 else byte) for byte in data)


def cpp(assets):
    lines = ["// Written by tools/web_assets.py: the dashboard.", '#include "web/assets.h"', "", "namespace infra::web {", "namespace {"]
    rows = []
    for number, (name, data, encoding) in enumerate(assets):
        lines.append(f"constexpr char k{number}[] = {{{literal(data)}}};")
        etag = hashlib.sha256(data).hexdigest()[:16]
        immutable = "false" if name in ("index.html", "manifest.json") else "true"
        rows.append(f'    {{.name = "{name}", .type = "{TYPES[Path(name).suffix]}", .etag = "\\"{etag}\\"", .encoding = "{encoding}", '
                    f".content = {{k{number}, sizeof k{number}}}, .immutable = {immutable}}},")
    return "\n".join([*lines, "constexpr Asset kAssets[] = {", *rows, "};", "}  // namespace", "",
                      "std::span<const Asset> assets() { return kAssets; }", "", "}  // namespace infra::web", ""])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sources", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--depfile", type=Path, required=True)
    arguments = parser.parse_args()
    sources = arguments.sources.resolve()
    with tempfile.TemporaryDirectory() as folder:
        files, entries, inputs = bundle(sources, folder)
    template = sources / "index.html"
    page = template.read_text(encoding="utf-8")
    for entry, name in entries.items():
        page = page.replace(f"./{entry}", f"./assets/{name}")
    files["index.html"] = page.encode()
    packed = {name: gzip.compress(data, 9, mtime=0) for name, data in files.items()}
    total = sum(map(len, packed.values()))
    if total > MOST_BYTES:
        sys.exit(f"web_assets: the dashboard has {total} bytes compressed; it may have {MOST_BYTES}.")
    manifest = {"total": {"bytes": sum(map(len, files.values())), "gzip": total},
                "files": [{"name": name, "bytes": len(files[name]), "gzip": len(data)} for name, data in packed.items()]}
    assets = [(name, data, "gzip") for name, data in packed.items()]
    assets.append(("manifest.json", json.dumps(manifest, indent=1).encode(), ""))
    arguments.output.write_text(cpp(assets), encoding="utf-8")
    depends = " ".join(os.path.abspath(path).replace(" ", "\\ ") for path in [*inputs, template])
    arguments.depfile.write_text(f"{arguments.output}: {depends}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
