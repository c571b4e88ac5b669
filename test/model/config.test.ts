// config.json: every spelling in the fixtures, the defaults of transformers per family, every refusal.
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { parseConfig, parseConfigRope } from "../../src/model/config.ts";
import { parseJson } from "../../src/text/json.ts";
import { parseRope } from "../../src/rope/index.ts";
import { refused, refusedSync } from "../tools/refused.ts";

const goldens = fileURLToPath(new URL("../fixtures/goldens/", import.meta.url));
const tests = suite("config");

/** Llama 3.2 1B, as published (transformers 4 spelling). */
const llama32 = {
  architectures: ["LlamaForCausalLM"], attention_bias: false, attention_dropout: 0.0, bos_token_id: 128000,
  eos_token_id: [128001, 128008, 128009], head_dim: 64, hidden_act: "silu", hidden_size: 2048, initializer_range: 0.02,
  intermediate_size: 8192, max_position_embeddings: 131072, mlp_bias: false, model_type: "llama", num_attention_heads: 32,
  num_hidden_layers: 16, num_key_value_heads: 8, pretraining_tp: 1, rms_norm_eps: 1e-5,
  rope_scaling: { factor: 32.0, high_freq_factor: 4.0, low_freq_factor: 1.0, original_max_position_embeddings: 8192, rope_type: "llama3" },
  rope_theta: 500000.0, tie_word_embeddings: true, torch_dtype: "bfloat16", transformers_version: "4.45.0.dev0", use_cache: true,
  vocab_size: 128256,
}; // prettier-ignore
const base: Record<string, unknown> = {
  model_type: "llama", hidden_size: 64, num_hidden_layers: 2, num_attention_heads: 4, num_key_value_heads: 4, intermediate_size: 100,
  vocab_size: 300,
}; // prettier-ignore

tests("Llama 3.2 1B: every field", () => {
  const { rope, ...rest } = parseConfig(llama32);
  assert.equal(rest, {
    family: "llama", dim: 2048, hidden: 8192, layers: 16, heads: 32, kvHeads: 8, headDim: 64, vocab: 128256, maxPositions: 131072, rmsEps: 1e-5,
    tied: true, qkvBias: false, oBias: false, mlpBias: false, eosIds: [128001, 128008, 128009], dtype: "bfloat16",
  }); // prettier-ignore
  assert.equal(rope, parseRope(llama32));
  assert.is(rope.type, "llama3");
});

tests("absent fields take the defaults of transformers", () => {
  const { rope, ...rest } = parseConfig(base);
  assert.equal(rest, {
    family: "llama", dim: 64, hidden: 100, layers: 2, heads: 4, kvHeads: 4, headDim: 16, vocab: 300, maxPositions: 2048, rmsEps: 1e-6,
    tied: false, qkvBias: false, oBias: false, mlpBias: false, eosIds: [2],
  }); // prettier-ignore
  assert.equal(rope, parseRope(base));
});

tests("Mistral and Qwen2: what is their own", () => {
  // A bias that the config states has no effect in either (modeling_mistral.py, modeling_qwen2.py).
  const mistral = parseConfig({ ...base, model_type: "mistral", sliding_window: null, attention_bias: true });
  const qwen2 = parseConfig({ ...base, model_type: "qwen2", sliding_window: 4096, attention_bias: false });
  const own = ({ family, maxPositions, qkvBias, oBias, mlpBias, eosIds }: typeof qwen2) =>
    [family, maxPositions, qkvBias, oBias, mlpBias, eosIds]; // prettier-ignore
  assert.equal(own(mistral), ["mistral", 131_072, false, false, false, [2]]);
  assert.equal(own(qwen2), ["qwen2", 32_768, true, false, false, []]);
  assert.is(qwen2.rope.maxPositions, 32_768);
  const named = parseConfig({ ...base, model_type: undefined, architectures: ["Qwen2ForCausalLM"] });
  assert.equal(named, parseConfig({ ...base, model_type: "qwen2" }), "named by its architecture alone");
});

tests("Qwen3: heads of 128 unless stated, a bias on all four", () => {
  const parse = (more: object) => parseConfig({ ...base, model_type: "qwen3", sliding_window: 4096, ...more });
  const { headDim, rope, qkvBias, oBias, mlpBias, maxPositions, eosIds } = parse({ mlp_bias: true });
  assert.equal([headDim, rope.headDim, maxPositions, eosIds], [128, 128, 32_768, []]);
  assert.equal([qkvBias, oBias, mlpBias], [false, false, false]);
  assert.is(parse({ head_dim: 20 }).headDim, 20);
  const biased = parse({ attention_bias: true });
  assert.equal([biased.qkvBias, biased.oBias], [true, true]);
});

tests("SmolLM3: which layers go without RoPE, and its own defaults", () => {
  const parse = (more: object) => parseConfig({ ...base, num_hidden_layers: 5, model_type: "smollm3", ...more });
  const { layersWithoutRope, tied, rope, eosIds, maxPositions } = parse({});
  assert.equal([layersWithoutRope, tied, rope.theta, maxPositions], [[3], true, 2_000_000, 32_768]);
  assert.equal(eosIds, [128_001]);
  assert.equal(parse({ no_rope_layer_interval: 2 }).layersWithoutRope, [1, 3]);
  assert.equal(parse({ no_rope_layers: null, no_rope_layer_interval: 1 }).layersWithoutRope, [0, 1, 2, 3, 4]);
  // The list wins, and may be longer than there are layers.
  assert.equal(parse({ no_rope_layers: [0, 1, 1, 0, 1, 0], no_rope_layer_interval: 2 }).layersWithoutRope, [0, 3]);
  assert.is(parse({ tie_word_embeddings: false, rope_theta: 5000 }).tied, false);
  assert.is(parse({ rope_theta: 5000 }).rope.theta, 5000);
  const biased = parse({ attention_bias: true, mlp_bias: true });
  assert.equal([biased.qkvBias, biased.oBias, biased.mlpBias], [true, true, true]);
});

/** Phi-3-mini-128k-instruct, as published (its lists cut to these heads of 16). */
const phi3 = {
  ...base, model_type: "phi3", architectures: ["Phi3ForCausalLM"], hidden_act: "silu", max_position_embeddings: 131072,
  original_max_position_embeddings: 4096, rms_norm_eps: 1e-5, rope_theta: 10000.0, sliding_window: 262144,
  rope_scaling: {
    long_factor: [1.07, 1.12, 1.18, 1.33, 2.17, 8.93, 31.1, 64.7], short_factor: [1, 1, 1, 1.05, 1.1, 1.3, 1.7, 2.8], type: "su",
  },
}; // prettier-ignore

tests("Phi-3: longrope by its old names, the trained length beside it, a window that hides nothing", () => {
  const config = parseConfig(phi3);
  const { type, originalMaxPositions, maxPositions, attentionFactor } = config.rope;
  assert.equal([type, originalMaxPositions, maxPositions], ["longrope", 4096, 131_072]);
  assert.ok(Math.abs(attentionFactor - Math.sqrt(1 + Math.log(32) / Math.log(4096))) < 1e-12);
  assert.equal([config.qkvBias, config.oBias, config.mlpBias, config.eosIds], [false, false, false, [32_000]]);
  for (const spelling of ["longrope", "yarn"])
    assert.equal(parseConfig({ ...phi3, rope_scaling: { ...phi3.rope_scaling, type: spelling } }).rope, config.rope);
  const { maxPositions: context, rmsEps } = parseConfig({ ...base, model_type: "phi3" });
  assert.equal([context, rmsEps], [4096, 1e-5]);
});

tests("windows: which layers have one, by family", () => {
  const windows = (model_type: string, more: object = {}) => parseConfig({ ...base, model_type, ...more }).windows;
  assert.equal(windows("mistral"), [4096, 4096], "Mistral that states none");
  assert.is(windows("mistral", { sliding_window: null }), undefined);
  assert.equal(windows("mistral", { sliding_window: 16 }), [16, 16]);
  assert.is(windows("phi3"), undefined);
  assert.equal(windows("phi3", { sliding_window: 2047 }), [2047, 2047]);
  assert.is(windows("llama", { sliding_window: 16 }), undefined);
  const types = { layer_types: ["sliding_attention", "full_attention"] };
  for (const name of ["qwen2", "qwen3"]) {
    const used = { use_sliding_window: true, sliding_window: 8 };
    assert.is(windows(name, { sliding_window: 8 }), undefined);
    assert.is(windows(name, used), undefined, "28 layers come first");
    assert.equal(windows(name, { ...used, max_window_layers: 1 }), [null, 8]);
    assert.equal(windows(name, { ...used, max_window_layers: 1, ...types }), [8, null]);
    assert.equal(windows(name, { use_sliding_window: true, max_window_layers: 0 }), [4096, 4096]);
    assert.is(windows(name, { ...used, sliding_window: null, max_window_layers: 0 }), undefined);
  }
  const smol = { use_sliding_window: true, sliding_window: 8, no_rope_layers: [1, 0] };
  assert.equal(windows("smollm3", smol), [null, 8], "its layers without RoPE");
  assert.equal(windows("smollm3", { ...smol, ...types }), [8, null]);
});

tests(
  "absent is not null: windows, heads of keys and the trained length, as the configuration classes have them",
  () => {
    const { num_key_value_heads: _, ...others } = base;
    const silent = { ...others, num_attention_heads: 64, head_dim: 16 };
    const parse = (model_type: string, more: object = {}) => parseConfig({ ...silent, model_type, ...more });
    const usual = { llama: 64, mistral: 8, qwen2: 32, qwen3: 32, smollm3: 4, granite: 64, phi3: 64 };
    for (const [name, absent] of Object.entries(usual)) {
      assert.is(parse(name).kvHeads, absent, name);
      assert.is(parse(name, { num_key_value_heads: null }).kvHeads, 64, name);
      assert.is(parse(name, { num_key_value_heads: 16 }).kvHeads, 16, name);
    }
    refusedSync(
      () => parse("qwen2", { num_attention_heads: 16 }),
      "config",
      "config.json: num_key_value_heads: got nothing, needed a divisor of num_attention_heads, 16 (without it a qwen2 has 32)",
    );
    assert.is(parse("smollm3", { use_sliding_window: true, no_rope_layers: [1, 0] }).windows, undefined);

    const lists = { short_factor: Array(8).fill(1), long_factor: Array(8).fill(2) };
    const original = (type: string, top?: number, inside?: number, model_type = "phi3") => {
      const beside = top !== undefined && { original_max_position_embeddings: top };
      const own = inside !== undefined && { original_max_position_embeddings: inside };
      const rope_scaling = { type, ...lists, ...own };
      return parse(model_type, { max_position_embeddings: 8192, ...beside, rope_scaling }).rope.originalMaxPositions;
    };
    for (const type of ["longrope", "yarn"]) {
      assert.equal([original(type), original(type, undefined, 32), original(type, 64, 32)], [4096, 4096, 64], type);
    }
    assert.is(original("su", undefined, 32), 32, "transformers does not know it yet where it looks for the length");
    assert.equal(
      [original("longrope", undefined, 32, "llama"), original("longrope", undefined, undefined, "llama")],
      [32, 8192],
    );
  },
);

tests("the RoPE setting alone: of quantised weights and of other architectures, which state their context", () => {
  const scaled = { rope_scaling: { rope_type: "yarn", factor: 4, original_max_position_embeddings: 2048 } };
  const gemma = { ...base, ...scaled, model_type: "gemma2", max_position_embeddings: 8192, rope_theta: 5e5 };
  const { type, theta, originalMaxPositions, maxPositions } = parseConfigRope(gemma);
  assert.equal([type, theta, originalMaxPositions, maxPositions], ["yarn", 5e5, 2048, 8192]);
  const { max_position_embeddings: _, ...silent } = gemma;
  refusedSync(
    () => parseConfigRope(silent),
    "config",
    /max_position_embeddings: got nothing, needed an integer from 1/,
  );
  for (const config of [{ ...phi3 }, { ...base, model_type: "smollm3" }, { ...base, model_type: "qwen3" }, llama32]) {
    const awq = { ...config, quantization_config: { quant_method: "awq" } };
    refusedSync(() => parseConfig(awq), "config", /AWQ/i);
    assert.equal(parseConfigRope(awq), parseConfig(config).rope);
  }
});

tests("Phi-4-mini: three quarters of a head turn, under every type", () => {
  const parse = (more: object) => parseConfig({ ...base, model_type: "phi3", ...more });
  const dims = ({ headDim, rope }: ReturnType<typeof parse>) => [headDim, rope.headDim, rope.ignored];
  assert.equal(dims(parse({ partial_rotary_factor: 0.75 })), [16, 12, []]);
  assert.equal(dims(parse({ rope_parameters: { rope_theta: 10000, partial_rotary_factor: 0.5 } })), [16, 8, []]);
  assert.equal(dims(parse({})), [16, 16, []]);
  const { rope_scaling: lists } = phi3;
  const six = { long_factor: lists.long_factor.slice(2), short_factor: lists.short_factor.slice(2), type: "longrope" };
  const mini = parseConfig({ ...phi3, partial_rotary_factor: 0.75, rope_scaling: six });
  assert.equal([mini.headDim, mini.rope.headDim, mini.rope.type], [16, 12, "longrope"]);
  // Llama ignores it, as transformers does.
  assert.equal(dims(parseConfig({ ...base, partial_rotary_factor: 0.5 })).slice(0, 2), [16, 16]);
});

tests("Granite: four multipliers, each 1 unless stated", () => {
  const own = (more: object) => {
    const config = parseConfig({ ...base, model_type: "granite", ...more });
    return [config.embeddingMultiplier, config.attentionMultiplier, config.residualMultiplier, config.logitsScaling];
  };
  assert.equal(own({}), [1, 1, 1, 1]);
  const stated = {
    embedding_multiplier: 12,
    attention_multiplier: 0.015625,
    residual_multiplier: 0.22,
    logits_scaling: 8,
  };
  assert.equal(own(stated), [12, 0.015625, 0.22, 8]); // Granite 3.3 2B
  const { qkvBias, oBias, mlpBias } = parseConfig({
    ...base,
    model_type: "granite",
    attention_bias: true,
    mlp_bias: true,
  });
  assert.equal([qkvBias, oBias, mlpBias], [true, true, true]);
});

tests("v4 and v5 spellings, null and explicit", () => {
  const parse = (more: object) => parseConfig({ ...base, ...more });
  assert.is(parse({ dtype: "float16" }).dtype, "float16");
  assert.is(parse({ torch_dtype: "torch.float32" }).dtype, "float32");
  assert.is(parse({ dtype: null, torch_dtype: "bfloat16" }).dtype, "bfloat16");
  assert.is(parse({ dtype: "auto" }).dtype, undefined);
  assert.is(parse({ head_dim: null }).headDim, 16);
  assert.is(parse({ head_dim: 40 }).headDim, 40);
  assert.is(parse({ head_dim: 40 }).rope.headDim, 40);
  assert.is(parse({ num_key_value_heads: null }).kvHeads, 4);
  assert.is(parse({ num_key_value_heads: 1 }).kvHeads, 1);
  assert.equal(parse({ eos_token_id: null }).eosIds, []);
  assert.equal(parse({ eos_token_id: 7 }).eosIds, [7]);
  assert.equal(parse({ eos_token_id: [7, 8, 7, -1] }).eosIds, [7, 8]);
  assert.is(parse({ hidden_act: "swish" }).hidden, 100);
  assert.is(parse({ architectures: ["LlamaForCausalLM"], model_type: undefined }).dim, 64);
  const rope_parameters = { rope_type: "linear", factor: 2, rope_theta: 5000 };
  const { type, factor, theta } = parse({ rope_parameters }).rope;
  assert.equal({ type, factor, theta }, { type: "linear", factor: 2, theta: 5000 });
});

tests("every config among the goldens gives sizes and the RoPE setting of the whole file", async () => {
  const folders = (await readdir(join(goldens, "models"))).map((name) => join(goldens, "models", name));
  const sweep = (await readdir(join(goldens, "rope_sweep"), { withFileTypes: true })).filter((entry) =>
    entry.isDirectory(),
  );
  folders.push(...sweep.map((entry) => join(goldens, "rope_sweep", entry.name)));
  assert.ok(folders.length >= 20);
  for (const folder of folders) {
    const text = await readFile(join(folder, "config.json"), "utf8");
    const raw = JSON.parse(text);
    const config = parseConfig(parseJson(text, "config.json", "config"));
    assert.is(config.dim, raw.hidden_size);
    assert.is(config.kvHeads, raw.num_key_value_heads ?? raw.num_attention_heads);
    assert.is(config.dtype, raw.dtype ?? raw.torch_dtype);
    assert.equal(config.rope, parseRope(raw), folder);
  }
});

const wrong: Record<string, [object | null | string, RegExp]> = {
  "no object": ["x", /config\.json: got "x", needed a JSON object/],
  null: [null, /got null, needed a JSON object/],
  "no family at all": [{ model_type: undefined }, /neither model_type nor architectures/],
  "another architecture": [
    { model_type: "gemma2", architectures: ["Gemma2ForCausalLM"] },
    /model_type: got "gemma2", needed one of "llama", "mistral", "qwen2", "qwen3", "smollm3", "granite", "phi3"; gemma2 needs norms that weigh by 1 \+ w, a GELU gate/,
  ],
  "an unknown architecture without a type": [
    { model_type: undefined, architectures: ["Gemma2ForCausalLM"] },
    /needed \["LlamaForCausalLM" or "MistralForCausalLM" or "Qwen2ForCausalLM" or "Qwen3ForCausalLM" or "SmolLM3ForCausalLM" or "GraniteForCausalLM" or "Phi3ForCausalLM"\]; gemma2 needs norms/,
  ],
  "a mixture of experts": [
    { model_type: "mixtral" },
    /got "mixtral", needed one of .*; mixtral is a mixture of experts: it needs a router, and matrix products over the tokens/,
  ],
  "a mixture of experts by its class": [
    { model_type: undefined, architectures: ["Qwen3MoeForCausalLM"] },
    /architectures: got \["Qwen3MoeForCausalLM"\].*; qwen3_moe is a mixture of experts/,
  ],
  "latent attention": [{ model_type: "deepseek_v3" }, /deepseek_v3 has latent attention .*: it needs keys and values/],
  "no decoder": [{ model_type: "bert", architectures: ["BertModel"] }, /bert is no decoder that writes on/],
  "a type that is no text": [{ model_type: 5 }, /model_type: got 5, needed .*; another architecture needs its own/],
  "a model_type that every object has": [
    { model_type: "toString" },
    /model_type: got "toString", needed one of .*; another architecture needs its own forward pass/,
  ],
  "Qwen2 with a layer of another kind": [
    { model_type: "qwen2", layer_types: ["full_attention", "sliding_attention"] },
    /layer_types: got \["full_attention","sliding_attention"\], needed "full_attention" for each of 2 layers/,
  ],
  "a layer type that nobody has": [
    { model_type: "qwen3", use_sliding_window: true, layer_types: ["full_attention", "chunked_attention"] },
    /layer_types: got .*"chunked_attention"\], needed "full_attention" or "sliding_attention" for each of 2 layers/,
  ],
  "layer types of another number": [
    { model_type: "qwen2", use_sliding_window: true, layer_types: ["sliding_attention"] },
    /layer_types: got \["sliding_attention"\], needed .* for each of 2 layers/,
  ],
  "a window of nothing": [
    { model_type: "mistral", sliding_window: 0 },
    /sliding_window: got 0, needed an integer from 1/,
  ],
  "a multiplier of nothing": [
    { model_type: "granite", logits_scaling: 0 },
    /logits_scaling: got 0, needed a number > 0/,
  ],
  "a list of layers without RoPE that is too short": [
    { model_type: "smollm3", no_rope_layers: [1] },
    /no_rope_layers: got \[1\], needed a list with 1 or 0 for each of 2 layers/,
  ],
  "layers that rotate by half": [{ model_type: "smollm3", no_rope_layers: [1, 0.5] }, /no_rope_layers: got \[1,0\.5\]/],
  "no interval of layers": [{ model_type: "smollm3", no_rope_layer_interval: 0 }, /no_rope_layer_interval: got 0/],
  "no architecture and no type": [
    { model_type: undefined, architectures: [] },
    /architectures: got \[\], needed \["Llama/,
  ],
  gptq: [
    { quantization_config: { bits: 4, quant_method: "gptq" } },
    /quantization_config: got weights quantised with "gptq" to 4 bits, needed F32/,
  ],
  "compressed tensors": [
    { compression_config: { quantization_status: "frozen" } },
    /compression_config: got weights quantised/,
  ],
  "float8 weights": [{ torch_dtype: "float8_e4m3fn" }, /torch_dtype: got "float8_e4m3fn", needed one of float32/],
  "a dtype that is a number": [{ dtype: 16 }, /dtype: got 16/],
  gelu: [{ hidden_act: "gelu" }, /hidden_act: got "gelu", needed "silu"/],
  "no hidden_size": [{ hidden_size: undefined }, /hidden_size: got nothing, needed an integer from 1/],
  "a size that is text": [{ hidden_size: "64" }, /hidden_size: got "64"/],
  "a fractional size": [{ intermediate_size: 64.5 }, /intermediate_size: got 64\.5/],
  "zero layers": [{ num_hidden_layers: 0 }, /num_hidden_layers: got 0, needed an integer from 1 to 10000/],
  "a million layers": [{ num_hidden_layers: 1e6 }, /num_hidden_layers: got 1000000/],
  "negative heads": [{ num_attention_heads: -4 }, /num_attention_heads: got -4/],
  "an absurd width": [{ hidden_size: 2 ** 40 }, /hidden_size: got 1099511627776, needed an integer from 1 to 1048576/],
  "an absurd vocabulary": [{ vocab_size: 2 ** 31 }, /vocab_size: got 2147483648/],
  "an absurd product": [
    { hidden_size: 2 ** 20, intermediate_size: 2 ** 20, num_hidden_layers: 10_000, head_dim: 4 },
    /parameters, needed fewer than 2⁵¹/,
  ],
  "heads that do not divide the width": [
    { hidden_size: 66, head_dim: 16 },
    /hidden_size: must be a multiple of num_attention_heads 4, got 66/,
  ],
  "kv heads that do not divide the heads": [{ num_key_value_heads: 3 }, /num_key_value_heads: got 3, needed a divisor/],
  "more kv heads than heads": [{ num_key_value_heads: 8 }, /num_key_value_heads: got 8/],
  "an odd head_dim": [{ head_dim: 15 }, /head_dim: must be even, elements turn in pairs; got 15$/],
  "an odd derived head_dim": [
    { hidden_size: 60 },
    /head_dim: must be even, .* got 15 \(hidden_size \/ num_attention_heads\)$/,
  ],
  "heads too wide": [{ head_dim: 2 ** 20 }, /head_dim: got 1048576, needed at most 1048576 elements in all 4 heads/],
  "a flag that is text": [{ tie_word_embeddings: "false" }, /tie_word_embeddings: got "false", needed true or false/],
  "a negative epsilon": [{ rms_norm_eps: -1e-5 }, /rms_norm_eps: got -0\.00001/],
  "an epsilon that is text": [{ rms_norm_eps: "1e-5" }, /rms_norm_eps: got "1e-5"/],
  "an eos that is text": [{ eos_token_id: "</s>" }, /eos_token_id: got "<\/s>", needed a token id/],
  "a context of zero": [{ max_position_embeddings: 0 }, /max_position_embeddings: must be a whole number ≥ 1, got 0/],
};
for (const [name, [more, message]] of Object.entries(wrong)) {
  tests(`refuses ${name}`, async () => {
    const json = typeof more === "object" && more !== null ? { ...base, ...more } : more;
    await refused(async () => parseConfig(json), "config", message);
  });
}

tests("an odd part of a head, none and more than all are refused", async () => {
  const refuse = (share: unknown, message: RegExp) =>
    refused(async () => parseConfig({ ...base, model_type: "phi3", partial_rotary_factor: share }), "rope", message);
  await refuse(0.7, /partial_rotary_factor: must make an even part of 16 elements turn, got 11 of them/);
  await refuse(0.05, /partial_rotary_factor: must make an even part of 16 elements turn, got 0/);
  await refuse(1.5, /partial_rotary_factor: must be a number/);
});

tests("su is a name of longrope in no other family", async () => {
  const { original_max_position_embeddings: _, ...rest } = {
    ...phi3,
    architectures: ["LlamaForCausalLM"],
    model_type: "llama",
  };
  await refused(async () => parseConfig(rest), "rope", /unknown type "su"; it is a former name of longrope/);
});

tests("a RoPE setting that parseRope refuses is refused with the config", async () => {
  const config = { ...base, rope_scaling: { type: "linear" } };
  await refused(async () => parseConfig(config), "rope", /config\.json: rope_scaling: type linear needs factor/);
});

tests("model_type decides, architectures only tells what was saved", () => {
  const family = (change: object) => {
    const notes: string[] = [];
    return [parseConfig({ ...base, ...change }, "config.json", notes).family, ...notes];
  };
  for (const architectures of [undefined, null, [], ["LLaMAForCausalLM"], ["LlamaModel"], "LlamaForCausalLM", ["A", "LlamaForCausalLM"]])
    assert.equal(family({ architectures }), ["llama"], JSON.stringify(architectures));
  assert.equal(family({ architectures: ["MistralForCausalLM"] }), [
    "llama",
    'config.json: architectures says ["MistralForCausalLM"]; model_type "llama" decides, which makes it LlamaForCausalLM',
  ]);
  for (const architectures of [["LlamaForSequenceClassification"], 7, {}, [null]])
    assert.is(family({ architectures }).length, 2, JSON.stringify(architectures));
  for (const [architecture, want] of [["LLaMAForCausalLM", "llama"], ["LlamaModel", "llama"], ["Qwen2ForCausalLM", "qwen2"]])
    assert.equal(family({ model_type: undefined, architectures: [architecture] }), [want]);
}); // prettier-ignore

tests("RoPE keys without effect are a note, but for one that says what happens anyway", () => {
  const notes = (rope_scaling: object) => {
    const out: string[] = [];
    parseConfig({ ...base, rope_scaling }, "config.json", out);
    return out;
  };
  assert.equal(notes({ type: "linear", factor: 2, partial_rotary_factor: 1 }), []);
  assert.equal(notes({ partial_rotary_factor: 0.5, zebra: 1 }), [
    "config.json: partial_rotary_factor, zebra have no effect on RoPE of type default",
  ]);
});

tests("quantised weights are named by what made them", () => {
  const group = { group_size: 64, bits: 4 };
  const MLX = /got weights quantised with mlx to 4 bits in groups of 64, needed F32, F16 or BF16; load the checkpoint it was made from, or undo it with mlx/;
  for (const [change, message] of [
    [{ quantization: group, quantization_config: group }, MLX],
    [{ quantization: group }, MLX],
    [{ quantization: { ...group, mode: "affine", "lm_head": false } }, MLX],
    [{ quantization_config: { bits: 4, quant_method: "awq", version: "gemm" } }, /quantised with "awq" to 4 bits/],
    [{ quantization_config: { bits: 4, group_size: 128, desc_act: false } }, /quantised with GPTQ to 4 bits/],
    [{ quantization_config: { w_bit: 4, q_group_size: 128, zero_point: true } }, /quantised with AWQ to 4 bits/],
    [{ quantization_config: { load_in_8bit: true, load_in_4bit: false } }, /quantised with bitsandbytes to 8 bits/],
    [{ quantization_config: { quant_method: "bitsandbytes", load_in_4bit: true } }, /quantised with "bitsandbytes" to 4 bits/],
    [{ quantization_config: { quant_method: "bitsandbytes", _load_in_4bit: true, _load_in_8bit: false } }, /"bitsandbytes" to 4 bits/],
    [{ quantization_config: { quant_method: "fp8" } }, /quantised with "fp8", needed/],
    [{ quantization_config: { config_groups: {} } }, /quantised with compressed-tensors/],
    [{ quantization_config: { secret: 1 } }, /quantised with a method that it does not name \(secret\)/],
    [{ quantization_config: "int4" }, /quantised with "int4"/],
  ] as const) refusedSync(() => parseConfig({ ...base, ...change }), "config", message);
  const off = { quant_method: "bitsandbytes", load_in_4bit: false, load_in_8bit: false };
  for (const quantization_config of [null, {}, off]) parseConfig({ ...base, quantization_config, quantization: null });
}); // prettier-ignore

tests.run();
