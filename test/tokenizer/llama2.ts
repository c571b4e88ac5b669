// llama2.ts — the real Llama-1/2 vocabulary and merges, as a tokenizer.json, out of llama-tokenizer-js (a dev dependency).

import llamaTokenizer from "llama-tokenizer-js";

import { field, float, integer, join } from "./protobuf.ts";

/** tokenizer.json as Meta's conversion had it: legacy normalizer, byte fallback, string merges; 32,000 pieces. */
export function llama2TokenizerJson(): object {
  const { vocabById, merges } = llamaTokenizer;
  const special = (id: number, content: string) => ({
    id,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  });
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: [special(0, "<unk>"), special(1, "<s>"), special(2, "</s>")],
    normalizer: {
      type: "Sequence",
      normalizers: [
        { type: "Prepend", prepend: "▁" },
        { type: "Replace", pattern: { String: " " }, content: "▁" },
      ],
    },
    pre_tokenizer: null,
    post_processor: {
      type: "TemplateProcessing",
      single: [{ SpecialToken: { id: "<s>", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
      pair: [],
      special_tokens: { "<s>": { id: "<s>", ids: [1], tokens: ["<s>"] } },
    },
    decoder: {
      type: "Sequence",
      decoders: [
        { type: "Replace", pattern: { String: "▁" }, content: " " },
        { type: "ByteFallback" },
        { type: "Fuse" },
        { type: "Strip", content: " ", start: 1, stop: 0 },
      ],
    },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: "<unk>",
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: true,
      byte_fallback: true,
      vocab: Object.fromEntries(vocabById.map((piece, id) => [piece, id])),
      merges: [...merges].sort((a, b) => a[1] - b[1]).map(([pair]) => pair),
    },
  };
}

/** tokenizer.model in Meta's form: BPE, byte fallback, no map, spaces kept; the score of a piece falls with its merge's rank. */
export function llama2TokenizerModel(): Uint8Array {
  const [UNKNOWN, CONTROL, BYTE, NORMAL] = [2, 3, 6, 1];
  const typeOf = (id: number) => (id === 0 ? UNKNOWN : id < 3 ? CONTROL : id < 259 ? BYTE : NORMAL);
  const { vocabById, merges } = llamaTokenizer;
  const ranks = new Map<string, number>();
  for (const [pair, rank] of merges) {
    const piece = pair.replace(" ", "");
    ranks.set(piece, Math.min(rank, ranks.get(piece) ?? Infinity));
  }
  const pieces = vocabById.map((piece, id) =>
    field(1, join(field(1, piece), float(2, -(ranks.get(piece) ?? 0)), integer(3, typeOf(id)))),
  );
  const trainer = field(2, join(integer(3, 2), integer(35, 1)));
  return join(...pieces, trainer, field(3, join(integer(3, 1), integer(4, 0), integer(5, 1))));
}
