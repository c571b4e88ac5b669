// Look-up of n-grams against a search of the whole text.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Lookup, type Match } from "../../src/generate/lookup.ts";
import { whole } from "../tools/random.ts";

const test = suite("lookup");

/** The longest earlier run of up to `ngramSize` tokens that the text ends with, of equal ones the latest: from the definition. */
function longest(text: readonly number[], ngramSize: number): Match | undefined {
  for (let size = Math.min(ngramSize, text.length); size > 0; size--) {
    const tail = text.slice(-size).join();
    for (let end = text.length - 1; end >= size; end--) {
      if (text.slice(end - size, end).join() === tail) return { end, size };
    }
  }
  return undefined;
}

test("the longest match, of equal ones the latest", () => {
  const random = whole(1);
  let found = 0;
  for (let i = 0; i < 600; i++) {
    const [vocab, ngramSize] = [1 + random(9), 1 + random(5)];
    const lookup = new Lookup(ngramSize);
    const text: number[] = [];
    while (text.length < 40) {
      const more = Array.from({ length: random(4) }, () => random(vocab));
      text.push(...more);
      lookup.push(more);
      const want = longest(text, ngramSize);
      assert.equal(lookup.find(), want, `${text.join()} by ${ngramSize}`);
      found += Number(want !== undefined && want.size > 1);
    }
  }
  assert.ok(found > 1000, `${found} matches of more than one token`);
});

test("nothing is found in nothing, nor for a token that is new", () => {
  const lookup = new Lookup(3);
  assert.is(lookup.find(), undefined);
  lookup.push([1, 2, 1, 2, 3]);
  assert.is(lookup.find(), undefined);
});

test("what followed a match is copied, round and round where the text ends before that", () => {
  const lookup = new Lookup(3);
  lookup.push([5, 1, 2, 3, 4, 9, 1, 2]);
  const match = lookup.find()!;
  assert.equal(match, { end: 3, size: 2 });
  assert.equal(lookup.copy(match, 0), []);
  assert.equal(lookup.copy(match, 3), [3, 4, 9]);
  assert.equal(lookup.copy(match, 9), [3, 4, 9, 1, 2, 3, 4, 9, 1]);
  const same = new Lookup(2);
  same.push([7, 7, 7]);
  assert.equal(same.copy(same.find()!, 4), [7, 7, 7, 7]);
});

test("a text of a million tokens is looked up in bounded time", () => {
  const lookup = new Lookup(3);
  // Each second token is 0, after tokens that never repeat: half a million places, none longer than one token.
  lookup.push([999_999, 0]); // too far back to be found
  lookup.push(Array.from({ length: 1_000_000 }, (_, i) => (i % 2 === 0 ? i + 1 : 0)));
  assert.equal(lookup.find(), { end: 1_000_000, size: 1 });
});

test.run();
