// generation_config.json: stated values, null and absence, and what cannot be meant.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Fields } from "../../src/checkpoint/fields.ts";
import { parseGenerationConfig, unsupportedSettings } from "../../src/checkpoint/generation.ts";
import { refused } from "../tools/refused.ts";

const tests = suite("generation");
const FILE = "generation_config.json";
const parse = (json: unknown) => parseGenerationConfig(new Fields(json, FILE));

tests("generation_config: stated values, null, absence", () => {
  assert.equal(parse({}), { doSample: false });
  assert.equal(parse({ eos_token_id: null, temperature: null, top_k: null, do_sample: null }), {
    doSample: false,
  });
  assert.equal(
    parse({
      bos_token_id: 1, eos_token_id: [2, 3], do_sample: true, temperature: 0.6, top_k: 50, top_p: 0.9, min_p: 0.05,
      repetition_penalty: 1.1, max_new_tokens: 40, max_length: 4096, transformers_version: "4.45.0",
    }), // prettier-ignore
    {
      eosIds: [2, 3], doSample: true, temperature: 0.6, topK: 50, topP: 0.9, minP: 0.05, repetitionPenalty: 1.1,
      maxNewTokens: 40,
    }, // prettier-ignore
  );
});

for (const [field, value] of [
  ["temperature", -1],
  ["temperature", "1"],
  ["top_k", -1],
  ["top_k", 1.5],
  ["top_p", -0.1],
  ["min_p", 2],
  ["repetition_penalty", 0],
  ["max_new_tokens", 0],
  ["do_sample", 1],
  ["eos_token_id", 1.5],
  ["eos_token_id", [[1]]],
] as const) {
  tests(`generation_config: refuses ${field} ${JSON.stringify(value)}`, async () => {
    await refused(
      async () => parse({ [field]: value }),
      "config",
      new RegExp(`generation_config\\.json: ${field}: got`),
    );
  });
}

tests("settings that are not implemented are named, unless their value changes nothing", () => {
  const named = (settings: object, reach = 4096) => unsupportedSettings(new Fields(settings, FILE), reach);
  assert.equal(named({}), []);
  assert.equal(
    named({ temperature: 0.6, top_p: 0.9, do_sample: true, transformers_version: "4.40", pad_token_id: 0 }),
    [],
  );
  const neutral = {
    num_beams: 1, no_repeat_ngram_size: 0, suppress_tokens: [], bad_words_ids: null, stop_strings: null, min_new_tokens: 0,
    min_length: 0, typical_p: 1, num_return_sequences: 1, sequence_bias: {}, guidance_scale: 1, forced_eos_token_id: null,
  }; // prettier-ignore
  assert.equal(named(neutral), []);
  const active = {
    num_beams: 4, suppress_tokens: [1], bad_words_ids: [[2]], stop_strings: ["x"],
    min_length: 5, num_return_sequences: 2, sequence_bias: [[[1], 2]], guidance_scale: 1.5, forced_eos_token_id: 2,
    penalty_alpha: 0.6, epsilon_cutoff: 0.1, eta_cutoff: 0.1, watermarking_config: { bias: 2 }, begin_suppress_tokens: [3],
  }; // prettier-ignore
  assert.equal(named(active).toSorted(), Object.keys(active).toSorted());
  assert.equal(named({ num_beams: "many", toString: 1, __proto__: null }), ["num_beams"]);
  // max_length counts the prompt too: it matters where it is below the reach and nothing else says how long.
  assert.equal(named({ max_length: 4096 }), []);
  assert.equal(named({ max_length: 2048 }), ["max_length"]);
  assert.equal(named({ max_length: 2048, max_new_tokens: 512 }), []);
});

tests.run();
