// The dashboard's parts that need no page: what is made of metrics, streams and bundles.
import assert from "node:assert/strict";
import { test } from "node:test";
import { lookThrough, wordsOf } from "../../src/web/search.ts";
import { alone, stepsOf } from "../../src/web/series.ts";
import { quantile, readMetrics, sum } from "../../src/web/metrics.ts";
import { readEnvironment, writeEnvironment } from "../../src/web/environment.ts";
import { crc32, zip } from "../../src/web/zip.ts";
import { runtimeOf } from "../../src/web/templates.ts";
import { bytes, ms, seconds } from "../../src/web/format.ts";

test("a ZIP has its files where the directory says, deflated where that is smaller", async () => {
  const made = new DataView(await (await zip([
    { path: "main.py", data: new Blob(["x = 1\n".repeat(100)]) },
    { path: "naïve/a", data: new Blob(["a"]) },
  ])).arrayBuffer());
  const end = made.byteLength - 22;
  assert.equal(made.getUint32(end, true), 0x06054b50);
  assert.equal(made.getUint16(end + 10, true), 2);
  const directory = made.getUint32(end + 16, true);
  assert.equal(directory + made.getUint32(end + 12, true), end);
  assert.equal(made.getUint32(directory, true), 0x02014b50);
  assert.equal(made.getUint16(directory + 10, true), 8); // deflated
  assert.equal(made.getUint32(directory + 24, true), 600);
  const second = directory + 46 + "main.py".length;
  assert.equal(made.getUint16(second + 10, true), 0); // stored
  assert.equal(made.getUint32(made.getUint32(second + 42, true), true), 0x04034b50);
  assert.equal(crc32(new TextEncoder().encode("123456789")), 0xcbf43926);
});

test("a series has each of its steps, and what stands alone is known", () => {
  const point = (time) => ({ time, runs: 1, errors: 0, coldStarts: 0, p50Ms: 1, p99Ms: 1, peakMemoryMb: 1 });
  const steps = stepsOf({ from: "2026-12-01T00:00:00Z", to: "2026-12-01T00:05:00Z", step: 60,
    points: [point("2026-12-01T00:01:00.000Z"), point("2026-12-01T00:04:00.000Z")] });
  assert.deepEqual(steps.map(({ point: there }) => there?.runs ?? null), [null, 1, null, null, 1]);
  assert.equal(steps[4].at - steps[0].at, 240);
  assert.deepEqual(alone([1, null, 2, undefined, 3, 4, null, 0]), [0, 2, 7]);
});

test("many rows are looked through in slices, all of them, and no more once that is over", async () => {
  const rows = Array.from({ length: 20_000 }, (_, i) => ({ text: `function-${i} python`.repeat(20) }));
  const told = [];
  await lookThrough(rows, wordsOf(" Function-7 PYTHON"), (looked) => told.push(looked), new AbortController().signal);
  assert.equal(told.at(-1).looked, rows.length);
  assert.equal(told.filter(({ done }) => done).length, 1);
  assert.deepEqual(told.at(-1).found, rows.filter(({ text }) => text.includes("function-7")));
  const over = new AbortController();
  told.length = 0;
  await lookThrough(Array.from({ length: 2_000_000 }, () => rows[0]), ["nothing"], (looked) => (told.push(looked), over.abort()), over.signal);
  assert.equal(told.length, 1);
  assert.ok(!told[0].done);
});

test("variables are read as they are written, whatever their values are", () => {
  const all = { A: "", B: "x=y", LINES: "a\nb\r\n", QUOTED: '"x"', INNER: 'say "x"', SPACES: " a " };
  assert.deepEqual(readEnvironment(writeEnvironment(all)), all);
  assert.equal(writeEnvironment({ A: "1", LINES: "a\nb" }), 'A=1\nLINES="a\\nb"\n');
  assert.throws(() => readEnvironment("no variable"), /is not NAME=value/);
  assert.throws(() => readEnvironment('A="x'), /no JSON text/);
});

test("metrics are read with their labels, and quantiles as Prometheus estimates them", () => {
  const samples = readMetrics(`# HELP x y
runs_total{functionId="a\\"b",status="SUCCESS"} 3
runs_total{functionId="c",status="FAILED"} 1
took_bucket{f="a",le="0.1"} 5
took_bucket{f="b",le="0.1"} 5
took_bucket{f="a",le="1"} 10
took_bucket{f="b",le="1"} 10
took_bucket{f="a",le="+Inf"} 10
took_bucket{f="b",le="+Inf"} 10
`);
  assert.equal(sum(samples, "runs_total"), 4);
  assert.equal(sum(samples, "runs_total", { status: "FAILED" }), 1);
  assert.equal(quantile(samples, "took", 0.5), 0.1);
  assert.ok(Math.abs(quantile(samples, "took", 0.75) - 0.55) < 1e-9);
  assert.equal(quantile(samples, "none", 0.5), null);
});

test("values are short", () => {
  assert.deepEqual([bytes(512), bytes(1536), bytes(104857600), ms(0.25), ms(3.14), ms(1500), seconds(90), seconds(7200)],
    ["512 B", "1.5 KiB", "100 MiB", "0.25 ms", "3.1 ms", "1.50 s", "1 min", "2 h"]);
});

test("a bundle's files say its runtime", () => {
  assert.equal(runtimeOf(["lib/a.js", "index.mjs"]), "nodejs");
  assert.equal(runtimeOf(["README.md"]), null);
});
