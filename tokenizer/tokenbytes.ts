// tokenbytes.ts — the bytes that a token adds to a text, by the "decoder" of tokenizer.json (decode.ts has the texts).
//   ByteLevel: the bytes its characters name · ByteFallback: <0x0A> is one byte · anything else: its text in UTF-8
// What a decoder does to the two ends of a text alone (Strip after Fuse) is left out: it is nothing of a token.

import { BYTE_TOKEN } from "./decode.ts";
import { bytesOf } from "./bytechars.ts";
import { readPattern } from "./normalize.ts";
import { replaceText } from "./piece.ts";
import { byType, character, count, optionalText, stepsOf } from "./read.ts";
import type { Fields, Reader } from "./read.ts";

/** A token on its way: its text, or its bytes once they are known; undefined where a token alone has none. */
type Part = string | Uint8Array | undefined;
/** One step; `fused`: it sees a whole text, not tokens. */
type Step = (part: Part, fused: boolean) => Part;

/** The bytes of a token, spelt as the file spells it; undefined where the decoder makes them depend on other tokens. */
export type TokenBytes = (token: string) => Uint8Array | undefined;

/** A Replace may write this many times as much as it reads; published ones write less. */
const MAX_GROWTH = 16;
const utf8 = new TextEncoder();

const onText =
  (change: (text: string, fused: boolean) => Part): Step =>
  (part, fused) =>
    typeof part === "string" ? change(part, fused) : part;

/** The byte of a token like <0x0A>, or the token as it is. */
const fallback = (token: string): Part =>
  BYTE_TOKEN.test(token) ? Uint8Array.of(Number.parseInt(token.slice(3, 5), 16)) : token;

const replacing = (json: Fields, where: string): Step => {
  const pattern = readPattern(json["pattern"], `${where}.pattern`);
  const content = optionalText(json["content"], `${where}.content`) ?? "";
  const single = typeof pattern === "string" && pattern.length === 1;
  return onText((text, fused) => {
    if (fused && !single) return undefined; // it may reach over two tokens
    return replaceText(text, pattern, content, { where, most: MAX_GROWTH * (text.length + 16) });
  });
};

function stripping(json: Fields, where: string): Step {
  const content = character(json["content"], `${where}.content`);
  const [start, stop] = ["start", "stop"].map((key) => count(json[key], `${where}.${key}`, 2 ** 20));
  return onText((text, fused) => {
    if (fused) return text;
    let [from, to] = [0, text.length];
    for (let left = start; left > 0 && text.startsWith(content, from); left--) from += content.length;
    for (let left = stop; left > 0 && to > from && text.endsWith(content, to); left--) to -= content.length;
    return text.slice(from, to);
  });
}

const FUSE: Step = (part) => part;

const READERS: Readonly<Record<string, Reader<readonly Step[]>>> = {
  Sequence: (json, where, depth) =>
    stepsOf(json["decoders"], `${where}.decoders`, "decoders").flatMap((step, i) =>
      byType(step, `${where}.decoders[${i}]`, READERS, depth + 1),
    ),
  Replace: (json, where) => [replacing(json, where)],
  ByteFallback: () => [onText(fallback)],
  Fuse: () => [FUSE],
  Strip: (json, where) => [stripping(json, where)],
  Metaspace(json, where) {
    const replacement = character(json["replacement"], `${where}.replacement`);
    return [onText((text) => text.replaceAll(replacement, " "))];
  },
  ByteLevel: () => [onText((text) => bytesOf(text) ?? utf8.encode(text)), FUSE],
};

/** Reads a decoder that `readDecoder` has read before. Without one there is a space between tokens, which is no token's. */
export function readTokenBytes(json: unknown): TokenBytes {
  if (json === undefined || json === null) return () => undefined;
  const steps = byType(json, "decoder", READERS, 0);
  return (token) => {
    let part: Part = token;
    let fused = false;
    for (const step of steps) {
      part = step(part, fused);
      fused ||= step === FUSE;
    }
    return typeof part === "string" ? utf8.encode(part) : part;
  };
}

/** The same for a SentencePiece file: `space` is a space, and byte tokens are bytes where the file has such. */
export const sentencePieceBytes =
  (space: string, byteTokens: boolean): TokenBytes =>
  (token) => {
    const part = byteTokens ? fallback(token) : token;
    return typeof part === "string" ? utf8.encode(part.replaceAll(space, " ")) : part;
  };
