import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  extrapolationBound,
  extrapolationSum,
  interpolationBound,
  statedInterpolationBound,
} from "../../src/retrieval/bound.ts";
import { stream } from "../../src/retrieval/stream.ts";

const test = suite("retrieval bound");
// LLaMA 7B: 4096 / 32 elements per head, base 10000.
const [D, C] = [128, 10_000];
const near = (got: number, wanted: number, tolerance: number): void =>
  assert.ok(Math.abs(got - wanted) <= tolerance, `got ${got}, wanted ${wanted}`);

test("the paper's constant is 32 ln 10000", () => {
  near(D / statedInterpolationBound(D, C), 294.73, 0.005);
});

test("at distance 0 nothing turns: B(0) = Σ k", () => {
  near(extrapolationSum(0, D, C), (64 * 65) / 2, 1e-9);
});

test("the extrapolation bound is more than 600 times the interpolation bound wherever the paper says", () => {
  for (let s = 1; s <= 4096; s++) {
    assert.ok(extrapolationSum(s, D, C) >= D, `B(${s}) ≥ d`);
    const ratio = extrapolationBound(s, D, C) / statedInterpolationBound(D, C);
    assert.ok(ratio > 2 * 294.73, `${s}: ${ratio}`);
  }
});

test("the bound with the sum evaluated is 15 % above the printed one, and still beats extrapolation 500 times", () => {
  near(interpolationBound(D, C) / statedInterpolationBound(D, C), 1.1508, 1e-4);
  near(interpolationBound(D, C), (1 - C ** -2) / (1 - C ** (-4 / D)) / 8, 1e-12);
  for (let s = 1; s <= 4096; s++) assert.ok(extrapolationBound(s, D, C) / interpolationBound(D, C) > 500);
});

/** a(s) = Re Σ h_j e^{isθ_j} with |h_j| ≤ 1. */
function score(h: readonly (readonly [number, number])[], s: number): number {
  return h.reduce((sum, [size, phase], j) => sum + size * Math.cos(s * C ** ((-2 * j) / D) + phase), 0);
}

test("both bounds hold for random scores; the printed one is broken by a score made for it", () => {
  const random = stream("bound");
  for (let round = 0; round < 50; round++) {
    const h = Array.from({ length: D / 2 }, (): [number, number] => [
      random.below(1000) / 1000,
      random.below(6283) / 1000,
    ]);
    for (const s of [3, 700, 2048, 4000]) {
      const line = (score(h, s) + score(h, s + 1)) / 2;
      assert.ok(Math.abs(score(h, s + 0.5) - line) <= interpolationBound(D, C));
      assert.ok(Math.abs(score(h, s)) <= extrapolationBound(s, D, C));
    }
  }
  // All waves at their crest at 100.5: the departure from the line is largest there.
  const crest = Array.from({ length: D / 2 }, (_, j): [number, number] => [1, -100.5 * C ** ((-2 * j) / D)]);
  const departure = score(crest, 100.5) - (score(crest, 100) + score(crest, 101)) / 2;
  assert.ok(departure > statedInterpolationBound(D, C), `${departure}`);
  assert.ok(departure <= interpolationBound(D, C), `${departure}`);
});

test.run();
