// The browser entry point in a real browser: headless Chromium loads the bundled model over HTTP ranges and answers.
// Opens a device in that browser.
// Skipped, and said so, where no Chromium is installed (CHROMIUM=path names one).
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { prompts } from "../../src/retrieval/prompts/index.ts";
import { Tokenizer } from "../../tokenizer/index.ts";
import { build } from "../tools/build.ts";
import { type Page, chromium, openPage } from "../tools/chromium.ts";
import { type Site, serve } from "../tools/server.ts";
import { root } from "../tools/source.ts";

const test = suite("browser");

/** What the page says when it is done. */
interface Outcome {
  readonly adapter: string;
  readonly answers: string[];
  readonly cancelled: string;
}

const TITLE = "a page loads kv-llama by range, answers with and without scaling, and stops on abort";
if (!chromium) {
  console.log("note: no Chromium found; the browser entry point was not run (set CHROMIUM to its path)");
  test.skip(TITLE);
} else
  test(TITLE, async () => {
    const dist = mkdtempSync(join(tmpdir(), "llariat-dist-"));
    build(dist);
    const tokenizer = Tokenizer.fromFiles({
      tokenizerJson: readFileSync(join(root, "models/kv-llama/tokenizer.json"), "utf8"),
    });
    const count = (text: string) => tokenizer.encode(text).length;
    const near = prompts.uuid({ count, tokens: 250, position: 0.5, key: ["browser", "near"] });
    const far = prompts.uuid({ count, tokens: 760, position: 0.1, key: ["browser", "far"] });
    const html = "<!doctype html>";
    const program = `(async () => {
      const { Llama } = await import("/dist/src/browser/index.js");
      const llama = await Llama.load(new URL("/models/kv-llama/", location.href));
      const near = await llama.complete(${JSON.stringify(near.text)}, { maxNewTokens: 40 });
      const ropeScaling = { rope_type: "yarn", factor: 2 };
      const far = await llama.complete(${JSON.stringify(far.text)}, { ropeScaling, maxNewTokens: 40 });
      const abort = new AbortController();
      const stopped = llama.complete(${JSON.stringify(near.text)}, { signal: abort.signal, reusePrefix: false });
      abort.abort();
      const cancelled = await stopped.then(() => "no", (error) => error.code);
      llama.close();
      return { adapter: llama.adapter.description, answers: [near.text, far.text], cancelled };
    })()`;
    let site: Site | undefined;
    let page: Page | undefined;
    try {
      const folders = { dist, models: join(root, "models") };
      site = await serve(folders, (path, _, response) => {
        if (path === "/") response.setHeader("content-type", "text/html").end(html);
        return path === "/";
      });
      page = await openPage(`${site.origin}/`);
      const outcome = await page.evaluate<Outcome>(program);
      console.log(`note: ${outcome.adapter}`);
      assert.ok(outcome.answers[0].includes(near.value), outcome.answers[0]);
      assert.ok(outcome.answers[1].includes(far.value), outcome.answers[1]);
      assert.is(outcome.cancelled, "aborted");
    } finally {
      await page?.close();
      site?.close();
      rmSync(dist, { recursive: true, force: true });
    }
  });

test.run();
