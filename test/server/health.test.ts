// What a server says of itself: readiness, metrics, the name of a request's beginning, and failures that are its own.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { LlariatError } from "../../src/error.ts";
import { type Loose, type Serving, serving } from "../tools/serving.ts";

const test = suite("server: health");
const told: unknown[] = [];
let at: Serving;
test.before(async () => {
  at = await serving({
    maxFailures: 2,
    maxConcurrent: 3,
    onError(error) {
      told.push(error);
      throw new Error("what is told of an error fails itself");
    },
  });
});
test.after(() => at.close());

const COMPLETION = { prompt: "a b c", max_tokens: 2, ignore_eos: true };
const get = async (path: string): Promise<Response> => at.server.fetch(new Request(`http://localhost${path}`));

/** Runs with a model whose generation throws. */
async function failing(error: unknown, run: () => Promise<void>): Promise<void> {
  Object.defineProperty(at.llama, "generate", {
    configurable: true,
    value: () => {
      throw error;
    },
  });
  try {
    await run();
  } finally {
    delete (at.llama as Partial<typeof at.llama>).generate;
  }
}

test("a model that its device fails several times in a row is not ready until a request succeeds", async () => {
  const state = async (path: string): Promise<[number, Loose]> => {
    const response = await get(path);
    return [response.status, await response.json()];
  };
  assert.is((await state("/health"))[0], 200);
  await failing(new LlariatError("device", "lost"), async () => {
    for (const failures of [1, 2]) {
      const response = await at.post("/v1/completions", COMPLETION);
      assert.equal([response.status, response.headers.get("retry-after")], [503, "1"]);
      const [status, body] = await state("/health/ready");
      assert.equal([status, body.models["kv-llama"].failures], [failures < 2 ? 200 : 503, failures]);
    }
    assert.is((await state("/health"))[1].status, "failing");
    assert.is((await state("/health/live"))[0], 200);
  });
  await at.json("/v1/completions", COMPLETION);
  const [status, body] = await state("/health");
  assert.equal([status, body.models["kv-llama"]], [200, { ready: true, failures: 0, running: 0, waiting: 0 }]);
});

test("a failure of the server's own says nothing of the inside to who asked, and is told to the owner", async () => {
  const seen: unknown[] = [];
  const { error: print } = console;
  console.error = (value: unknown) => seen.push(value);
  const inside = new TypeError("secret");
  try {
    await failing(inside, async () => {
      const { error } = await at.json("/v1/completions", COMPLETION, 500);
      assert.equal([error.type, error.message], ["server_error", "the server failed; its own log says how"]);
    });
  } finally {
    console.error = print;
  }
  assert.is(told.at(-1), inside);
  assert.equal(
    seen.map((each) => (each as Error).message),
    ["what is told of an error fails itself"],
  );
});

test("metrics count tokens, answers, pages and times in the form Prometheus reads", async () => {
  /** A counter of something that never was has no line. */
  const sample = (text: string, name: string): number =>
    Number(
      text
        .split("\n")
        .find((line) => line.startsWith(`${name} `))
        ?.slice(name.length + 1) ?? 0,
    );
  const read = async (): Promise<string> => {
    const response = await get("/metrics");
    assert.match(response.headers.get("content-type")!, /^text\/plain; version=0\.0\.4/);
    return response.text();
  };
  const before = await read();
  const prompt = Array.from({ length: 70 }, (_, i) => 20 + i);
  const { usage } = await at.json("/v1/completions", { ...COMPLETION, prompt, n: 2 });
  await at.json("/v1/completions", { ...COMPLETION, prompt });
  await at.json("/v1/completions", { ...COMPLETION, temperature: -1 }, 400);
  const after = await read();
  const grown = (name: string): number => sample(after, name) - sample(before, name);
  const model = '{model="kv-llama"}';
  assert.is(usage.completion_tokens, 4);
  assert.is(grown(`llariat_prompt_tokens_total${model}`), 3 * prompt.length);
  assert.ok(grown(`llariat_cached_prompt_tokens_total${model}`) >= 2 * 64);
  assert.is(grown(`llariat_generated_tokens_total${model}`), 6);
  assert.is(grown(`llariat_answers_total{model="kv-llama",end="length"}`), 3);
  assert.is(grown(`llariat_time_to_first_token_seconds_count${model}`), 3);
  assert.is(grown(`llariat_time_between_tokens_seconds_count${model}`), 3);
  assert.is(grown(`llariat_queue_seconds_count${model}`), 2);
  assert.is(grown('llariat_http_responses_total{status="400"}'), 1);
  assert.is(sample(after, `llariat_places${model}`), 3);
  assert.is(sample(after, `llariat_running${model}`), 0);
  assert.is(sample(after, `llariat_kv_pages{model="kv-llama",state="used"}`), 0);
  assert.ok(sample(after, `llariat_kv_pages{model="kv-llama",state="known"}`) > 0);
  // Buckets only ever grow, and the last holds all.
  const name = "llariat_request_seconds";
  const buckets = after
    .split("\n")
    .filter((line) => line.startsWith(`${name}_bucket`))
    .map((line) => Number(line.slice(line.lastIndexOf(" "))));
  assert.equal(
    buckets,
    buckets.toSorted((a, b) => a - b),
  );
  assert.is(buckets.at(-1), sample(after, `${name}_count${model}`));
  for (const line of after.trimEnd().split("\n"))
    assert.match(line, /^(# (HELP|TYPE) \w+ .+|\w+(\{(\w+="[^"\n]*",?)+\})? [\d.e+-]+)$/);
});

test("requests that begin alike have one name, whatever follows; another RoPE setting has another", async () => {
  const name = async (path: string, body: object): Promise<string> => {
    const response = await at.post(path, body);
    assert.is(response.status, 200, await response.text());
    return response.headers.get("x-llariat-prefix")!;
  };
  const user = { role: "user", content: "Hello" };
  const turn = (...more: object[]) => ({ messages: [user, ...more], max_tokens: 1 });
  const chat = "/v1/chat/completions";
  const first = await name(chat, turn());
  assert.match(first, /^[0-9a-f]{16}$/);
  const answered = turn({ role: "assistant", content: "Hi" }, { role: "user", content: "More" });
  assert.is(await name(chat, answered), first);
  assert.is(await name(chat, { ...turn(), stream: true }), first);
  assert.is.not(await name(chat, { ...turn(), rope_scaling: { rope_type: "linear", factor: 2 } }), first);
  assert.is.not(await name(chat, { ...turn(), messages: [{ ...user, content: "Hello!" }] }), first);
  const long = "a ".repeat(1024);
  const texts = [`${long}b`, `${long}c`].map((prompt) => ({ prompt, max_tokens: 1, allow_beyond: true }));
  const names = await Promise.all(texts.map((body) => name("/v1/completions", body)));
  assert.is(names[0], names[1]);
});

test.run();
