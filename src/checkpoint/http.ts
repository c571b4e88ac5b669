// http.ts — a checkpoint on a web server, read by HTTP range requests; in Node, browsers and workers alike, with fetch alone.

import { LlariatError } from "../error.ts";
import { checkOptions, reading } from "../text/options.ts";
import { LATER, withoutSecrets } from "../text/later.ts";
import { display, short } from "../text/wording.ts";
import { Later, answered } from "./attempts.ts";
import type { Patience } from "./attempts.ts";
import { byteSource, checkName } from "./bytes.ts";
import type { ByteSource, FileSet } from "./bytes.ts";

/** How to ask a server for files. */
export interface UrlOptions extends Patience {
  /** Sent with every request to this host, and with none to another that it redirects to: `{ "x-api-key": "…" }`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The files that exist, for servers that answer other than 404 for the absent; default: ask for each. */
  readonly names?: readonly string[];
  /** Instead of the global fetch: proxies, caches, tests. */
  readonly fetch?: typeof globalThis.fetch;
}

/**
 * The files below a base URL (`https://host/models/tiny`), by HTTP range requests (RFC 9110, section 14). A query in the
 * base is sent with every request and shown in no error; a name and password in it are sent as Basic authorization. The
 * server must answer ranges with 206; one that ignores them gets an error, not the whole file into memory. A connection
 * that breaks and a server that says "later" are tried again (Patience). Throws LlariatError "source" for a base that is no
 * http(s) URL.
 */
export function urlFiles(base: string, given: UrlOptions = {}): FileSet {
  const options = checkOptions<UrlOptions>(given, {
    headers: "object",
    names: "list",
    fetch: "function",
    retries: "any",
    pauseMs: "any",
    stallMs: "any",
  });
  for (const name of ["retries", "pauseMs", "stallMs"] as const) {
    const value = options[name];
    if (value !== undefined && !(Number.isFinite(value) && value >= 0)) {
      throw new LlariatError("request", `must be a number from 0 on, got ${display(value)}`, { subject: name });
    }
  }
  if (typeof base !== "string") throw new LlariatError("source", `got the base ${display(base)}, needed a URL`);
  const root = URL.canParse(base) ? new URL(base) : undefined;
  if (!(root && /^https?:$/.test(root.protocol))) {
    throw new LlariatError("source", `got the base ${withoutSecrets(base)}, needed an http or https URL`);
  }
  if (!root.pathname.endsWith("/")) root.pathname += "/";
  const headers = { ...basic(root), ...reading("headers", () => ({ ...options.headers })) };
  for (const [name, value] of Object.entries<unknown>(headers)) {
    if (typeof value === "string") continue;
    throw new LlariatError("request", `must be a text, got ${display(value)}`, { subject: `headers.${short(name)}` });
  }
  [root.username, root.password] = ["", ""];
  const asking = { ...options, headers };
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
      const source = await openUrl(url, name, asking, signal);
      if (source) opened.set(name, source);
      return source;
    },
    close: async () => opened.clear(),
  };
}

/** As browsers and Node follow. */
const MAX_REDIRECTS = 20;

async function openUrl(
  url: URL,
  name: string,
  options: UrlOptions,
  signal?: AbortSignal,
): Promise<ByteSource | undefined> {
  const request = (method: "GET" | "HEAD") =>
    connected(url, `opening ${name}`, "", options, signal, async (stop) => {
      const response = await ask(url, method, method === "GET" ? "bytes=0-0" : undefined, options, stop);
      await response.body?.cancel();
      if (LATER.has(response.status)) throw new Later(refused(url, response.status));
      return response;
    });
  // One byte tells size and range support together, also where HEAD is not allowed.
  const probe = await request("GET");
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
    const range = `bytes=${start}-${end - 1}`;
    const where = ` at bytes ${start} to ${end}`;
    return connected(url, `reading ${name}`, where, options, signal, async (stop, came) => {
      const response = await ask(url, "GET", range, options, stop);
      came();
      if (LATER.has(response.status)) {
        await response.body?.cancel();
        throw new Later(refused(url, response.status));
      }
      const problem = mismatch(response, start, end, size, etag);
      if (problem) {
        await response.body?.cancel();
        throw problem === "status"
          ? refused(url, response.status)
          : new LlariatError("source", `${shown(url)}: ${problem}`);
      }
      return readBody(response, name, start, end, came, room());
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
  came: () => void,
  target: Uint8Array,
): Promise<Uint8Array> {
  const length = target.byteLength;
  let done = 0;
  const reader = response.body!.getReader();
  for (;;) {
    const { done: finished, value } = await reader.read();
    if (finished) break;
    came();
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

/** Runs a request as often as `answered` does, in sentences that show no query and no header. */
function connected<T>(
  url: URL,
  doing: string,
  where: string,
  options: UrlOptions,
  signal: AbortSignal | undefined,
  attempt: (signal: AbortSignal, came: () => void) => Promise<T>,
): Promise<T> {
  const { retries, pauseMs, stallMs } = options;
  const secrets = [url.search, url.search.slice(1), ...Object.values(options.headers ?? {})].filter(
    (text) => text !== "",
  );
  return answered({ shown: shown(url), doing, where, signal, secrets, retries, pauseMs, stallMs }, attempt);
}

/** Sends one request. Headers of the caller's go to the host of `url` alone, however far it redirects. */
async function ask(
  url: URL,
  method: "GET" | "HEAD",
  range: string | undefined,
  options: UrlOptions,
  signal: AbortSignal,
): Promise<Response> {
  const send = options.fetch ?? globalThis.fetch;
  const own = Object.fromEntries(range === undefined ? [] : [["range", range]]);
  const given = { ...options.headers };
  // what fetch itself keeps from other hosts (Fetch standard, HTTP-redirect fetch)
  const kept = Object.keys(given).every((name) => /^(authorization|cookie|accept)$/i.test(name));
  if (kept) return send(url, { method, headers: { ...given, ...own }, signal });
  let at = url;
  for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
    const headers = at.origin === url.origin ? { ...given, ...own } : own;
    const response = await send(at, { method, headers, signal, redirect: "manual" });
    const location = response.headers.get("location");
    if (response.type === "opaqueredirect") {
      throw new LlariatError("source", `${shown(url)}: got a redirect, needed the file; give the address it leads to`);
    }
    if (response.status < 300 || response.status >= 400 || location === null || !URL.canParse(location, at.href))
      return response;
    await response.body?.cancel();
    at = new URL(location, at);
    if (!/^https?:$/.test(at.protocol)) break;
  }
  throw new LlariatError("source", `${shown(url)}: got redirects that lead to no file, needed the file`);
}

/** The header that a name and password of an address are for; fetch takes no address with them. */
function basic({ username, password }: URL): Record<string, string> {
  if (username === "" && password === "") return {};
  const bytes = new TextEncoder().encode(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`);
  return { authorization: `Basic ${btoa(String.fromCharCode(...bytes))}` };
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
