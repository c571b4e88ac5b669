import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  DEFAULT_SEQUENTIAL,
  binomialAtMost,
  clusterError,
  exactInterval,
  sameRate,
  settled,
  wilson,
} from "../../src/retrieval/stats.ts";
import { stream } from "../../src/retrieval/stream.ts";

const test = suite("retrieval stats");
const near = (got: number, wanted: number, tolerance = 5e-5): void =>
  assert.ok(Math.abs(got - wanted) <= tolerance, `got ${got}, wanted ${wanted}`);

test("Wilson's interval", () => {
  // Values of Wilson's formula as R's binom.wilson and statsmodels' proportion_confint(method="wilson") print them.
  for (const [found, tries, low, high] of [
    [0, 10, 0, 0.27753],
    [9, 10, 0.59585, 0.98213],
    [50, 50, 0.92865, 1],
    [81, 263, 0.25526, 0.36618], // Newcombe 1998, table I: 0.2553 to 0.3662
    [15, 148, 0.06238, 0.16049], // the same: 0.0624 to 0.1605
  ]) {
    const interval = wilson(found, tries);
    near(interval.low, low);
    near(interval.high, high);
  }
  assert.equal(wilson(0, 0), { low: 0, high: 1 });
  assert.throws(() => wilson(3, 2), /0 ≤ found ≤ tries, got 3 of 2/);
  assert.throws(() => wilson(0.5, 2), /whole numbers/);
});

test("the exact interval of Clopper and Pearson", () => {
  for (const [found, tries, low, high] of [
    [0, 50, 0, 0.07112], // 1 - 0.025^(1/50)
    [50, 50, 0.92888, 1],
    [81, 263, 0.2527, 0.3676], // Newcombe 1998, table I
    [15, 148, 0.0578, 0.1617],
    [1, 29, 0.0009, 0.1776],
  ]) {
    const interval = exactInterval(found, tries);
    near(interval.low, low);
    near(interval.high, high);
  }
});

test("the exact interval covers at least its confidence, at every rate", () => {
  for (const rate of [0.03, 0.2, 0.5, 0.77, 0.99]) {
    const tries = 20;
    let covered = 0;
    for (let k = 0; k <= tries; k++) {
      const { low, high } = exactInterval(k, tries);
      if (low <= rate && rate <= high) covered += binomialAtMost(k, tries, rate) - binomialAtMost(k - 1, tries, rate);
    }
    assert.ok(covered >= 0.95, `rate ${rate}: ${covered}`);
  }
});

test("binomial sums", () => {
  near(binomialAtMost(3, 10, 0.5), 176 / 1024, 1e-12);
  near(binomialAtMost(9, 10, 0.5), 1023 / 1024, 1e-12);
  assert.is(binomialAtMost(10, 10, 0.3), 1);
  assert.is(binomialAtMost(-1, 10, 0.3), 0);
  assert.is(binomialAtMost(3, 10, 1), 0);
});

test("Fisher's exact test", () => {
  near(sameRate({ found: 3, tries: 4 }, { found: 1, tries: 4 }), 34 / 70, 1e-12); // the lady tasting tea
  near(sameRate({ found: 1, tries: 12 }, { found: 9, tries: 12 }), 0.002759, 1e-6); // Wikipedia's example
  assert.is(sameRate({ found: 0, tries: 10 }, { found: 0, tries: 10 }), 1);
  const cell = { found: 3, tries: 4, failures: [], exact: 2 }; // a cell of a report is a rate and more
  near(sameRate(cell, { found: 1, tries: 4 }), 34 / 70, 1e-12);
  near(sameRate({ found: 5, tries: 10 }, { found: 50, tries: 100 }), 1, 1e-9);
});

test("the sequential test decides as its bounds say", () => {
  const after = (outcomes: string): string =>
    settled([...outcomes].filter((each) => each === "+").length, outcomes.length, DEFAULT_SEQUENTIAL);
  // ln 1.8 = 0.588 a success, ln 0.2 = -1.609 a failure, bounds ± ln 19 = 2.944
  assert.is(after("+++++"), "open");
  assert.is(after("++++++"), "pass");
  assert.is(after("-"), "open");
  assert.is(after("--"), "fail");
  assert.is(after("++++-+++"), "open");
  assert.is(after("++++-++++"), "pass");
  assert.throws(() => settled(1, 1, { fail: 0.9, pass: 0.5, error: 0.05 }), /0 < fail < pass < 1/);
});

test("the sequential test errs about as often as it is allowed to, and stops early", () => {
  for (const [rate, wrong] of [
    [0.9, "fail"],
    [0.5, "pass"],
  ] as const) {
    const random = stream("sprt", rate);
    let [errors, tries] = [0, 0];
    const runs = 4000;
    for (let run = 0; run < runs; run++) {
      let [found, n] = [0, 0];
      for (;;) {
        n++;
        if (random.below(1000) < rate * 1000) found++;
        const outcome = settled(found, n, DEFAULT_SEQUENTIAL);
        if (outcome === "open") continue;
        if (outcome === wrong) errors++;
        break;
      }
      tries += n;
    }
    // Wald: error ≤ 0.05 / 0.95 = 0.0526; three standard deviations of 4000 runs are 0.011
    assert.ok(errors / runs < 0.064, `${errors} of ${runs}`);
    assert.ok(tries / runs < 12, `${tries / runs} tries on average`);
  }
});

test("standard error of a mean over clusters", () => {
  near(clusterError([2, 4, 6], [1, 1, 1]), 2 / Math.sqrt(3), 1e-12); // sd 2, three values
  near(clusterError([4, 8, 12], [2, 2, 2]), 2 / Math.sqrt(3), 1e-12); // the same means
  assert.ok(Number.isNaN(clusterError([3], [1])));
  near(clusterError([5, 10], [5, 10]), 0, 1e-12);
});

test.run();
