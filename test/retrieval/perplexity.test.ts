import { suite } from "uvu";
import * as assert from "uvu/assert";
import { refused } from "../tools/refused.ts";
import { perplexity } from "../../src/retrieval/index.ts";
import { stream } from "../../src/retrieval/stream.ts";
import { words } from "./fake.ts";

const test = suite("retrieval perplexity");
const random = stream("perplexity");
const ids = Array.from({ length: 1000 }, () => random.below(50));

/** Log-probability that depends on the token and on how much was seen before it: a longer memory predicts better. */
const guess = (seen: number, id: number): number => -(1 + (id % 7) / 10 + 5 / (1 + seen));
const scorer = {
  windows: [] as (readonly number[])[],
  async score(window: readonly number[]) {
    this.windows.push(window);
    return window.slice(1).map((id, i) => guess(i + 1, id));
  },
};

/** The loop of the script that made test/fixtures/expected/ppl.json (evaluate.py, run_ppl), word by word. */
function recipe(text: readonly number[], w: number, stride: number): { nll: number; tokens: number } {
  const S = Math.min(stride, Math.floor(w / 2));
  let [nll, n, prev] = [0, 0, 0];
  for (let b = 0; b < text.length; b += S) {
    const e = Math.min(b + w, text.length);
    if (e - b < w && n && e <= prev) break;
    const x = text.slice(b, e);
    const y = x.slice(1);
    const trg = e - prev;
    const losses = y.map((id, i) => -guess(i + 1, id)).slice(-trg);
    nll += losses.reduce((sum, loss) => sum + loss, 0);
    n += Math.min(trg, y.length);
    prev = e;
    if (e === text.length) break;
  }
  return { nll, tokens: n };
}

test("windows and strides as in the recipe, also where text, window and stride do not divide", async () => {
  for (const length of [1000, 999, 257, 64, 2]) {
    for (const [window, stride] of [
      [128, 256],
      [256, 256],
      [512, 256],
      [300, 77],
      [2000, 256],
      [3, 256],
    ]) {
      const text = ids.slice(0, length);
      const { rows } = await perplexity(scorer, { text, windows: [window], stride, ropeScalings: ["none"] });
      const wanted = recipe(text, window, stride);
      assert.is(rows[0].tokens, wanted.tokens);
      assert.is(rows[0].tokens, length - 1, "every token but the first is predicted exactly once");
      assert.ok(
        Math.abs(rows[0].nll - wanted.nll) < 1e-9,
        `${length} ${window} ${stride}: ${rows[0].nll} ${wanted.nll}`,
      );
      assert.ok(Math.abs(rows[0].perplexity - Math.exp(wanted.nll / wanted.tokens)) < 1e-9);
    }
  }
});

test("a longer window predicts better when the model has a longer memory", async () => {
  const { rows } = await perplexity(scorer, { text: ids, windows: [16, 64, 256], ropeScalings: ["none"] });
  assert.ok(rows[0].perplexity > rows[1].perplexity && rows[1].perplexity > rows[2].perplexity);
  assert.equal(
    rows.map((row) => row.stride),
    [8, 32, 128],
  );
});

test("a model that knows nothing has the size of its vocabulary as perplexity, by score and by logits", async () => {
  const vocab = 50;
  const flat = { score: async (window: readonly number[]) => window.slice(1).map(() => -Math.log(vocab)) };
  const logits = { logits: async (window: readonly number[]) => new Float32Array(window.length * vocab).fill(700) };
  for (const engine of [flat, logits]) {
    const [row] = (await perplexity(engine, { text: ids, windows: [128] })).rows;
    assert.ok(Math.abs(row.perplexity - vocab) < 1e-9);
    assert.ok(row.standardError !== null && row.standardError < 1e-9);
  }
});

test("logits are read row by row: the next token's probability under softmax", async () => {
  const vocab = 5;
  const engine = {
    logits: async (window: readonly number[]) =>
      Float32Array.from({ length: window.length * vocab }, (_, i) => ((i % vocab) + Math.floor(i / vocab)) % 3),
  };
  const text = [1, 4, 2];
  const soft = (row: number, id: number): number => {
    const logits = Array.from({ length: vocab }, (_, v) => (v + row) % 3);
    return Math.log(Math.exp(logits[id]) / logits.reduce((sum, each) => sum + Math.exp(each), 0));
  };
  const [row] = (await perplexity(engine, { text, windows: [8] })).rows;
  assert.ok(Math.abs(row.nll + soft(0, 4) + soft(1, 2)) < 1e-9);
  assert.is(row.standardError, null, "one window has no spread");
});

test("texts are encoded by the engine, settings reach it, progress is told", async () => {
  const settings: unknown[] = [];
  const engine = {
    tokenizer: { encode: (text: string) => words.encode(text).map((word) => word.length) },
    score: async (window: readonly number[], options: { ropeScaling?: unknown }) => {
      settings.push(options.ropeScaling);
      return window.slice(1).map(() => -1);
    },
  };
  const seen: string[] = [];
  const { rows, text } = await perplexity(
    engine,
    { text: "one two three four five six", name: "t.txt", windows: [4], ropeScalings: ["own", "none", "dynamic:2"] },
    { onProgress: ({ scaling, tokens, of }) => seen.push(`${scaling} ${tokens}/${of}`) },
  );
  assert.equal(
    JSON.stringify(settings),
    '[null,null,null,null,{"rope_type":"dynamic","factor":2},{"rope_type":"dynamic","factor":2}]',
  );
  assert.is(settings[0], undefined);
  assert.is(settings[2], null);
  assert.equal(
    rows.map((row) => row.scaling),
    ["own", "none", "dynamic:2"],
  );
  assert.is(text.tokens, 6);
  assert.equal(seen.slice(0, 2), ["own 4/6", "own 6/6"]);
});

test("what cannot be measured is refused", async () => {
  await refused(perplexity(scorer, { text: [1], windows: [8] }), "request", /needs at least 2 tokens, got 1/);
  await refused(perplexity(scorer, { text: ids, windows: [] }), "request", /windows: needs at least one/);
  await refused(
    perplexity(scorer, { text: ids, windows: [1] }),
    "request",
    /windows: must be a whole number of tokens ≥ 2, got 1/,
  );
  for (const maxTokens of [-3, 1, 2.5, NaN]) {
    await refused(
      perplexity(scorer, { text: ids, windows: [8], maxTokens }),
      "request",
      `maxTokens: must be a whole number of tokens ≥ 2, got ${maxTokens}`,
    );
  }
  await refused(perplexity(scorer, { text: "words", windows: [8] }), "tokenizer", /has no tokenizer/);
  await refused(perplexity({}, { text: ids, windows: [8] }), "request", /needs an engine with score\(\) or logits\(\)/);
  await refused(
    perplexity({ score: async () => [-1] }, { text: ids, windows: [8] }),
    "request",
    /8 ids need 7 log-probabilities, got 1/,
  );
  await refused(
    perplexity({ score: async (w: readonly number[]) => w.slice(1).map(() => NaN) }, { text: ids, windows: [8] }),
    "request",
    /at most 0, got NaN/,
  );
  await refused(perplexity(scorer, { text: ids, windows: [8] }, { signal: AbortSignal.abort() }), "aborted", /aborted/);
});

test.run();
