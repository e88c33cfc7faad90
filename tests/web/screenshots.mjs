// The pictures that screenshots.py asks for: a run on a desk, the overview in the dark.
import { join } from "node:path";
import { open, signIn, url } from "./browser.mjs";

const folder = process.argv[2];
const ends = [];
const end = { after: (act) => ends.push(act) };

async function shoot(name, options, act) {
  const { page } = await open(end, { width: 1200, height: 720, ...options });
  await signIn(page);
  await page.getByRole("heading", { name: "Functions" }).waitFor();
  await act(page);
  await page.evaluate(() => document.activeElement?.blur());
  await page.waitForTimeout(300); // an animation's length, and charts'
  await page.screenshot({ path: join(folder, `dashboard-${name}.png`) });
}

await shoot("run", {}, async (page) => {
  await page.getByRole("link", { name: "resize", exact: true }).click();
  await page.getByRole("textbox", { name: "Input, JSON" }).fill('{\n  "image": "ada.jpg",\n  "width": 800\n}');
  const run = page.getByRole("button", { name: "Run", exact: true });
  await run.click();
  await page.locator(".outcome .status").waitFor();
  await page.getByRole("button", { name: /^Give it/ }).waitFor();
});
await shoot("overview", { dark: true }, async (page) => {
  await page.goto(`${url}/#/overview`);
  await page.getByText("Function Executed").first().waitFor();
});
for (const act of ends) await act();
process.exit();
