// h2oGPT's question for the title of a paper of more than 6,200 tokens: at the scale of the small models, and its presets as a
// person runs them, on a checkpoint of Llama-2-7b-chat's config made small, with the real vocabulary and random weights.
// Random weights find nothing; everything else must be in place.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { SHAPES, writeCheckpoint } from "../tools/checkpoint.ts";
import { type Report, presets, retrieve } from "../../src/retrieval/index.ts";
import { llariat } from "../tools/cli.ts";
import { folder } from "../tools/models.ts";
import { root } from "../tools/source.ts";
import { llama2TokenizerJson } from "../tokenizer/llama2.ts";
import { Model, TRAINED } from "./bundled.ts";

const test = suite("paper");
const file = folder("paper.txt");
const document = { name: "paper.txt", text: readFileSync(file, "utf8") };
const [title] = document.text.split("\n", 1);

/** Found of tried, by scaling and length. */
const counts = (report: Report): string =>
  report.cells.map((cell) => `${cell.scaling} ${cell.promptLen}: ${cell.found}/${cell.attempts.length}`).join(", ");

test("the small models' scale: titles over the paper's text are found with scaling, and without it only within the trained length", async () => {
  using model = await Model.load("kv-llama");
  const settings = {
    tasks: ["title"] as const,
    documents: [document],
    ropeScalings: ["none", "dynamic:2", "yarn:2"],
    promptLengths: ["0.9x", "1.5x"], // 1.5 × the trained length is what 6,200 tokens are to 4,096
    trainedLength: TRAINED,
    answerRoom: 0,
    batch: 4,
    runHopeless: true,
    expect: ["none>=1@0.9x", "none<=0@1.5x", "dynamic:2>=1", "yarn:2>=1"],
  };
  const made = await retrieve(model.llama, { ...settings, titles: "made", tries: 4 });
  console.log(`note: made titles: ${counts(made)}`);
  assert.equal(
    made.expectations.filter(({ held }) => !held).map(({ text, reason }) => `${text}: ${reason}`),
    [],
  );
  for (const { promptLen, attempts } of made.cells) {
    for (const { promptTokens } of attempts) {
      assert.ok(promptTokens <= Number(promptLen) && promptTokens > Number(promptLen) - 3, `${promptTokens} tokens`);
    }
  }
  // The title the paper has, one try for each setting: recorded, since a title is one draw and says nothing of a rate.
  const own = await retrieve(model.llama, { ...settings, titles: "own", expect: [] });
  console.log(`note: its own title: ${counts(own)}`);
  assert.ok(own.cells.every((cell) => cell.errors === 0 && cell.attempts.length === 1));
});

/** config.json of meta-llama/Llama-2-7b-chat-hf with a sixteenth of its width and layers and whole heads. */
const CONFIG = {
  architectures: ["LlamaForCausalLM"],
  bos_token_id: 1,
  eos_token_id: 2,
  hidden_act: "silu",
  hidden_size: 256,
  initializer_range: 0.02,
  intermediate_size: 688,
  max_position_embeddings: 4096,
  model_type: "llama",
  num_attention_heads: 2,
  num_hidden_layers: 2,
  num_key_value_heads: 2,
  pretraining_tp: 1,
  rms_norm_eps: 1e-5,
  rope_scaling: null,
  tie_word_embeddings: false,
  torch_dtype: "float16",
  transformers_version: "4.32.0.dev0",
  use_cache: true,
  vocab_size: 32_000,
};
const TOKENIZER_CONFIG = {
  add_bos_token: true,
  add_eos_token: false,
  bos_token: "<s>",
  eos_token: "</s>",
  unk_token: "<unk>",
  pad_token: null,
  tokenizer_class: "LlamaTokenizer",
  clean_up_tokenization_spaces: false,
};

let place: string;
const checkpoint = (): string => join(place, "model");

test.before(async () => {
  mkdirSync(join(root, ".cache"), { recursive: true });
  place = mkdtempSync(join(root, ".cache/preset-"));
  const shape = { ...SHAPES["llama-7b"], dim: 256, hidden: 688, layers: 2, heads: 2, kvHeads: 2 };
  await writeCheckpoint(checkpoint(), { shape, dtype: "f16", shardBytes: 20e6 });
  const json = (name: string, value: unknown): void =>
    writeFileSync(join(checkpoint(), name), JSON.stringify(value, null, 2));
  json("config.json", CONFIG);
  json("generation_config.json", { bos_token_id: 1, eos_token_id: 2, max_length: 4096 });
  json("tokenizer.json", llama2TokenizerJson());
  json("tokenizer_config.json", TOKENIZER_CONFIG);
});
test.after(() => rmSync(place, { recursive: true, force: true }));

/** Runs `llariat retrieve` as README's command does, with another model; its report and exit code. */
async function retrieved(preset: string, ...more: string[]): Promise<{ status: number | null; report: Report }> {
  const out = join(place, preset);
  const given = ["retrieve", "--model", checkpoint(), "--preset", preset, "--out", out, "--quiet", ...more];
  const { code, stdout, stderr } = await llariat(given);
  try {
    return { status: code, report: JSON.parse(readFileSync(join(out, "report.json"), "utf8")) as Report };
  } catch (cause) {
    throw new Error(`llariat exited with ${code}:\n${stdout}${stderr}`, { cause });
  }
}

/** Everything but the answers: every cell was asked, read whole, and under the setting it names. */
function checkRun(report: Report, preset: string): void {
  const { ropeScalings, maxNewTokens } = presets[preset].settings;
  assert.ok(report.complete);
  assert.is(report.model.trainedLength, CONFIG.max_position_embeddings);
  assert.equal([...new Set(report.cells.map((cell) => cell.scaling))], [...ropeScalings!]);
  for (const { id, errors, attempts, rope, scaling } of report.cells) {
    assert.is(errors, 0, `${id}: ${attempts[0]?.error}`);
    assert.is(attempts.length, 1);
    const [{ promptTokens, completionTokens, finishReason }] = attempts;
    assert.ok(finishReason === "stop" || completionTokens === maxNewTokens, `${id}: ${completionTokens} new tokens`);
    const { type, factor, n } = rope as { type: string; factor: number; n: number };
    assert.is(scaling === "none" ? type : `${type}:${factor}`, scaling === "none" ? "default" : scaling);
    assert.ok(n > promptTokens && n <= promptTokens + maxNewTokens!, `${id}: n ${n}`);
  }
}

test("preset h2ogpt-uuid: prompts of 4,744 and 5,744 tokens are built, read and answered under dynamic 2", async () => {
  const { status, report } = await retrieved("h2ogpt-uuid");
  checkRun(report, "h2ogpt-uuid");
  assert.equal(
    report.cells.map((cell) => [cell.promptLen, cell.attempts[0].promptTokens, cell.position]),
    [
      [5000, 5000 - 256, 0.2],
      [6000, 6000 - 256, 0.2],
    ],
  );
  // Random weights: the condition is asked, and not held.
  assert.equal(
    report.expectations.map(({ held }) => held),
    [false],
  );
  assert.is(status, 1);
});

test("preset h2ogpt-title: the whole paper has more than 6,200 Llama tokens, and goes through with and without scaling", async () => {
  const { status, report } = await retrieved("h2ogpt-title", "--document", file);
  checkRun(report, "h2ogpt-title");
  const [{ promptTokens, value, distance }] = report.cells[0].attempts;
  assert.ok(promptTokens > 6200, `${promptTokens} tokens`);
  assert.is(value, title);
  assert.ok(
    distance > CONFIG.max_position_embeddings * 1.5,
    "the title stands farther from the question than was trained",
  );
  assert.equal(
    report.expectations.map(({ text, held }) => [text, held]),
    [
      ["none<=0", true],
      ["dynamic:2>=1", false],
      ["dynamic:4>=1", false],
    ],
  );
  assert.is(status, 1);
  console.log(
    `note: h2ogpt-title on ${promptTokens} tokens; ${report.cells.map((cell) => `${cell.scaling} ${cell.seconds.toFixed(0)} s`).join(", ")}`,
  );
});

test.run();
