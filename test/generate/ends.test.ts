// Every way in which a request can end: its consumer leaves, an abort, a model that is closed.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Llama } from "../../src/node/index.ts";
import { countCalls, folder, ids, openDevice } from "../tools/models.ts";
import { refused } from "../tools/refused.ts";
import { nothingHeld, recordSteps } from "../tools/steps.ts";

const tests = suite("ends");
const handle = await openDevice();
const { device } = handle;
const calls = countCalls(device);
const sweep = folder("goldens/rope_sweep");
const tiny = await Llama.load(sweep, { device });

const asked = { ignoreEos: true, allowBeyond: true } as const;

/** Says what happens before the nth step from now, which waits for it. */
function stepHook(llama: Llama): (n: number, act: () => void | Promise<void>) => void {
  let [left, act] = [0, (): void | Promise<void> => {}];
  recordSteps(llama.engine, () => (--left === 0 ? act() : undefined));
  return (n, next) => void ([left, act] = [n, next]);
}

tests("pages come back however a request ends", async () => {
  using llama = await Llama.load(sweep, { device, chunkRows: 16 });
  const { kv: pool } = llama.engine.memory;
  const options = { ...asked, reusePrefix: false, maxNewTokens: 20 } as const;
  const free = (what: string) => assert.is(pool.freePages, pool.pages, what);
  await llama.complete(ids(40), options);
  free("complete");
  for await (const _ of llama.generate(ids(40), options)) break;
  free("break");
  const thrown = new Error("the consumer's");
  const throwing = async (): Promise<void> => {
    for await (const _ of llama.generate(ids(40), options)) throw thrown;
  };
  await throwing().then(
    () => assert.unreachable("nothing came to throw at"),
    (error: unknown) => assert.is(error, thrown),
  );
  free("throw");
  const returned = llama.generate(ids(40), options);
  await returned.next();
  await returned.return(undefined as never);
  free("return");
  const unused = llama.generate(ids(40), options);
  await unused.return(undefined as never);
  assert.is((await unused.next()).done, true);
  free("never begun");
  await refused(llama.complete(ids(40), { ...options, signal: AbortSignal.abort() }), "aborted");
  free("aborted before it began");
});

tests("abort ends a request at once, in its prompt and while it generates", async () => {
  using llama = await Llama.load(sweep, { device, chunkRows: 16 });
  const atStep = stepHook(llama);
  await llama.complete(ids(200), { ...asked, maxNewTokens: 3 });
  const prompt = ids(200, 256, 2);
  // Before: nothing is computed or allocated.
  calls.reset();
  await refused(llama.complete(ids(900), { ...asked, maxNewTokens: 1, signal: AbortSignal.abort("no") }), "aborted");
  assert.is(calls.submit + calls.createBuffer, 0);
  // In the prompt: 13 chunks; after the third at most the one in flight is computed.
  const first = new AbortController();
  calls.reset();
  let chunks = 0;
  const onPrefill = (done: number, total: number) => {
    assert.is(total, 200);
    assert.is(done, 16 * ++chunks);
    if (chunks === 3) first.abort(new Error("stop"));
  };
  const error = await refused(
    llama.complete(prompt, { ...asked, maxNewTokens: 9, signal: first.signal, onPrefill, reusePrefix: false }),
    "aborted",
  );
  assert.is((error.cause as Error).message, "stop");
  assert.is(chunks, 3);
  assert.ok(calls.submit <= 4, `${calls.submit} steps`);
  // While a step is under way: the promise settles before that step has ended.
  const second = new AbortController();
  let ended = false;
  let end = () => {};
  const under = new Promise<void>((resolve) => (end = () => ((ended = true), resolve())));
  const late = setTimeout(() => end(), 10_000);
  atStep(4, () => (second.abort(), under));
  const slow = llama.complete(prompt, { ...asked, signal: second.signal, maxNewTokens: 500, reusePrefix: false });
  await refused(slow, "aborted", /aborted while computing a request/);
  assert.not.ok(ended, "the step goes on");
  clearTimeout(late);
  end();
  await llama.complete(ids(3), { ...asked, maxNewTokens: 1 }); // the step that was held is over
  // While it generates.
  const third = new AbortController();
  let tokens = 0;
  calls.reset();
  const generating = (async () => {
    for await (const _ of llama.generate(ids(10), { ...asked, signal: third.signal, maxNewTokens: 500 })) {
      if (++tokens === 5) third.abort();
    }
  })();
  await refused(generating, "aborted");
  assert.is(tokens, 5);
  assert.ok(calls.submit <= 6, `${calls.submit} steps`);
  nothingHeld(llama.engine.memory, "after aborts");
  // Logits too.
  const fourth = new AbortController();
  const logits = llama.logits(ids(1500), { signal: fourth.signal });
  atStep(3, () => fourth.abort());
  await refused(logits, "aborted");
  nothingHeld(llama.engine.memory, "after aborted logits");
  // The signal of a request that is over has no listener of ours: aborting it does nothing.
  const after = new AbortController();
  const done = await llama.complete(ids(10), { ...asked, signal: after.signal, maxNewTokens: 3 });
  after.abort();
  assert.is(done.ids.length, 3);
});

tests("closing a model ends what is under way with one sentence, and never hangs", async () => {
  const load = () => Llama.load(sweep, { device, chunkRows: 16 });
  const options = { ...asked, maxNewTokens: 400 } as const;
  // During the compilation of the first step, in a prompt, while generating, and before the first piece is asked for.
  for (const when of ["at once", "in the prompt", "generating", "before it began"]) {
    const llama = await load();
    const pieces = llama.generate(ids(600), {
      ...options,
      onPrefill: (done) => when === "in the prompt" && done === 64 && llama.close(),
    });
    const run = async () => {
      if (when === "before it began") llama.close();
      let tokens = 0;
      for await (const _ of pieces) if (when === "generating" && ++tokens === 3) llama.close();
    };
    const running = run();
    if (when === "at once") llama.close();
    await refused(running, "closed", /this model is closed; load it again/);
    await refused(llama.complete([1]), "closed");
    await refused(llama.logits([1]), "closed");
    llama.close();
  }
  // Two at a time, and a device of the caller's that goes on to work.
  const llama = await load();
  stepHook(llama)(3, () => llama.close());
  const both = [llama.complete(ids(100), options), llama.logits(ids(300))];
  for (const each of both) await refused(each, "closed");
  assert.equal((await tiny.complete(ids(10), { ...asked, maxNewTokens: 3 })).ids.length, 3);
});

tests.after(() => {
  tiny.close();
  handle.release();
});
tests.run();
