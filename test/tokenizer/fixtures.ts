// fixtures.ts — what the tokenizer tests share: the fixture folders, and random text.

import { readFileSync } from "node:fs";

import { Tokenizer } from "../../tokenizer/index.ts";

const folder = new URL("../fixtures/tokenizers/", import.meta.url);

export const SHAPES = [
  "llama2-legacy",
  "llama2-metaspace",
  "llama3",
  "smollm",
  "added-tokens",
  "mistral-v0.3-like",
] as const;

export const readText = (path: string): string => readFileSync(new URL(path, folder), "utf8");
export const readJson = (path: string): unknown => JSON.parse(readText(path));

export function loadShape(shape: string): Tokenizer {
  const chatTemplate = shape === "llama3" ? readText(`${shape}/chat_template.jinja`) : undefined;
  const tokenizerConfig = readText(`${shape}/tokenizer_config.json`);
  return Tokenizer.fromFiles({ tokenizerJson: readText(`${shape}/tokenizer.json`), tokenizerConfig, chatTemplate });
}

export const pick = <T>(random: () => number, from: ArrayLike<T>): T => from[Math.floor(random() * from.length)];

/** Text of up to `length` characters from all of Unicode, ASCII and white space more often; no surrogates. */
export function randomText(random: () => number, length: number): string {
  const ranges: readonly (readonly [number, number])[] = [
    [0x20, 0x7f],
    [0x61, 0x7b],
    [0x00, 0x21],
    [0xa0, 0x250],
    [0x300, 0x370],
    [0x400, 0x600],
    [0x2000, 0x2100],
    [0x2581, 0x2582],
    [0x4e00, 0x4f00],
    [0xe000, 0x10000],
    [0x1f300, 0x1f700],
    [0x10000, 0x110000],
  ];
  let text = "";
  const count = Math.floor(random() * length);
  for (let i = 0; i < count; i++) {
    const [from, to] = ranges[Math.floor(random() ** 2 * ranges.length)];
    text += String.fromCodePoint(from + Math.floor(random() * (to - from)));
  }
  return text;
}
