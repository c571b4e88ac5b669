// Filters against transformers (fixtures/goldens/sampling) and a naive f64 version; draws by chi-square.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Random } from "../../src/generate/random.ts";
import type { Candidates } from "../../kernels/index.ts";
import * as sampler from "../../src/generate/sample.ts";
import type { Sampling, SamplingOptions } from "../../src/generate/sampling.ts";
import { candidatesNeeded, samplingOptions } from "../../src/generate/sampling.ts";
import { goldenEntry, goldenJson, goldenTensors } from "../tools/goldens.ts";
import { refusedSync } from "../tools/refused.ts";
import { normals } from "./rows.ts";

const test = suite("sample");

/** Sampling with every filter off unless given. */
const sampling = (options: SamplingOptions): Sampling => samplingOptions({ temperature: 1, topK: 0, ...options });

/** As the sampler's own, after a prompt of these ids. */
const sample = (row: sampler.Row, sampling: Sampling, tokens: ArrayLike<number>, random: Random) =>
  sampler.sample(row, sampling, { tokens, promptTokens: tokens.length }, random);
const distribution = (row: sampler.Row, sampling: Sampling, tokens: ArrayLike<number>) =>
  sampler.distribution(row, sampling, { tokens, promptTokens: tokens.length });

/** Candidates as the sampler takes them. */
type Listed = Omit<Candidates, "count">;

/** The k largest of a row with their ties, shuffled, as the GPU hands them over. */
function candidatesOf(row: Float32Array, k: number, random: Random): Listed {
  const least = row.toSorted().at(-Math.min(k, row.length))!;
  const ids = Array.from(row.keys()).filter((id) => row[id] >= least);
  const keys = ids.map(() => random.float());
  const order = ids.map((_, i) => i).sort((a, b) => keys[a] - keys[b]);
  const top = Math.max(...row);
  return {
    ids: Uint32Array.from(order, (i) => ids[i]),
    logits: Float32Array.from(order, (i) => row[ids[i]]),
    logSumExp: top + Math.log(row.reduce((sum, logit) => sum + Math.exp(logit - top), 0)),
  };
}

/** The rules of the goldens, word by word, with a softmax for every filter and dropped logits at -∞. */
function naive(row: Float32Array, options: Sampling, history: readonly number[]) {
  const { temperature, topK, topP, minP, repetitionPenalty } = options;
  let scores = Array.from(row);
  const seen = new Set(history);
  /** How near a sum came to the cut: on the cut itself, with many equal logits, rounding decides. */
  let margin = Infinity;
  scores = scores.map((s, id) => (!seen.has(id) ? s : s < 0 ? s * repetitionPenalty : s / repetitionPenalty));
  scores = scores.map((s) => s / temperature);
  const softmax = () => {
    const top = Math.max(...scores);
    const powers = scores.map((s) => Math.exp(s - top));
    const total = powers.reduce((a, b) => a + b, 0);
    return powers.map((power) => power / total);
  };
  if (topK > 0) {
    const least = scores.toSorted((a, b) => b - a)[Math.min(topK, scores.length) - 1];
    scores = scores.map((s) => (s < least ? -Infinity : s));
  }
  if (topP < 1) {
    const p = softmax();
    // ascending; of equals the larger id first, so that the smaller ids stay
    const order = scores.map((_, id) => id).sort((a, b) => scores[a] - scores[b] || b - a);
    let sum = 0;
    for (const id of order.slice(0, -1)) {
      sum += p[id];
      margin = Math.min(margin, Math.abs(sum - (1 - topP)));
      if (sum <= 1 - topP) scores[id] = -Infinity;
    }
  }
  if (minP > 0) {
    const p = softmax();
    const least = minP * Math.max(...p);
    scores = scores.map((s, id) => (p[id] < least ? -Infinity : s));
  }
  const p = softmax();
  const ids = scores.map((_, id) => id).filter((id) => scores[id] > -Infinity);
  return { ids, probabilities: ids.map((id) => p[id]), margin };
}

const close = (got: ArrayLike<number>, want: ArrayLike<number>, abs: number, rel: number) =>
  got.length === want.length && Array.from(got).every((g, i) => Math.abs(g - want[i]) <= abs + rel * Math.abs(want[i]));

test("92 cases of transformers, from the whole row and from candidates", async () => {
  interface Case {
    logits: string;
    params: Record<string, number>;
    kept_ids: number[];
    probs: number[];
    note?: string;
  }
  const { cases, prompt_ids } = goldenJson("sampling/cases.json") as { cases: Case[]; prompt_ids: number[] };
  const rows = await goldenTensors("sampling/logits.safetensors");
  const { abs, rel } = goldenEntry("sampling/cases.json").tolerance!.f32 as { abs: number; rel: number };
  assert.is(cases.length, 92);
  let listed = 0;
  for (const { logits, params, kept_ids, probs, note } of cases) {
    const { temperature, top_k, top_p, min_p, repetition_penalty } = params;
    const options = { temperature, topK: top_k, topP: top_p, minP: min_p, repetitionPenalty: repetition_penalty };
    const given = sampling(Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)));
    const row = Float32Array.from(rows.get(logits)!);
    const what = `${logits} ${JSON.stringify(params)}`;
    const got = distribution(row, given, prompt_ids);
    if (note === undefined) assert.equal(Array.from(got.ids), kept_ids, what);
    // Which of equal logits survive at the cut is not defined; how many is, and so are their probabilities.
    const order = (values: ArrayLike<number>) =>
      note === undefined ? Array.from(values) : Array.from(values).sort((a, b) => a - b);
    assert.ok(close(order(got.probabilities), order(probs), abs, rel), what);
    const k = candidatesNeeded(given, row.length);
    if (k === Infinity) continue;
    assert.equal(distribution(candidatesOf(row, k, new Random(1)), given, prompt_ids), got, what);
    listed++;
  }
  assert.is(listed, 4 * 5); // top_k without penalty: 1, 5, 1000, 20 with temperature, 10 with top_p
});

test("random rows and options against the naive version, bit for bit the same ids", () => {
  const random = new Random(3);
  const pick = <T>(...values: T[]): T => values[Math.floor(random.float() * values.length)];
  let [tried, listed] = [0, 0];
  for (let round = 0; round < 1500; round++) {
    const vocab = 1 + Math.floor(random.float() * pick(3, 20, 300));
    const row = normals(random, vocab, pick(0.1, 1, 5));
    const quantum = pick(0, 0, 0.5); // with a quantum there are many ties
    if (quantum > 0) row.forEach((logit, id) => (row[id] = Math.round(logit / quantum) * quantum));
    if (random.float() < 0.1) row.fill(-Infinity, 1); // all but one masked
    const history = Array.from({ length: Math.floor(random.float() * 8) }, () => Math.floor(random.float() * vocab));
    const given = sampling({
      temperature: pick(0.2, 0.7, 1, 1.8),
      topK: pick(0, 0, 1, 2, 7, 50, 1000),
      topP: pick(1, 1, 0.95, 0.5, 0.1, 0, random.float()),
      minP: pick(0, 0, 0.02, 0.3, 1, random.float()),
      repetitionPenalty: pick(1, 1, 1.3, 0.7),
    });
    const what = JSON.stringify({ round, vocab, given, quantum, history });
    const want = naive(row, given, history);
    if (want.margin < 1e-12) continue;
    tried++;
    const got = distribution(row, given, history);
    // The naive version keeps masked ids where no filter drops them; their probability is 0 in both.
    const positive = (ids: ArrayLike<number>, p: ArrayLike<number>) => Array.from(ids).filter((_, i) => p[i] > 0);
    assert.equal(positive(got.ids, got.probabilities), positive(want.ids, want.probabilities), what);
    const wanted = new Map(want.ids.map((id, i) => [id, want.probabilities[i]]));
    // f64 throughout, in another order of summation over at most 300 terms
    got.ids.forEach((id, i) => assert.ok(Math.abs(got.probabilities[i] - (wanted.get(id) ?? 0)) < 1e-13, what));
    const k = candidatesNeeded(given, vocab);
    if (k === Infinity) continue;
    const list = candidatesOf(row, k, random);
    assert.equal(distribution(list, given, history), got, what);
    const seed = round;
    const [a, b] = [row, list].map((each) => sample(each, given, history, new Random(seed)));
    assert.is(a.id, b.id, what);
    assert.ok(a.logprob === b.logprob || Math.abs(a.logprob - b.logprob) < 1e-12, what);
    listed++;
  }
  assert.ok(tried > 1400 && listed > 200, `${tried} ${listed}`);
});

test("on the limit itself: top-p drops a running sum that meets 1 - p, min-p keeps a weight that meets its share", () => {
  // transformers drops where `cumulative_probs <= 1 - top_p` (TopPLogitsWarper) and where `probs < min_p · max` (MinPLogitsWarper).
  // With a power of two of equal logits every running sum and every 1 - p here is exact, in any precision.
  const kept = (logits: number[], options: SamplingOptions): number[] =>
    Array.from(distribution(Float32Array.from(logits), sampling(options), []).ids);
  assert.equal(kept([3, 3], { topP: 0.5 }), [0]);
  assert.equal(kept([3, 3], { topP: 0.5 + 2 ** -50 }), [0, 1]);
  assert.equal(kept([0, 0, 0, 0], { topP: 0.75 }), [0, 1, 2]);
  assert.equal(kept([0, 0, 0, 0], { topP: 0.25 }), [0]);
  assert.equal(kept([-1, -1, -1, -1, -1, -1, -1, -1, -Infinity], { topP: 0.625 }), [0, 1, 2, 3, 4]);
  assert.equal(kept([1, 0], { minP: Math.exp(-1) }), [0, 1]);
  assert.equal(kept([1, 0], { minP: Math.exp(-1) * (1 + 2 ** -50) }), [0]);
});

test("chi-square of 50 000 draws, from a row and from candidates", () => {
  const row = normals(new Random(5), 40, 1);
  for (const options of [
    { temperature: 1 },
    { temperature: 0.6, topK: 12 },
    { temperature: 1.5, topP: 0.9, minP: 0.05 },
    { temperature: 1, repetitionPenalty: 1.5 },
  ]) {
    const given = sampling(options);
    const history = [1, 5, 5, 9];
    const { ids, probabilities } = distribution(row, given, history);
    const source = candidatesNeeded(given, 40) === Infinity ? row : candidatesOf(row, 12, new Random(9));
    const random = new Random(2024);
    const counts = new Map<number, number>();
    const draws = 50_000;
    for (let i = 0; i < draws; i++) {
      const { id } = sample(source, given, history, random);
      counts.set(id, (counts.get(id) ?? 0) + 1);
    }
    for (const id of counts.keys()) assert.ok(ids.includes(id), `${id} was filtered out`);
    const chi = ids.reduce((sum, id, i) => sum + ((counts.get(id) ?? 0) - draws * probabilities[i]) ** 2 / (draws * probabilities[i]), 0); // prettier-ignore
    // Wilson & Hilferty 1931: quantiles of chi-square; ±3.7 standard deviations are 0.01 % each side.
    const freedom = ids.length - 1;
    const quantile = (z: number) => freedom * (1 - 2 / (9 * freedom) + z * Math.sqrt(2 / (9 * freedom))) ** 3;
    assert.ok(freedom >= 11 && Math.min(...probabilities) * draws > 5, "the test itself: every cell well filled");
    assert.ok(chi > quantile(-3.7) && chi < quantile(3.7), `${JSON.stringify(options)}: ${chi} of ${freedom}`);
  }
});

test("the same seed repeats the ids, another gives others", () => {
  const row = normals(new Random(6), 500, 2);
  const draw = (seed: number) => {
    const random = new Random(seed);
    return Array.from({ length: 20 }, () => sample(row, sampling({ temperature: 1.2 }), [], random).id);
  };
  assert.equal(draw(1), draw(1));
  assert.not.equal(draw(1), draw(2));
  // For these logits, whatever the machine; ids by the naive version's running sum over ascending ids.
  const { ids, probabilities } = naive(row, sampling({ temperature: 1.2 }), []);
  const random = new Random(1);
  const want = Array.from({ length: 20 }, () => {
    const target = random.float();
    let sum = 0;
    return ids.find((_, i) => (sum += probabilities[i]) > target);
  });
  assert.equal(draw(1), want);
});

test("greedy takes the first of the largest, after the penalty", () => {
  const greedy = samplingOptions({});
  const random = new Random(0);
  const row = Float32Array.of(1, 3, -2, 3, 3);
  assert.is(sample(row, greedy, [], random).id, 1);
  assert.is(
    sample({ ids: Uint32Array.of(4, 1, 3), logits: Float32Array.of(3, 3, 3), logSumExp: 4 }, greedy, [], random).id,
    1,
  );
  assert.is(sample(row, samplingOptions({ repetitionPenalty: 1.1 }), [1, 4], random).id, 3);
  assert.is(sample(Float32Array.of(-1, -2), samplingOptions({ repetitionPenalty: 3 }), [0], random).id, 1);
  assert.equal(distribution(row, greedy, []), { ids: Uint32Array.of(1), probabilities: Float64Array.of(1) });
  // greedy draws nothing, so that a later draw does not depend on it
  assert.is(random.float(), new Random(0).float());
});

test("logprob is the model's own, whatever the options", () => {
  const row = normals(new Random(8), 30, 2);
  const total = row.reduce((sum, logit) => sum + Math.exp(logit), 0);
  for (const options of [{}, { temperature: 0.3, topK: 3 }, { temperature: 2, topK: 0, repetitionPenalty: 2 }]) {
    const { id, logprob } = sample(row, samplingOptions(options), Array.from(row.keys()), new Random(1));
    assert.ok(Math.abs(logprob - Math.log(Math.exp(row[id]) / total)) < 1e-12); // f64
  }
  const list = { ids: Uint32Array.of(7), logits: Float32Array.of(2), logSumExp: 5 };
  assert.is(sample(list, samplingOptions({}), [], new Random(1)).logprob, -3);
});

test("rows and histories are left as they were", () => {
  const row = normals(new Random(8), 30, 2);
  const [before, history] = [row.slice(), [3, 3, 4]];
  sample(
    row,
    sampling({ temperature: 0.5, topK: 5, topP: 0.5, minP: 0.1, repetitionPenalty: 2 }),
    history,
    new Random(1),
  );
  assert.equal(row, before);
  assert.equal(history, [3, 3, 4]);
});

test("extreme options stay defined", () => {
  const row = Float32Array.of(3e38, -3e38, 1, 0, -Infinity);
  for (const options of [
    { temperature: Number.MIN_VALUE },
    { temperature: Number.MAX_VALUE },
    { repetitionPenalty: Number.MIN_VALUE },
    { repetitionPenalty: Number.MAX_VALUE },
    { topP: 0, minP: 1, topK: 1 },
    { topK: Number.MAX_SAFE_INTEGER },
  ]) {
    const { ids, probabilities } = distribution(row, sampling(options), [0, 1, 2, 3]);
    const sum = probabilities.reduce((a, b) => a + b, 0);
    assert.ok(ids.length > 0 && Math.abs(sum - 1) < 1e-15, `${JSON.stringify(options)}: ${sum}`);
    assert.ok(sample(row, sampling(options), [0, 1, 2, 3], new Random(1)).id < 4);
  }
});

test("logits that are none are an error, not an id", () => {
  const advice = "needed numbers; the weights overflow or a kernel fails on this device, try another adapter";
  for (const options of [{}, { temperature: 1 }, { temperature: 1, topK: 0 }, { repetitionPenalty: 2 }]) {
    const draw = (row: Float32Array | Listed) => () => sample(row, samplingOptions(options), [0], new Random(1));
    refusedSync(draw(Float32Array.of(1, 2, NaN)), "kernel", `logits: got NaN for id 2, ${advice}`);
    refusedSync(draw(Float32Array.of(1, Infinity)), "kernel", `logits: got Infinity for id 1, ${advice}`);
    refusedSync(draw(Float32Array.of(-Infinity, -Infinity)), "kernel", `logits: got -Infinity for every id, ${advice}`);
    refusedSync(draw(new Float32Array(0)), "kernel", `logits: got none, ${advice}`);
  }
  const list = (logit: number, logSumExp: number) => () =>
    sample(
      { ids: Uint32Array.of(9), logits: Float32Array.of(logit), logSumExp },
      samplingOptions({}),
      [],
      new Random(1),
    );
  refusedSync(list(NaN, 1), "kernel", `logits: got NaN for id 9, ${advice}`);
  refusedSync(list(1, NaN), "kernel", `logits: got a sum of NaN, ${advice}`);
});

test("candidates where the whole row is needed are refused", () => {
  const list = { ids: Uint32Array.of(9), logits: Float32Array.of(1), logSumExp: 1 };
  refusedSync(
    () => sample(list, samplingOptions({ temperature: 1, topK: 0 }), [], new Random(1)),
    "kernel",
    "sampling with penalties or without topK needs a whole row, got 1 logits",
  );
});

test("typical-p keeps the ids nearest to the entropy, up to the one that reaches the mass", () => {
  const random = new Random(5);
  let cut = 0;
  for (let trial = 0; trial < 300; trial++) {
    const row = normals(random, 30, 1 + (trial % 4));
    const typicalP = 0.1 + 0.85 * random.float();
    const { ids } = distribution(row, samplingOptions({ temperature: 1, topK: 0, typicalP }), []);
    // TypicalLogitsWarper of transformers, line by line.
    const top = Math.max(...row);
    const powers = Array.from(row, (logit) => Math.exp(logit - top));
    const total = powers.reduce((a, b) => a + b, 0);
    const p = powers.map((power) => power / total);
    const entropy = p.reduce((sum, each) => sum - each * Math.log(each), 0);
    const shifted = p.map((each) => Math.abs(-Math.log(each) - entropy));
    const order = shifted.map((_, id) => id).sort((a, b) => shifted[a] - shifted[b]);
    let sum = 0;
    const sums = order.map((id) => (sum += p[id]));
    const last = Math.min(sums.filter((each) => each < typicalP).length, row.length - 1);
    const kept = shifted.flatMap((each, id) => (each <= shifted[order[last]] ? [id] : []));
    assert.equal([...ids], kept, `${trial}`);
    cut += Number(kept.length < row.length);
  }
  assert.ok(cut > 200, `${cut}`);
  assert.is(
    distribution(Float32Array.of(1, 1, 1), samplingOptions({ typicalP: 0.5 }), []).ids.length,
    3,
    "equal ones stay together",
  );
});

test("the most likely ids come in order, of equal ones the smaller first, from a row as from candidates", () => {
  const random = new Random(6);
  for (let trial = 0; trial < 100; trial++) {
    const row = Float32Array.from({ length: 40 }, () => random.uint32() % 12);
    const logSumExp = Math.log(row.reduce((sum, logit) => sum + Math.exp(logit), 0));
    const want = Array.from(row.keys())
      .sort((a, b) => row[b] - row[a] || a - b)
      .slice(0, 7);
    for (const each of [row, candidatesOf(row, 7, random)]) {
      const got = sampler.mostLikely(each, 7);
      assert.equal(
        got.map(({ id }) => id),
        want,
      );
      for (const { id, logprob } of got) assert.ok(Math.abs(logprob - (row[id] - logSumExp)) < 1e-12);
    }
  }
  assert.is(sampler.mostLikely(Float32Array.of(1, 2), 5).length, 2);
});

test.run();
