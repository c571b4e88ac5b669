// config.json as published, one of each family: it is understood without a note, and the tensors that it asks for hold as
// many parameters as the model is known to have.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { parseConfig } from "../../src/model/config.ts";
import { type FamilyName, families, tensorsOf } from "../../src/model/families.ts";
import { maxContext } from "../../src/rope/index.ts";

const tests = suite("published");

interface Published {
  /** owner/name on the Hugging Face hub. */
  readonly from: string;
  readonly config: Record<string, unknown>;
  readonly parameters: number;
  /** Tokens that its RoPE is meant for. */
  readonly reach: number;
  /** Layers with a window, layers without RoPE, elements of a head that turn. */
  readonly windowed?: number;
  readonly unturned?: number;
  readonly turning: number;
}

/** What every one of them states, with the same meaning. */
const common = { hidden_act: "silu", initializer_range: 0.02, torch_dtype: "bfloat16", use_cache: true };

const published: Readonly<Record<FamilyName, readonly Published[]>> = {
  llama: [
    {
      from: "unsloth/Llama-3.2-1B",
      config: {
        architectures: ["LlamaForCausalLM"], model_type: "llama", attention_bias: false, attention_dropout: 0.0, bos_token_id: 128000,
        eos_token_id: 128001, head_dim: 64, hidden_size: 2048, intermediate_size: 8192, max_position_embeddings: 131072, mlp_bias: false,
        num_attention_heads: 32, num_hidden_layers: 16, num_key_value_heads: 8, pretraining_tp: 1, rms_norm_eps: 1e-5,
        rope_scaling: { factor: 32.0, high_freq_factor: 4.0, low_freq_factor: 1.0, original_max_position_embeddings: 8192, rope_type: "llama3" },
        rope_theta: 500000.0, tie_word_embeddings: true, vocab_size: 128256,
      }, // prettier-ignore
      parameters: 1_235_814_400,
      reach: 131_072,
      turning: 64,
    },
  ],
  mistral: [
    {
      from: "mistralai/Mistral-7B-v0.1",
      config: {
        architectures: ["MistralForCausalLM"], model_type: "mistral", bos_token_id: 1, eos_token_id: 2, hidden_size: 4096,
        intermediate_size: 14336, max_position_embeddings: 32768, num_attention_heads: 32, num_hidden_layers: 32, num_key_value_heads: 8,
        rms_norm_eps: 1e-5, rope_theta: 10000.0, sliding_window: 4096, tie_word_embeddings: false, vocab_size: 32000,
      }, // prettier-ignore
      parameters: 7_241_732_096,
      reach: 32_768,
      windowed: 32,
      turning: 128,
    },
    {
      from: "mistralai/Mistral-7B-Instruct-v0.3",
      config: {
        architectures: ["MistralForCausalLM"], model_type: "mistral", attention_dropout: 0.0, bos_token_id: 1, eos_token_id: 2,
        hidden_size: 4096, intermediate_size: 14336, max_position_embeddings: 32768, num_attention_heads: 32, num_hidden_layers: 32,
        num_key_value_heads: 8, rms_norm_eps: 1e-5, rope_theta: 1000000.0, sliding_window: null, tie_word_embeddings: false, vocab_size: 32768,
      }, // prettier-ignore
      parameters: 7_248_023_552,
      reach: 32_768,
      turning: 128,
    },
  ],
  qwen2: [
    {
      from: "Qwen/Qwen2.5-0.5B",
      config: {
        architectures: ["Qwen2ForCausalLM"], model_type: "qwen2", attention_dropout: 0.0, bos_token_id: 151643, eos_token_id: 151643,
        hidden_size: 896, intermediate_size: 4864, max_position_embeddings: 32768, max_window_layers: 24, num_attention_heads: 14,
        num_hidden_layers: 24, num_key_value_heads: 2, rms_norm_eps: 1e-6, rope_theta: 1000000.0, sliding_window: 32768,
        tie_word_embeddings: true, use_mrope: false, use_sliding_window: false, vocab_size: 151936,
      }, // prettier-ignore
      parameters: 494_032_768,
      reach: 32_768,
      turning: 64,
    },
  ],
  qwen3: [
    {
      from: "Qwen/Qwen3-0.6B",
      config: {
        architectures: ["Qwen3ForCausalLM"], model_type: "qwen3", attention_bias: false, attention_dropout: 0.0, bos_token_id: 151643,
        eos_token_id: 151645, head_dim: 128, hidden_size: 1024, intermediate_size: 3072, max_position_embeddings: 40960,
        max_window_layers: 28, num_attention_heads: 16, num_hidden_layers: 28, num_key_value_heads: 8, rms_norm_eps: 1e-6,
        rope_scaling: null, rope_theta: 1000000, sliding_window: null, tie_word_embeddings: true, use_sliding_window: false, vocab_size: 151936,
      }, // prettier-ignore
      parameters: 596_049_920,
      reach: 40_960,
      turning: 128,
    },
  ],
  smollm3: [
    {
      from: "HuggingFaceTB/SmolLM3-3B",
      config: {
        architectures: ["SmolLM3ForCausalLM"], model_type: "smollm3", hidden_size: 2048, intermediate_size: 11008, num_attention_heads: 16,
        num_key_value_heads: 4, num_hidden_layers: 36, vocab_size: 128256, max_position_embeddings: 65536, rope_theta: 5000000.0,
        rope_scaling: null, no_rope_layers: Array.from({ length: 36 }, (_, i) => Number(i % 4 < 3)), no_rope_layer_interval: 4,
        rms_norm_eps: 1e-6, tie_word_embeddings: true, attention_bias: false, mlp_bias: false, eos_token_id: 128012, bos_token_id: 128000,
        max_window_layers: 28, use_sliding_window: false, sliding_window: null, pretraining_tp: 2,
      }, // prettier-ignore
      parameters: 3_075_098_624,
      reach: 65_536,
      unturned: 9,
      turning: 128,
    },
  ],
  phi3: [
    {
      from: "microsoft/Phi-3-mini-4k-instruct",
      config: {
        architectures: ["Phi3ForCausalLM"], model_type: "phi3", attention_bias: false, attention_dropout: 0.0, bos_token_id: 1,
        embd_pdrop: 0.0, eos_token_id: 32000, hidden_size: 3072, intermediate_size: 8192, max_position_embeddings: 4096,
        num_attention_heads: 32, num_hidden_layers: 32, num_key_value_heads: 32, original_max_position_embeddings: 4096,
        pad_token_id: 32000, resid_pdrop: 0.0, rms_norm_eps: 1e-5, rope_scaling: null, rope_theta: 10000.0, sliding_window: 2047,
        tie_word_embeddings: false, vocab_size: 32064,
      }, // prettier-ignore
      parameters: 3_821_079_552,
      reach: 4096,
      windowed: 32,
      turning: 96,
    },
  ],
  granite: [
    {
      from: "ibm-granite/granite-3.3-2b-instruct",
      config: {
        architectures: ["GraniteForCausalLM"], model_type: "granite", attention_multiplier: 0.015625, embedding_multiplier: 12.0,
        logits_scaling: 8.0, residual_multiplier: 0.22, hidden_size: 2048, intermediate_size: 8192, num_attention_heads: 32,
        num_key_value_heads: 8, num_hidden_layers: 40, vocab_size: 49159, max_position_embeddings: 131072, rope_theta: 10000000.0,
        rope_scaling: null, rms_norm_eps: 1e-5, attention_bias: false, mlp_bias: false, attention_dropout: 0.1, tie_word_embeddings: true,
        bos_token_id: 0, eos_token_id: 0, pad_token_id: 0,
      }, // prettier-ignore
      parameters: 2_533_539_840,
      reach: 131_072,
      turning: 64,
    },
  ],
};

for (const [name, models] of Object.entries(published)) {
  for (const { from, config: own, parameters, ...want } of models) {
    tests(`${name}: ${from}`, () => {
      const notes: string[] = [];
      const config = parseConfig({ ...common, ...own }, "config.json", notes);
      assert.is(config.family, name);
      assert.equal(notes, []);
      const tensors = [...tensorsOf(config)].slice(0, config.tied ? -1 : undefined);
      const sum = tensors.reduce((all, { shape }) => all + shape.reduce((product, each) => product * each), 0);
      assert.is(sum, parameters);
      const { windows = [], layersWithoutRope = [], rope } = config;
      const got = { windowed: windows.filter((each) => each !== null).length, unturned: layersWithoutRope.length };
      assert.equal(got, { windowed: want.windowed ?? 0, unturned: want.unturned ?? 0 });
      assert.equal([maxContext(rope), rope.headDim], [want.reach, want.turning]);
    });
  }
}

tests("every family has one", () => assert.equal(Object.keys(published).sort(), Object.keys(families).sort()));

tests.run();
