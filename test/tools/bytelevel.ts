// bytelevel.ts — a byte-level BPE of any vocabulary size for random checkpoints: any text encodes, every id decodes.
// Special tokens, the 256 bytes, then merges in a fixed order: all pairs of bytes, then all pairs with one byte more.

export const SPECIAL_TOKENS = ["<|begin|>", "<|end|>", "<|pad|>"] as const;

/** The 256 printable stand-ins of byte-level BPE, in byte order (openai/gpt-2 `encoder.py`, `bytes_to_unicode`). */
function byteAlphabet(): string[] {
  let next = 256;
  return Array.from({ length: 256 }, (_, b) => {
    const printable = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
    return String.fromCharCode(printable ? b : next++);
  });
}

/** Makes the text of tokenizer.json with exactly `vocab` ids; undefined below the 259 that bytes and specials take. */
export function byteLevelTokenizer(vocab: number): (() => string) | undefined {
  const alphabet = byteAlphabet();
  const wanted = vocab - SPECIAL_TOKENS.length - alphabet.length;
  if (wanted < 0 || wanted > 256 ** 2 + 256 ** 3) return undefined;
  return () => {
    const merges: [string, string][] = [];
    for (let i = 0; merges.length < wanted && i < 256 ** 2; i++) merges.push([alphabet[i >> 8], alphabet[i & 255]]);
    for (let i = 0; merges.length < wanted; i++) merges.push([merges[i >> 8].join(""), alphabet[i & 255]]);
    const tokens = [...SPECIAL_TOKENS, ...alphabet, ...merges.map((pair) => pair.join(""))];
    return JSON.stringify({
      version: "1.0",
      truncation: null,
      padding: null,
      added_tokens: SPECIAL_TOKENS.map((content, id) => ({
        id,
        content,
        single_word: false,
        lstrip: false,
        rstrip: false,
        normalized: false,
        special: true,
      })),
      normalizer: null,
      pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
      post_processor: null,
      decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
      model: {
        type: "BPE",
        dropout: null,
        unk_token: null,
        continuing_subword_prefix: null,
        end_of_word_suffix: null,
        fuse_unk: false,
        byte_fallback: false,
        ignore_merges: false,
        vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
        merges: merges.map((pair) => pair.join(" ")),
      },
    });
  };
}
