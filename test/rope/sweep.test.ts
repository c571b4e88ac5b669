// RoPE scaling through the whole engine, against transformers: ten variants below and beyond the trained length of 64, each
// as a checkpoint's own setting and as a request's on one loaded model; what ropeAngles means while generating.
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Llama } from "../../src/node/index.ts";
import {
  type RopeAngles,
  type RopeScaling,
  dependsOnLength,
  frequencies,
  parseRopeScaling,
} from "../../src/rope/index.ts";
import { Llama64 } from "../tools/float64.ts";
import { goldenEntry, goldenJson, goldenTensors } from "../tools/goldens.ts";
import { sampled } from "../tools/sample.ts";
import {
  argmax,
  countCalls,
  farthest,
  feed,
  folder,
  near,
  openDevice,
  readCheckpoint,
  replaced,
} from "../tools/models.ts";
import { recordSteps } from "../tools/steps.ts";

interface Expected {
  readonly input_ids: number[];
  readonly lengths: number[];
  readonly prompt_len: number;
  readonly generate_cached_ids: number[];
  readonly generate_exact_ids: number[];
  readonly min_margin_cached: number;
  readonly min_margin_exact: number;
}

const path = folder("goldens/rope_sweep");
const variants = readdirSync(path, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);
const handle = await openDevice();
const { device } = handle;
const tests = suite("rope-sweep");

tests("all ten are here", () => assert.is(variants.length, 10));

/** What transformers answers with a variant, and what a logit may be off. */
async function golden(name: string) {
  const expected = goldenJson(`rope_sweep/${name}/expected.json`) as Expected;
  const tolerance = goldenEntry(`rope_sweep/${name}/expected.safetensors`).tolerance!.f32.abs!;
  assert.ok(Math.min(expected.min_margin_cached, expected.min_margin_exact) > 2 * tolerance, "ids are certain");
  const prompt = expected.input_ids.slice(0, expected.prompt_len);
  return { ...expected, tolerance, prompt, tensors: await goldenTensors(`rope_sweep/${name}/expected.safetensors`) };
}

/** The variant's setting as a request states it; every other number is the loaded model's (default, 64 positions). */
const requests: Readonly<Record<string, RopeScaling | "none" | null>> = {
  default: null,
  linear2: { type: "linear", factor: 2 },
  dynamic2: { type: "dynamic", factor: 2 },
  dynamic4: { rope_type: "dynamic", factor: 4 },
  "static-ntk4": { rope_type: "ntk", factor: 4 },
  yarn4: { rope_type: "yarn", factor: 4 },
  "yarn4-custom": {
    rope_type: "yarn",
    factor: 4,
    attention_factor: 1,
    beta_fast: 8,
    beta_slow: 0.5,
    truncate: false,
  },
  "llama3-8": { rope_type: "llama3", factor: 8, low_freq_factor: 1, high_freq_factor: 4 },
  longrope: {
    rope_type: "longrope",
    factor: 4,
    short_factor: [1, 1.0071, 1.0143, 1.0214, 1.0286, 1.0357, 1.0429, 1.05],
    long_factor: [1, 2.1339, 2.6036, 2.964, 3.2678, 3.5355, 3.7775, 4],
  },
  "proportional0.5": { rope_type: "proportional", partial_rotary_factor: 0.5 },
};

/** The steps that are computed anew from the first token on. */
const steps = sampled(
  "steps without a cache",
  Array.from({ length: 24 }, (_, i) => i),
  4,
);

/** Everything transformers recorded of a variant. */
async function check(llama: Llama, name: string, ropeScaling: RopeScaling | "none" | null | undefined): Promise<void> {
  const { tolerance, tensors, input_ids: ids, prompt, ...expected } = await golden(name);
  const { vocab } = llama.config;
  for (const length of expected.lengths) {
    const got = await llama.logits(ids.slice(0, length), { rows: "last", ropeScaling });
    near(`${name}, last of ${length}`, got, tensors.get(`last_logits.${length}`)!, tolerance);
  }
  const cached = expected.generate_cached_ids;
  const options = { ropeScaling, ropeAngles: "as-inserted", ignoreEos: true, allowBeyond: true } as const;
  const done = await llama.complete(prompt, { ...options, maxNewTokens: cached.length });
  assert.equal(done.ids, cached, `${name}, generated with a cache`);
  assert.is(done.rope.angles, "as-inserted");
  const rows = await feed(llama, [...prompt, ...cached.slice(0, -1)], [prompt.length, 1], {
    ropeScaling,
    meaning: "as-inserted",
  });
  const from = rows.subarray((prompt.length - 1) * vocab);
  near(`${name}, logits with a cache`, from, tensors.get("generate_cached_logits")!, tolerance);

  const exact = expected.generate_exact_ids;
  assert.is(exact.length, 24);
  for (const i of steps) {
    const id = exact[i];
    const got = await llama.logits([...prompt, ...exact.slice(0, i)], { rows: "last", ropeScaling });
    assert.is(argmax(got), id, `${name}, step ${i} without a cache`);
    const want = tensors.get("generate_exact_logits")!.subarray(i * vocab, (i + 1) * vocab);
    near(`${name}, step ${i} without a cache`, got, want, tolerance);
  }
}

for (const name of variants) {
  tests(`${name} as the checkpoint's own setting`, async () => {
    const config = readFileSync(join(path, name, "config.json"), "utf8");
    const files = await replaced(path, { "config.json": config });
    try {
      using llama = await Llama.load(files, { device });
      await check(llama, name, undefined);
      if (name === "default") return;
      // "none" takes the setting away again: what is left has this config's own trained length.
      const { tensors, tolerance, input_ids: ids } = await golden("default");
      if (name === "static-ntk4") return; // its base is rope_theta itself
      const plain = await llama.logits(ids.slice(0, 100), { rows: "last", ropeScaling: "none" });
      near(`${name} taken away`, plain, tensors.get("last_logits.100")!, tolerance);
    } finally {
      await files.close();
    }
  });
}

tests("every variant as a request on one loaded model: nothing compiled, allocated or written but steps", async () => {
  const own = await openDevice();
  const calls = countCalls(own.device);
  // Without known prefixes to keep, the pool stays as it is.
  const llama = await Llama.load(path, { device: own.device, idleKvBytes: 0 });
  try {
    // One request of each kind first: kernels are compiled and the cache grows when they are first needed.
    const { input_ids: ids, prompt } = await golden("default");
    for (const length of [200, 32, 1]) await llama.logits(ids.slice(0, length), { rows: "last" });
    await feed(llama, ids.slice(0, 84), [60, 1]);
    await llama.complete(prompt, { maxNewTokens: 24, ignoreEos: true, allowBeyond: true });
    calls.reset();
    for (const name of variants) await check(llama, name, requests[name]);
    assert.is(calls.createComputePipelineAsync, 0);
    assert.is(calls.createBindGroup, 0);
    assert.is(calls.createBuffer, 0);
    assert.equal([...new Set(calls.written)], ["step"]);
    assert.ok(calls.submit >= 10 * (24 + 24 + steps.length + 4), "every step was counted");
  } finally {
    llama.close();
    own.release();
  }
});

tests("two settings in one step each give what transformers gives", async () => {
  using llama = await Llama.load(path, { device });
  const taken = recordSteps(llama.engine);
  const wanted = await Promise.all(variants.map(golden));
  const all = await Promise.all(
    variants.map((name, i) =>
      llama.complete(wanted[i].prompt, {
        ropeScaling: requests[name],
        ropeAngles: "as-inserted",
        ignoreEos: true,
        allowBeyond: true,
        maxNewTokens: 24,
      }),
    ),
  );
  all.forEach((done, i) => assert.equal(done.ids, wanted[i].generate_cached_ids, variants[i]));
  const shared = taken.map(({ length }) => length);
  assert.ok(shared.filter((count) => count === variants.length).length >= 20, `sequences per step: ${shared.join()}`);
});

tests("a long request leaves nothing behind for a short one", async () => {
  const { cases } = goldenJson("rope_sweep/history.json") as {
    cases: { variant: string; calls: { length: number; max_abs_diff_to_fresh_model: number }[] }[];
  };
  assert.ok(cases.length > 0);
  for (const { variant, calls } of cases) {
    const { input_ids: ids } = await golden(variant);
    using used = await Llama.load(path, { device });
    for (const { length } of calls) {
      using fresh = await Llama.load(path, { device });
      const options = { ropeScaling: requests[variant] };
      const [got, want] = [
        await used.logits(ids.slice(0, length), options),
        await fresh.logits(ids.slice(0, length), options),
      ];
      // The same kernels on the same numbers: no reason for a different bit.
      assert.is(farthest(got, want).error, 0, `${variant}, ${length} ids`);
    }
  }
  const theirs = cases.flatMap(({ calls }) => calls.map((call) => call.max_abs_diff_to_fresh_model));
  assert.ok(Math.max(...theirs) > 1, "the lengths and their order are such that transformers goes wrong");
});

tests("raw keys, turned where attention reads them, give a static type the same logits", async () => {
  using llama = await Llama.load(path, { device });
  for (const name of variants) {
    const { input_ids: ids, tolerance } = await golden(name);
    if (dependsOnLength(parseRopeScaling(requests[name], llama.rope))) continue;
    const ropeScaling = requests[name];
    for (const sizes of [[200], [60, 1], [17, 5, 4, 33]]) {
      const rotated = await feed(llama, ids, sizes, { ropeScaling });
      const raw = await feed(llama, ids, sizes, { ropeScaling, raw: true });
      near(`${name} in steps of ${sizes.join()}`, raw, rotated, tolerance);
    }
  }
});

tests("dynamic within the trained length: every meaning is the default setting", async () => {
  using llama = await Llama.load(path, { device });
  const { input_ids, tolerance, tensors } = await golden("default");
  const ids = input_ids.slice(0, 64);
  for (const meaning of ["planned", "current", "as-inserted"] as const satisfies RopeAngles[]) {
    const rows = await feed(llama, ids, [40, 1], { ropeScaling: { type: "dynamic", factor: 4 }, meaning });
    near(meaning, rows.subarray(-llama.config.vocab), tensors.get("last_logits.64")!, tolerance);
  }
});

for (const name of ["dynamic2", "dynamic4", "longrope"]) {
  tests(`${name} across the trained length: what each meaning is, in float64`, async () => {
    using llama = await Llama.load(path, { device });
    const checkpoint = await readCheckpoint(path);
    const { prompt, tolerance } = await golden(name);
    const rope = parseRopeScaling(requests[name], llama.rope);
    const maxNewTokens = 24;
    const capacity = prompt.length + maxNewTokens;
    const answers = new Map<RopeAngles, readonly number[]>();
    // planned: one n for all. current: raw keys under the present n, in layers whose inputs were made under the n of their
    // step. as-inserted: a key keeps the angle of its step.
    for (const ropeAngles of ["planned", "current", "as-inserted"] as const satisfies RopeAngles[]) {
      const options = { ropeScaling: requests[name], ropeAngles, ignoreEos: true, allowBeyond: true, maxNewTokens };
      const done = await llama.complete(prompt, { ...options, logprobs: true });
      answers.set(ropeAngles, done.ids);
      assert.is(done.rope.n, capacity);
      const reference = new Llama64(checkpoint, ropeAngles === "current");
      let row: Float64Array | undefined;
      const step = (ids: number[], position: number) => {
        const n = ropeAngles === "planned" ? capacity : position + ids.length;
        const logits = reference.step(
          ids,
          ids.map((_, i) => position + i),
          frequencies(rope, n),
        );
        row = logits.subarray(-llama.config.vocab);
      };
      step(prompt, 0);
      const fed = [...prompt, ...done.ids];
      const rows = await feed(llama, fed, [prompt.length, 1], {
        ropeScaling: requests[name],
        meaning: ropeAngles,
        planned: capacity,
      });
      for (const [i, id] of done.ids.entries()) {
        const at = (prompt.length + i - 1) * llama.config.vocab;
        near(`${ropeAngles}, step ${i}`, rows.subarray(at, at + llama.config.vocab), row!, tolerance);
        const sorted = row!.toSorted();
        const best = sorted.at(-1)!;
        assert.ok(row![id] >= best - 2 * tolerance, `${ropeAngles}, step ${i}: id ${id} is not the best`);
        const logSum = best + Math.log(row!.reduce((sum, value) => sum + Math.exp(value - best), 0));
        // A log-probability is a logit less a mean of logits: off by twice as much at worst.
        const error = Math.abs(done.logprobs![i] - (row![id] - logSum));
        assert.ok(error <= 2 * tolerance, `${ropeAngles}, step ${i}: log-probability off by ${error}`);
        step([id], prompt.length + i);
      }
    }
    assert.not.equal(answers.get("current"), answers.get("planned"), "the meanings differ here");
    assert.not.equal(answers.get("as-inserted"), answers.get("planned"), "the meanings differ here");
  });

  tests(`${name}: a prompt in chunks is the prompt in one, in every meaning`, async () => {
    using llama = await Llama.load(path, { device, chunkRows: 13 });
    const { input_ids: ids, tolerance, tensors } = await golden(name);
    const want = tensors.get("last_logits.100")!;
    near(
      "logits",
      await llama.logits(ids.slice(0, 100), { rows: "last", ropeScaling: requests[name] }),
      want,
      tolerance,
    );
    const top = argmax(Float32Array.from(want));
    const logSum = Math.log(want.reduce((sum, value) => sum + Math.exp(value - want[top]), 0));
    for (const ropeAngles of ["planned", "current", "as-inserted"] as const satisfies RopeAngles[]) {
      const done = await llama.complete(ids.slice(0, 100), {
        ropeScaling: requests[name],
        ropeAngles,
        ropeLength: 100,
        allowBeyond: true,
        maxNewTokens: 1,
        logprobs: true,
        reusePrefix: false,
      });
      assert.equal(done.ids, [top], ropeAngles);
      assert.ok(Math.abs(done.logprobs![0] + logSum) <= 2 * tolerance, ropeAngles);
      assert.is(done.rope.n, ropeAngles === "planned" ? 100 : 101);
    }
  });
}

tests.after(() => handle.release());
tests.run();
