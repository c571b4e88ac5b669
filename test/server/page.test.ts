// The chat page in a real browser: headless Chromium asks a server of the bundled model. Opens a device.
// Skipped, and said so, where no Chromium is installed (CHROMIUM=path names one). LLARIAT_SHOTS=folder keeps pictures.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Llama } from "../../src/node/index.ts";
import { type ServeOptions, serve } from "../../src/node/server.ts";
import { type Page, chromium, openPage } from "../tools/chromium.ts";
import { folder } from "../tools/models.ts";
import { ANSWER, PROMPT } from "../tools/serving.ts";
import { nothingHeld } from "../tools/steps.ts";

const test = suite("server: page");

/** What a person does on the page, and sees. */
interface Person {
  readonly page: Page;
  /** Types into what has the focus. */
  readonly type: (text: string) => Promise<unknown>;
  readonly key: (key: string, modifiers?: number) => Promise<void>;
  readonly click: (selector: string) => Promise<unknown>;
  /** Waits until an expression is true. */
  readonly until: (expression: string) => Promise<unknown>;
  readonly text: (selector: string) => Promise<string>;
  readonly size: (width: number, height: number) => Promise<unknown>;
  readonly scheme: (scheme: "light" | "dark") => Promise<unknown>;
  readonly shot: (name: string) => Promise<void>;
}

const CODES: Readonly<Record<string, number>> = { Enter: 13, Escape: 27, Tab: 9 };
const SHIFT = 8;

function person(page: Page): Person {
  const command: Page["command"] = (method, params) => page.command(method, params);
  return {
    page,
    type: (text) => command("Input.insertText", { text }),
    async key(key, modifiers = 0) {
      const code = { key, code: key, windowsVirtualKeyCode: CODES[key], modifiers };
      const text = key === "Enter" ? "\r" : undefined;
      await command("Input.dispatchKeyEvent", { type: "keyDown", ...code, text });
      await command("Input.dispatchKeyEvent", { type: "keyUp", ...code });
    },
    click: (selector) => page.evaluate(`document.querySelector(${JSON.stringify(selector)}).click()`),
    until: (expression) =>
      page.evaluate(
        `new Promise((done) => { const timer = setInterval(() => { if (${expression}) { clearInterval(timer); done(true); } }, 20); })`,
      ),
    text: (selector) => page.evaluate(`document.querySelector(${JSON.stringify(selector)}).textContent`),
    size: (width, height) =>
      command("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile: width < 600 }),
    scheme: (value) =>
      command("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value }] }),
    async shot(name) {
      const to = process.env["LLARIAT_SHOTS"];
      if (to === undefined) return;
      const { data } = await command("Page.captureScreenshot", { format: "png" });
      writeFileSync(join(to, `${name}.png`), Buffer.from(data!, "base64"));
    },
  }; // prettier-ignore
}

const DONE = "document.getElementById('stop').hidden";
const READY = "document.getElementById('model').value === 'kv-llama'";

/** Runs with a page of a server of the bundled model. */
async function visited(options: Partial<ServeOptions>, work: (person: Person, llama: Llama) => Promise<void>) {
  const llama = await Llama.load(folder("/models/kv-llama"));
  const server = serve({ models: { "kv-llama": llama }, ...options });
  let page: Page | undefined;
  try {
    page = await openPage(`${await server.listen({ port: 0 })}/`);
    await work(person(page), llama);
  } finally {
    await page?.close();
    await server.close(AbortSignal.abort());
    llama.close();
  }
}

/** Least contrast (WCAG 2.2) of any text that is seen with the ground behind it, and whose. */
const CONTRAST = `(() => {
  const rgb = (color) => color.match(/[\\d.]+/g).map(Number);
  const light = (color) => {
    const [r, g, b] = rgb(color).map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const color = getComputedStyle(each).backgroundColor;
      const alpha = rgb(color)[3] ?? 1;
      if (alpha === 1) return color;
    }
    return "rgb(255, 255, 255)";
  };
  let least = [Infinity, ""];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== "");
    if ((!own && !element.placeholder) || element.getClientRects().length === 0) continue;
    const colors = [getComputedStyle(element).color];
    if (element.placeholder) colors.push(getComputedStyle(element, "::placeholder").color);
    for (const color of colors) {
      const [a, b] = [light(color), light(ground(element))].sort((x, y) => y - x);
      const ratio = (a + 0.05) / (b + 0.05);
      if (ratio < least[0]) least = [ratio, element.tagName + "." + element.className + " " + element.textContent.slice(0, 30)];
    }
  }
  return least;
})()`; // prettier-ignore

const skipped = "the chat page in a browser";
if (!chromium) {
  console.log("note: no Chromium found; the chat page was not run (set CHROMIUM to its path)");
  test.skip(skipped);
} else {
  test("a message is answered with the keys alone, kept, computed again under another RoPE setting, and forgotten", () =>
    visited({}, async ({ page, type, key, click, until, text, shot }) => {
      await until(READY);
      assert.is(await page.evaluate("document.activeElement.id"), "message", "one may type at once");
      assert.match(await text("#about"), /trained on texts of up to 512 tokens/);
      await type("a line");
      await key("Enter", SHIFT);
      assert.is(await page.evaluate("document.getElementById('message').value"), "a line\n");
      await page.evaluate("document.getElementById('message').value = ''");
      await type(PROMPT);
      await until("/^\\d+ of 512/.test(tokens.textContent) && !tokens.textContent.startsWith('0 ')"); // counted while it is written
      await key("Enter");
      await until(`${DONE} && document.querySelector('article.assistant .foot')`);
      assert.is(await text("article.assistant .body"), ANSWER);
      assert.match(
        await text("article.assistant .foot"),
        /kv-llama.*no RoPE scaling.*tokens.*tokens\/s.*first token after/,
      );
      assert.is(await text("#status"), `The model: ${ANSWER}`);
      await shot("answer");
      // A setting per message: the same question under another.
      await page.evaluate("rope.value = 'yarn'; rope.dispatchEvent(new Event('input'))");
      assert.match(await text("#meaning"), /^Reaches 1,024 tokens, 2 × the trained 512\. /);
      await click("article.assistant .foot .quiet:last-child");
      await until(`!${DONE}`);
      await until(`${DONE} && document.querySelector('article.assistant .foot')`);
      assert.match(await text("article.assistant .foot"), /yarn ×2/);
      assert.is(await text("article.assistant .body"), ANSWER);
      // Kept over a reload, and gone when asked.
      await page.evaluate("location.reload()");
      await until(`document.readyState === 'complete' && ${READY}`).catch(() => until(READY));
      assert.is(await text("article.assistant .body"), ANSWER);
      assert.is(await page.evaluate("rope.value"), "yarn");
      await click("#new");
      assert.is(await page.evaluate("document.querySelectorAll('article').length"), 0);
      assert.is(await page.evaluate("JSON.parse(localStorage.getItem('llariat.chat')).turns.length"), 0);
    }));

  test("an answer comes piece by piece and Escape stops it, on the server too", () =>
    visited({}, async ({ page, type, key, until, text }, llama) => {
      await until(READY);
      await page.evaluate("max_tokens.value = 400; temperature.value = 1; seed.value = 1; allow_beyond.checked = true");
      // The bundled model answers briefly: a fetch of the page's own lets nothing end it.
      await page.evaluate(
        "{ const own = fetch; globalThis.fetch = (url, init) => own(url, { ...init, body: init?.body?.replace('{', '{\"ignore_eos\":true,') }); }",
      );
      await type(PROMPT);
      await key("Enter");
      await until("document.querySelector('article.assistant .waiting') && document.querySelector('article.assistant .body').textContent.length > 5"); // prettier-ignore
      assert.is(await page.evaluate("document.getElementById('send').hidden"), true);
      await key("Escape");
      await until(DONE);
      const stopped = await text("article.assistant .body");
      assert.match(await text("article.assistant .foot"), /stopped/);
      assert.ok(stopped.length > 5);
      const { kv, prefixes } = llama.engine.memory;
      const held = (): number => kv.pages - kv.freePages - prefixes.idle;
      for (let i = 0; i < 1000 && held() > 0; i++) await new Promise((done) => setTimeout(done, 10));
      nothingHeld(llama.engine.memory, "after the page has stopped it");
    }));

  test("an error is a sentence, and the setting that it proposes is a button", () =>
    visited({}, async ({ page, type, key, click, until, text, shot }) => {
      await until(READY);
      await type(`${PROMPT} ${"and some more words ".repeat(80)}`);
      await until("document.getElementById('meter').classList.contains('beyond')");
      await key("Enter");
      await until(`${DONE} && document.querySelector('.problem button')`);
      assert.match(await text(".problem"), /^The prompt has \d+ tokens, .* reaches 512 on this model\./);
      await shot("error");
      await click(".problem button");
      await until(`${DONE} && document.querySelector('article.assistant .body').textContent !== ''`);
      assert.match(await text("article.assistant .foot"), /yarn ×\d/);
      // A server that has gone away is a sentence, too.
      await page.command("Network.enable");
      await page.command("Network.emulateNetworkConditions", { offline: true, latency: 0, downloadThroughput: -1, uploadThroughput: -1 }); // prettier-ignore
      await type("more");
      await key("Enter");
      await until(`${DONE} && document.querySelector('.problem')`);
      assert.match(await text(".problem"), /^The server cannot be reached\. Is it still running\?/);
    }));

  test("the key is asked for where the server wants one, and kept for the tab alone", () =>
    visited({ apiKey: "secret" }, async ({ page, until, text, type }) => {
      await until("document.getElementById('about').textContent !== ''");
      assert.is(await text("#about"), "This server asks for an API key.");
      assert.is(await page.evaluate("document.activeElement.id"), "key");
      await type("secret");
      await page.evaluate("key.dispatchEvent(new Event('change', { bubbles: true }))");
      await until(READY);
      assert.is(await page.evaluate("sessionStorage.getItem('llariat.key')"), "secret");
      assert.not.match(await page.evaluate<string>("JSON.stringify({ ...localStorage })"), /secret/);
    }));

  test("light and dark, wide and 360 pixels: nothing to scroll sideways, contrast of 4.5, every input has a name", () =>
    visited({}, async ({ page, until, size, scheme, click, shot }) => {
      await until(READY);
      const content = `A **word**, \`code\`, [link](https://example.com).\n\n- a\n- b\n\n\`\`\`ts\n${"long ".repeat(60)}\n\`\`\`\n\n${"|a".repeat(30)}|\n${"|-".repeat(30)}|\n\n> ${"x".repeat(300)}`;
      const turns = [
        { role: "user", content: "w".repeat(400) },
        { role: "assistant", content, facts: ["kv-llama", "yarn ×2", "212 tokens", "41.3 tokens/s"] },
        { role: "assistant", content: "", problem: "A sentence.", proposal: { type: "yarn", factor: 2 } },
      ];
      const kept = { turns, tokens: 300, rope: { type: "yarn", factor: 2 }, fields: {}, open: false };
      await page.evaluate(`localStorage.setItem("llariat.chat", ${JSON.stringify(JSON.stringify(kept))}); location.reload()`); // prettier-ignore
      await until(`document.querySelectorAll('article').length === 3 && ${READY}`).catch(() => until(READY));
      for (const [width, height] of [
        [1280, 800],
        [360, 740],
      ]) {
        await size(width, height);
        for (const colors of ["light", "dark"] as const) {
          await scheme(colors);
          for (const open of [false, true]) {
            if (open !== (await page.evaluate("!settings.hidden"))) await click(open ? "#toggle" : "#close");
            const wide = await page.evaluate<number>("document.documentElement.scrollWidth");
            const inner = await page.evaluate<boolean>(
              "document.getElementById('scroll').scrollWidth <= document.getElementById('scroll').clientWidth",
            );
            const what = `${width} pixels, ${colors}, settings ${open ? "open" : "closed"}`;
            assert.ok(wide <= width, `${what}: ${wide} pixels wide`);
            assert.ok(inner, `${what}: the conversation scrolls sideways`);
            const [least, whose] = await page.evaluate<[number, string]>(CONTRAST);
            assert.ok(least >= 4.5, `${what}: contrast ${least} of ${whose}`);
            await shot(`${width}-${colors}-${open ? "settings" : "chat"}`);
          }
        }
      }
      const nameless = await page.evaluate<string[]>(
        "[...document.querySelectorAll('input, select, textarea, button')].filter((each) => !each.labels?.length && !each.ariaLabel && each.textContent.trim() === '').map((each) => each.id)",
      );
      assert.equal(nameless, []);
      const links = await page.evaluate<string[]>("[...document.querySelectorAll('.body a')].map((each) => each.rel)");
      assert.equal(links, ["noopener noreferrer nofollow"]);
    }));
}

test("the page is files of this server alone, under a policy that lets nothing else in", async () => {
  const llama = await Llama.load(folder("/models/kv-llama"));
  const server = serve({ models: { "kv-llama": llama }, apiKey: "k" });
  try {
    const get = (path: string, init?: RequestInit) => server.fetch(new Request(`http://localhost${path}`, init));
    const index = await get("/");
    assert.is(index.status, 200);
    assert.is(index.headers.get("content-type"), "text/html; charset=utf-8");
    const policy = index.headers.get("content-security-policy")!;
    assert.match(policy, /^default-src 'none'; script-src 'self'; style-src 'self';/);
    assert.not.match(policy, /unsafe|https?:|\*|data:/);
    const html = await index.text();
    assert.not.match(html, /\son\w+=|\sstyle=|<style|<script(?![^>]*src=)/i);
    const files = [...html.matchAll(/(?:src|href)="(page\/[^"]+)"/g)].map(([, path]) => path);
    assert.ok(files.includes("page/main.js") && files.includes("page/style.css"));
    const seen = new Set<string>();
    for (let path = files.pop(); path !== undefined; path = files.pop()) {
      if (seen.has(path)) continue;
      seen.add(path);
      const file = await get(`/${path}`);
      assert.is(file.status, 200, path);
      assert.is(file.headers.get("x-content-type-options"), "nosniff");
      const text = await file.text();
      assert.not.match(text, /["'(]https?:\/\/(?!www\.w3\.org\/2000\/svg)\w/, `${path} names another host`);
      for (const [, other] of text.matchAll(/from "\.\/([\w.]+)"/g)) files.push(`page/${other}`);
    }
    assert.ok(seen.size > 10, `${seen.size} files`);
    assert.is((await get("/page/../app.ts")).status, 404);
    assert.is((await get("/page/constructor")).status, 404);
    assert.is((await get("/", { method: "HEAD" })).status, 200);
  } finally {
    await server.close();
    llama.close();
  }
});

test.run();
