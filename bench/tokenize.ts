// tokenize.ts — how fast text becomes ids and back, and how the time grows with one endless word.
//   node --import tsx bench/tokenize.ts [--trials N]
// The real Llama-1/2 vocabulary (32,000 pieces) against @huggingface/tokenizers and llama-tokenizer-js, checked first, then
// timed; after a warm-up, median and spread of the trials. One JSON line for each result, then the same for people.

import { cpus } from "node:os";
import { parseArgs } from "node:util";

import { Tokenizer as HuggingFace } from "@huggingface/tokenizers";
import llamaTokenizer from "llama-tokenizer-js";

import { pick } from "../test/tokenizer/fixtures.ts";
import { llama2TokenizerJson } from "../test/tokenizer/llama2.ts";
import { Tokenizer } from "../tokenizer/index.ts";
import { uniform } from "../test/tools/random.ts";

const { values } = parseArgs({ options: { trials: { type: "string", default: "9" } } });
const trials = Number(values.trials);

/** Milliseconds of `work`: median, fastest and slowest of the trials after one more to warm up. */
function time(work: () => unknown, count = trials): { medianMs: number; minMs: number; maxMs: number } {
  work();
  const times = Array.from({ length: count }, () => {
    const start = performance.now();
    work();
    return performance.now() - start;
  }).sort((a, b) => a - b);
  const round = (ms: number) => Number(ms.toFixed(3));
  return { medianMs: round(times[count >> 1]), minMs: round(times[0]), maxMs: round(times[count - 1]) };
}

function report(row: object, line: string): void {
  console.log(JSON.stringify({ bench: "tokenize", node: process.version, cpu: cpus()[0]?.model, ...row }));
  console.log(`  ${line}`);
}

/** Prose-like text: words by Zipf's law out of the vocabulary, some of them joined, numbers, punctuation and paragraphs. */
function prose(length: number): string {
  const random = uniform(100);
  const words = llamaTokenizer.vocabById.filter((piece) => /^▁\p{L}{2,}$/u.test(piece)).map((piece) => piece.slice(1));
  const word = () => words[Math.floor(words.length ** random()) - 1];
  let text = "";
  while (text.length < length) {
    const kind = random();
    if (kind < 0.1) text += ` ${word()}${word()}`;
    else if (kind < 0.13) text += ` ${Math.floor(random() * 3000)}`;
    else text += ` ${word()}`;
    if (random() < 0.15) text += pick(random, [".", ",", "?", " —", ";", ":", ".\n", "\n\n"]);
  }
  return text.slice(1, length + 1);
}

const json = llama2TokenizerJson();
const load = time(() => Tokenizer.fromFiles({ tokenizerJson: json }), 3);
const ours = Tokenizer.fromFiles({ tokenizerJson: json });
const huggingFace = new HuggingFace(json, {});
report({ case: "load", vocab: ours.vocabSize, ...load }, `load 32,000 pieces  ${load.medianMs} ms`);

const text = prose(100_000);
const ids = ours.encode(text);
const equal = (other: ArrayLike<number>) => other.length === ids.length && ids.every((id, i) => id === other[i]);
if (!equal(huggingFace.encode(text).ids)) throw new Error("@huggingface/tokenizers gives other ids");
if (!equal(llamaTokenizer.encode(text))) throw new Error("llama-tokenizer-js gives other ids");
if (ours.decode(ids) !== text) throw new Error("the text does not survive the round trip");

const encode = time(() => ours.encode(text));
const base = { characters: text.length, tokens: ids.length };
report({ case: "encode", ...base, ...encode }, `encode 100,000 characters (${ids.length} ids)  ${encode.medianMs} ms`);
for (const [peer, work] of [
  ["@huggingface/tokenizers", () => huggingFace.encode(text)],
  ["llama-tokenizer-js", () => llamaTokenizer.encode(text)],
] as const) {
  const theirs = time(work, Math.min(3, trials));
  const ratio = Number((theirs.medianMs / encode.medianMs).toFixed(1));
  report(
    { case: "encode", peer, ...base, ...theirs, ratio },
    `${peer}  ${theirs.medianMs} ms: ours is ${ratio} times as fast`,
  );
}
const offsets = time(() => ours.encodeWithOffsets(text));
report({ case: "offsets", ...base, ...offsets }, `encode with offsets  ${offsets.medianMs} ms`);
const decode = time(() => ours.decode(ids));
report({ case: "decode", ...base, ...decode }, `decode ${ids.length} ids  ${decode.medianMs} ms`);
const stream = time(() => {
  const decoder = ours.streamDecoder();
  let length = 0;
  for (const id of ids) length += decoder.push(id).length;
  return length + decoder.end().length;
});
report({ case: "stream", ...base, ...stream }, `stream ${ids.length} ids one by one  ${stream.medianMs} ms`);

// One word, no space in it. Random letters fall apart where no piece bridges two of them; "abab…" never does.
const random = uniform(101);
const letters = Array.from({ length: 1_000_000 }, () => pick(random, "etaoinshrdlucmfwypvbgkjqxz")).join("");
for (const [word, whole] of [
  ["random letters", letters],
  ["ab repeated", "ab".repeat(500_000)],
] as const) {
  let first = 0;
  for (const length of [125_000, 250_000, 500_000, 1_000_000]) {
    const part = whole.slice(0, length);
    const once = time(() => ours.encode(part), Math.min(5, trials));
    // the fastest trial: growth is a property of the code, the others tell about the machine's other work
    const perStep = (once.minMs * 1e6) / (length * Math.log2(length));
    first ||= perStep;
    const growth = Number((perStep / first).toFixed(2));
    const row = { case: "one word", word, characters: length, ...once, nsPerNLogN: Number(perStep.toFixed(2)), growth };
    report(
      row,
      `one word of ${length} characters, ${word}  ${once.medianMs} ms, fastest ${once.minMs} ms: ${growth} of n log n`,
    );
  }
}
