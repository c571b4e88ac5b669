// Several answers to one prompt that end early, and an answer that continues a message.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Llama } from "../../src/node/index.ts";
import { folder, ids, openDevice } from "../tools/models.ts";
import { refused } from "../tools/refused.ts";

const test = suite("answers");
const { device, release } = await openDevice();
const llama = await Llama.load(folder("goldens/rope_sweep"), { device });
test.after(() => {
  llama.close();
  release();
});

const asked = { ignoreEos: true, allowBeyond: true, maxNewTokens: 40, n: 4 } as const;

/** Steps that are computed while `work` runs, and nothing is held after it. */
async function stepsOf(work: () => Promise<unknown>): Promise<number> {
  const { engine } = llama;
  const step = engine.step.bind(engine);
  let count = 0;
  engine.step = (...args) => {
    count++;
    return step(...args);
  };
  await work();
  engine.step = step;
  const { kv, prefixes } = engine.memory;
  assert.is(kv.freePages + prefixes.idle, kv.pages);
  return count;
}

test("who fails ends the others: nobody would see their answers", async () => {
  const broken = new Error("the caller's own");
  const fail = (): never => {
    throw broken;
  };
  for (const [name, most] of [
    ["onAllocate", 0],
    ["onPrefill", 1],
  ] as const) {
    const steps = await stepsOf(() =>
      llama.completions(ids(20), { ...asked, [name]: fail }).then(
        () => assert.unreachable("it ended"),
        (error: unknown) => {
          assert.is(error, broken);
        },
      ),
    );
    assert.is(steps, most, name);
  }
});

test("who fails later ends the others too", async () => {
  const { engine } = llama;
  const step = engine.step.bind(engine);
  let steps = 0;
  engine.step = async (segments, want, recording) => {
    const outputs = await step(segments, want, recording);
    // What a weight that overflows gives, to one of the four.
    if (steps > 0 || segments.length === asked.n) steps++;
    if (steps === 5) (outputs[1] as Float32Array).fill(NaN);
    return outputs;
  };
  // With a penalty a step gives whole rows of logits.
  const running = llama.completions(ids(20), { ...asked, frequencyPenalty: 0.1 });
  await refused(running, "kernel", /^logits: got .*needed numbers/);
  engine.step = step;
  assert.ok(steps >= 5 && steps < 10, `${steps} of 40 steps`);
  const { kv, prefixes } = engine.memory;
  assert.is(kv.freePages + prefixes.idle, kv.pages);
});

test("a signal ends all of them, at once or before they begin", async () => {
  const abort = new AbortController();
  const options = { ...asked, maxNewTokens: 400, signal: abort.signal };
  let begun = 0;
  const onPrefill = (): void => {
    begun++;
    setImmediate(() => abort.abort());
  };
  const steps = await stepsOf(() =>
    refused(llama.completions(ids(20), { ...options, onPrefill }), "aborted", /^aborted/),
  );
  assert.is(begun, 1);
  assert.ok(steps < 200, `${steps} steps`);
  assert.is(await stepsOf(() => refused(llama.completions(ids(20), options), "aborted", /^aborted/)), 0);
});

test("what is aborted while it is told what it needs does not start", async () => {
  const abort = new AbortController();
  const options = { ...asked, signal: abort.signal, onAllocate: () => abort.abort() };
  assert.is(await stepsOf(() => refused(llama.completions(ids(20), { ...options, n: 1 }), "aborted", /^aborted/)), 0);
});

test("a closed model refuses several answers as it refuses one: by a promise", async () => {
  const closed = await Llama.load(folder("goldens/rope_sweep"), { device });
  closed.close();
  await refused(closed.completions(ids(3), { n: 2 }), "closed", /^this model is closed/);
});

test("an answer that continues a message keeps its leading space", async () => {
  using kv = await Llama.load(folder("/models/kv-llama"), { device });
  const question =
    "## UUID key/value pairs to remember:\n\n'1f0a77d2' = '9c3e'\n'77aa01bc' = '4410'\n'e29a369f' = 'd486'\n" +
    "\n\n What is the value of the key 'e29a369f'?";
  const messages = [
    { role: "user", content: question },
    { role: "assistant", content: "The value of the key" },
  ];
  const { text } = await kv.complete(messages, { chat: { continueFinalMessage: true } });
  assert.is(text, " 'e29a369f' is 'd486'.");
  const whole = await kv.complete(messages.slice(0, 1));
  assert.is(whole.text, "The value of the key 'e29a369f' is 'd486'.");
});

test.run();
