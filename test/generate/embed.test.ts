// embed: hidden states after the final norm, pooled, against transformers and a pass in f64, however texts share steps.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type EmbedOptions, Llama, type RopeScaling } from "../../src/node/index.ts";
import { frequencies, parseRopeScaling } from "../../src/rope/index.ts";
import { Llama64 } from "../tools/float64.ts";
import { goldenJson } from "../tools/goldens.ts";
import { farthest, folder, ids, openDevice, readCheckpoint, variantsOf } from "../tools/models.ts";
import { refused } from "../tools/refused.ts";
import { noteSampled, sampling } from "../tools/sample.ts";
import { nothingHeld, recordSteps } from "../tools/steps.ts";

interface Golden {
  readonly model: string;
  readonly tokens: number;
  readonly rope?: RopeScaling;
  readonly tolerance: number;
  readonly mean: number[];
  readonly last: number[];
}

const tests = suite("embed");
const handle = await openDevice();
const { device } = handle;
const sweep = folder("goldens/rope_sweep");
const plain = { normalize: false, allowBeyond: true };
/** Rounding of other kernels and other orders of sums, for rows of norm-weights near 1; the goldens' least tolerance. */
const ROUNDING = 2e-5;

const { cases: all } = goldenJson("../embeddings.json") as { cases: Golden[] };
// In samples one of the long texts.
const cases = sampling ? all.filter(({ tokens, rope }) => tokens < 500 || rope?.rope_type === "yarn") : all;
if (sampling) noteSampled("texts with embeddings by transformers", cases.length, all.length);
// Models take turns in variants of kernels and in sizes of chunks; texts of the bundled one take several steps anyway.
for (const [i, model] of [...new Set(cases.map((each) => each.model))].entries()) {
  const known = variantsOf(handle);
  const bundled = model.startsWith("models/");
  const variants = known[bundled ? 0 : i % known.length];
  const chunkRows = bundled || i % 3 === 0 ? undefined : 23;
  tests(`${model}, ${variants}, chunks of ${chunkRows}: mean and last row are those of transformers`, async () => {
    using llama = await Llama.load(new URL(`../../${model}`, import.meta.url), { device, variants, chunkRows });
    for (const { tokens, rope, tolerance, ...want } of cases.filter((each) => each.model === model)) {
      const options = { ...plain, ropeScaling: rope };
      for (const pooling of ["mean", "last"] as const) {
        const [got] = await llama.embed([ids(tokens, llama.config.vocab)], { ...options, pooling });
        const { error, at } = farthest(got, want[pooling]);
        const what = `${tokens} tokens, ${rope?.rope_type}, ${pooling}`;
        assert.ok(error <= tolerance, `${what}: [${at}] differs by ${error}, allowed ${tolerance}`);
      }
    }
  });
}

tests("every length of a text against a pass in f64: one token, a step, a step and one, several", async () => {
  const checkpoint = await readCheckpoint(sweep);
  using llama = await Llama.load(sweep, { device, chunkRows: 16 });
  const ropeScaling = { rope_type: "dynamic", factor: 2 } as const;
  const lengths = [1, 2, 15, 16, 17, 31, 33, 70];
  const texts = lengths.map((count, i) => ids(count, 256, i));
  const of = (pooling: EmbedOptions["pooling"]) => llama.embed(texts, { ...plain, pooling, ropeScaling });
  const [mean, last] = [await of("mean"), await of("last")];
  texts.forEach((text, i) => {
    const angles = frequencies(parseRopeScaling(ropeScaling, llama.rope), text.length);
    const rows = new Llama64(checkpoint).hidden(text, [...text.keys()], angles);
    const want = rows[0].map((_, j) => rows.reduce((sum, row) => sum + row[j], 0) / rows.length);
    for (const [what, got, exact] of [["mean", mean[i], want], ["last", last[i], rows.at(-1)!]] as const) {
      const { error } = farthest(got, exact);
      assert.ok(error <= ROUNDING, `${what} of ${text.length} tokens differs by ${error}`);
    }
  }); // prettier-ignore
});

tests("texts share steps, and each gets what it gets alone; one vector is read per text and step", async () => {
  using llama = await Llama.load(sweep, { device });
  const texts = Array.from({ length: 45 }, (_, i) => ids(1 + ((i * 13) % 60), 256, i));
  const steps = recordSteps(llama.engine);
  const together = await llama.embed(texts, plain);
  assert.ok(steps.length < 25, `${steps.length} steps for ${texts.length} texts`);
  for (const step of steps) for (const { outputs } of step) assert.ok(outputs.length <= 1);
  assert.is(together.length, texts.length);
  for (const [i, text] of texts.entries()) {
    const { error } = farthest(together[i], (await llama.embed([text], plain))[0]);
    assert.ok(error <= ROUNDING, `text ${i} differs by ${error}`);
  }
  nothingHeld(llama.engine.memory, "after embeddings");
});

tests("vectors have length 1 unless asked otherwise, and are the mean unless asked otherwise", async () => {
  using llama = await Llama.load(sweep, { device });
  const [vector] = await llama.embed([ids(20)]);
  const [mean] = await llama.embed([ids(20)], { pooling: "mean", normalize: false });
  assert.is(vector.length, llama.config.dim);
  const norm = (v: Float32Array) => Math.hypot(...v);
  assert.ok(Math.abs(norm(vector) - 1) < 1e-6);
  assert.ok(farthest(vector, mean.map((value) => value / norm(mean))).error < 1e-6); // prettier-ignore
  assert.equal(await llama.embed([]), []);
});

tests("generation and embeddings go on side by side, each as alone", async () => {
  using llama = await Llama.load(sweep, { device, chunkRows: 16 });
  const options = { maxNewTokens: 30, ignoreEos: true };
  const text = ids(200, 256, 3);
  const alone = await llama.complete(ids(40), options);
  const [want] = await llama.embed([text], { allowBeyond: true });
  const steps = recordSteps(llama.engine);
  const [done, [vector]] = await Promise.all([
    llama.complete(ids(40), { ...options, reusePrefix: false }),
    llama.embed([text], { allowBeyond: true }),
  ]);
  assert.equal(done.ids, alone.ids);
  assert.ok(farthest(vector, want).error <= ROUNDING);
  // Thirteen steps of the text among those of the answer: they take turns.
  const long = steps.map((step) => step.some(({ sequence }) => sequence.capacity === text.length));
  const [first, last] = [long.indexOf(true), long.lastIndexOf(true)];
  assert.ok(first < 3, "the text did not wait");
  const between = long.slice(first, last).filter((each) => !each).length;
  assert.ok(between >= 10, `${between} steps of the answer between those of the text`);
});

tests("texts that lose their pages to others are computed again, no row twice", async () => {
  using roomy = await Llama.load(sweep, { device });
  // Room for the answer and a text as both begin; the answer, which is older, takes pages of a text while that is computed.
  using llama = await Llama.load(sweep, { device, chunkRows: 4, maxKvBytes: roomy.kvBytes(320) });
  const texts = Array.from({ length: 3 }, (_, i) => ids(150 + i, 256, i));
  const want = await roomy.embed(texts, plain);
  const steps = recordSteps(llama.engine);
  const [, got] = await Promise.all([
    llama.complete(ids(100, 256, 9), { maxNewTokens: 120, ignoreEos: true, allowBeyond: true }),
    llama.embed(texts, plain),
  ]);
  const rows = (tokens: number): number =>
    steps.flat().reduce((sum, { sequence, count }) => sum + (sequence.capacity === tokens ? count : 0), 0);
  assert.ok(
    texts.some((text) => rows(text.length) > text.length),
    "some text was computed twice",
  );
  texts.forEach((_, i) => assert.ok(farthest(got[i], want[i]).error <= ROUNDING, `text ${i}`));
  nothingHeld(llama.engine.memory, "after waiting");
});

tests("onAllocate hears what is needed before anything is, is waited for, and refuses", async () => {
  using llama = await Llama.load(sweep, { device });
  const steps = recordSteps(llama.engine);
  const needs: object[] = [];
  let open!: () => void;
  const gate = new Promise<void>((resolve) => (open = resolve));
  const onAllocate = async (need: object): Promise<void> => {
    needs.push(need);
    await gate;
  };
  const running = llama.embed([ids(20), ids(40)], { onAllocate });
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.is(steps.length, 0);
  open();
  assert.is((await running).length, 2);
  assert.equal(needs, [{ tokens: 60, kvBytes: llama.kvBytes(20) + llama.kvBytes(40) }]);
  const full = (): never => {
    throw new Error("full");
  };
  let thrown: unknown;
  await llama.embed([ids(3)], { onAllocate: full }).catch((error: unknown) => (thrown = error));
  assert.is((thrown as Error).message, "full");
});

tests("a signal ends all of them: before the first step, and between two", async () => {
  using llama = await Llama.load(sweep, { device, chunkRows: 16 });
  const stop = new AbortController();
  const steps = recordSteps(llama.engine, (number) => {
    if (number === 3) stop.abort(new Error("enough"));
  });
  const texts = Array.from({ length: 40 }, (_, i) => ids(90, 256, i));
  await refused(llama.embed(texts, { ...plain, signal: AbortSignal.abort() }), "aborted");
  assert.is(steps.length, 0);
  const error = await refused(llama.embed(texts, { ...plain, signal: stop.signal }), "aborted");
  assert.is((error.cause as Error).message, "enough");
  assert.ok(steps.length <= 4, `${steps.length} steps`);
  nothingHeld(llama.engine.memory, "after an abort");
});

tests("what cannot be embedded is refused by name before anything starts", async () => {
  using llama = await Llama.load(sweep, { device, maxContext: 300 });
  const steps = recordSteps(llama.engine);
  const call = (prompts: unknown, options: unknown = {}) => llama.embed(prompts as never, options as never);
  await refused(call("x"), "request", /^prompts: must be a list of prompts, got "x"; for one prompt, a list of one$/);
  await refused(call([[1], [999]]), "request", /^prompts\[1\]: id 999 at 0 is outside the vocabulary/);
  await refused(call([[1], []]), "request", /^prompts\[1\]: needs at least one token/);
  await refused(call([1, 2]), "request", /^prompts\[0\]: needs text, messages or token ids, got 1$/);
  await refused(call(["text"]), "tokenizer");
  await refused(call([ids(301)], { allowBeyond: true }), "context", /301 tokens, the model was loaded for 300/);
  await refused(call([[1], ids(200)]), "context", /^prompts\[1\]: the prompt has 200 tokens, default RoPE reaches/);
  await refused(call([[1]], { pooling: "max" }), "request", /^pooling: must be mean or last, got "max"$/);
  await refused(call([[1]], { poolin: "mean" }), "request", /^poolin: .*did you mean pooling\?$/);
  await refused(call([[1]], { ropeLength: 0 }), "request", /^ropeLength: /);
  assert.is(steps.length, 0);
});

tests.after(() => handle.release());
tests.run();
