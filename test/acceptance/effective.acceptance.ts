// The effective context window k_max (Position Interpolation paper, section 3.3) of both models, beside what
// models/train/kmax.py measured with other random pass keys at the same distances.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type EffectiveRow, effectiveContext, sameRate } from "../../src/retrieval/index.ts";
import { ALPHA } from "./compare.ts";
import { Model } from "./bundled.ts";
import { forget, save } from "./parts.ts";
import { type KMax, measured } from "./recorded.ts";

const test = suite("effective context");
forget("effective-kv-llama", "effective-kv-llama-pi");

/** Tokens: kmax.py counts from another token of the same line, and a key at an end has one line break less around it. */
const CLOSE = 2;

function compare(row: EffectiveRow, theirs: KMax): void {
  const { points } = row;
  assert.is(points.length, theirs.rows.length);
  assert.ok(Math.abs(row.promptTokens - theirs.prompt_tokens) <= CLOSE, `prompts of ${row.promptTokens} tokens`);
  theirs.rows.forEach(([distance, found], i) => {
    const { distance: ours, ...mine } = points[i];
    assert.ok(Math.abs(ours - distance) <= CLOSE, `distance ${i}: ${ours}, theirs ${distance}`);
    const chance = sameRate(mine, { found, tries: theirs.tries });
    assert.ok(
      chance >= ALPHA,
      `${row.scaling} at ${distance}: ${mine.found} of ${mine.tries}, theirs ${found} of ${theirs.tries} (p ${chance})`,
    );
  });
  // Where a rate is about the 20 % that count, chance decides on which side a point lies: one step of the grid either way.
  const step = (tokens: number): number => points.findIndex(({ distance }) => Math.abs(distance - tokens) <= CLOSE);
  assert.ok(Math.abs(step(row.kMax) - step(theirs.kmax)) <= 1, `k_max ${row.kMax}, theirs ${theirs.kmax}`);
  const rates = points.map(({ distance, found, tries }) => `${distance}: ${found}/${tries}`).join(", ");
  console.log(
    `note: ${row.scaling}: k_max ${row.kMax} (theirs ${theirs.kmax}), in ${row.seconds.toFixed(0)} s; ${rates}`,
  );
}

for (const [name, scaling, tries, theirs] of [
  ["kv-llama", "none", 10, "direct, 0 steps (kv-llama)"],
  // Its ancestor, 250 steps of fine-tuning before it, is what was measured.
  ["kv-llama-pi", "own", 5, "PI linear x4, 300 steps (before the last 250 of kv-llama-pi)"],
] as const) {
  test(`${name}: k_max and the rate at every distance`, async () => {
    using model = await Model.load(name);
    const known = measured.k_max[theirs];
    const { window, rows } = known;
    const settings = { window, points: rows.length, tries, ropeScalings: [scaling], batch: 10 };
    const found = await effectiveContext(model.llama, settings);
    save(`effective-${name}`, found);
    compare(found.rows[0], known);
  });
}

test.run();
