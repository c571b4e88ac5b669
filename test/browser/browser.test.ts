// The browser entry point in a real browser: headless Chromium loads the bundled model over HTTP ranges and answers.
// Opens a device in that browser.
// Skipped, and said so, where no Chromium is installed (CHROMIUM=path names one).
import { execFileSync, spawn } from "node:child_process";
import { createReadStream, existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { type Server, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { prompts } from "../../src/retrieval/prompts/index.ts";
import { Tokenizer } from "../../tokenizer/index.ts";
import { readFileSync } from "node:fs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const candidates = [
  process.env["CHROMIUM"],
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
];
const chromium = candidates.find((path) => path && existsSync(path));
const test = suite("browser");

/** What the page reports back. */
interface Outcome {
  readonly adapter?: string;
  readonly answers?: string[];
  readonly cancelled?: string;
  readonly error?: string;
}

/** Static files with byte ranges, and one place to POST the outcome to. */
function serve(folders: Record<string, string>, page: string, done: (outcome: Outcome) => void): Promise<Server> {
  const types: Record<string, string> = { ".js": "text/javascript", ".json": "application/json" };
  const server = createServer((request, response) => {
    const path = normalize(decodeURIComponent(request.url ?? "/"));
    if (path === "/") return void response.setHeader("content-type", "text/html").end(page);
    if (path === "/outcome") {
      let body = "";
      request.on("data", (data: Buffer) => (body += data.toString()));
      request.on("end", () => (response.end(), done(JSON.parse(body) as Outcome)));
      return;
    }
    const [, top, ...rest] = path.split("/");
    const file = join(folders[top] ?? "/nonexistent", ...rest);
    if (!existsSync(file) || !statSync(file).isFile()) return void response.writeHead(404).end();
    const { size } = statSync(file);
    const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "");
    const [start, end] = range ? [Number(range[1]), Number(range[2])] : [0, size - 1];
    response.writeHead(range ? 206 : 200, {
      "content-type": types[extname(file)] ?? "application/octet-stream",
      "content-length": end - start + 1,
      "accept-ranges": "bytes",
      ...(range && { "content-range": `bytes ${start}-${end}/${size}` }),
    });
    createReadStream(file, { start, end }).pipe(response);
  });
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
}

const TITLE = "a page loads kv-llama by range, answers with and without scaling, and stops on abort";
if (!chromium) {
  console.log("note: no Chromium found; the browser entry point was not run (set CHROMIUM to its path)");
  test.skip(TITLE);
} else
  test(TITLE, async () => {
    const dist = mkdtempSync(join(tmpdir(), "llariat-dist-"));
    const profile = mkdtempSync(join(tmpdir(), "llariat-chromium-"));
    execFileSync(process.execPath, [
      join(root, "node_modules/typescript/bin/tsc"),
      "-p",
      join(root, "tsconfig.build.json"),
      "--outDir",
      dist,
    ]);
    const tokenizer = Tokenizer.fromFiles({
      tokenizerJson: readFileSync(join(root, "models/kv-llama/tokenizer.json"), "utf8"),
    });
    const count = (text: string) => tokenizer.encode(text).length;
    const near = prompts.uuid({ count, tokens: 250, position: 0.5, key: ["browser", "near"] });
    const far = prompts.uuid({ count, tokens: 760, position: 0.1, key: ["browser", "far"] });
    const jinja = "/node_modules/@huggingface/jinja/dist/index.js";
    const page = `<!doctype html><script type="importmap">{"imports":{"@huggingface/jinja":${JSON.stringify(jinja)}}}</script>
<script type="module">
  const send = (outcome) => fetch("/outcome", { method: "POST", body: JSON.stringify(outcome) });
  try {
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
    await send({ adapter: llama.adapter.description, answers: [near.text, far.text], cancelled });
  } catch (error) {
    await send({ error: String(error?.stack ?? error) });
  }
</script>`;
    let server: Server | undefined;
    let child: ReturnType<typeof spawn> | undefined;
    try {
      const outcome = await new Promise<Outcome>((resolve, reject) => {
        const folders = { dist, models: join(root, "models"), node_modules: join(root, "node_modules") };
        void serve(folders, page, resolve).then((listening) => {
          server = listening;
          const { port } = listening.address() as AddressInfo;
          const flags = ["--headless", "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-sync"];
          flags.push("--disable-background-networking", "--disable-component-update", `--user-data-dir=${profile}`);
          flags.push("--enable-unsafe-webgpu", "--enable-unsafe-swiftshader", "--use-webgpu-adapter=swiftshader");
          child = spawn(chromium, [...flags, `http://127.0.0.1:${port}/`], { stdio: "ignore" });
          child.on("exit", (code) => reject(new Error(`chromium ended early with ${code}`)));
        }, reject);
      });
      assert.is(outcome.error, undefined);
      console.log(`note: ${outcome.adapter}`);
      assert.ok(outcome.answers![0].includes(near.value), outcome.answers![0]);
      assert.ok(outcome.answers![1].includes(far.value), outcome.answers![1]);
      assert.is(outcome.cancelled, "aborted");
    } finally {
      child?.removeAllListeners("exit");
      child?.kill("SIGKILL");
      server?.closeAllConnections();
      server?.close();
      await new Promise((resolve) => setTimeout(resolve, 200)); // the browser lets go of its profile
      for (const folder of [dist, profile]) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    }
  });

test.run();
