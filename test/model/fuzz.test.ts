// Seeded fuzz of config.json and generation_config.json: fields that people and programs write, with values that nobody
// should. Each folder loads whole or is refused by a LlariatError of its own code; nothing crashes, hangs or is half read.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { memoryFiles } from "../../src/checkpoint/memory.ts";
import { LlariatError } from "../../src/error.ts";
import { openCheckpoint } from "../../src/model/checkpoint.ts";
import { maxContext } from "../../src/rope/index.ts";
import { randomFiles, SHAPES } from "../tools/checkpoint.ts";
import { collect } from "../tools/damage.ts";
import { whole } from "../tools/random.ts";

const tests = suite("config fuzz");
const good = await collect(randomFiles({ shape: SHAPES.tiny }));
const config = JSON.parse(new TextDecoder().decode(good["config.json"])) as Record<string, unknown>;

const FIELDS = [
  ...Object.keys(config), "head_dim", "dtype", "quantization_config", "quantization", "compression_config", "rope_parameters",
  "rope_scaling", "original_max_position_embeddings", "max_sequence_length", "partial_rotary_factor", "sliding_window",
  "layer_types", "auto_map", "unread",
]; // prettier-ignore
const SETTINGS = [
  "eos_token_id", "bos_token_id", "do_sample", "temperature", "top_k", "top_p", "min_p", "repetition_penalty", "max_new_tokens",
  "max_length", "num_beams", "stop_strings", "suppress_tokens", "typical_p", "unread",
]; // prettier-ignore
const ROPE = [
  "rope_type", "type", "factor", "rope_theta", "original_max_position_embeddings", "attention_factor", "beta_fast", "beta_slow",
  "mscale", "truncate", "short_factor", "long_factor", "low_freq_factor", "high_freq_factor", "partial_rotary_factor", "finetuned",
]; // prettier-ignore
const TYPES = [
  "default",
  "linear",
  "dynamic",
  "yarn",
  "longrope",
  "llama3",
  "proportional",
  "ntk",
  "su",
  "llama",
  "qwen2",
  "",
];

tests("4,000 configs: each loads with a sound RoPE and a sound end, or is refused by name", async () => {
  const random = whole(21);
  const pick = <T>(list: readonly T[]): T => list[random(list.length)];
  /** JSON as Python writes it. */
  const value = (depth = 0): string => {
    const plain = () => pick(["null", "true", "false", "0", "1", "-1", "2", "4", "24", "1e-5", "0.5", "1e308", "1e400", "NaN", "Infinity", "-Infinity", "9007199254740993", '""', '"2"', `"${pick(TYPES)}"`, "[]", "{}"]); // prettier-ignore
    if (depth > 2) return plain();
    switch (random(6)) {
      case 0:
        return `[${Array.from({ length: random(5) }, () => value(depth + 1)).join()}]`;
      case 1:
        return object(ROPE, depth + 1);
      default:
        return plain();
    }
  };
  const object = (keys: readonly string[], depth = 0): string => {
    const chosen = new Set(Array.from({ length: 1 + random(4) }, () => pick(keys)));
    const given = [...chosen].map((key) => {
      const likely = key.endsWith("type")
        ? `"${pick(TYPES)}"`
        : random(2)
          ? pick(["1", "2", "4", "8"])
          : value(depth + 1);
      return `"${key}":${likely}`;
    });
    return `{${given.join()}}`;
  };
  let loaded = 0;
  const codes = new Map<string, number>();
  for (let i = 0; i < 4000; i++) {
    const changed = new Map(Object.entries(config).map(([key, each]) => [key, JSON.stringify(each)]));
    for (let n = 1 + random(2); n > 0; n--) changed.set(pick(FIELDS), value());
    if (random(2)) changed.set("rope_scaling", object(ROPE));
    const text = `{${[...changed].map(([key, each]) => `"${key}":${each}`).join()}}`;
    const files = {
      ...good,
      "config.json": text,
      ...(random(3) === 0 && { "generation_config.json": object(SETTINGS) }),
    };
    const started = performance.now();
    try {
      const { config: read, eosIds, notes, tensors } = await openCheckpoint(memoryFiles(files));
      assert.ok(Number.isSafeInteger(maxContext(read.rope)) && maxContext(read.rope) >= 1, `${text}: reach`);
      assert.ok(
        eosIds.every((id) => Number.isSafeInteger(id) && id >= 0),
        text,
      );
      assert.ok(tensors.size > 10 && notes.every((note) => note.length < 400), text);
      loaded++;
    } catch (error) {
      if (!(error instanceof LlariatError)) throw new Error(`${text}: ${String(error)}`, { cause: error });
      assert.ok(error.message.length < 700, `${text}: ${error.message}`);
      codes.set(error.code, (codes.get(error.code) ?? 0) + 1);
    }
    assert.ok(performance.now() - started < 2000, `${text}: ${performance.now() - started} ms`);
  }
  assert.equal([...codes.keys()].toSorted(), ["checkpoint", "config", "rope"]);
  assert.ok(loaded > 400 && loaded < 3600, `${loaded} of 4,000 loaded: the changes no longer test anything`);
  console.log(`note: ${loaded} of 4,000 loaded, the others were refused: ${JSON.stringify(Object.fromEntries(codes))}`);
});

tests.run();
