// The byte-pair model against a plain one on strings, on random vocabularies: the heap, the search, the cuts, unknown
// characters and byte tokens must not change an id.

import * as assert from "uvu/assert";
import { suite } from "uvu";

import { refusedSync } from "../tools/refused.ts";
import { Tokenizer } from "../../tokenizer/index.ts";
import { loadShape, pick } from "./fixtures.ts";
import { uniform } from "../tools/random.ts";

interface Model {
  vocab: Record<string, number>;
  merges: [string, string][];
  unk_token?: string;
  fuse_unk?: boolean;
  byte_fallback?: boolean;
  ignore_merges?: boolean;
}

const test = suite("bpe");
const load = (model: Model): Tokenizer =>
  Tokenizer.fromFiles({ tokenizerJson: { model: { type: "BPE", ...model }, added_tokens: [] } });

/** Algorithm 1 of Sennrich et al. 2016, word by word on pieces: join the leftmost pair of the lowest rank, again and again. */
function plain({ vocab, merges, unk_token, fuse_unk, byte_fallback, ignore_merges }: Model, text: string): number[] {
  if (ignore_merges && Object.hasOwn(vocab, text)) return [vocab[text]];
  const ranks = new Map(merges.map(([left, right], rank) => [`${left}|${right}`, rank]));
  const row: string[] = [];
  let unknownBefore = false;
  for (const char of text) {
    const bytes = [...new TextEncoder().encode(char)].map(
      (byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`,
    );
    const known = Object.hasOwn(vocab, char);
    const spelt = byte_fallback && bytes.every((name) => Object.hasOwn(vocab, name));
    if (known) row.push(char);
    else if (spelt) row.push(...bytes);
    else if (!(unknownBefore && fuse_unk)) row.push(unk_token!);
    unknownBefore = !known && !spelt;
  }
  for (;;) {
    let best = Infinity;
    let at = -1;
    for (let i = 0; i + 1 < row.length; i++) {
      const rank = ranks.get(`${row[i]}|${row[i + 1]}`) ?? Infinity;
      if (rank < best) [best, at] = [rank, i];
    }
    if (at < 0) return row.map((piece) => vocab[piece]);
    row.splice(at, 2, row[at] + row[at + 1]);
  }
}

/** A vocabulary over `alphabet` with random merges: pieces made in several ways, ranks in no sensible order. */
function randomModel(random: () => number, alphabet: string[], extra: string[], count: number): Model {
  const pieces = [...alphabet];
  const merges = new Map<string, [string, string]>();
  for (let i = 0; i < count; i++) {
    const [left, right] = [pick(random, pieces), pick(random, pieces)];
    if (left.length + right.length > 24) continue;
    if (!pieces.includes(left + right)) pieces.push(left + right);
    merges.set(`${left}|${right}`, [left, right]);
  }
  // every split of a piece into two pieces merges, as in files converted from SentencePiece
  for (const piece of pieces) {
    for (let cut = 1; cut < piece.length; cut++) {
      const [left, right] = [piece.slice(0, cut), piece.slice(cut)];
      if (random() < 0.5 && pieces.includes(left) && pieces.includes(right))
        merges.set(`${left}|${right}`, [left, right]);
    }
  }
  const shuffled = [...merges.values()]
    .map((merge) => [random(), merge] as const)
    .sort((a, b) => a[0] - b[0])
    .map(([, merge]) => merge);
  const names = [...new Set([...extra, ...pieces])];
  return { vocab: Object.fromEntries(names.map((name, id) => [name, id])), merges: shuffled };
}

function randomWord(random: () => number, alphabet: string[], length: number): string {
  return Array.from({ length: Math.floor(random() * length) }, () => pick(random, alphabet)).join("");
}

const BYTES = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`);

function compare(model: Model, texts: string[]): void {
  const tokenizer = load(model);
  for (const text of texts) {
    assert.equal([...tokenizer.encode(text)], plain(model, text), `${JSON.stringify(model)} ${JSON.stringify(text)}`);
  }
}

test("random vocabularies: the same ids as the plain algorithm, in short and long words", () => {
  const random = uniform(1);
  for (let round = 0; round < 60; round++) {
    const alphabet = [..."abcdé中🙂𝒜 \n"].slice(0, 2 + Math.floor(random() * 9));
    const model = randomModel(random, alphabet, ["<unk>"], 4 + Math.floor(random() * 60));
    const texts = Array.from({ length: 40 }, (_, i) => randomWord(random, alphabet, i < 30 ? 20 : 300));
    compare(
      model,
      texts.filter((text) => text !== ""),
    );
  }
});

test("unknown characters, alone and fused, between words that merge", () => {
  const random = uniform(2);
  for (let round = 0; round < 40; round++) {
    const model = randomModel(random, [..."abc"], ["<unk>"], 20);
    const full = { ...model, unk_token: "<unk>", fuse_unk: round % 2 === 0 };
    compare(full, Array.from({ length: 30 }, () => randomWord(random, [..."abcabcxé🙂"], 40)).filter(Boolean));
  }
});

test("byte tokens for characters without a piece", () => {
  const random = uniform(3);
  for (let round = 0; round < 20; round++) {
    const model = { ...randomModel(random, [..."ab é"], BYTES, 30), byte_fallback: true, unk_token: "<0x00>" };
    compare(model, Array.from({ length: 30 }, () => randomWord(random, [..."abab éx\n中🙂"], 60)).filter(Boolean));
  }
});

test("merges of byte tokens and of the unknown token are followed, too", () => {
  const random = uniform(4);
  for (let round = 0; round < 20; round++) {
    const alphabet = ["a", "b", "<0xE4>", "<0xB8>", "<0xAD>", "<unk>"];
    const model = randomModel(random, alphabet, ["<0x0A>"], 40);
    const full = { ...model, byte_fallback: true, unk_token: "<unk>", fuse_unk: round % 2 === 0 };
    compare(full, Array.from({ length: 30 }, () => randomWord(random, [..."abab中中\nx"], 60)).filter(Boolean));
  }
});

test("ignore_merges takes a whole word that is a piece, and only a whole one", () => {
  const random = uniform(5);
  for (let round = 0; round < 20; round++) {
    const model = randomModel(random, [..."abc"], ["cab", "bbbb", "abcabc"], 10);
    const texts = Array.from({ length: 40 }, () => randomWord(random, [..."abc"], 9)).filter(Boolean);
    compare({ ...model, ignore_merges: true }, ["cab", "bbbb", "abcabc", "xcab".slice(1), "cabc", ...texts]);
  }
});

test("of two merges for the same pair the later rank counts, as in the library", () => {
  const vocab = { a: 0, b: 1, c: 2, ab: 3, bc: 4 };
  const first: [string, string][] = [
    ["a", "b"],
    ["b", "c"],
  ];
  assert.equal([...load({ vocab, merges: first }).encode("abc")], [3, 2]);
  assert.equal([...load({ vocab, merges: [...first, ["a", "b"]] }).encode("abc")], [0, 4]);
});

test("a word of 300,000 characters that cannot be cut", () => {
  // powers of two of one letter: 300,000 = 2^18 + 2^15 + 2^12 + 2^9 + …, in pieces of at most 2^10
  const pieces = Array.from({ length: 11 }, (_, power) => "a".repeat(2 ** power));
  const vocab = Object.fromEntries(pieces.map((piece, id) => [piece, id]));
  const merges = pieces.slice(0, -1).map((piece): [string, string] => [piece, piece]);
  const ids = load({ vocab, merges }).encode("a".repeat(300_000));
  const rest = 300_000 % 1024;
  const expected = [...Array.from({ length: Math.floor(300_000 / 1024) }, () => 10), ...bits(rest)];
  assert.equal([...ids], expected);
});

/** The powers of two in `n`, highest first. */
function bits(n: number): number[] {
  return Array.from({ length: 10 }, (_, i) => 9 - i).filter((power) => (n >> power) & 1);
}

test("a text that has no ids is refused by name, and the tokenizer works on", () => {
  const tokenizer = load({ vocab: { a: 0 }, merges: [] });
  refusedSync(() => tokenizer.encode("aé"), "tokenizer", /U\+00E9 \("é"\).*neither a piece/);
  assert.equal([...tokenizer.encode("aa")], [0, 0]);
});

test("a long text does not change what a short one gives afterwards", () => {
  const tokenizer = loadShape("llama2-legacy");
  const before = tokenizer.encodeWithOffsets("Hello, world é🙂");
  tokenizer.encodeWithOffsets("é🙂 ab".repeat(30_000));
  tokenizer.encode("é🙂 ab".repeat(30_000));
  assert.equal(tokenizer.encodeWithOffsets("Hello, world é🙂"), before);
});

test.run();
