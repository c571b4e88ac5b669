// hostile.ts — requests as no client should send them, from a seed: bodies cut, bent and of every wrong kind, headers that lie,
// paths that lead nowhere. A server may answer or refuse each; it must not fail.
import * as assert from "uvu/assert";
import type { Serving } from "./serving.ts";
import { whole } from "./random.ts";

type Below = (below: number) => number;

const PATHS = [
  "/v1/chat/completions",
  "/v1/completions",
  "/v1/responses",
  "/v1/embeddings",
  "/tokenize",
  "/detokenize",
  "/v1/models",
  "/v1/models/%00",
  "/v1/../../etc/passwd",
  "/%2e%2e/%2e%2e/etc/passwd",
  "/metrics",
  "/health",
  "/",
  "//",
  "/v1/completions?x=%ff",
];
const METHODS = ["POST", "POST", "POST", "POST", "POST", "GET", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"];
const TYPES = [
  "application/json",
  "application/json",
  "application/json",
  "application/json; charset=utf-16",
  "text/plain",
  "",
];

/** Good values of fields, each of which a request may have. */
const FIELDS: Readonly<Record<string, unknown>> = {
  model: "kv-llama",
  prompt: "a b",
  input: "a b",
  tokens: [1, 300],
  messages: [{ role: "user", content: "a" }],
  max_tokens: 1,
  max_output_tokens: 16,
  stream: true,
  stream_options: { include_usage: true },
  n: 2,
  stop: ["a"],
  temperature: 0.5,
  top_p: 0.9,
  top_k: 5,
  logit_bias: { "300": 1 },
  logprobs: 1,
  echo: true,
  seed: 1,
  rope_scaling: { rope_type: "yarn", factor: 2 },
  rope_angles: "current",
  allow_beyond: true,
  response_format: { type: "json_schema", json_schema: { name: "x", schema: { type: "object", properties: {} } } },
  tools: [{ type: "function", function: { name: "f", parameters: { type: "object", properties: {} } } }],
  tool_choice: "auto",
  encoding_format: "base64",
};

function bad(below: Below, depth = 0): unknown {
  const values: readonly unknown[] = [
    null, true, false, 0, -1, 1.5, 1e308, -0, 2 ** 53, "", "x", "\u0000", "\ud800", "a".repeat(300), "__proto__",
    [], {}, [null], [[]], [1, "a"], { a: 1 }, { length: 5 }, { toString: null },
  ]; // prettier-ignore
  if (depth < 3 && below(4) === 0) {
    const inner = Array.from({ length: below(4) }, () => bad(below, depth + 1));
    return below(2) === 0
      ? inner
      : Object.fromEntries(inner.map((each, i) => [["type", "role", "content", "x"][i], each]));
  }
  return values[below(values.length)];
}

function body(below: Below): string | Uint8Array {
  const names = Object.keys(FIELDS).filter(() => below(4) === 0);
  // What every endpoint needs is mostly there, so that a request comes further than its first line.
  for (const name of ["prompt", "messages", "input", "max_tokens"]) if (below(3) > 0) names.push(name);
  const fields = names.map((name) => [name, below(5) === 0 ? bad(below) : FIELDS[name]] as const);
  const text = JSON.stringify(Object.fromEntries(fields));
  switch (below(8)) {
    case 0:
      return text.slice(0, below(text.length + 1));
    case 1: {
      const bytes = new TextEncoder().encode(text);
      bytes[below(bytes.length)] = below(256);
      return bytes;
    }
    case 2:
      return `${text}${JSON.stringify(bad(below))}`;
    default:
      return text;
  }
}

/** A request of a kind that a seed draws. */
function hostile(below: Below): Request {
  const method = METHODS[below(METHODS.length)];
  const path = PATHS[below(method === "POST" ? 6 : PATHS.length)];
  const headers = new Headers();
  const type = TYPES[below(TYPES.length)];
  if (type !== "") headers.set("content-type", type);
  if (below(12) === 0) headers.set("content-encoding", "gzip");
  if (below(12) === 0) headers.set("content-length", String(below(3) * 1e9));
  if (below(12) === 0) headers.set("authorization", `Bearer ${"x".repeat(below(100))}`);
  if (below(12) === 0) headers.set("origin", "https://evil.example");
  const takesBody = method !== "GET" && method !== "HEAD";
  return new Request(`http://localhost${path}`, { method, headers, ...(takesBody && { body: body(below) }) });
}

/**
 * Sends `count` hostile requests, several at a time. None may be answered with a failure of the server's, none may stay
 * without an answer, and what is not refused ends. How many had which status.
 */
export async function fuzz(
  { server }: Pick<Serving, "server">,
  count: number,
  seed: number,
): Promise<Record<number, number>> {
  const statuses: Record<number, number> = {};
  let next = 0;
  const client = async (): Promise<void> => {
    while (next < count) {
      const number = next++;
      const below = whole(seed * 1_000_003 + number);
      const request = hostile(below);
      const say = `request ${number} of seed ${seed}: ${request.method} ${request.url} ${await request.clone().text()}`;
      const response = await server.fetch(request);
      const text = await response.text();
      assert.ok(response.status < 500, `${response.status} to ${say}: ${text}`);
      assert.not.match(text, /"type":"server_error"/, say);
      statuses[response.status] = (statuses[response.status] ?? 0) + 1;
    }
  };
  await Promise.all(Array.from({ length: 8 }, client));
  return statuses;
}
