// http.ts — a checkpoint on a web server, read by HTTP range requests; in Node, browsers and workers alike, with fetch alone.

import { LlariatError, checkAborted } from "../error.ts";
import { checkOptions } from "../text/options.ts";
import { display } from "../text/wording.ts";
import { byteSource, checkName } from "./bytes.ts";
import type { ByteSource, FileSet } from "./bytes.ts";

/** How to ask a server for files. */
export interface UrlOptions {
  /** Sent with every request, for example `{ authorization: "Bearer …" }`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The files that exist, for servers that answer other than 404 for the absent; default: ask for each. */
  readonly names?: readonly string[];
  /** Instead of the global fetch: proxies, caches, tests. */
  readonly fetch?: typeof globalThis.fetch;
}

/**
 * The files below a base URL (`https://host/models/tiny`), by HTTP range requests (RFC 9110, section 14). A query in the
 * base is sent with every request and shown in no error. The server must answer ranges with 206; one that ignores them gets
 * an error, not the whole file into memory. A connection that breaks is made once more. Throws LlariatError "source" for a
 * base that is no http(s) URL.
 */
export function urlFiles(base: string, given: UrlOptions = {}): FileSet {
  const options = checkOptions<UrlOptions>(given, { headers: "object", names: "list", fetch: "function" });
  if (typeof base !== "string") throw new LlariatError("source", `got the base ${display(base)}, needed a URL`);
  const root = URL.canParse(base) ? new URL(base) : undefined;
  if (!(root && /^https?:$/.test(root.protocol))) {
    throw new LlariatError("source", `got the base ${JSON.stringify(base.slice(0, 80))}, needed an http or https URL`);
  }
  if (!root.pathname.endsWith("/")) root.pathname += "/";
  const opened = new Map<string, ByteSource>();
  return {
    describe: shown(root),
    listed: options.names !== undefined,
    list: async () => options.names ?? [...opened.keys()],
    async open(name, signal) {
      checkName(name, shown(root));
      if (options.names && !options.names.includes(name)) return undefined;
      const known = opened.get(name);
      if (known) return known;
      const url = new URL(encodeURIComponent(name), root);
      url.search = root.search;
      const source = await openUrl(url, name, options, signal);
      if (source) opened.set(name, source);
      return source;
    },
    close: async () => opened.clear(),
  };
}

async function openUrl(
  url: URL,
  name: string,
  options: UrlOptions,
  signal?: AbortSignal,
): Promise<ByteSource | undefined> {
  const request = (method: "GET" | "HEAD") =>
    connected({ url, doing: `opening ${name}`, signal }, () => {
      const headers = { ...options.headers, ...(method === "GET" && { range: "bytes=0-0" }) };
      return (options.fetch ?? globalThis.fetch)(url, { method, headers, signal });
    });
  // One byte tells size and range support together, also where HEAD is not allowed.
  const probe = await request("GET");
  await probe.body?.cancel();
  if (probe.status === 404 || probe.status === 410) return undefined;
  const contentRange = probe.headers.get("content-range");
  let got = `Content-Range ${JSON.stringify(contentRange)}`;
  let size = Number(/^bytes (?:0-0|\*)\/(\d+)$/.exec(contentRange ?? "")?.[1] ?? NaN);
  if (probe.status === 416 && size !== 0) throw refused(url, probe.status); // 416 for a file that is not empty
  if (probe.status !== 416 && probe.status !== 206) throw refused(url, probe.status);
  if (contentRange === null) {
    // Cross-origin servers must expose Content-Range; Content-Length of HEAD is readable without their help.
    // The length of an answer that refuses is not the file's.
    const head = await request("HEAD");
    const length = head.ok ? head.headers.get("content-length") : null;
    size = length === null ? NaN : Number(length);
    got += head.ok ? "" : ` and status ${head.status} for HEAD`;
  }
  if (!Number.isSafeInteger(size)) {
    const advice = contentRange === null ? "cross-origin servers must expose this header" : undefined;
    throw new LlariatError("source", `${shown(url)}: got ${got}, needed the file's size in it`, { advice });
  }
  return urlSource(url, name, size, probe.headers.get("etag"), options);
}

function urlSource(url: URL, name: string, size: number, etag: string | null, options: UrlOptions): ByteSource {
  return byteSource(name, size, async (start, end, room, signal) => {
    const headers = { ...options.headers, range: `bytes=${start}-${end - 1}` };
    const where = ` at bytes ${start} to ${end}`;
    return connected({ url, doing: `reading ${name}`, where, signal }, async () => {
      const response = await (options.fetch ?? globalThis.fetch)(url, { headers, signal });
      const problem = mismatch(response, start, end, size, etag);
      if (problem) {
        await response.body?.cancel();
        throw problem === "status"
          ? refused(url, response.status)
          : new LlariatError("source", `${shown(url)}: ${problem}`);
      }
      return readBody(response, name, start, end, room());
    });
  });
}

/** What is wrong with the answer to a range request, undefined if it is the range asked for. */
function mismatch(
  response: Response,
  start: number,
  end: number,
  size: number,
  etag: string | null,
): string | undefined {
  if (response.status !== 206) return "status";
  const got = response.headers.get("content-range");
  const needed = `bytes ${start}-${end - 1}`;
  if (got !== null && got !== `${needed}/${size}` && got !== `${needed}/*`) {
    return `got the range ${JSON.stringify(got)}, needed ${needed}/${size}; the server answers another range or the file changed`;
  }
  const now = response.headers.get("etag");
  if (etag !== null && now !== null && now !== etag)
    return `got ETag ${now}, needed ${etag}; the file changed while it was read`;
  return undefined;
}

/** Collects a body of bytes `start` to `end` in `target`, or what comes of it; stops as soon as there is more. */
async function readBody(
  response: Response,
  name: string,
  start: number,
  end: number,
  target: Uint8Array,
): Promise<Uint8Array> {
  const length = target.byteLength;
  let done = 0;
  const reader = response.body!.getReader();
  for (;;) {
    const { done: finished, value } = await reader.read();
    if (finished) break;
    if (done + value.byteLength > length) {
      await reader.cancel();
      throw new LlariatError(
        "source",
        `${name}: got more than the ${length} bytes asked for, needed exactly bytes ${start} to ${end}`,
      );
    }
    target.set(value, done);
    done += value.byteLength;
  }
  return target.subarray(0, done);
}

/**
 * Runs a request, once more if its connection breaks: servers and proxies close idle connections just as they are used
 * again, and a long load meets one such moment. What a server has answered is not asked again.
 */
async function connected<T>(
  { url, doing, where = "", signal }: { url: URL; doing: string; where?: string; signal: AbortSignal | undefined },
  attempt: () => Promise<T>,
): Promise<T> {
  for (let again = false; ; again = true) {
    checkAborted(signal, doing);
    try {
      return await attempt();
    } catch (cause) {
      checkAborted(signal, doing);
      if (cause instanceof LlariatError) throw cause;
      if (!again) continue;
      const advice = "check the network and load again";
      const problem = `the connection failed twice${where} (${because(cause)})`;
      throw new LlariatError("source", `${shown(url)}: ${problem}`, { advice, cause });
    }
  }
}

/** An address without its query, which may hold a key. */
const shown = ({ origin, pathname }: URL): string => origin + pathname;

function refused(url: URL, status: number): LlariatError {
  const advice =
    status === 200
      ? "the server ignores the Range header; serve the folder with one that supports range requests"
      : status === 401 || status === 403
        ? "pass the headers it asks for, or the names of the files that exist"
        : status === 429 || status >= 500
          ? "try again later"
          : "check the address";
  return new LlariatError("source", `${shown(url)}: got status ${status}, needed 206 for a range request; ${advice}`);
}

/** fetch hides the reason ("fetch failed") one level down. */
function because(error: unknown): string {
  const inner = error instanceof Error && error.cause !== undefined ? error.cause : error;
  return inner instanceof Error ? inner.message : String(inner);
}
