import { suite } from "uvu";
import * as assert from "uvu/assert";
import { refusedSync } from "../tools/refused.ts";
import { Random, splitMix64, xoshiro128 } from "../../src/generate/random.ts";

const test = suite("random");

test("xoshiro128** gives the published numbers for the state 1, 2, 3, 4", () => {
  // From the reference C code, as in the tests of the Rust crate rand_xoshiro.
  const state = Uint32Array.of(1, 2, 3, 4);
  assert.equal(
    Array.from({ length: 10 }, () => xoshiro128(state)),
    [11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849, 3729100597, 4258142804],
  );
  for (let i = 10; i < 999_999; i++) xoshiro128(state);
  assert.is(xoshiro128(state), 3457443141); // the millionth, by the same code in Python's integers
});

test("SplitMix64 gives the published numbers for the seed 1234567", () => {
  assert.equal(splitMix64(1234567n, 5), BigUint64Array.of(6457827717110365317n, 3203168211198807973n, 9817491932198370423n, 4593380528125082431n, 16408922859458223821n)); // prettier-ignore
});

test("a seed gives the same numbers on every machine", () => {
  // By an independent transcription of both algorithms in Python's integers.
  const known: [number, number[], number][] = [
    [0, [3737715805, 2584255861, 2876756834, 3286328325, 1553311962], 0.870254774404272],
    [1, [1695105466, 1423115009, 634581793, 1068227753, 716759206], 0.3946724931250869],
    [42, [1776835114, 4165204688, 17111135, 2317295270, 2792088233], 0.4137016681565887],
    [2 ** 53 - 1, [1233166643, 1287031142, 661813442, 2960669951, 2601079046], 0.2871189810310325],
  ];
  for (const [seed, numbers, fraction] of known) {
    const random = new Random(seed);
    assert.equal(
      Array.from({ length: 5 }, () => random.uint32()),
      numbers,
    );
    assert.is(new Random(seed).float(), fraction);
    assert.is(random.seed, seed);
  }
});

test("float is uniform in [0, 1): chi-square over 64 bins, mean and variance", () => {
  const random = new Random(7);
  const draws = 100_000;
  const counts = new Float64Array(64);
  let [sum, squares] = [0, 0];
  for (let i = 0; i < draws; i++) {
    const value = random.float();
    assert.ok(value >= 0 && value < 1);
    counts[Math.floor(64 * value)]++;
    sum += value;
    squares += value * value;
  }
  const expected = draws / 64;
  const chi = counts.reduce((total, count) => total + (count - expected) ** 2 / expected, 0);
  // 63 degrees of freedom: 99.99 % quantile 112; far below 63 would be suspicious too (0.01 %: 30)
  assert.ok(chi > 30 && chi < 112, `${chi}`);
  // five standard deviations of the mean of 100 000 uniform numbers, and of their squares
  assert.ok(Math.abs(sum / draws - 1 / 2) < (5 * Math.sqrt(1 / 12)) / Math.sqrt(draws));
  assert.ok(Math.abs(squares / draws - 1 / 3) < (5 * Math.sqrt(4 / 45)) / Math.sqrt(draws));
});

test("without a seed every stream is another one, and its seed repeats it", () => {
  const streams = Array.from({ length: 20 }, () => new Random());
  assert.is(new Set(streams.map(({ seed }) => seed)).size, 20);
  for (const random of streams) {
    assert.ok(Number.isSafeInteger(random.seed) && random.seed >= 0);
    assert.is(new Random(random.seed).float(), random.float());
  }
});

test("streams do not disturb each other", () => {
  const [a, b] = [new Random(5), new Random(5)];
  const first = [a.float(), a.float()];
  new Random(6).float();
  assert.equal([b.float(), b.float()], first);
});

test("a seed that is none is refused", () => {
  for (const [seed, shown] of [
    [-1, "-1"],
    [0.5, "0.5"],
    [NaN, "NaN"],
    [2 ** 53, "9007199254740992"],
    ["1", '"1"'],
    [null, "null"],
  ] as const)
    refusedSync(
      () => new Random(seed as number),
      "request",
      `seed: must be a whole number from 0 to 2^53 - 1, got ${shown}`,
    );
});

test.run();
