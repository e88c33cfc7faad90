// What strangers put into the page stays text; a key that is refused signs out; what a server has not is not shown, and what it has is.
import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, request } from "node:http";
import { test } from "node:test";
import { key, open, seriousFlaws, signIn, url } from "./browser.mjs";

const MARKUP = `<img src=x onerror="document.title='owned'"><script>document.title='owned'</script>`;

async function upload(code, name) {
  const boundary = "hostile";
  const { zip } = await import("../../src/web/zip.ts");
  const bundle = Buffer.from(await (await zip([{ path: "main.py", data: new Blob([code]) }])).arrayBuffer());
  const part = (field, value) => Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; name="${field}"\r\n\r\n${value}\r\n`);
  const body = Buffer.concat([part("name", name), part("description", name), part("runtime", "python"),
    Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.zip"\r\n\r\n`), bundle,
    Buffer.from(`\r\n--${boundary}--\r\n`)]);
  const answer = await fetch(`${url}/upload`, { method: "POST", body, headers: { "x-api-key": key,
    "content-type": `multipart/form-data; boundary=${boundary}` } });
  assert.equal(answer.status, 200, await answer.clone().text());
  return (await answer.json()).functionId;
}

test("a hostile function is text wherever it is shown", async (t) => {
  const id = await upload(`
import os, sys
def handler(event, context):
    print(${JSON.stringify(MARKUP)})
    print(${JSON.stringify(MARKUP)}, file=sys.stderr)
    os.makedirs("/output/<svg onload=alert(1)>", exist_ok=True)
    open("/output/<svg onload=alert(1)>/page.html", "w").write(${JSON.stringify(MARKUP)})
    if (event or {}).get("fail"):
        raise ValueError(${JSON.stringify(MARKUP)})
    return {"markup": ${JSON.stringify(MARKUP)}, "__proto__": {"owned": True}}
`, MARKUP);
  const { page, wasQuiet } = await open(t);
  const harmless = async (what) => {
    assert.equal(await page.locator("main img, main script, main svg, main iframe").count(), 0, what);
    assert.doesNotMatch(await page.title(), /owned/, what);
  };
  await signIn(page);
  await page.getByRole("link", { name: MARKUP }).waitFor();
  await harmless("the list");
  await page.getByRole("link", { name: MARKUP }).click();
  await page.getByRole("heading", { name: MARKUP }).waitFor();
  await page.getByRole("button", { name: "Run", exact: true }).click();
  await page.getByRole("region", { name: "Result" }).getByText("<img src=x").first().waitFor();
  await page.getByRole("region", { name: "stderr" }).getByText(MARKUP).first().waitFor();
  const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "<svg onload" }).click()]);
  assert.equal(file.suggestedFilename(), "page.html");
  await harmless("a run");
  await page.getByRole("textbox", { name: "Input, JSON" }).fill('{"fail": true}');
  await page.getByRole("button", { name: "Run", exact: true }).click();
  await page.getByRole("alert").getByText("<img src=x").first().waitFor();
  await harmless("a failure");
  await page.goto(`${url}/#/functions/${id}/logs`);
  await page.reload();
  await signIn(page);
  await page.goto(`${url}/#/functions/${id}/logs?search=${encodeURIComponent(MARKUP)}`);
  await page.locator("td code").first().waitFor();
  await harmless("its logs");
  await page.goto(`${url}/#/${encodeURIComponent(MARKUP)}`);
  await page.getByText("There is no such page").first().waitFor();
  await harmless("an address");
  assert.deepEqual(await seriousFlaws(page), []);
  wasQuiet();
});

test("the browser itself forbids markup from text, and scripts and requests that are not the page's", async (t) => {
  const { page, wasQuiet } = await open(t);
  await page.goto(url);
  const tried = await page.evaluate(async (markup) => {
    const outcome = {};
    try {
      document.body.innerHTML = markup;
      outcome.markup = "taken";
    } catch (error) {
      outcome.markup = error.name;
    }
    const script = document.createElement("script");
    try {
      script.textContent = "document.title = 'owned'";
      document.head.append(script);
    } catch {
      // Trusted Types
    }
    outcome.request = await fetch("https://example.invalid/").then(() => "sent", () => "refused");
    return { ...outcome, title: document.title };
  }, MARKUP);
  assert.deepEqual(tried, { markup: "TypeError", request: "refused", title: "Infra" });
});

test("the key stays in the tab if that is asked, and a refusal signs out and forgets it", async (t) => {
  const { page, wasQuiet } = await open(t);
  await signIn(page, { keep: true });
  await page.getByRole("button", { name: "Sign out" }).waitFor();
  await page.reload();
  await page.getByRole("button", { name: "Sign out" }).waitFor();
  await page.route("**/workers", (route) => route.fulfill({ status: 401, json: { error: "The API key is wrong.", code: "unauthorized" } }));
  await page.getByRole("link", { name: "Workers" }).click();
  await page.getByText("The server refused the key").first().waitFor();
  assert.equal(await page.evaluate(() => sessionStorage.length), 0);
  wasQuiet();
});

const ROW = { functionId: "0190", name: "a", description: "", runtime: "python", memoryMb: 128, network: "none", keepWarm: 0,
  maxConcurrency: null, invocations: 3, avgDuration: 2, avgHandlerDuration: 1, uploadedAt: "2026-01-01T00:00:00Z",
  updatedAt: "2026-01-01T00:00:00Z" };

test("a key that may read is offered nothing else; keys are for who may administer", async (t) => {
  const { page, wasQuiet } = await open(t);
  await page.route("**/whoami", (route) => route.fulfill({ json: { key: "k_reader", name: "reader", scopes: ["read"], functions: null } }));
  await signIn(page);
  await page.getByText("reader").first().waitFor();
  const places = page.getByRole("navigation", { name: "Main" });
  assert.deepEqual(await places.getByRole("link").allInnerTexts(), ["Functions", "Overview", "Workers", "API"]);
  assert.equal(await page.getByRole("link", { name: "Deploy" }).count(), 0);
  await page.route("**/functions/0190", (route) => route.fulfill({ json: { ...ROW, envVars: { TOKEN: null } } }));
  await page.goto(`${url}/#/functions/0190`);
  const parts = page.getByRole("navigation", { name: "Of this function" });
  await parts.getByRole("link", { name: "Memory" }).waitFor();
  for (const refused of ["Run", "Code", "Settings"]) assert.equal(await parts.getByRole("link", { name: refused }).count(), 0, refused);
  assert.equal(await page.getByRole("button", { name: /^Run/ }).count(), 0);
  await page.goto(`${url}/#/functions/0190/settings`);
  await page.getByText("This key may not change functions").waitFor();
  assert.equal(await page.getByRole("button", { name: "Show the values" }).count(), 0);
  await page.getByRole("button", { name: "Sign out" }).click();

  await page.route("**/whoami", (route) => route.fulfill({ json: { key: "k_one", name: "one", scopes: ["read"], functions: ["0190"] } }));
  await signIn(page);
  await page.getByText("one", { exact: true }).waitFor();
  assert.deepEqual(await places.getByRole("link").allInnerTexts(), ["Functions", "API"]);
  await page.getByRole("button", { name: "Sign out" }).click();

  await page.route("**/whoami", (route) => route.fulfill({ json: { key: "master", name: "master", scopes: ["admin"] } }));
  const one = { id: "k_ABCDEFGHIJKL", name: "ci", scopes: ["deploy"], functions: null, expiresAt: null, lastUsedAt: null, revoked: false, rateLimit: null,
    secrets: 2 };
  await page.route("**/keys", (route) => route.fulfill({ json: route.request().method() === "POST" ? { ...one, key: "k_ABCDEFGHIJKL.secret" }
    : { keys: [one] } }));
  await page.route("**/audit?*", (route) => route.fulfill({ json: { entries: [{ at: "2026-01-01T00:00:00Z", key: "master", action: "key.made",
    target: one.id, before: null, after: { name: MARKUP }, requestId: "r", outcome: "done" }] },
  headers: { link: '</audit?limit=100&cursor=x>; rel="next"' } }));
  await page.route("**/audit?limit=100&cursor=x", (route) => route.fulfill({ json: { entries: [{ at: "2026-01-01T00:00:00Z", key: one.id,
    action: "function.update", target: "0190", before: { memoryMb: 128, keepWarm: 0, name: "a", description: "" },
    after: { memoryMb: 256, keepWarm: 1, name: "b", description: "" }, requestId: "q", outcome: "done" }] } }));
  await signIn(page);
  await page.getByRole("link", { name: "Keys" }).click();
  await page.getByText("key.made").first().waitFor();
  await page.getByRole("region", { name: "Audit" }).getByText(MARKUP).waitFor();
  await page.getByRole("button", { name: "Load older" }).click();
  await page.getByText("and 1 more").click();
  await page.getByText("128 → 256").waitFor();
  await page.getByRole("button", { name: "End the old secret" }).waitFor();
  await page.getByLabel("Name").fill("ci");
  await page.getByRole("button", { name: "Make it" }).click();
  await page.getByText("k_ABCDEFGHIJKL.secret").first().waitFor();
  assert.deepEqual(await seriousFlaws(page), []);
  wasQuiet();
});

test("no function yet: what to do first", async (t) => {
  const { page } = await open(t, { width: 375, height: 800 });
  await page.route("**/functions?limit=1000", (route) => route.fulfill({ json: [] }));
  await signIn(page);
  await page.getByRole("heading", { name: "No functions yet" }).waitFor();
  assert.deepEqual(await seriousFlaws(page), []);
  await page.getByRole("link", { name: "Deploy the first function" }).click();
  await page.getByRole("heading", { name: "Deploy" }).waitFor();
});

test("functions come a page at a time", async (t) => {
  const { page, wasQuiet } = await open(t);
  await page.route("**/functions?limit=1000", (route) => route.fulfill({ json: Array.from({ length: 60 }, (_, i) => ({ ...ROW,
    functionId: `${i}`, name: `first-${i}` })), headers: { link: '</functions?limit=1000&cursor=x>; rel="next"' } }));
  await page.route("**/functions?limit=1000&cursor=x", (route) => route.fulfill({ json: [{ ...ROW, name: "last-of-all" }] }));
  await signIn(page);
  await page.getByText("60 of 60 loaded").first().waitFor();
  assert.equal(await page.locator("tbody tr").count(), 50);
  await page.getByRole("button", { name: "Next" }).click();
  assert.equal(await page.locator("tbody tr").count(), 10);
  await page.getByRole("button", { name: "Load all" }).click();
  await page.getByText("61 of 61").first().waitFor();
  await page.getByRole("button", { name: "Name" }).click();
  await page.getByRole("searchbox").fill("last");
  await page.getByRole("link", { name: "last-of-all" }).waitFor();
});

test("lines as they are printed, and a function's past, where the server has them", async (t) => {
  const { page, wasQuiet } = await open(t);
  const from = Math.floor(Date.now() / 60_000) * 60_000 - 60 * 60_000;
  const time = (minute) => new Date(from + minute * 60_000).toISOString();
  const points = Array.from({ length: 40 }, (_, i) => ({ time: time(i + 20), runs: i, errors: 1, coldStarts: 1, averageMs: 5, p50Ms: 2,
    p99Ms: 9, maxMs: 9, peakMemoryMb: 9 }));
  await page.route("**/functions/0190", (route) => route.fulfill({ json: ROW }));
  await page.route("**/functions/0190/logs?*", (route) => route.fulfill({ json: [] }));
  await page.route("**/functions/0190/series?*", (route) => route.fulfill({ json: { from: time(0), to: time(60), step: 60, points } }));
  await page.route("**/events?*", (route) => route.fulfill({ contentType: "text/event-stream", body: ": beat\n\nid: 1\nevent: log\n" +
    `data: ${JSON.stringify({ requestId: "r", functionId: "0190", stream: "stdout", text: `${MARKUP}\n`, at: "" })}\n\n` }));
  await signIn(page);
  await page.goto(`${url}/#/functions/0190/logs`);
  await page.getByRole("log").getByText("<img src=x").first().waitFor();
  assert.equal(await page.locator("main img").count(), 0);
  await page.getByRole("link", { name: "Charts" }).click();
  await page.getByRole("img", { name: "780 runs, 40 of them errors" }).waitFor();
  assert.equal(await page.locator("canvas").count(), 4);
  await page.getByLabel("Range").selectOption("86400");
  await page.getByText("Runs each 15 minutes").waitFor();
  await page.setViewportSize({ width: 700, height: 900 });
  await page.waitForFunction(() => [...document.querySelectorAll("canvas")].every((each) => each.clientWidth <= 668));
  assert.deepEqual(await seriousFlaws(page), []);
  wasQuiet();
});

test("an old run's output file comes by its name", async (t) => {
  const { page, wasQuiet } = await open(t);
  const id = await upload("def handler():\n    open('/output/a report.txt', 'w').write('of then')\n", "leaves");
  const ran = await fetch(`${url}/run`, { method: "POST", headers: { "x-api-key": key, "content-type": "application/json" },
    body: JSON.stringify({ functionId: id }) });
  const { requestId } = await ran.json();
  await page.route("**/status/*", (route) => route.fulfill({ status: 404, json: { error: "No such job.", code: "job_not_found" } }));
  await signIn(page);
  await page.getByRole("button", { name: "Sign out" }).waitFor();
  await page.goto(`${url}/#/functions/${id}/logs/${requestId}`);
  await page.getByText("Output files").click();
  await page.getByLabel("Name of the file").fill("other.txt");
  await page.getByRole("button", { name: "Download" }).click();
  await page.getByRole("alert").getByText("no output file of that name").waitFor();
  await page.getByLabel("Name of the file").fill("a report.txt");
  const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Download" }).click()]);
  assert.equal(readFileSync(await file.path(), "utf8"), "of then");
  assert.deepEqual(await seriousFlaws(page), []);
  wasQuiet();
});

test("the interface as the server describes it, where it does", async (t) => {
  const { page, wasQuiet } = await open(t);
  const described = { openapi: "3.1.0", info: { title: "Infra", version: "1" }, paths: { "/run": { post: { summary: "Runs a function.",
    parameters: [{ $ref: "#/components/parameters/async" }],
    requestBody: { content: { "application/json": { schema: { type: "object", properties: { functionId: { type: "string" } } } } } },
    responses: { 200: { description: "A result." } } } } },
    components: { parameters: { async: { name: "x-async", in: "header", schema: { type: "boolean" }, description: MARKUP } } } };
  await page.route("**/openapi.json", (route) => route.fulfill({ json: described }));
  await signIn(page);
  await page.getByRole("link", { name: "API" }).click();
  await page.getByText("Runs a function.").click();
  await page.getByText("<img src=x").first().waitFor();
  assert.deepEqual(await seriousFlaws(page), []);
  wasQuiet();
});

// The server behind one that has /events, as long as `t`.
async function withEvents(t) {
  const streams = new Set();
  const queries = [];
  const changes = new EventEmitter();
  const server = createServer((asked, answer) => {
    if (asked.url.startsWith("/events")) {
      queries.push(asked.url);
      answer.writeHead(200, { "content-type": "text/event-stream" }).write(": beat\n\n");
      streams.add(answer);
      changes.emit("change");
      answer.on("close", () => (streams.delete(answer), changes.emit("change")));
      return;
    }
    const own = request(url + asked.url, { method: asked.method, headers: asked.headers }, (got) => {
      answer.writeHead(got.statusCode, got.headers);
      got.pipe(answer);
    });
    asked.pipe(own);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.closeAllConnections());
  t.after(() => server.close());
  const until = async (holds) => {
    while (!holds()) await once(changes, "change");
  };
  return { url: `http://127.0.0.1:${server.address().port}`, streams, queries, until };
}

test("tabs of one key share a stream, and another goes on when its reader is closed", async (t) => {
  const live = await withEvents(t);
  const { page, wasQuiet } = await open(t, { at: live.url });
  const functions = [await upload("def handler():\n    pass\n", "one"), await upload("def handler():\n    pass\n", "two")];
  const tabs = [page, await page.context().newPage()];
  for (const [i, each] of tabs.entries()) {
    await signIn(each, { at: live.url });
    await each.getByRole("button", { name: "Sign out" }).waitFor();
    await each.goto(`${live.url}/#/functions/${functions[i]}/logs`);
    await each.getByRole("heading", { name: "No runs yet" }).waitFor();
  }
  const tell = (id, functionId, text) => {
    for (const stream of live.streams) stream.write(`id: ${id}\nevent: log\ndata: ${JSON.stringify({ functionId, stream: "stdout", text })}\n\n`);
  };
  const both = (asked) => functions.every((id) => asked.includes(id));
  await live.until(() => live.streams.size === 1 && both(live.queries.at(-1)));
  tell("7", functions[0], "for the first");
  tell("8", functions[1], "for the second");
  await tabs[0].getByRole("log").getByText("for the first").first().waitFor();
  await tabs[1].getByRole("log").getByText("for the second").first().waitFor();
  assert.equal(await tabs[0].getByText("for the second").count(), 0);
  const before = live.queries.length;
  await tabs[0].close();
  await live.until(() => live.queries.length > before && live.streams.size === 1);
  tell("9", functions[1], "still heard");
  await tabs[1].getByText("still heard").first().waitFor();
  wasQuiet();
});

test("the stream ends while the page is hidden, and begins anew when it is seen", async (t) => {
  const live = await withEvents(t);
  const { page, wasQuiet } = await open(t, { at: live.url });
  await signIn(page, { at: live.url });
  await page.getByRole("link", { name: "Overview" }).click();
  const show = (hidden) => page.evaluate((now) => {
    Object.defineProperty(document, "hidden", { value: now, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  }, hidden);
  await live.until(() => live.streams.size === 1);
  assert.doesNotMatch(live.queries.at(-1), /functions=/); // of all
  await show(true);
  await live.until(() => live.streams.size === 0);
  await show(false);
  await live.until(() => live.streams.size === 1);
  wasQuiet();
});
