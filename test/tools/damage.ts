// damage.ts — checkpoints broken in every way that must be refused.
import type { ErrorCode } from "../../src/error.ts";
import type { FileSet } from "../../src/checkpoint/bytes.ts";
import { whole } from "./random.ts";

/** One header entry as it is written; a tensor of zeros unless the test says more. */
export type HeaderEntry = Record<string, unknown>;

/** A safetensors file from a header (an object, or its text as it is) and `dataBytes` zeros or given data. */
export function safetensorsBytes(header: string | Record<string, HeaderEntry>, data: number | Uint8Array): Uint8Array {
  const text = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const body = typeof data === "number" ? new Uint8Array(data) : data;
  const out = new Uint8Array(8 + text.length + body.length);
  new DataView(out.buffer).setBigUint64(0, BigInt(text.length), true);
  out.set(text, 8);
  out.set(body, 8 + text.length);
  return out;
}

/** The bytes of every file of a set. */
export async function collect(files: FileSet): Promise<Record<string, Uint8Array>> {
  const out: Record<string, Uint8Array> = {};
  for (const name of await files.list()) {
    const source = (await files.open(name))!;
    out[name] = new Uint8Array(await source.read(0, source.size));
  }
  return out;
}

/** One damaged checkpoint: what was done, its files, and the code of the error that must name it. */
export interface Damaged {
  readonly name: string;
  readonly code: ErrorCode;
  readonly files: Record<string, Uint8Array>;
}

type Files = Record<string, Uint8Array>;
type Header = Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }>;
const encode = (value: unknown) => new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));
const MODEL = "model.safetensors";
const INDEX = "model.safetensors.index.json";

/** A safetensors file taken apart, to be put together wrongly. */
function takeApart(bytes: Uint8Array): { header: Header; text: string; data: Uint8Array; dataStart: number } {
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  const text = new TextDecoder().decode(bytes.subarray(8, 8 + length));
  return { header: JSON.parse(text), text, data: bytes.slice(8 + length), dataStart: 8 + length };
}

/**
 * More than 100 checkpoints, each broken in one way that must be refused. `single` and `sharded` are good ones (one file;
 * several with an index), `tied` one without lm_head.weight; all of the same family of sizes. `seed` chooses the places.
 */
export function* damages(good: { single: Files; sharded: Files; tied: Files }, seed: number): Generator<Damaged> {
  const random = whole(seed);
  const model = good.single[MODEL];
  const { header, text, data, dataStart } = takeApart(model);
  const names = Object.keys(header).filter((name) => name !== "__metadata__");
  const pick = <T>(list: readonly T[]): T => list[random(list.length)];
  const one = (name: string, file: Uint8Array, code: ErrorCode = "checkpoint"): Damaged => ({
    name,
    code,
    files: { ...good.single, [MODEL]: file },
  });
  const withHeader = (name: string, change: (header: Header) => Header | void, body = data) => {
    const copy = structuredClone(header);
    return one(name, safetensorsBytes(change(copy) ?? copy, body));
  };
  const patched = (file: Uint8Array, at: number, ...bytes: number[]) => {
    const copy = file.slice();
    copy.set(bytes, at);
    return copy;
  };

  // Truncated and extended files.
  for (const length of [0, 1, 7, 8, 9, dataStart - 1, dataStart, dataStart + 1, model.length - 1]) {
    yield one(`cut to ${length} bytes`, model.slice(0, length));
  }
  for (let i = 0; i < 4; i++) {
    const length = random(model.length);
    yield one(`cut to ${length} bytes`, model.slice(0, length));
  }
  for (const more of [1, 2, 4096])
    yield one(`${more} bytes appended`, Uint8Array.of(...model, ...new Uint8Array(more)));
  yield one(
    "the data moved by one byte",
    Uint8Array.of(...model.subarray(0, dataStart), 0, ...model.subarray(dataStart, -1), 0, 0),
  );

  // Header lengths.
  for (const length of [
    0n,
    1n,
    2n,
    BigInt(dataStart),
    BigInt(dataStart - 9),
    BigInt(model.length),
    99_999_999n,
    100_000_001n,
    2n ** 31n,
    2n ** 32n,
    2n ** 53n,
    2n ** 63n,
    2n ** 64n - 1n,
  ]) {
    const file = model.slice();
    new DataView(file.buffer).setBigUint64(0, length, true);
    yield one(`header length ${length}`, file);
  }

  // Single bytes of the header; __metadata__ is free text and padding may be any space, so neither is touched.
  const first = text.indexOf("}") + 1;
  const last = text.trimEnd().length;
  for (let i = 0; i < 16; i++) {
    const at = first + random(last - first);
    const old = text.charCodeAt(at);
    const now = pick(
      [...'{}[]":,x0192\\ ', "\0", "\x7f", "\x80", "\xff"].map((c) => c.charCodeAt(0)).filter((c) => c !== old),
    );
    const copy = patched(model, 8 + at, now);
    yield one(`header byte ${at} from ${JSON.stringify(text[at])} to 0x${now.toString(16)}`, copy);
  }
  yield one("a header that is not UTF-8", patched(model, 8 + first, 0xc3, 0x28));
  for (const [what, other] of [
    ["null", "null"], ["a list", "[]"], ["a text", '"x"'], ["deep lists", "[".repeat(300_000)], ["deep objects", '{"a":'.repeat(300_000)],
    ["deep inside a tensor", `{"a":{"dtype":"F32","shape":${"[".repeat(100_000)}`], ["a number of 400 digits", `{"a":${"9".repeat(400)}}`],
    ["a name of a megabyte", `{"${"n".repeat(1_000_000)}":1}`], ["a million numbers", `{"a":{"dtype":"F32","shape":[${"0,".repeat(1_000_000)}0],"data_offsets":[0,0]}}`],
    ["no tensors", "{}"],
  ]) {
    yield one(`a header that is ${what}`, safetensorsBytes(other, 0));
  } // prettier-ignore

  // One field of one tensor.
  const matrices = names.filter(
    (name) => header[name].shape.length === 2 && header[name].shape[0] !== header[name].shape[1],
  );
  const wrongs: [string, (entry: Header[string], next: Header[string]) => void][] = [
    ["transposed", (entry) => entry.shape.reverse()],
    ["flattened", (entry) => (entry.shape = [entry.shape[0] * entry.shape[1]])],
    ["one row more", (entry) => entry.shape[0]++],
    ["a negative size", (entry) => (entry.shape = entry.shape.map((size) => -size))],
    ["a fractional size", (entry) => (entry.shape = [entry.shape[0] * 2, entry.shape[1] / 2 + 0.25])],
    ["sizes of 2⁵³ - 1", (entry) => (entry.shape = [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER])],
    ["a size of zero", (entry) => (entry.shape[1] = 0)],
    ["a thousand dimensions", (entry) => (entry.shape = [...entry.shape, ...Array.from({ length: 1000 }, () => 1)])],
    ["dtype F32 for 16 bits", (entry) => (entry.dtype = entry.dtype === "F32" ? "F64" : "F32")],
    ["dtype I16", (entry) => (entry.dtype = entry.dtype === "F32" ? "I32" : "I16")],
    ["dtype F8_E4M3", (entry) => { entry.shape[1] *= entry.dtype === "F32" ? 4 : 2; entry.dtype = "F8_E4M3"; }],
    ["an unknown dtype", (entry) => (entry.dtype = "Q4_0")],
    ["a dtype that is a number", (entry) => (entry.dtype = 1 as never)],
    ["offsets the wrong way round", (entry) => entry.data_offsets.reverse()],
    ["an end beyond the file", (entry) => (entry.data_offsets[1] += data.length)],
    ["a start before the data", (entry) => (entry.data_offsets[0] -= data.length)],
    ["both offsets one further", (entry) => (entry.data_offsets = [entry.data_offsets[0] + 1, entry.data_offsets[1] + 1])],
    ["offsets of 2⁵³", (entry) => (entry.data_offsets = [2 ** 53, 2 ** 53 + 4])],
    ["offsets as text", (entry) => (entry.data_offsets = ["0", "4"] as never)],
    ["one offset", (entry) => (entry.data_offsets = [entry.data_offsets[0]] as never)],
    ["the bytes of its neighbour", (entry, next) => (entry.data_offsets = [...next.data_offsets])],
    ["no shape", (entry) => delete (entry as Partial<Header[string]>).shape],
    ["a further key", (entry) => Object.assign(entry, { order: "F" })],
  ]; // prettier-ignore
  for (const [what, change] of wrongs) {
    const name = pick(matrices);
    const next = names[(names.indexOf(name) + 1) % names.length];
    yield withHeader(`${name}: ${what}`, (copy) => void change(copy[name], copy[next]));
  }

  // The set of tensors.
  const victim = pick(names);
  const [from, to] = header[victim].data_offsets;
  yield withHeader(`${victim}: removed, its bytes left`, (copy) => void delete copy[victim]);
  yield withHeader(
    `${victim}: removed with its bytes`,
    (copy) => {
      delete copy[victim];
      for (const name of Object.keys(copy)) {
        const offsets = copy[name].data_offsets;
        if (offsets && offsets[0] >= to) copy[name].data_offsets = [offsets[0] - (to - from), offsets[1] - (to - from)];
      }
    },
    Uint8Array.of(...data.subarray(0, from), ...data.subarray(to)),
  );
  yield withHeader(`${victim}: renamed`, (copy) => {
    copy[`${victim}.x`] = copy[victim];
    delete copy[victim];
  });
  const entry = JSON.stringify(header[victim]);
  yield one(
    `${victim}: twice, the same`,
    safetensorsBytes(text.trimEnd().replace(/\}$/, `,${JSON.stringify(victim)}:${entry}}`), data),
  );
  yield one(
    `${victim}: twice, escaped`,
    safetensorsBytes(text.trimEnd().replace(/\}$/, `,"\\u006d${victim.slice(1)}":${entry}}`), data),
  );

  // NaN and infinity in the data: found while streaming.
  const bitsOf: Record<string, number[][]> = {
    F32: [[0, 0, 0xc0, 0x7f], [0, 0, 0x80, 0x7f], [0, 0, 0x80, 0xff], [1, 0, 0x80, 0x7f]],
    F16: [[0, 0x7c], [0, 0xfc], [1, 0x7c], [0xff, 0xff]],
    BF16: [[0x80, 0x7f], [0x80, 0xff], [0xc0, 0x7f], [0x81, 0x7f]],
  }; // prettier-ignore
  for (const name of new Set([names[0], pick(names), pick(names), names.find((n) => n.endsWith(".bias"))!, names.at(-1)!])) {
    const bits = pick(bitsOf[header[name].dtype]);
    const count = (header[name].data_offsets[1] - header[name].data_offsets[0]) / bits.length;
    const at = pick([0, count - 1, random(count)]);
    const file = patched(model, dataStart + header[name].data_offsets[0] + at * bits.length, ...bits);
    yield one(`${name}: 0x${bits.toReversed().map((byte) => byte.toString(16).padStart(2, "0")).join("")} at ${at}`, file);
  } // prettier-ignore

  yield* damagedConfigs(good, random);
  yield* damagedShards(good.sharded, random);
}

/** One checkpoint that holds or says more than the model needs: it loads, with a note of `note` or without one. */
export interface Surplus {
  readonly name: string;
  readonly files: Record<string, Uint8Array>;
  readonly note: RegExp | undefined;
  /** Fewer weights than the good one has. */
  readonly less?: true;
}

/** Checkpoints that transformers loads although something in them is read by nobody. */
export function* surpluses(good: { single: Files; sharded: Files }, seed: number): Generator<Surplus> {
  const random = whole(seed);
  const { header, data } = takeApart(good.single[MODEL]);
  const more = (name: string, dtype: string, shape: number[], bytes: number): Files => ({
    ...good.single,
    [MODEL]: safetensorsBytes(
      { ...header, [name]: { dtype, shape, data_offsets: [data.length, data.length + bytes] } },
      Uint8Array.of(...data, ...new Uint8Array(bytes).fill(255)),
    ),
  });
  const layer = "model.layers.0.self_attn";
  for (const [name, dtype, shape, bytes] of [
    [`${layer}.q_norm.weight`, "F32", [2], 8], [`${layer}.k_scale`, "F32", [], 4], [`${layer}.masked_bias`, "F16", [1], 2],
    [`${layer}.bias`, "BOOL", [1, 2, 2], 4], ["position_ids", "I64", [1], 8], ["model.layers.9.mlp.up_proj.weight", "F8_E4M3", [3], 3],
    ["", "U8", [0], 0], ["__proto__", "U8", [1], 1], ["\u001b[2J\u202e", "U8", [1], 1],
  ] as const) {
    yield { name: `the tensor ${name}`, files: more(name, dtype, [...shape], bytes), note: /is not read: a LlamaForCausalLM of this config\.json has no such tensor/ };
  } // prettier-ignore
  yield {
    name: "inv_freq",
    files: more(`${layer}.rotary_emb.inv_freq`, "F32", [3], 12),
    note: /skipped 1 rotary_emb\.inv_freq tensors/,
  };

  const config = JSON.parse(new TextDecoder().decode(good.single["config.json"]));
  const says = (change: object | string, note: RegExp | undefined, less?: true): Surplus => ({
    name: `config.json: ${JSON.stringify(change)}`,
    files: {
      ...good.single,
      "config.json": encode(
        typeof change === "string" ? JSON.stringify(config).replace(/\}$/, `,${change}}`) : { ...config, ...change },
      ),
    },
    note,
    less,
  });
  yield says({ num_hidden_layers: config.num_hidden_layers - 1 }, /model\.layers\.1\..*\(and \d+ more\) is not read/, true);
  yield says({ attention_bias: false }, /_proj\.bias.* is not read/, true);
  yield says({ mlp_bias: false }, /_proj\.bias.* is not read/, true);
  yield says({ architectures: ["LlamaForSequenceClassification"] }, /architectures says .*model_type "llama" decides/);
  for (const architectures of [undefined, null, [], ["LLaMAForCausalLM"], ["LlamaModel"], "LlamaForCausalLM"])
    yield says({ architectures }, undefined);
  yield says({ rope_scaling: { type: "yarn", factor: 2, attn_factor: 0.8, finetuned: true } }, /attn_factor, finetuned have no effect on RoPE of type yarn/);
  yield says({ quantization_config: null, compression_config: {}, quantization: null }, undefined);
  yield says({ quantization_config: { quant_method: "bitsandbytes", load_in_4bit: false, load_in_8bit: false } }, undefined);
  for (const word of ["NaN", "Infinity", "-Infinity"]) yield says(`"unread":[0,${word}]`, undefined);

  const settings = (change: string, note: RegExp | undefined): Surplus => ({
    name: `generation_config.json: ${change}`,
    files: { ...good.single, "generation_config.json": encode(change) },
    note,
  });
  yield settings('{"x":-Infinity,"num_beams":1,"suppress_tokens":[],"typical_p":1.0,"min_length":0}', undefined);
  yield settings('{"num_beams":4,"stop_strings":["x"],"bad_words_ids":[[3]]}', /num_beams, stop_strings, bad_words_ids: not supported/);

  const index = JSON.parse(new TextDecoder().decode(good.sharded[INDEX])) as { weight_map: Record<string, string> };
  const names = Object.keys(index.weight_map);
  const shards = [...new Set(Object.values(index.weight_map))];
  const name = names[random(names.length)];
  const home = index.weight_map[name];
  const withMap = (what: string, weight_map: Record<string, string>, note?: RegExp): Surplus => ({
    name: `shards: ${what}`,
    files: { ...good.sharded, [INDEX]: encode({ weight_map }) },
    note,
  });
  const { [name]: _, ...forgotten } = index.weight_map;
  yield withMap("a tensor the index forgets", forgotten);
  yield withMap("a tensor placed in the wrong one", { ...index.weight_map, [name]: shards.find((other) => other !== home)! });
  yield withMap("a tensor that no shard holds", { ...index.weight_map, "model.layers.9.x": home }, /promises model\.layers\.9\.x in vain/);
  yield withMap("a tensor placed in a shard that is not there", { ...index.weight_map, [name]: "absent.safetensors" });
  yield withMap("a shard for nothing", { ...index.weight_map, "model.layers.9.x": "absent.safetensors" }, /in vain/);
  const exchanged = { [shards[0]]: good.sharded[shards[1]], [shards[1]]: good.sharded[shards[0]] };
  yield { name: "shards: two exchanged", files: { ...good.sharded, ...exchanged }, note: undefined };
} // prettier-ignore

function* damagedConfigs(good: { single: Files; tied: Files }, random: (n: number) => number): Generator<Damaged> {
  const config = JSON.parse(new TextDecoder().decode(good.single["config.json"]));
  const text = JSON.stringify(config);
  const withConfig = (name: string, bytes: unknown, code: ErrorCode = "config"): Damaged => ({
    name: `config.json: ${name}`,
    code,
    files: { ...good.single, "config.json": bytes instanceof Uint8Array ? bytes : encode(bytes) },
  });
  yield withConfig("cut", text.slice(0, 1 + random(text.length - 2)));
  yield withConfig("empty", "");
  yield withConfig("a list", "[]");
  yield withConfig("not UTF-8", Uint8Array.of(0x7b, 0xff, 0x7d));
  yield withConfig("two megabytes", text + " ".repeat(2 ** 21));
  yield withConfig("a key twice", text.replace(/\}$/, ',"hidden_size":1}'));
  for (const [key, value, code] of [
    ["num_hidden_layers", config.num_hidden_layers + 1, "checkpoint"], ["model_type", "mixtral", "config"],
    ["num_hidden_layers", 1e9, "config"], ["vocab_size", config.vocab_size + 1, "checkpoint"], ["vocab_size", 2 ** 40, "config"],
    ["intermediate_size", config.intermediate_size + 2, "checkpoint"], ["hidden_size", config.hidden_size * 2, "checkpoint"],
    ["head_dim", config.head_dim * 2, "checkpoint"], ["num_key_value_heads", 1, "checkpoint"], ["num_attention_heads", 0, "config"],
    ["model_type", "gpt2", "config"], ["hidden_act", "gelu", "config"], ["quantization", { bits: 4, group_size: 64 }, "config"],
    ["quantization_config", { quant_method: "awq" }, "config"], ["rms_norm_eps", "tiny", "config"],
  ] as const) {
    yield withConfig(`${key} ${JSON.stringify(value)}`, { ...config, [key]: value }, code);
  } // prettier-ignore
  const { "config.json": _, ...without } = good.single;
  yield { name: "no config.json", code: "config", files: without };
  yield {
    name: "generation_config.json: cut",
    code: "config",
    files: { ...good.single, "generation_config.json": encode('{"eos_token_id":') },
  };
  yield {
    name: "tokenizer.json: not UTF-8",
    code: "tokenizer",
    files: { ...good.single, "tokenizer.json": Uint8Array.of(0xff, 0xfe) },
  };
  const tied = JSON.parse(new TextDecoder().decode(good.tied["config.json"]));
  const untied = encode({ ...tied, tie_word_embeddings: false });
  yield { name: "untied without a head", code: "checkpoint", files: { ...good.tied, "config.json": untied } };
  const { [MODEL]: __, ...noModel } = good.single;
  yield { name: "no weights", code: "checkpoint", files: noModel };
  yield { name: "a pickle instead", code: "checkpoint", files: { ...noModel, "pytorch_model.bin": encode("PK") } };
}

function* damagedShards(good: Files, random: (n: number) => number): Generator<Damaged> {
  const index = JSON.parse(new TextDecoder().decode(good[INDEX])) as { weight_map: Record<string, string> };
  const shards = [...new Set(Object.values(index.weight_map))];
  const names = Object.keys(index.weight_map);
  const shard = shards[random(shards.length)];
  const name = names[random(names.length)];
  const home = index.weight_map[name];
  const damaged = (what: string, files: Files): Damaged => ({ name: `shards: ${what}`, code: "checkpoint", files });
  const withMap = (what: string, weight_map: unknown) => damaged(what, { ...good, [INDEX]: encode({ weight_map }) });

  const { [shard]: _, ...without } = good;
  yield damaged("one missing", without);
  yield damaged("one cut", { ...good, [shard]: good[shard].slice(0, random(good[shard].length)) });
  yield damaged("one empty", { ...good, [shard]: new Uint8Array(0) });
  const [first, second] = shards.map((each) => takeApart(good[each]));
  const double = Object.keys(first.header).find((each) => each !== "__metadata__")!;
  const [from, to] = first.header[double].data_offsets;
  const moved: [number, number] = [second.data.length, second.data.length + to - from];
  const both = { ...second.header, [double]: { ...first.header[double], data_offsets: moved } };
  yield damaged("a tensor in two of them", {
    ...good,
    [shards[1]]: safetensorsBytes(both, Uint8Array.of(...second.data, ...first.data.subarray(from, to))),
  });
  yield damaged("one twice under two names", { ...good, [shards[0]]: good[shards[1]] });
  yield damaged("index cut", { ...good, [INDEX]: good[INDEX].slice(0, random(good[INDEX].length - 2)) });
  yield damaged("index not UTF-8", { ...good, [INDEX]: Uint8Array.of(0x7b, 0xc0, 0x7d) });
  yield damaged("index without weight_map", { ...good, [INDEX]: encode({}) });
  for (const map of [null, [], "x", 1, {}]) yield withMap(`weight_map ${JSON.stringify(map)}`, map);
  for (const file of [
    "../model.safetensors", "/etc/passwd", "/tmp/x.safetensors", "..", "", "sub/x.safetensors", "..\\x.safetensors",
    "C:x.safetensors", `x\0.safetensors`, "file:///x.safetensors", "config.json", 1, null, [home],
  ]) {
    yield withMap(`${name} in ${JSON.stringify(file)}`, { ...index.weight_map, [name]: file });
  } // prettier-ignore
  const again = new TextDecoder()
    .decode(good[INDEX])
    .replace(/"weight_map":\s*\{/, `$&${JSON.stringify(name)}:${JSON.stringify(home)},`);
  yield damaged("a tensor twice in the index", { ...good, [INDEX]: encode(again) });
}
