// unlisted.ts — architectures that do not run here: what each would need that this forward pass has not. For error sentences.

/** What is missing, and the model_type of those that miss it (transformers 5). */
const NEEDS: readonly (readonly [needs: string, types: string])[] = [
  [
    "is a mixture of experts: it needs a router, and matrix products over the tokens that go to each expert",
    "mixtral qwen2_moe qwen3_moe olmoe phimoe granitemoe granitemoeshared jetmoe dbrx gpt_oss ernie4_5_moe glm4_moe minimax",
  ],
  [
    "has latent attention and, but for the smallest, experts: it needs keys and values that are compressed in the cache, and a router",
    "deepseek_v2 deepseek_v3 minicpm3 kimi_k2 longcat_flash",
  ],
  [
    "has layers that are no attention (state space, convolution, recurrence or linear attention): it needs a scan, and a state beside the cache",
    "mamba mamba2 falcon_mamba jamba bamba falcon_h1 zamba zamba2 recurrent_gemma rwkv lfm2 granitemoehybrid nemotron_h qwen3_next",
  ],
  [
    "needs norms that weigh by 1 + w, a GELU gate, an embedding scaled by √hidden_size and mostly norms after each block too",
    "gemma gemma2 gemma3_text gemma3n_text vaultgemma",
  ],
  [
    "needs LayerNorm (a mean and mostly a bias) where RMSNorm is here",
    "gpt2 gpt_neo gptj gpt_neox gpt_bigcode opt bloom mpt falcon phi stablelm starcoder2 cohere cohere2 persimmon olmo nemotron codegen",
  ],
  ["needs norms after attention and MLP instead of before", "olmo2 olmo3 exaone4"],
  ["needs RoPE that turns neighbouring elements", "glm glm4 ernie4_5 helium"],
  [
    "takes images or sound too: the text model alone, saved by itself, may run",
    "llava llava_next mllama mistral3 pixtral qwen2_vl qwen2_5_vl qwen3_vl gemma3 gemma3n paligemma idefics2 idefics3 smolvlm phi4_multimodal llama4",
  ],
  [
    "is no decoder that writes on: it needs attention to both sides",
    "bert roberta distilbert xlm-roberta modernbert deberta deberta-v2 electra albert mpnet nomic_bert t5 mt5 bart whisper",
  ],
];

/**
 * What an architecture that does not run here would need, as far as it is known: "mixtral is a mixture of experts: …".
 * `stated` is a model_type or one of `architectures`: qwen3_moe and Qwen3MoeForCausalLM are one.
 */
export function needsOf(stated: unknown): string {
  const plain = (name: string) => name.replace(/[_-]/g, "").toLowerCase();
  const name =
    typeof stated === "string" ? plain(stated.replace(/(ForCausalLM|LMHeadModel|ForConditionalGeneration)$/, "")) : "";
  for (const [needs, types] of NEEDS) {
    const type = types.split(" ").find((each) => plain(each) === name);
    if (type !== undefined) return `${type} ${needs}`;
  }
  return "another architecture needs its own forward pass";
}
