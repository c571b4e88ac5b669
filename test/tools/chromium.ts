// chromium.ts — a headless Chromium that computes WebGPU on SwiftShader.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";

const places = [process.env["CHROMIUM"], "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** The browser's program; undefined where none is installed. CHROMIUM=path names one. */
export const chromium = places.find((path) => path && existsSync(path));

/** An open page. */
export interface Page {
  /** The value of a JavaScript expression in the page, awaited; what it throws is thrown here. */
  evaluate<T>(expression: string): Promise<T>;
  /** A command of the Chrome DevTools Protocol to the page: keys, sizes, pictures. */
  command(method: string, params?: object): Promise<Result>;
  /** Gives files or a folder to the `<input type="file">` that a CSS selector finds. */
  pick(selector: string, paths: readonly string[]): Promise<void>;
  close(): Promise<void>;
}

/** What the browser answers to the commands of the Chrome DevTools Protocol that are used here. */
export interface Result {
  readonly data?: string;
  readonly targetId?: string;
  readonly sessionId?: string;
  readonly result?: { readonly value?: unknown; readonly objectId?: string };
  readonly exceptionDetails?: { readonly text: string; readonly exception?: { readonly description?: string } };
}
type Reply = { id?: number; result?: Result; error?: { message: string } };

/** Opens one page in a browser of its own, driven by the Chrome DevTools Protocol over a pipe; the caller closes it. */
export async function openPage(url: string): Promise<Page> {
  if (chromium === undefined) throw new Error("no Chromium is installed");
  const profile = mkdtempSync(join(tmpdir(), "llariat-chromium-"));
  const flags = ["--headless", "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-sync"];
  flags.push("--disable-background-networking", "--disable-component-update", `--user-data-dir=${profile}`);
  flags.push("--enable-unsafe-webgpu", "--enable-unsafe-swiftshader", "--use-webgpu-adapter=swiftshader");
  const child = spawn(chromium, [...flags, "--remote-debugging-pipe", "about:blank"], {
    stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"],
  });
  const waiting = new Map<number, { resolve: (result: Result) => void; reject: (error: Error) => void }>();
  const [, , , commands, replies] = child.stdio as unknown as [null, null, null, Writable, Readable];
  let rest = "";
  replies.setEncoding("utf8").on("data", (text: string) => {
    const messages = (rest + text).split("\0"); // each ends with one
    rest = messages.pop()!;
    for (const message of messages) {
      const { id, result, error } = JSON.parse(message) as Reply;
      const waiter = waiting.get(id ?? 0);
      if (error) waiter?.reject(new Error(error.message));
      else waiter?.resolve(result ?? {});
      waiting.delete(id ?? 0);
    }
  });
  child.on("exit", (code) => {
    for (const { reject } of waiting.values()) reject(new Error(`chromium ended early with ${code}`));
  });
  commands.on("error", () => {}); // a browser that has ended says so by its exit
  let calls = 0;
  const call = (method: string, params: object, sessionId?: string): Promise<Result> =>
    new Promise((resolve, reject) => {
      waiting.set(++calls, { resolve, reject });
      commands.write(`${JSON.stringify({ id: calls, method, params, sessionId })}\0`);
    });

  const { targetId } = await call("Target.createTarget", { url });
  const { sessionId } = await call("Target.attachToTarget", { targetId, flatten: true });
  const send = (method: string, params: object): Promise<Result> => call(method, params, sessionId);
  const page: Page = {
    command: (method, params = {}) => send(method, params),
    async evaluate<T>(expression: string): Promise<T> {
      const reply = await send("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true });
      const { exceptionDetails: thrown, result } = reply;
      if (thrown) throw new Error(thrown.exception?.description ?? thrown.text);
      return result?.value as T;
    },
    async pick(selector, paths) {
      const { result } = await send("Runtime.evaluate", { expression: `document.querySelector("${selector}")` });
      // A folder is read after the call has returned; the page hears of it when it is there.
      const wait = `new Promise((done) => document.querySelector("${selector}").addEventListener("change", done))`;
      const changed = page.evaluate(`${wait}.then(() => true)`);
      await send("DOM.setFileInputFiles", { files: paths, objectId: result?.objectId });
      await changed;
    },
    async close() {
      child.removeAllListeners("exit");
      const ended = new Promise((resolve) => child.once("exit", resolve));
      void call("Browser.close", {});
      const late = setTimeout(() => child.kill("SIGKILL"), 5000);
      await ended;
      clearTimeout(late);
      rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
    },
  };
  // Between two documents there is nothing to evaluate in.
  const there = () => page.evaluate<boolean>('location.href !== "about:blank" && document.readyState === "complete"');
  while (!(await there().catch(() => false))) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return page;
}
