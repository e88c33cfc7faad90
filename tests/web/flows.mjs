// What a person does with the dashboard, from the key to a function that is gone, on a desk and on a phone.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, mkdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { key, open, overflow, seriousFlaws, signIn, step, url } from "./browser.mjs";

async function fits(page, what) {
  assert.deepEqual(await seriousFlaws(page), [], what);
  assert.ok((await overflow(page)) <= 0, `${what} is wider than the screen`);
}

async function writeCode(page, text) {
  await page.getByRole("textbox", { name: /^Code,/ }).fill(text);
}

const run = (page) => page.getByRole("button", { name: "Run", exact: true });

for (const { width, height, dark } of [{ width: 1440, height: 900, dark: false }, { width: 375, height: 800, dark: true }]) {
  test(`the way of a function, ${width} px`, async (t) => {
    const { page, wasQuiet } = await open(t, { width, height, dark });
    const name = `hello-${width}`;

    await step("a wrong key is refused in words, the right one opens the door", async () => {
      await page.goto(url);
      await fits(page, "sign in");
      await signIn(page, { given: "wrong" });
      await page.getByRole("alert").getByText("The API key is wrong").first().waitFor();
      await fits(page, "a wrong key");
      await signIn(page);
      await page.getByRole("navigation", { name: "Main" }).waitFor();
      assert.equal(await page.evaluate(() => sessionStorage.length + localStorage.length + document.cookie.length), 0);
      assert.ok(!page.url().includes(key));
    });

    await step("code is written in the page and deployed", async () => {
      await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Deploy" }).click();
      await page.getByLabel("Name").fill(name);
      await page.getByLabel("Runtime").selectOption("nodejs");
      await writeCode(page, "exports.handler = async (event) => {\n  console.log('line for', event.name);\n  " +
        "require('fs').writeFileSync('/output/note.txt', 'kept');\n  return { hello: event.name };\n};\n");
      await fits(page, "deploy");
      await page.locator("form button.primary").click();
      await page.getByRole("heading", { name, level: 1 }).waitFor();
    });

    await step("it runs: value, lines, time, memory, output file", async () => {
      await page.getByRole("textbox", { name: "Input, JSON" }).fill('{"name": ');
      assert.ok(await run(page).isDisabled());
      await page.getByRole("textbox", { name: "Input, JSON" }).fill('{"name": "Grace"}');
      await page.keyboard.press("Control+Enter");
      await page.locator(".outcome .status", { hasText: "success" }).waitFor();
      assert.match(await page.getByRole("region", { name: "Result" }).innerText(), /"hello": "Grace"/);
      assert.match(await page.getByRole("region", { name: "stdout" }).innerText(), /line for Grace/);
      for (const part of ["Browser", "Request", "Worker", "Handler"]) await page.getByRole("rowheader", { name: part }).waitFor();
      await page.getByRole("meter", { name: "Memory" }).waitFor();
      const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "note.txt" }).click()]);
      assert.equal(readFileSync(await file.path(), "utf8"), "kept");
      await page.getByRole("heading", { name: "Memory advice" }).waitFor();
      await fits(page, "run");
    });

    await step("a failure says whose fault it was; a job's result comes by itself", async () => {
      await page.getByRole("textbox", { name: "Input, JSON" }).fill("null");
      await run(page).click();
      await page.locator(".outcome .status", { hasText: "failed" }).waitFor();
      await page.locator(".outcome").getByRole("alert").getByText("handler_error").first().waitFor();
      await page.getByRole("textbox", { name: "Input, JSON" }).fill('{"name": "later"}');
      await page.getByRole("button", { name: "Run as a job" }).click();
      await page.getByRole("region", { name: "Result" }).getByText("later").first().waitFor();
    });

    await step("logs come as runs do, are filtered, and each has an address", async () => {
      await page.getByRole("navigation", { name: "Of this function" }).getByRole("link", { name: "Logs" }).click();
      await page.locator("tbody tr").nth(2).waitFor();
      await fetch(`${url}/run`, { method: "POST", headers: { "x-api-key": key, "content-type": "application/json" },
        body: JSON.stringify({ functionId: `name:${name}`, inputData: { name: "from outside" } }) });
      await page.getByText("line for from outside").first().waitFor();
      await page.getByLabel("Outcome").selectOption("FAILED");
      await page.locator("tbody tr .status", { hasText: "failed" }).waitFor();
      assert.equal(await page.locator("tbody tr").count(), 1);
      assert.match(page.url(), /status=FAILED/);
      await fits(page, "logs");
      await page.locator("tbody a").click();
      await page.getByRole("region", { name: "stderr" }).getByText("TypeError").first().waitFor();
      await fits(page, "one run");
    });

    await step("its settings and its code change", async () => {
      await page.getByRole("link", { name: "Settings" }).click();
      await page.getByLabel("Memory, MB").fill("256");
      await page.getByLabel("Description").fill("Greets.");
      await page.getByLabel("Environment").fill("no variable");
      await page.getByRole("button", { name: "Save" }).click();
      await page.getByRole("alert").getByText("is not NAME=value").first().waitFor();
      await page.getByLabel("Environment").fill("MOOD=good");
      await page.getByRole("button", { name: "Save" }).click();
      await page.getByText("Saved; it holds").first().waitFor();
      await page.locator(".facts", { hasText: "256 MB" }).waitFor();
      const environment = page.getByRole("group", { name: "Environment" });
      await environment.getByText("MOOD", { exact: true }).waitFor();
      assert.equal(await page.locator("main textarea").count(), 0);
      await page.getByLabel("Description").fill("Greets people.");
      await page.getByRole("button", { name: "Save" }).click(); // which leaves what was not shown as it is
      await page.getByText("Greets people.", { exact: true }).waitFor();
      await page.getByRole("button", { name: "Show the values" }).click();
      await page.getByText("what stands here is all that it will have").first().waitFor();
      assert.equal(await page.getByLabel("Environment").inputValue(), "MOOD=good\n");
      await page.getByLabel("Environment").fill('MOOD=good\nLINES="a\\nb"');
      await page.getByRole("button", { name: "Save" }).click();
      await environment.getByText("LINES", { exact: true }).waitFor();
      await page.getByRole("button", { name: "Replace them all" }).click();
      assert.equal(await page.getByLabel("Environment").inputValue(), "");
      await page.getByRole("button", { name: "Leave them as they are" }).click();
      await page.getByRole("button", { name: "Show the values" }).click();
      await page.waitForFunction(() => [...document.querySelectorAll("textarea")].some(({ value }) => value.includes('LINES="a\\nb"')));
      await fits(page, "settings");
      await page.getByRole("link", { name: "Code", exact: true }).click();
      assert.match(await page.getByRole("textbox", { name: /^Code,/ }).inputValue(), /line for/);
      await writeCode(page, "exports.handler = async () => process.env.MOOD;\n");
      await fits(page, "code");
      await page.getByRole("button", { name: "Replace the code" }).click();
      await page.getByRole("link", { name: "Run it" }).click();
      await run(page).click();
      await page.getByRole("region", { name: "Result" }).getByText('"good"').first().waitFor();
    });

    await step("it is found, and how the platform is", async () => {
      await page.getByRole("link", { name: "Functions" }).click();
      await page.getByRole("searchbox").fill("no such thing");
      await page.getByText("Nothing matches").first().waitFor();
      await page.getByRole("searchbox").fill(name);
      await page.getByRole("link", { name, exact: true }).waitFor();
      await fits(page, "functions");
      await page.getByRole("link", { name: "Overview" }).click();
      await page.getByText("Function Executed").first().waitFor();
      const runs = page.locator(".figure", { hasText: "Runs" }).locator("dd");
      const before = parseInt(await runs.innerText(), 10);
      await fetch(`${url}/run`, { method: "POST", headers: { "x-api-key": key, "content-type": "application/json" },
        body: JSON.stringify({ functionId: `name:${name}` }) });
      await page.waitForFunction((least) => parseInt([...document.querySelectorAll(".figure")].find(({ innerText }) =>
        innerText.startsWith("Runs")).querySelector("dd").innerText, 10) > least, before, { timeout: 25_000 }); // asked for by itself in 30
      await fits(page, "overview");
      await page.getByRole("link", { name: "Workers" }).click();
      await page.getByRole("region", { name: "Workers" }).waitFor();
      await fits(page, "workers");
    });

    await step("it is deleted after a question, and one signs out", async () => {
      await page.getByRole("link", { name: "Functions" }).click();
      await page.getByRole("link", { name, exact: true }).click();
      await page.getByRole("link", { name: "Settings" }).click();
      await page.getByRole("button", { name: "Delete this function" }).click();
      await fits(page, "the question");
      await page.getByRole("button", { name: "Cancel" }).click();
      await page.getByRole("button", { name: "Delete this function" }).click();
      await page.getByRole("button", { name: "Delete", exact: true }).click();
      await page.getByRole("heading", { name: /^(Functions|No functions yet)$/ }).waitFor();
      assert.equal(await page.getByRole("link", { name, exact: true }).count(), 0);
      await page.getByRole("button", { name: "Sign out" }).click();
      await page.getByLabel("API key").waitFor();
    });
    wasQuiet();
  });
}

test("a folder becomes a ZIP in the page; what does not compile is shown as the compiler said it", async (t) => {
  const { page, wasQuiet } = await open(t);
  const folder = mkdtempSync(join(tmpdir(), "infra-web-"));
  try {
    mkdirSync(join(folder, "greeter", "lib"), { recursive: true });
    writeFileSync(join(folder, "greeter", "main.py"), "from lib.words import WORD\ndef handler(event, context):\n    return WORD\n");
    writeFileSync(join(folder, "greeter", "lib", "words.py"), `WORD = ${JSON.stringify("long ".repeat(2000))}\n`);
    await signIn(page);
    await page.getByRole("link", { name: "Deploy", exact: true }).first().click();
    await page.getByLabel("Name").fill("folder");
    await page.getByLabel("Runtime").selectOption("go");
    await page.getByLabel("ZIP or folder").check();
    await page.locator("input[type=file][aria-label=Folder]").setInputFiles(join(folder, "greeter"));
    await page.getByText("2 files").first().waitFor();
    await page.getByLabel("Runtime").locator("option:checked", { hasText: "Python" }).waitFor({ state: "attached" }); // its files say so
    await page.locator("form button.primary").click();
    await run(page).click();
    await page.getByRole("region", { name: "Result" }).getByText("long long").first().waitFor();

    await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Deploy" }).click();
    await page.getByLabel("Name").fill("broken");
    await page.getByLabel("Runtime").selectOption("cpp");
    await writeCode(page, "int main() { return nonsense; }\n");
    await page.locator("form button.primary").click();
    await page.getByRole("alert").getByText("nonsense").first().waitFor({ timeout: 60_000 });
    await fits(page, "a compile error");
  } finally {
    rmSync(folder, { recursive: true });
  }
  wasQuiet();
});

test("the editor: Tab indents, brackets close, Escape and Tab leaves", async (t) => {
  const { page, wasQuiet } = await open(t);
  await signIn(page);
  await page.getByRole("link", { name: "Deploy", exact: true }).first().click();
  const editor = page.getByRole("textbox", { name: /^Code,/ });
  await editor.fill("");
  await editor.pressSequentially("def f(a");
  await page.keyboard.type("):");
  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Backspace");
  assert.equal(await editor.inputValue(), "def f(a):\n       ");
  await page.keyboard.press("Control+z");
  assert.notEqual(await editor.inputValue(), "def f(a):\n       ");
  await page.keyboard.press("Escape");
  await page.keyboard.press("Tab");
  assert.ok(!(await editor.evaluate((area) => area === document.activeElement)));
  await editor.fill("g([1])");
  await editor.evaluate((area) => area.setSelectionRange(2, 2));
  await page.keyboard.press("ArrowLeft");
  assert.equal(await page.locator(".behind mark").count(), 2);
  wasQuiet();
});
