// model.ts — the "model" of tokenizer.json: the vocabulary and its merges, checked, as tables of numbers.

import { Bpe } from "./bpe.ts";
import { byteTokens } from "./bytechars.ts";
import type { Model } from "./encoder.ts";
import { MAX_RANK } from "./heap.ts";
import { byType, count, fields, flag, list, MAX_VOCABULARY, optionalText, refuse } from "./read.ts";
import type { Fields, Reader } from "./read.ts";
import { display } from "../src/text/wording.ts";
import { readUnigram } from "./unigramjson.ts";

function readVocabulary(json: unknown): Pick<Model, "vocabulary" | "pieces"> {
  const vocabulary = new Map<string, number>();
  let size = 0;
  for (const [piece, value] of Object.entries(fields(json, "model.vocab"))) {
    const id = count(value, `model.vocab["${piece}"]`, MAX_VOCABULARY);
    vocabulary.set(piece, id);
    size = Math.max(size, id + 1);
  }
  const pieces = Array.from<string | undefined>({ length: size });
  for (const [piece, id] of vocabulary) {
    const other = pieces[id];
    if (other !== undefined) {
      refuse(`model.vocab: "${other}" and "${piece}" have the same id ${id}, needed one id for each`);
    }
    pieces[id] = piece;
  }
  return { vocabulary, pieces };
}

/** Left, right and result of every merge, from "a b" or ["a", "b"]. */
function readMerges(json: unknown, vocabulary: ReadonlyMap<string, number>): Int32Array {
  const merges = list(json, "model.merges");
  if (merges.length >= MAX_RANK) {
    refuse(`model.merges has ${merges.length} entries, needed fewer than ${MAX_RANK}`);
  }
  const out = new Int32Array(3 * merges.length);
  for (const [rank, merge] of merges.entries()) {
    const parts: unknown = typeof merge === "string" ? merge.split(" ") : merge;
    if (!Array.isArray(parts) || parts.length !== 2 || typeof parts[0] !== "string" || typeof parts[1] !== "string") {
      refuse(`model.merges[${rank}]: got ${display(merge)}, needed two pieces, as "a b" or ["a", "b"]`);
    }
    const [left, right] = parts as [string, string];
    if (left === "" || right === "") refuse(`model.merges[${rank}] has an empty side, needed two pieces`);
    for (const [place, piece] of [left, right, left + right].entries()) {
      const id = vocabulary.get(piece);
      if (id === undefined) {
        const role = place === 2 ? "makes" : "takes";
        refuse(`model.merges[${rank}] ${role} "${piece}", which is not in model.vocab; the two do not belong together`);
      }
      out[3 * rank + place] = id!;
    }
  }
  return out;
}

/** What BPE can have and this one has not: each changes the ids, so none is overlooked. */
function refuseExtras(json: Fields): void {
  for (const key of ["continuing_subword_prefix", "end_of_word_suffix"]) {
    if (optionalText(json[key], `model.${key}`)) {
      refuse(`model.${key} is ${JSON.stringify(json[key])}, which is not supported, needed null or ""`);
    }
  }
  if (json["dropout"] !== undefined && json["dropout"] !== null && json["dropout"] !== 0) {
    refuse(
      `model.dropout is ${JSON.stringify(json["dropout"])}, needed null: with dropout the same text has many encodings`,
    );
  }
}

const BPE: Reader<Model> = (json) => {
  refuseExtras(json);
  const { vocabulary, pieces } = readVocabulary(json["vocab"]);
  const unknown = optionalText(json["unk_token"], "model.unk_token");
  const encoder = new Bpe({
    vocabulary,
    pieces,
    merges: readMerges(json["merges"], vocabulary),
    ignoreMerges: flag(json["ignore_merges"], "model.ignore_merges", false),
    byteTokens: flag(json["byte_fallback"], "model.byte_fallback", false) ? byteTokens(vocabulary) : undefined,
    unknown: unknown === undefined ? undefined : vocabulary.get(unknown),
    fuseUnknown: flag(json["fuse_unk"], "model.fuse_unk", false),
  });
  return { kind: "BPE", encoder, vocabulary, pieces };
};

/** Reads the model, BPE or Unigram. Files of 2020 leave the type of BPE out. Throws LlariatError "tokenizer". */
export function readModel(json: unknown): Model {
  const model = fields(json, "model");
  const legacy = model["type"] === undefined && model["merges"] !== undefined;
  return byType(legacy ? { ...model, type: "BPE" } : model, "model", { BPE, Unigram: readUnigram }, 0);
}
