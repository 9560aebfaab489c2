// Uses the page in a headless Chromium as a person would.
// arguments: path of the browser, URL of the page
// stdin: {"chain": text, "texts": [JSON text, ...], "file": path, "shots": folder or null}
// stdout: {"reports": [{valid, checks}], "steps": {...}, "complaints": [text], "requests": [URL]}
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";

const [browserPath, url] = process.argv.slice(2);
const { chain, texts, file, shots } = JSON.parse(readFileSync(0, "utf8"));
const FLAGS = [
  "--disable-gpu",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
];
const STATES = { holds: true, open: true, fails: false };

const browser = await chromium.launch({ executablePath: browserPath, headless: true, chromiumSandbox: false, args: FLAGS });
try {
  const page = await browser.newPage({ viewport: { width: 1000, height: 900 } });
  const complaints = [];
  const requests = [];
  page.on("console", (message) => complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("request", (request) => requests.push(request.url()));
  await page.goto(url);
  const promise = page.getByLabel("Pre-confirmation", { exact: true });

  async function report() {
    const shown = await page.evaluate(() => ({
      state: document.querySelector("#banner").dataset.state,
      verdict: document.querySelector("#verdict").textContent,
      checks: [...document.querySelectorAll("#checks li")].map((row) => ({
        name: row.dataset.name,
        state: row.querySelector(".state").textContent,
        reason: row.querySelector(".reason").textContent,
      })),
    }));
    const checks = shown.checks.map(({ name, state, reason }) => ({ name, ok: STATES[state], reason }));
    return { valid: shown.state !== "fails", checks, verdict: shown.verdict };
  }

  const steps = { empty: await page.locator("#result").isVisible() };

  // By keyboard alone: the first stop is the field, and from there everything else is reached.
  await page.keyboard.press("Tab");
  const stops = [];
  for (let stop = 0; stop < 5; stop++) {
    stops.push(await page.evaluate(() => document.activeElement.id || document.activeElement.tagName.toLowerCase()));
    await page.keyboard.press("Tab");
  }
  steps.stops = stops;
  await page.locator("#example").focus();
  await page.keyboard.press("Enter");
  steps.example = await report();
  await shoot("example-light");
  await page.locator("#clear").focus();
  await page.keyboard.press("Space");
  steps.cleared = await page.locator("#result").isVisible();
  steps.focusAfterClear = await page.evaluate(() => document.activeElement.id);
  await page.locator("summary").focus();
  await page.keyboard.press("Enter");

  await page.getByLabel("Choose a file").setInputFiles(file);
  await page.locator("#result").waitFor();
  steps.file = await report();
  await promise.fill("");
  await drop(readFileSync(file, "utf8"));
  await page.locator("#result").waitFor();
  steps.dropped = await report();

  await page.locator("#chain").fill("0x12");
  steps.chainFault = await page.locator("#chain-fault").textContent();
  steps.chainInvalid = await page.locator("#chain").getAttribute("aria-invalid");
  await page.locator("#chain").fill(chain);
  steps.chainFaultGone = await page.locator("#chain-fault").textContent();
  await shoot("holds-light");
  await page.emulateMedia({ colorScheme: "dark" });
  await shoot("holds-dark");
  await promise.fill(texts[1] ?? "");
  await shoot("fails-dark");
  await page.emulateMedia({ colorScheme: "light" });
  await shoot("fails-light");
  await page.setViewportSize({ width: 380, height: 800 });
  steps.sidewaysScroll = await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
  await shoot("fails-phone");
  await page.setViewportSize({ width: 1000, height: 900 });

  const reports = [];
  for (const text of texts) {
    await promise.fill(text);
    reports.push(await report());
  }

  /** Drop a file on the page, as the browser tells it to the page. */
  async function drop(content) {
    const dropped = await page.evaluateHandle((text) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([text], "promise.json", { type: "application/json" }));
      return transfer;
    }, content);
    for (const kind of ["dragover", "drop"]) await page.dispatchEvent("#drop", kind, { dataTransfer: dropped });
  }

  async function shoot(name) {
    if (shots) await page.screenshot({ path: join(shots, `${name}.png`), fullPage: true });
  }

  process.stdout.write(JSON.stringify({ reports, steps, complaints, requests }));
} finally {
  await browser.close();
}
