// Who may ask, and what a body may be: keys, origins, names of hosts, types, sizes, encodings, depths.
import { request as ask } from "node:http";
import { type Socket, connect } from "node:net";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Serving, serving } from "../tools/serving.ts";

const test = suite("server: guard");
let at: Serving;
test.before(async () => {
  at = await serving({ apiKey: ["first key", "second"], maxBodyBytes: 2000 });
});
test.after(() => at.close());

const PATH = "/v1/completions";
const BODY = JSON.stringify({ prompt: "a", max_tokens: 1 });
const KEY = { authorization: "Bearer second" };
const JSON_TYPE = { "content-type": "application/json" };

const send = (
  headers: Record<string, string>,
  body: string | Uint8Array | ReadableStream | null = BODY,
  path = PATH,
  method = "POST",
) => {
  const init = { method, headers, duplex: "half" as const, ...(body !== null && { body }) };
  return at.server.fetch(new Request(`http://localhost${path}`, init));
};

/** Asserts status and sentence. */
async function refused(response: Response, status: number, sentence: RegExp): Promise<void> {
  const text = await response.text();
  assert.is(response.status, status, text);
  assert.match((JSON.parse(text) as { error: { message: string } }).error.message, sentence);
}

test("without one of the keys nothing is answered but health", async () => {
  for (const authorization of [
    undefined,
    "Bearer",
    "Bearer ",
    "Bearer first",
    "Bearer first keyx",
    "Basic second",
    "second",
  ]) {
    const response = await send({ ...JSON_TYPE, ...(authorization !== undefined && { authorization }) });
    assert.is(response.headers.get("www-authenticate"), "Bearer");
    await refused(response, 401, /^authorization: needs a key/);
  }
  for (const path of ["/v1/models", "/v1/models/kv-llama", "/metrics", "/v1/x"])
    await refused(await send({}, null, path, "GET"), 401, /key/);
  for (const path of ["/tokenize", "/detokenize", "/v1/chat/completions"])
    await refused(await send(JSON_TYPE, "{}", path), 401, /key/);
  for (const path of ["/health", "/health/live", "/health/ready"])
    assert.is((await send({}, null, path, "GET")).status, 200, path);
  for (const key of ["Bearer second", "bearer first key"])
    assert.is((await send({ ...JSON_TYPE, authorization: key })).status, 200, key);
});

test("a body is JSON in UTF-8 that says so: what a foreign page can send without asking is refused", async () => {
  for (const type of [
    "",
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/jsonx",
  ])
    await refused(
      await send({ ...KEY, "content-type": type }),
      415,
      /^content-type: must be application\/json in UTF-8/,
    );
  await refused(await send({ ...KEY, "content-type": "application/json; charset=latin1" }), 415, /UTF-8/);
  await refused(
    await send({ ...KEY, ...JSON_TYPE, "content-encoding": "gzip" }),
    415,
    /^content-encoding: must be identity/,
  );
  for (const type of ["application/json; charset=UTF-8", "Application/JSON"])
    assert.is((await send({ ...KEY, "content-type": type })).status, 200);
  await refused(await send({ ...KEY, ...JSON_TYPE }, Uint8Array.of(0x22, 0xff, 0x22)), 400, /^body: must be UTF-8/);
});

test("a body is bounded in bytes, whether or not it says how many, and in depth", async () => {
  const long = JSON.stringify({ prompt: "a".repeat(3000) });
  await refused(await send({ ...KEY, ...JSON_TYPE }, long), 413, /^body: must be at most 2000 bytes$/);
  let pulled = 0;
  const endless = new ReadableStream({
    pull(controller) {
      pulled++;
      controller.enqueue(new Uint8Array(500).fill(0x20));
    },
  });
  await refused(await send({ ...KEY, ...JSON_TYPE }, endless), 413, /2000 bytes/);
  assert.ok(pulled < 10, `${pulled} pieces were read`);
  await refused(await send({ ...KEY, ...JSON_TYPE }, "[".repeat(1000)), 400, /^body: .*nesting deeper than 64/);
  await refused(
    await send({ ...KEY, ...JSON_TYPE }, '{"prompt": '),
    400,
    /^body: got the end of the text at character 11/,
  );
  await refused(await send({ ...KEY, ...JSON_TYPE }, '{"a": 1, "a": 2}'), 400, /^body: .* a second time/);
  await refused(await send({ ...KEY, ...JSON_TYPE }, "[]"), 400, /^body: /);
  await refused(
    await send({ ...KEY, ...JSON_TYPE }, '{"__proto__": 1, "prompt": "a"}'),
    400,
    /^__proto__: there is no such/,
  );
  const broken = new ReadableStream({
    pull(controller) {
      controller.error(new Error("gone"));
    },
  });
  await refused(await send({ ...KEY, ...JSON_TYPE }, broken), 400, /^body: it broke off$/);
});

test("paths and methods that there are not", async () => {
  await refused(await send(KEY, null, "/v1/x", "GET"), 404, /^there is no GET \/v1\/x$/);
  await refused(await send(KEY, null, PATH, "GET"), 405, /takes POST/);
  await refused(await send(KEY, null, "/v1/models/..%2f..%2fetc%2fpasswd", "GET"), 404, /^model: there is no/);
});

test("CORS is off unless an origin is named, and then on for that origin alone", async () => {
  const origin = "https://page.example";
  const preflight = {
    origin,
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization",
  };
  assert.is((await send(preflight, null, PATH, "OPTIONS")).headers.get("access-control-allow-origin"), null);
  assert.is((await send({ ...KEY, ...JSON_TYPE, origin })).headers.get("access-control-allow-origin"), null);
  const { llama } = at;
  const { serve } = await import("../../src/server/index.ts");
  for (const [cors, allowed] of [
    [[origin], origin],
    [["https://other.example"], null],
    [true, "*"],
  ] as const) {
    const { fetch } = serve({ models: { m: llama }, cors, apiKey: "second" });
    const asked = await fetch(new Request(`http://localhost${PATH}`, { method: "OPTIONS", headers: preflight }));
    assert.is(asked.headers.get("access-control-allow-origin"), allowed);
    const init = { method: "POST", headers: { ...KEY, ...JSON_TYPE, origin }, body: BODY };
    const answered = await fetch(new Request(`http://localhost${PATH}`, init));
    assert.is(answered.headers.get("access-control-allow-origin"), allowed);
    assert.is(answered.status, 200);
    const keyless = await fetch(new Request(`http://localhost${PATH}`, { ...init, headers: { ...JSON_TYPE, origin } }));
    assert.is(keyless.status, 401);
    assert.is(keyless.headers.get("access-control-allow-origin"), allowed, "a page may read why");
  }
});

test("on this machine's own address a server answers to its own names and its own pages", async () => {
  const url = new URL(await at.server.listen({ port: 0 }));
  const status = (headers: Record<string, string>): Promise<number> =>
    new Promise((resolve, reject) => {
      const options = { port: url.port, host: url.hostname, path: "/health", headers };
      ask(options, (response) => {
        response.resume();
        resolve(response.statusCode!);
      })
        .on("error", reject)
        .end();
    });
  for (const host of [`127.0.0.1:${url.port}`, `localhost:${url.port}`, "LOCALHOST", `[::1]:${url.port}`])
    assert.is(await status({ host }), 200, host);
  for (const host of ["evil.example", `evil.example:${url.port}`, "127.0.0.1.evil.example", "localhost.evil.example"])
    assert.is(await status({ host }), 403, host);
  for (const origin of [url.origin, "http://localhost:5173"]) assert.is(await status({ origin }), 200, origin);
  for (const origin of ["https://evil.example", "null", "http://127.0.0.1.evil.example"])
    assert.is(await status({ origin }), 403, origin);
});

/** What comes back on a connection until it ends. */
const told = (socket: Socket): Promise<string> =>
  new Promise((resolve) => {
    let text = "";
    socket.on("data", (data) => (text += String(data)));
    socket.on("close", () => resolve(text));
    socket.on("error", () => {});
  });

test("what is no HTTP, and headers beyond 16 KiB, are answered as such", async () => {
  const url = new URL(await at.server.listen({ port: 0 }));
  const say = (text: string): Promise<string> => {
    const socket = connect(Number(url.port), url.hostname, () => socket.write(text));
    return told(socket);
  };
  assert.match(await say("hello\r\n\r\n"), /^HTTP\/1\.1 400 /);
  assert.match(
    await say(`GET /health HTTP/1.1\r\nhost: localhost\r\nx: ${"y".repeat(20_000)}\r\n\r\n`),
    /^HTTP\/1\.1 431 /,
  );
});

test.run();
