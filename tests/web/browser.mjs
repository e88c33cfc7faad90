// Debian's Chromium under playwright-core, and what every page must keep: nothing on its console, no failed request that was not
// meant, no serious finding of axe-core.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const require = createRequire(join(process.env.INFRA_WEB_TESTS, "package.json"));
const { chromium } = require("playwright-core");
const axeSource = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

export const url = process.env.INFRA_URL;
export const key = process.env.INFRA_API_KEY;

// Some refusals are what a test asks for; Chromium writes each of them to the console.
const REFUSED = /Failed to load resource: the server responded with a status of (400|401|403|404|409|422|501|503)/;

// One for all tests of a file; it ends with the process.
let browser;

// A tab that is closed with the test `t`, and has had nothing to complain of then.
export async function open(t, { width = 1440, height = 900, dark = false, at = url } = {}) {
  browser ??= await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: dark ? "dark" : "light",
    reducedMotion: "reduce",
    acceptDownloads: true,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(45_000);
  const complaints = [];
  const foreign = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type()) && !REFUSED.test(message.text())) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("dialog", (dialog) => (complaints.push(`a dialog: ${dialog.message()}`), dialog.dismiss()));
  page.on("request", (request) => {
    if (!request.url().startsWith(at) && !/^(data|blob):/.test(request.url())) foreign.push(request.url());
  });
  t.after(() => context.close());
  return {
    page,
    wasQuiet: () => {
      assert.deepEqual(complaints, []);
      assert.deepEqual(foreign, []);
    },
  };
}

// A part of a test, which its failure names.
export async function step(what, act) {
  try {
    await act();
  } catch (error) {
    throw new Error(`${what}: ${error.message}`, { cause: error });
  }
}

export async function signIn(page, { given = key, keep = false, at = url } = {}) {
  await page.goto(at);
  await page.getByLabel("API key").fill(given);
  if (keep) await page.getByLabel("Stay signed in").check();
  await page.getByRole("button", { name: "Sign in" }).click();
}

// In a frame of its own, as the policy of the page lets no foreign script in: playwright's isolated world is not bound by it.
export async function seriousFlaws(page) {
  await page.evaluate(axeSource);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  return violations.filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(" | ")}`);
}

// What does not fit into the page's width.
export function overflow(page) {
  return page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
}
