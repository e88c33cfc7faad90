// How long the dashboard's first paint takes, as Chromium counts it, beside an empty page's from the same server, in turn.
import { createServer, request } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(join(process.env.INFRA_WEB_TESTS, "package.json"));
const { chromium } = require("playwright-core");
const ROUNDS = Number(process.argv[2]);

// The platform, and one page of nothing in front of it.
const server = createServer((asked, answer) => {
  if (asked.url === "/empty") {
    answer.writeHead(200, { "content-type": "text/html; charset=utf-8" });
    return answer.end("<!doctype html><html lang=en><title>Empty</title><p>Nothing</p>");
  }
  asked.pipe(request(process.env.INFRA_URL + asked.url, { method: asked.method, headers: asked.headers }, (got) => {
    answer.writeHead(got.statusCode, got.headers);
    got.pipe(answer);
  }));
});
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
const url = `http://127.0.0.1:${server.address().port}`;

const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });
async function paint(path) {
  const context = await browser.newContext();  // which has nothing in its cache
  const page = await context.newPage();
  await page.goto(url + path);
  const took = await page.evaluate(() => new Promise((tell) => new PerformanceObserver((list) => {
    const first = list.getEntriesByName("first-contentful-paint")[0];
    if (first) tell(first.startTime);
  }).observe({ type: "paint", buffered: true })));
  await context.close();
  return took;
}

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
const took = { "/empty": [], "/": [] };
for (const path of Object.keys(took)) await paint(path);
for (let i = 0; i < ROUNDS; ++i) for (const path of Object.keys(took)) took[path].push(await paint(path));
console.log(JSON.stringify({ empty: median(took["/empty"]), dashboard: median(took["/"]) }));
process.exit();
