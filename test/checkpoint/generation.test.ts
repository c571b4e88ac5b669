// generation_config.json: stated values, null and absence, and what cannot be meant.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { parseGenerationConfig } from "../../src/checkpoint/generation.ts";
import { refused } from "../tools/refused.ts";

const tests = suite("generation");

tests("generation_config: stated values, null, absence", () => {
  assert.equal(parseGenerationConfig({}), { doSample: false });
  assert.equal(parseGenerationConfig({ eos_token_id: null, temperature: null, top_k: null, do_sample: null }), {
    doSample: false,
  });
  assert.equal(
    parseGenerationConfig({
      bos_token_id: 1, eos_token_id: [2, 3], do_sample: true, temperature: 0.6, top_k: 50, top_p: 0.9, min_p: 0.05,
      repetition_penalty: 1.1, max_new_tokens: 40, max_length: 4096, transformers_version: "4.45.0",
    }), // prettier-ignore
    {
      eosIds: [2, 3], bosId: 1, doSample: true, temperature: 0.6, topK: 50, topP: 0.9, minP: 0.05, repetitionPenalty: 1.1,
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
      async () => parseGenerationConfig({ [field]: value }),
      "config",
      new RegExp(`generation_config\\.json: ${field}: got`),
    );
  });
}

tests.run();
