// The seed's test through a server: the grid of `llariat retrieve --via` is, answer for answer, that of the direct run.
// Left out of samples: the same prompts twice under every scaling.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Cell, type RetrievalSettings, retrieve, viaUrl } from "../../src/retrieval/index.ts";
import { type Serving, serving } from "../tools/serving.ts";

const test = suite("server: via");
let at: Serving;
test.before(async () => {
  at = await serving();
});
test.after(() => at.close());

const half = Array.from({ length: 32 }, (_, i) => 1 + i / 16);
const settings: RetrievalSettings = {
  model: "kv-llama",
  trainedLength: 512,
  tries: 1,
  positions: [0.5],
  promptLengths: [300, 950],
  runHopeless: true,
  maxNewTokens: 24,
  ropeScalings: [
    "none",
    "linear:2",
    "ntk:2",
    "dynamic:2",
    "dynamic:2/current",
    "dynamic:2/as-inserted",
    "yarn:2",
    "yarn:4,beta_fast=16",
    { rope_type: "llama3", factor: 2, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 512 },
    { rope_type: "longrope", factor: 2, short_factor: half, long_factor: half, original_max_position_embeddings: 512 },
  ],
};

/** A cell without what depends on clocks, as JSON has it. */
const timeless = (cell: Cell): unknown =>
  JSON.parse(JSON.stringify(cell, (key, value: unknown) => (key === "seconds" ? undefined : value)));

test("every scaling of the matrix: the same texts, counts and effective settings as from the loaded model", async () => {
  const url = await at.server.listen({ port: 0 });
  const { tokenizer, rope } = at.llama;
  const direct = await retrieve(at.llama, settings);
  const via = await retrieve(viaUrl({ url, tokenizer: tokenizer!, rope, retries: 0 }), settings);
  assert.is(direct.cells.length, 2 * settings.ropeScalings!.length);
  for (const [i, cell] of via.cells.entries()) assert.equal(timeless(cell), timeless(direct.cells[i]), cell.id);
  for (const { attempts, scaling, promptLen } of via.cells) {
    assert.is(attempts.length, 1, scaling);
    assert.is(attempts[0].error, undefined, `${scaling} ${promptLen}`);
  }
  // The settings differ in what they give: a server that forgot one would not have passed.
  const texts = new Set(via.cells.filter(({ promptLen }) => promptLen === 950).map(({ attempts }) => attempts[0].text));
  assert.ok(texts.size > 2, `${texts.size} different texts`);
  assert.equal(new Set(via.cells.map((cell) => (cell.rope as { type: string }).type)), new Set(["default", "linear", "ntk", "dynamic", "yarn", "llama3", "longrope"])); // prettier-ignore
});

test.run();
