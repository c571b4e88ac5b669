// A server under load, in small: test/server/load.ts has the same with the numbers that count (`npm run test:server`).
// Left out of samples: hundreds of requests.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Serving, PROMPT, serving } from "../tools/serving.ts";
import { type Target, leaving, losing, overloaded, queued, settled } from "../tools/traffic.ts";

const test = suite("server: load");
let at: Serving;
let target: Target;
test.before(async () => {
  at = await serving({ maxConcurrent: 4, queue: 12 }, { onDeviceLost: "reload" });
  target = { ...at, origin: await at.server.listen({ port: 0 }) };
});
test.after(() => at.close());

test("streams that wait in the queue get the texts that they get alone", async () => {
  await queued(target, 16);
});

test("beyond places and queue clients are refused at once with a time to come back, and nobody else notices", async () => {
  await overloaded(target, 40, 16);
});

test("clients that go away, also from the queue, leave nothing behind", async () => {
  const { left } = await leaving(target, 48, 12);
  assert.ok(left > 20, `${left} left`);
});

test("a device that is lost under load: streams go on, and a new request is answered", async () => {
  const { losses } = await losing(target, 12, 2);
  assert.is(losses, 2);
  const health = (await (await fetch(`${target.origin}/health`)).json()) as { ready: boolean };
  assert.ok(health.ready);
});

test("while a long prompt is computed comments keep the connection open", async () => {
  const own = await serving({ keepAliveMs: 1 });
  try {
    const prompt = Array.from({ length: 1500 }, (_, i) => 260 + ((i * 7) % 400));
    const body = { prompt, max_tokens: 1, allow_beyond: true, stream: true };
    const text = await (await own.post("/v1/completions", body)).text();
    assert.match(text, /^(?:: keep-alive\n\n)+data: /);
    assert.match(text, /data: \[DONE\]\n\n$/);
  } finally {
    await own.close();
  }
});

test("a client that goes away while it waits frees its place in the queue; one without a reader rests", async () => {
  const { llama, server } = at;
  const body = JSON.stringify({ prompt: PROMPT, max_tokens: 300, ignore_eos: true, stream: true });
  const init = { method: "POST", headers: { "content-type": "application/json" }, body };
  const ask = (signal?: AbortSignal) =>
    server.fetch(new Request("http://localhost/v1/completions", { ...init, signal }));
  // Four that nobody reads take the places; they compute what the queues of their requests hold, and no more.
  const held = await Promise.all(Array.from({ length: 4 }, () => ask()));
  const stop = new AbortController();
  const waiting = await Promise.all(Array.from({ length: 12 }, () => ask(stop.signal)));
  assert.is((await ask()).status, 429);
  assert.is(waiting[0].status, 200, "who may wait is told so at once");
  stop.abort();
  const next = await ask();
  assert.is(next.status, 200);
  await Promise.all([...held, ...waiting, next].map(({ body: stream }) => stream!.cancel()));
  await settled(target);
  assert.is((await llama.complete(PROMPT, { maxNewTokens: 1 })).ids.length, 1);
});

test.run();
