// Every normalizer and pre-tokenizer by itself and in rows, on the texts of fixtures/tokenizers/kinds: pieces and offsets as
// the Rust library gives them.

import * as assert from "uvu/assert";
import { suite } from "uvu";

import { readNormalizer } from "../../tokenizer/normalize.ts";
import { original } from "../../tokenizer/piece.ts";
import type { Piece } from "../../tokenizer/piece.ts";
import { readPreTokenizer } from "../../tokenizer/pretokenize.ts";
import { readJson } from "./fixtures.ts";
import { modern, sameAnswers, texts, withMaps } from "./kinds.ts";
import type { Answers } from "./kinds.ts";

type Row = readonly [text: string, start: number, end: number];
interface Case extends Answers<Row[]> {
  normalizer: object | null;
  pre_tokenizer: object | null;
  modern: Row[][] | null;
}

const test = suite("steps");
const cases = readJson("kinds/steps.json") as Record<string, Case>;

/** What becomes of `text`: pieces with their range in it in code points; without a pre-tokenizer one for each character. */
function runner({ normalizer, pre_tokenizer }: Case): (text: string) => Row[] {
  const normalize = readNormalizer(withMaps(normalizer), "normalizer");
  const { split } = readPreTokenizer(pre_tokenizer, "pre_tokenizer", false);
  const whole = (text: string, traced: boolean): Piece[] => {
    const piece = original(text, 0, text.length, traced);
    return split(normalize?.(piece) ?? piece).filter((part) => part.text !== "");
  };
  return (text) => {
    const points = new Map([[0, 0]]);
    let at = 0;
    for (const char of text) points.set((at += char.length), points.size);
    const traced = whole(text, true);
    assert.equal(
      traced.map((part) => part.text),
      whole(text, false).map((part) => part.text),
      "tracing changes nothing",
    );
    if (pre_tokenizer !== null) {
      return traced.map(({ text, origin }) => [text, points.get(origin![0])!, points.get(origin!.at(-1)!)!]);
    }
    return traced.flatMap(({ text, origin }) => {
      let unit = 0;
      return Array.from(text, (char): Row => {
        const range = origin!.subarray(2 * unit, 2 * (unit + char.length));
        unit += char.length;
        return [char, points.get(range[0])!, points.get(range.at(-1)!)!];
      });
    });
  };
}

for (const [name, expected] of Object.entries(cases)) {
  test(`${name}: pieces and offsets of ${texts.length} texts`, () => {
    const run = runner(expected);
    sameAnswers(expected, run);
    for (const [i, rows] of (expected.modern ?? []).entries()) assert.equal(run(modern[i]), rows, modern[i]);
  });
}

test.run();
