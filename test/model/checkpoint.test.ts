// Opening a checkpoint: every golden, shards and single files, ties, texts, and each thing that does not fit its config.
import { readFile, readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { randomFiles, SHAPES } from "../tools/checkpoint.ts";
import { memoryFiles } from "../../src/checkpoint/memory.ts";
import { LlariatError } from "../../src/error.ts";
import { openCheckpoint } from "../../src/model/checkpoint.ts";
import { folderFiles } from "../../src/node/files.ts";
import { readTensor } from "../../src/checkpoint/safetensors.ts";
import { collect, safetensorsBytes } from "../tools/damage.ts";
import { refused } from "../tools/refused.ts";
import type { HeaderEntry } from "../tools/damage.ts";

const fixtures = fileURLToPath(new URL("../fixtures/", import.meta.url));
const groups = ["goldens/models", "families"].map(async (group) =>
  (await readdir(join(fixtures, group))).map((name) => join(group, name)),
);
const tests = suite("checkpoint");
const json = (value: unknown) => JSON.stringify(value);
const parse = (bytes: Uint8Array) => JSON.parse(new TextDecoder().decode(bytes));

for (const path of (await Promise.all(groups)).flat()) {
  const name = basename(path);
  tests(`golden ${name} opens`, async () => {
    const files = await folderFiles(join(fixtures, path));
    try {
      const checkpoint = await openCheckpoint(files);
      const raw = JSON.parse(await readFile(join(fixtures, path, "config.json"), "utf8"));
      assert.is(checkpoint.tensors.get("model.embed_tokens.weight")!.shape[0], raw.vocab_size);
      assert.is(checkpoint.tied, raw.tie_word_embeddings);
      assert.is(checkpoint.tensors.has("lm_head.weight"), !raw.tie_word_embeddings);
      assert.equal(checkpoint.eosIds, [2]);
      assert.equal(checkpoint.texts, {});
      assert.is(checkpoint.notes.length, name.startsWith("legacy") ? 1 : 0, checkpoint.notes.join());
      const width = name.endsWith("f32") ? 4 : 2;
      assert.is(checkpoint.bytes, checkpoint.parameters * width);
      if (name === "sharded-bf16") assert.is(checkpoint.parameters, 138_688); // "total_parameters" of its index
    } finally {
      await files.close();
    }
  });
}

const shape = { ...SHAPES.tiny, attentionBias: true };
const single = await collect(randomFiles({ shape }));
const config = parse(single["config.json"]);
const open = (files: Record<string, Uint8Array | string>) => openCheckpoint(memoryFiles({ ...single, ...files }));

interface Part {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}
const parts: Record<string, Part> = {};
for (const { name, dtype, shape: dims, source, start, end } of (
  await openCheckpoint(memoryFiles(single))
).tensors.values()) {
  parts[name] = { dtype, shape: dims, data: await source.read(start, end) };
}

/** The single file with its tensors changed: values by name, undefined removes, a new name adds. */
function edited(changes: Record<string, Part | undefined>): Uint8Array {
  const all: Record<string, Part | undefined> = { ...parts, ...changes };
  const out: Record<string, HeaderEntry> = {};
  const body: Uint8Array[] = [];
  let at = 0;
  for (const [name, tensor] of Object.entries(all)) {
    if (!tensor) continue;
    out[name] = { dtype: tensor.dtype, shape: tensor.shape, data_offsets: [at, at + tensor.data.length] };
    at += tensor.data.length;
    body.push(tensor.data);
  }
  return safetensorsBytes(out, Buffer.concat(body));
}
const EMBED = "model.embed_tokens.weight";
const HEAD = "lm_head.weight";
const tiedConfig = json({ ...config, tie_word_embeddings: true });

tests("a shard per few tensors holds the same tensors as one file", async () => {
  const one = await openCheckpoint(randomFiles({ shape }));
  const many = await openCheckpoint(randomFiles({ shape, shardBytes: 5000 }));
  assert.ok(new Set([...many.tensors.values()].map(({ source }) => source.name)).size > 5);
  assert.equal([...many.tensors.keys()], [...one.tensors.keys()]);
  for (const [name, tensor] of one.tensors) {
    assert.equal(await readTensor(many.tensors.get(name)!), await readTensor(tensor), name);
  }
});

tests("texts and generation config are handed on; generation_config's eos wins over config's", async () => {
  const checkpoint = await open({
    "tokenizer.json": '{"a":1}',
    "tokenizer_config.json": "{}",
    "special_tokens_map.json": '{"b":2}',
    "chat_template.jinja": "{{ messages }} é",
    "generation_config.json": json({ eos_token_id: [4, 5], temperature: 0.5 }),
  });
  assert.equal(checkpoint.texts, {
    tokenizer: '{"a":1}',
    tokenizerConfig: "{}",
    specialTokensMap: '{"b":2}',
    chatTemplate: "{{ messages }} é",
  });
  assert.equal(checkpoint.eosIds, [4, 5]);
  assert.is(checkpoint.generation.temperature, 0.5);
  assert.equal((await open({ "generation_config.json": "{}" })).eosIds, [1]);
});

tests("a generation_config without an end of sequence leaves config.json's", async () => {
  for (const eos_token_id of [[], -1, [-1], null, undefined]) {
    const { eosIds, generation } = await open({ "generation_config.json": json({ eos_token_id }) });
    assert.equal(eosIds, [1], json(eos_token_id));
    assert.is(generation.eosIds, undefined, json(eos_token_id));
  }
  assert.equal((await open({ "generation_config.json": json({ eos_token_id: [-1, 7] }) })).eosIds, [7]);
});

tests("a text file above 64 MiB is refused before it is read", async () => {
  const huge = { name: "tokenizer.json", size: 2 ** 26 + 1, read: () => assert.unreachable("must not read") };
  const set = memoryFiles(single);
  const files = {
    ...set,
    open: async (name: string) => (name === "tokenizer.json" ? (huge as never) : set.open(name)),
  };
  await refused(
    () => openCheckpoint(files),
    "tokenizer",
    /tokenizer\.json: got 67108865 bytes, needed at most 67108864/,
  );
});

tests("tied without a head: the embedding is the head", async () => {
  const checkpoint = await open({ "config.json": tiedConfig, "model.safetensors": edited({ [HEAD]: undefined }) });
  assert.is(checkpoint.tied, true);
  assert.is(checkpoint.tensors.has(HEAD), false);
});

tests("tied with an equal head in the file, also in another dtype: tied, the head is not loaded", async () => {
  const embed = parts[EMBED]; // bf16
  const wide = new Uint16Array(embed.data.length);
  new Uint16Array(embed.data.slice().buffer).forEach((bits, i) => (wide[2 * i + 1] = bits)); // as f32
  for (const head of [embed, { ...embed, dtype: "F32", data: new Uint8Array(wide.buffer) }]) {
    const checkpoint = await open({ "config.json": tiedConfig, "model.safetensors": edited({ [HEAD]: head }) });
    assert.is(checkpoint.tied, true);
    assert.is(checkpoint.tensors.has(HEAD), false);
    assert.equal(checkpoint.notes, []);
  }
});

tests("tied with a different head in the file: the file wins, with a note", async () => {
  const embed = parts[EMBED];
  for (const at of [0, embed.data.length - 1]) {
    const data = embed.data.slice();
    data[at] ^= 1;
    const checkpoint = await open({
      "config.json": tiedConfig,
      "model.safetensors": edited({ [HEAD]: { ...embed, data } }),
    });
    assert.is(checkpoint.tied, false);
    assert.ok(checkpoint.tensors.has(HEAD));
    assert.match(checkpoint.notes.join(), /lm_head\.weight differs from model\.embed_tokens\.weight/);
  }
});

tests("embedding and head are compared after the check, which a byte of them would come too late for", async () => {
  const set = memoryFiles({ ...single, "config.json": tiedConfig });
  const { tensors } = await openCheckpoint(memoryFiles(single));
  const first = Math.min(...[...tensors.values()].map(({ start }) => start));
  let beyond = 0;
  const files: typeof set = {
    ...set,
    async open(name) {
      const source = await set.open(name);
      if (!source || name !== "model.safetensors") return source;
      const read: typeof source.read = (start, end, ...rest) => {
        if (end > first) beyond++;
        return source.read(start, end, ...rest);
      };
      return { ...source, read };
    },
  };
  const seen: unknown[] = [];
  await openCheckpoint(files, undefined, (config, texts) => seen.push(config.tied, Object.keys(texts), beyond));
  assert.equal(seen, [true, ["tokenizer", "tokenizerConfig"], 0]);
  assert.ok(beyond > 0);
  beyond = 0;
  const check = () => {
    throw new LlariatError("rope", "does not suit");
  };
  await refused(() => openCheckpoint(files, undefined, check), "rope", "does not suit");
  assert.is(beyond, 0);
});

tests("tied with only lm_head.weight in the file: it is the embedding", async () => {
  const checkpoint = await open({ "config.json": tiedConfig, "model.safetensors": edited({ [EMBED]: undefined }) });
  assert.is(checkpoint.tied, true);
  assert.is(checkpoint.tensors.get(EMBED)!.name, HEAD);
  assert.is(checkpoint.tensors.has(HEAD), false);
});

tests("untied without a head is refused, absent tie_word_embeddings counts as untied", async () => {
  const model = edited({ [HEAD]: undefined });
  const { tie_word_embeddings: _, ...absent } = config;
  for (const text of [json(config), json(absent)]) {
    await refused(
      () => open({ "config.json": text, "model.safetensors": model }),
      "checkpoint",
      /lm_head\.weight: got no such tensor, needed \[300,24\], or tie_word_embeddings true/,
    );
  }
});

tests("legacy inv_freq tensors are skipped wherever they are and whatever they hold", async () => {
  const frequencies = { dtype: "F32", shape: [3], data: new Uint8Array(12).fill(255) };
  const model = edited({
    "model.layers.0.self_attn.rotary_emb.inv_freq": frequencies,
    "model.rotary_emb.inv_freq": frequencies,
  });
  const checkpoint = await open({ "model.safetensors": model });
  assert.equal([...checkpoint.tensors.keys()], [...(await open({})).tensors.keys()]);
  assert.match(checkpoint.notes.join(), /skipped 2 rotary_emb\.inv_freq/);
});

const q = "model.layers.1.self_attn.q_proj.weight";
tests("missing, misshapen and unsupported tensors are named with got and needed", async () => {
  const good = parts[q];
  const check = (change: Parameters<typeof edited>[0], message: RegExp) =>
    refused(() => open({ "model.safetensors": edited(change) }), "checkpoint", message);
  await check(
    { [q]: undefined },
    /model\.safetensors: model\.layers\.1\.self_attn\.q_proj\.weight: got no such tensor, needed \[24,24\]$/,
  );
  await check({ [q]: undefined, "model.norm.weight": undefined }, /q_proj\.weight: got no such tensor \(and 1 more\)/);
  await check(
    { [q]: undefined, "layers.1.attention.wq.weight": good },
    /it holds layers\.1\.attention\.wq\.weight, which config\.json does not call for/,
  );
  await check(
    { [q]: { ...good, shape: [12, 48] } },
    /q_proj\.weight: got shape \[12,48\], needed \[24,24\] for the sizes in config/,
  );
  await check({ [q]: { ...good, dtype: "I16" } }, /q_proj\.weight: got dtype I16, needed F32, F16 or BF16/);
  await check({ [q]: { dtype: "F8_E4M3", shape: [24, 24], data: new Uint8Array(576) } }, /got dtype F8_E4M3/);
});

tests("a base model saved alone: names without their prefix, tied; untied its head is missing", async () => {
  const bare: Record<string, Part | undefined> = {};
  for (const name of Object.keys(parts)) bare[name] = undefined;
  for (const [name, part] of Object.entries(parts)) if (name !== HEAD) bare[name.replace(/^model\./, "")] = part;
  const files = { "model.safetensors": edited(bare), "config.json": tiedConfig };
  const checkpoint = await open(files);
  const whole = await open({ "config.json": tiedConfig, "model.safetensors": edited({ [HEAD]: undefined }) });
  assert.equal([...checkpoint.tensors.keys()], [...whole.tensors.keys()]);
  for (const [name, tensor] of whole.tensors)
    assert.equal(await readTensor(checkpoint.tensors.get(name)!), await readTensor(tensor), name);
  assert.match(
    checkpoint.notes.join(),
    /^the names of the tensors lack "model\.", as a base model saved alone has them/,
  );
  await refused(
    () => open({ "model.safetensors": files["model.safetensors"] }),
    "checkpoint",
    /lm_head\.weight: got no such tensor, needed \[300,24\], or tie_word_embeddings true/,
  );
  // One name with the prefix, and the others are what they say.
  const mixed = edited({ ...bare, "model.norm.weight": parts["model.norm.weight"], "norm.weight": undefined });
  await refused(
    () => open({ ...files, "model.safetensors": mixed }),
    "checkpoint",
    /embed_tokens\.weight: got no such tensor/,
  );
});

/** The tensors of one matrix as a program stores them quantised, and what the sentence says. */
const part = (dtype: string, dims: number[], bytes: number): Part => ({
  dtype,
  shape: dims,
  data: new Uint8Array(bytes),
});
const QUANTISED: Record<string, [Record<string, Part>, RegExp]> = {
  "GPTQ, early": [
    { qweight: part("I32", [3, 24], 288), qzeros: part("I32", [1, 3], 12), scales: part("F16", [1, 24], 48), g_idx: part("I32", [24], 96) },
    /^model\.safetensors: model\.layers\.1\.self_attn\.q_proj\.qweight: got weights quantised with GPTQ, needed F32, F16 or BF16; load the checkpoint it was made from$/,
  ],
  "AWQ, early": [
    { qweight: part("I32", [24, 3], 288), qzeros: part("I32", [1, 3], 12), scales: part("F16", [1, 24], 48) },
    /q_proj\.qweight: got weights quantised with AWQ, needed F32/,
  ],
  "mlx, which transformers' key does not name": [
    { weight: part("U32", [24, 3], 288), scales: part("F16", [24, 1], 48), biases: part("F16", [24, 1], 48) },
    /q_proj\.weight: got weights quantised with mlx, needed .*, or undo it with mlx \(mlx_lm\.convert --dequantize\)/,
  ],
  "bitsandbytes, 4 bits": [
    { weight: part("U8", [288, 1], 288), "weight.absmax": part("F32", [9], 36), "weight.quant_map": part("F32", [16], 64) },
    /q_proj\.weight\.absmax: got weights quantised with bitsandbytes to 4 bits/,
  ],
  "bitsandbytes, 8 bits": [
    { weight: part("I8", [24, 24], 576), SCB: part("F32", [24], 96) },
    /q_proj\.SCB: got weights quantised with bitsandbytes to 8 bits/,
  ],
  FP8: [
    { weight: part("F8_E4M3", [24, 24], 576), weight_scale_inv: part("F32", [1, 1], 4) },
    /q_proj\.weight_scale_inv: got weights quantised with FP8/,
  ],
  "compressed-tensors": [
    { weight_packed: part("I32", [24, 3], 288), weight_shape: part("I64", [2], 16) },
    /q_proj\.weight_packed: got weights quantised with compressed-tensors/,
  ],
  LoRA: [
    { "base_layer.weight": parts[q], "lora_A.default.weight": part("F16", [2, 24], 96) },
    /q_proj\.weight: got no such tensor.*; it holds .*; among them .*lora_A\.default\.weight, which is of a LoRA adapter; merge it/,
  ],
}; // prettier-ignore
for (const [name, [tensors, message]] of Object.entries(QUANTISED)) {
  tests(`says what weights are that config.json calls plain: ${name}`, async () => {
    const before = q.slice(0, -"weight".length);
    const change = Object.fromEntries(Object.entries(tensors).map(([ending, tensor]) => [before + ending, tensor]));
    await refused(() => open({ "model.safetensors": edited({ [q]: undefined, ...change }) }), "checkpoint", message);
  });
}

tests("another head is said", async () => {
  const model = edited({ [HEAD]: undefined, "score.weight": parts["model.norm.weight"] });
  await refused(
    () => open({ "model.safetensors": model, "config.json": json({ ...config, architectures: ["LlamaForSequenceClassification"] }) }),
    "checkpoint",
    /lm_head\.weight: got no such tensor.*score\.weight, which is of a classifier; a language model has lm_head instead/,
  );
}); // prettier-ignore

tests("an index that leads out of the folder is refused before anything is opened", async () => {
  const files = await collect(randomFiles({ shape: SHAPES.tiny, shardBytes: 8000 }));
  const names = Object.keys(parse(files["model.safetensors.index.json"]).weight_map);
  for (const file of [
    "../x.safetensors",
    "/tmp/x.safetensors",
    "a/x.safetensors",
    "a\\x.safetensors",
    "C:x.safetensors",
  ]) {
    const index = json({ weight_map: Object.fromEntries(names.map((name) => [name, file])) });
    await refused(
      () => openCheckpoint(memoryFiles({ ...files, "model.safetensors.index.json": index })),
      "checkpoint",
      /got the file ".*", needed a \.safetensors file directly in the folder/,
    );
  }
});

tests("one shard of several named alone says so", async () => {
  const folder = await folderFiles(join(fixtures, "goldens/models/sharded-bf16/model-00002-of-00005.safetensors"));
  const message =
    /^model-00002-of-00005\.safetensors: model\.embed_tokens\.weight: got no such tensor .*the whole folder: this file is one of several/;
  await refused(() => openCheckpoint(folder), "checkpoint", message);
  await folder.close();
});

tests("no weights: the sentence lists what the folder holds", async () => {
  const { "model.safetensors": _, ...rest } = single;
  const files = memoryFiles({ ...rest, "model.gguf": "x" }, "somewhere");
  await refused(
    () => openCheckpoint(files),
    "checkpoint",
    /somewhere: got neither model\.safetensors nor .* among .*model\.gguf/,
  );
  await refused(() => openCheckpoint(memoryFiles({ "a.gguf": "x" })), "config", /got no config\.json among a\.gguf/);
});

tests("an aborted signal stops opening", async () => {
  await refused(() => openCheckpoint(memoryFiles(single), AbortSignal.abort()), "aborted", /aborted/);
});

tests.run();
