// Sliding-window perplexity of models/train/heldout.txt under every setting and window that transformers measured, and a
// model whose scaling is ignored does not pass. Of kv-llama-4k the window of 512; LLARIAT_ALL=1 takes all of them.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Perplexity, ScoringEngine } from "../../src/retrieval/index.ts";
import { perplexity } from "../../src/retrieval/index.ts";
import { folder } from "../tools/models.ts";
import { Model, everything } from "./bundled.ts";
import { forget, save } from "./parts.ts";
import { Scores } from "./scores.ts";

/** test/fixtures/expected/ppl*.json. */
interface Recorded {
  readonly n_ids: number;
  readonly ids_sha256: string;
  readonly stride: number;
  readonly ppl: Readonly<Record<string, Readonly<Record<string, { ppl: number; nll: number; tokens: number }>>>>;
}

/**
 * What a perplexity may be off, relatively. Single logits of two float32 engines differ by at most 0.0012 (expected.test.ts),
 * in either direction: over 7,061 tokens four sigmas of that are 0.0012 · 4 / √7061 = 0.00006 nats.
 */
const TOLERANCE = 1e-4;

const test = suite("perplexity");
forget("perplexity-kv-llama", "perplexity-kv-llama-pi");

const text = readFileSync(folder("/models/train/heldout.txt"), "utf8");
const recorded = (name: string): Recorded =>
  JSON.parse(readFileSync(folder(`expected/${name}.json`), "utf8")) as Recorded;
/** A table's first window alone: the long ones of kv-llama-4k take minutes. */
const shortest = ({ ppl, ...rest }: Recorded): Recorded => {
  const first = (rows: Recorded["ppl"][string]) => Object.fromEntries(Object.entries(rows).slice(0, 1));
  return { ...rest, ppl: Object.fromEntries(Object.entries(ppl).map(([rope, rows]) => [rope, first(rows)])) };
};
const label = (rope: string): string => rope.replace(/(\d)$/, ":$1");

/** The whole table, on an engine and on what it is compared with. */
const measure = (engine: ScoringEngine & Pick<Model, "tokenizer">, { ppl, stride }: Recorded): Promise<Perplexity> => {
  const [ropes, windows] = [Object.keys(ppl), Object.keys(Object.values(ppl)[0]).map(Number)];
  return perplexity(engine, { text, name: "heldout.txt", windows, stride, ropeScalings: ropes.map(label) });
};

/** Rows that are farther from transformers than the tolerance, and the largest distance. */
function compare(table: Perplexity, { ppl }: Recorded): { wrong: string[]; worst: number } {
  const [wrong, distances]: [string[], number[]] = [[], [0]];
  for (const [rope, windows] of Object.entries(ppl)) {
    for (const [window, want] of Object.entries(windows)) {
      const row = table.rows.find((each) => each.scaling === label(rope) && each.window === Number(window));
      const distance = row && row.tokens === want.tokens ? Math.abs(row.perplexity / want.ppl - 1) : Infinity;
      distances.push(distance);
      if (distance > TOLERANCE) wrong.push(`${rope}, window ${window}: ${row?.perplexity}, transformers ${want.ppl}`);
    }
  }
  return { wrong, worst: Math.max(...distances) };
}

for (const [name, file] of [
  ["kv-llama", "ppl"],
  ["kv-llama-pi", "ppl-pi"],
  ["kv-llama-4k", "ppl-4k"],
] as const) {
  test(`${name}: every window and setting as transformers measured it`, async () => {
    using model = await Model.load(name);
    const want = name === "kv-llama-4k" && !everything ? shortest(recorded(file)) : recorded(file);
    const ids = model.tokenizer.encode(text);
    assert.is(ids.length, want.n_ids);
    assert.is(createHash("sha256").update(ids.join()).digest("hex"), want.ids_sha256);
    const scores = new Scores(model);
    const started = performance.now();
    const table = await scores.run((engine) => measure(engine, want));
    const seconds = (performance.now() - started) / 1000;
    if (name !== "kv-llama-4k") save(`perplexity-${name}`, table);
    const { wrong, worst } = compare(table, want);
    assert.is(wrong.length, 0, wrong.join("\n"));
    console.log(
      `note: ${name}: ${table.rows.length} perplexities, at most ${(100 * worst).toFixed(4)} % from transformers; ` +
        `${scores.tokens} tokens in ${seconds.toFixed(0)} s`,
    );

    // The windows without scaling are known already, so this costs nothing.
    if (name !== "kv-llama") return;
    const ignoring = {
      tokenizer: model.tokenizer,
      score: (window: readonly number[]) => scores.score(window, { ropeScaling: null }),
    };
    const missed = compare(await measure(ignoring, want), want).wrong;
    for (const rope of Object.keys(want.ppl)) {
      const caught = missed.filter((line) => line.startsWith(`${rope},`)).length;
      assert.ok(rope === "none" ? caught === 0 : caught > 0, `${rope} ignored: ${caught} windows noticed`);
    }
    const cells = Object.keys(want.ppl).length * Object.keys(want.ppl["none"]).length;
    console.log(`note: an engine that ignores scaling fails ${missed.length} of ${cells} cells`);
  });
}

test.run();
