// guard.ts — who may ask: the name a request came by, the page it came from, the key it brings.

import type { MiddlewareHandler } from "hono";
import { cors } from "hono/cors";
import { HttpError } from "./error.ts";
import type { Core } from "./core.ts";
import type { Settings } from "./options.ts";
import { PREFIX_HEADER } from "./prefix.ts";

/** Routes without a key: whoever balances has none, and the chat page asks for one itself. */
const OPEN = /^\/(v1\/|tokenize|detokenize|metrics)/;

/** Checks every request before its route. */
export function guard(core: Core): MiddlewareHandler {
  const { settings } = core;
  const share = cors({
    origin: settings.cors === true ? "*" : [...settings.cors],
    allowMethods: ["GET", "POST"],
    allowHeaders: ["authorization", "content-type"],
    exposeHeaders: ["retry-after", PREFIX_HEADER],
    maxAge: 600,
  });
  const shares = settings.cors === true || settings.cors.length > 0;
  const keys = Promise.all(settings.keys.map(digest));
  return async (context, next) => {
    const { raw, path } = context.req;
    const refused = hostProblem(raw, core.hosts, settings);
    if (refused) return refused.response;
    const answer = async (): Promise<void> => {
      if (settings.keys.length === 0 || !OPEN.test(path) || (await hasKey(raw.headers, await keys))) return next();
      context.res = noKey().response;
    };
    if (shares) return share(context, answer);
    return answer();
  };
}

/** A name without its port, in lower case: `localhost`, `127.0.0.1`, `[::1]`. */
const nameOf = (host: string): string => host.toLowerCase().replace(/:\d*$/, "");

/** Refuses a name that is not the server's own, and pages of other origins, where `hosts` says which names there are. */
function hostProblem(
  { headers, url }: Request,
  hosts: Core["hosts"],
  { cors: origins }: Settings,
): HttpError | undefined {
  if (hosts === undefined) return undefined;
  const refuse = (what: string, got: string, advice: string): HttpError =>
    new HttpError(403, `${what}: got ${JSON.stringify(got.slice(0, 200))}, ${advice}`, { code: "forbidden" });
  const host = nameOf(headers.get("host") ?? new URL(url).host);
  if (!hosts.includes(host)) return refuse("host", host, `this server is ${hosts.join(", ")}`);
  const origin = headers.get("origin");
  if (origin === null || origins === true || origins.includes(origin)) return undefined;
  const own = URL.canParse(origin) && hosts.includes(nameOf(new URL(origin).host));
  return own
    ? undefined
    : refuse("origin", origin, "whose pages may not ask this server; start it with that origin allowed");
}

const digest = async (text: string): Promise<Uint8Array> =>
  new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));

/** Whether the bearer token is one of the keys: digests are compared to their ends, so that no time tells how much was right. */
async function hasKey(headers: Headers, keys: readonly Uint8Array[]): Promise<boolean> {
  const [, given = ""] = /^Bearer +(.*)$/i.exec(headers.get("authorization") ?? "") ?? [];
  const own = await digest(given);
  let found = 0;
  for (const key of keys) {
    let differs = 0;
    for (let i = 0; i < key.length; i++) differs |= key[i] ^ own[i];
    found |= Number(differs === 0);
  }
  return found === 1;
}

const noKey = (): HttpError =>
  new HttpError(401, "authorization: needs a key of this server as a bearer token", {
    code: "invalid_api_key",
    headers: { "www-authenticate": "Bearer" },
  });
