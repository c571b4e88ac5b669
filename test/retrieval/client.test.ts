import { inspect } from "node:util";
import type { IncomingMessage, ServerResponse } from "node:http";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { refused } from "../tools/refused.ts";
import { listen } from "../tools/server.ts";
import { retrieve, viaUrl } from "../../src/retrieval/index.ts";
import { completionsUrl } from "../../src/retrieval/client.ts";
import { solve, words } from "./fake.ts";

const test = suite("retrieval client");
type Request = Record<string, unknown> & { prompt: string };
type Reply = (request: Request, response: ServerResponse, message: IncomingMessage) => unknown;

/** A server on a free port; what `reply` returns is sent as JSON, undefined means it has answered itself. */
async function withServer(reply: Reply, run: (url: string, requests: Request[]) => Promise<unknown>): Promise<void> {
  const requests: Request[] = [];
  const site = await listen((message, response) => {
    let body = "";
    message.on("data", (data) => (body += data));
    message.on("end", () => {
      const request = JSON.parse(body) as Request;
      requests.push(request);
      const answer =
        message.url === "/v1/completions" ? reply(request, response, message) : { error: `no ${message.url}` };
      if (answer !== undefined) response.setHeader("content-type", "application/json").end(JSON.stringify(answer));
    });
  });
  try {
    await run(site.origin, requests);
  } finally {
    site.close();
  }
}

const tokenizer = words as unknown as NonNullable<Parameters<typeof viaUrl>[0]["tokenizer"]>;
const right: Reply = ({ prompt, rope_scaling: rope }) => ({
  choices: [{ text: ` ${solve(prompt)}`, finish_reason: "stop" }],
  usage: { prompt_tokens: words.encode(prompt).length, completion_tokens: 3 },
  ...(rope === undefined ? {} : { rope: { echoed: rope } }),
});
const asked = { maxNewTokens: 5, temperature: 0, allowBeyond: true } as const;
const small = { trainedLength: 512, answerRoom: 0, tries: 2, positions: [0.5], promptLengths: [200] };

test("addresses, with and without what follows the host", () => {
  for (const base of ["http://h:1", "http://h:1/", "http://h:1/v1", "http://h:1/v1/", "http://h:1/v1/completions"]) {
    assert.is(completionsUrl(base), "http://h:1/v1/completions");
  }
  assert.is(completionsUrl("https://h/api"), "https://h/api/v1/completions");
  assert.throws(() => completionsUrl("localhost"), /is no address; write http:\/\/HOST:PORT/);
  assert.throws(() => completionsUrl("ftp://h"), /needs an http or https address, got ftp:/);
});

test("a grid runs on a server: whole answers, greedy, settings sent and echoed", async () => {
  await withServer(right, async (url, requests) => {
    const report = await retrieve(viaUrl({ url, model: "m", tokenizer }), {
      ...small,
      ropeScalings: ["own", "none", "dynamic:2"],
    });
    assert.ok(report.cells.every((cell) => cell.rate === 1 && cell.errors === 0 && cell.completionTokens === 6));
    assert.equal(report.cells.at(-1)!.rope, { echoed: { rope_type: "dynamic", factor: 2 } });
    for (const request of requests) {
      assert.is(request.stream, false);
      assert.is(request.temperature, 0);
      assert.is(request.model, "m");
      assert.is(request.max_tokens, 64);
    }
    assert.equal(
      requests.map((request) => request.rope_scaling),
      [undefined, undefined, null, null, ...Array.from({ length: 2 }, () => ({ rope_type: "dynamic", factor: 2 }))],
    );
  });
});

test("a prompt that did not go through unchanged is no measurement", async () => {
  const cut: Reply = (request, response, message) => ({
    ...(right(request, response, message) as object),
    usage: { prompt_tokens: 128 },
  });
  await withServer(cut, async (url) => {
    const report = await retrieve(viaUrl({ url, tokenizer }), small);
    assert.match(
      report.cells[0].attempts[0].error!,
      /did not go through unchanged: it has \d+ tokens, the engine read 128/,
    );
    assert.is(report.cells[0].found, 0);
  });
});

test("a server that does not say which RoPE setting it used is not believed", async () => {
  const ignorant: Reply = (request, response, message) => right({ prompt: request.prompt }, response, message);
  await withServer(ignorant, async (url) => {
    const engine = viaUrl({ url, tokenizer });
    await refused(
      engine.complete("What is it? The pass key is 12345", { ...asked, ropeScaling: { rope_type: "yarn", factor: 2 } }),
      "rope",
      /does not say that it used the RoPE setting/,
    );
    assert.is((await engine.complete("The pass key is 12345", asked)).text, " 12345");
  });
});

test("later is tried again, no is not", async () => {
  let calls = 0;
  const busy: Reply = (request, response, message) => {
    if (++calls < 3) return void response.writeHead(503).end("busy");
    return right(request, response, message);
  };
  await withServer(busy, async (url) => {
    const engine = viaUrl({ url, pauseMs: 1 });
    assert.is((await engine.complete("The pass key is 12345", asked)).text, " 12345");
    assert.is(calls, 3);
    calls = -10;
    await refused(
      viaUrl({ url, pauseMs: 1, retries: 2 }).complete("The pass key is 12345", asked),
      "request",
      /status 503: busy; tried 3 times/,
    );
  });
  await withServer(
    (_, response) => void response.writeHead(400).end('{"error":"too long"}'),
    async (url, requests) => {
      await refused(viaUrl({ url }).complete("x", asked), "request", /status 400: \{"error":"too long"\}/);
      assert.is(requests.length, 1);
    },
  );
});

test("a server that falls silent, before its headers or within its answer, ends by the limit that was set", async () => {
  let calls = 0;
  const silent: Reply = (_, response) => {
    calls++;
    if (calls % 2 === 0) response.write('{"choices":');
  };
  await withServer(silent, async (url) => {
    const engine = viaUrl({ url, stallMs: 30, pauseMs: 1, retries: 1 });
    await refused(engine.complete("x", asked), "request", /nothing came for 30 ms; tried 2 times$/);
    assert.is(calls, 2);
    const stop = new AbortController();
    const waiting = viaUrl({ url }).complete("x", { ...asked, signal: stop.signal });
    setTimeout(() => stop.abort(), 5);
    await refused(waiting, "aborted", /^aborted while waiting for /);
  });
  for (const stallMs of [-1, NaN, Infinity, "1"])
    await refused(async () => viaUrl({ url: "http://x", stallMs: stallMs as number }), "request", /^stallMs: must be/);
});

test("no server, no JSON, no text: each says so", async () => {
  await refused(
    viaUrl({ url: "http://127.0.0.1:9", retries: 1, pauseMs: 1 }).complete("x", asked),
    "request",
    /127\.0\.0\.1:9\/v1\/completions: .*; tried 2 times/,
  );
  await withServer(
    (_, response) => void response.end("<html>"),
    (url) => refused(viaUrl({ url }).complete("x", asked), "request", /the answer is not JSON: <html>/),
  );
  await withServer(
    () => ({ choices: [{ message: {} }] }),
    (url) =>
      refused(
        viaUrl({ url }).complete("x", asked),
        "request",
        /no choices\[0\]\.text; is this a completions endpoint\?/,
      ),
  );
  await withServer(
    () => [],
    (url) => refused(viaUrl({ url }).complete("x", asked), "request", /no choices/),
  );
});

test("an answer that is nothing, and one without end", async () => {
  for (const answer of [null, 5, "x", [null], { choices: [null] }, { choices: null }]) {
    await withServer(
      () => answer,
      (url) => refused(viaUrl({ url }).complete("x", asked), "request", /no choices\[0\]\.text/),
    );
  }
  await withServer(
    (_, response) => {
      const more = () => {
        if (!response.destroyed) response.write("x".repeat(1 << 20), more);
      };
      more();
    },
    (url) => refused(viaUrl({ url }).complete("x", asked), "request", /an answer of more than 16777216 bytes/),
  );
});

test("the pause before another try ends with the signal; an address keeps its secrets", async () => {
  const stop = new AbortController();
  await withServer(
    (_, response) => {
      response.writeHead(503).end("busy");
      setTimeout(() => stop.abort(), 20);
    },
    (url) => {
      const pending = viaUrl({ url, pauseMs: 1e9 }).complete("x", { ...asked, signal: stop.signal });
      return refused(pending, "aborted", /aborted while waiting/);
    },
  );
  for (const url of ["http//me:cret@h?token=hidden", "ftp://me:cret@h?token=hidden"]) {
    assert.not.match((await refused(async () => viaUrl({ url }), "request", /address/)).message, /cret|hidden/);
  }
});

test("a key is sent, an abort ends the request", async () => {
  let header: string | undefined;
  await withServer(
    (request, response, message) => {
      header = message.headers.authorization;
      return right(request, response, message);
    },
    async (url) => {
      await viaUrl({ url, key: "k" }).complete("The pass key is 12345", asked);
      assert.is(header, "Bearer k");
    },
  );
  await withServer(
    () => undefined,
    async (url) => {
      const stop = new AbortController();
      const pending = viaUrl({ url }).complete("x", { ...asked, signal: stop.signal });
      setTimeout(() => stop.abort(), 20);
      await refused(pending, "aborted", /aborted while waiting for http/);
    },
  );
});

test("a key that the server repeats, or that is no header, stays out of the error and of its cause", async () => {
  const key = "sk-SECRET-7";
  for (const status of [200, 400, 503]) {
    await withServer(
      (_, response) => void response.writeHead(status).end(`wrong key ${key}, yes: ${key}`),
      async (url) => {
        const engine = viaUrl({ url, key, retries: 0 });
        const error = await refused(engine.complete("x", asked), "request", /wrong key …, yes: …/);
        assert.not.match(inspect(error), key);
      },
    );
  }
  const engine = viaUrl({ url: "http://127.0.0.1:1", key: `${key}\n\u0100`, retries: 0 });
  const error = await refused(engine.complete("x", asked), "request", /; tried 1 times$/);
  assert.not.match(inspect(error), key);
});

test("fetch: the caller's own takes the place of the platform's", async () => {
  const sent: [string, Record<string, unknown>, RequestInit["headers"]][] = [];
  const send = (async (url: string, { body, headers }: RequestInit) => {
    sent.push([url, JSON.parse(body as string) as Record<string, unknown>, headers]);
    return Response.json({ choices: [{ text: "a", finish_reason: "stop" }] });
  }) as typeof fetch;
  const engine = viaUrl({ url: "http://h.invalid", model: "m", key: "k", fetch: send });
  assert.is((await engine.complete("p", asked)).text, "a");
  const body = { model: "m", prompt: "p", max_tokens: 5, temperature: 0, stream: false };
  const headers = { "content-type": "application/json", authorization: "Bearer k" };
  assert.equal(sent, [["http://h.invalid/v1/completions", body, headers]]);
});

test.run();
