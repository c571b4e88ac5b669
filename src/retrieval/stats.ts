// stats.ts — how sure a count of successes makes one: intervals, a comparison of two counts, and when to stop early.

import { LlariatError } from "../error.ts";
import { isObject } from "../text/json.ts";
import { type Kinds, checkNumber, checkOptions, reading } from "../text/options.ts";
import { display } from "../text/wording.ts";

/** A confidence interval of a rate, both ends in [0, 1]. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** The 97.5 % quantile of the normal distribution: two-sided 95 %. */
const Z95 = 1.959963984540054;

/** What is summed try by try must end: of a million tries an interval is narrower than a thousandth, and takes seconds. */
const MOST_TRIES = 2 ** 20;

function check(found: number, tries: number, most = Number.MAX_SAFE_INTEGER): void {
  if (!(Number.isInteger(found) && Number.isInteger(tries) && found >= 0 && tries >= found)) {
    throw new LlariatError(
      "request",
      `a rate needs whole numbers 0 ≤ found ≤ tries, got ${display(found)} of ${display(tries)}`,
    );
  }
  if (tries > most) throw new LlariatError("request", `a rate needs at most ${most} tries here, got ${tries}`);
}

/**
 * Wilson's score interval of a rate (Wilson 1927, equation 4), 95 % by default; [0, 1] when nothing was tried. It keeps
 * close to its nominal coverage at rates near 0 and 1 and for few tries, where the usual normal interval does not.
 */
export function wilson(found: number, tries: number, z = Z95): Interval {
  check(found, tries);
  checkNumber("z", z, 0);
  return scoreInterval(found, tries, z);
}

/**
 * The same for the mean of scores between 0 and 1, whose sum need not be whole. With a given mean none vary more than those
 * that are 0 or 1, so the interval is at least as wide as it has to be.
 */
export function scoreInterval(found: number, tries: number, z = Z95): Interval {
  if (tries === 0) return { low: 0, high: 1 };
  const rate = found / tries;
  const scale = 1 + (z * z) / tries;
  const middle = (rate + (z * z) / (2 * tries)) / scale;
  const half = (z * Math.sqrt((rate * (1 - rate)) / tries + (z * z) / (4 * tries * tries))) / scale;
  return { low: found === 0 ? 0 : middle - half, high: found === tries ? 1 : middle + half };
}

/** ln Γ(x) for x ≥ 1 by Stirling's series from 10 on, where its first four terms leave less than 1e-12. */
function logGamma(x: number): number {
  let product = 1;
  for (; x < 10; x++) product *= x;
  const series = 1 / (12 * x) - 1 / (360 * x ** 3) + 1 / (1260 * x ** 5) - 1 / (1680 * x ** 7);
  return (x - 0.5) * Math.log(x) - x + Math.log(2 * Math.PI) / 2 + series - Math.log(product);
}

/** k · ln p, where nothing to explain costs nothing, whatever p. */
const logPower = (k: number, p: number): number => (k === 0 ? 0 : k * Math.log(p));

/**
 * An interval of a mean score that holds at every number of tries at once with 95 %, so that one may look after each and
 * stop: the rates against which the tries weigh less than 20 to 1, all other rates being as likely beforehand (Robbins 1970,
 * "Statistical methods related to the law of the iterated logarithm", section 2; Ville's inequality). For scores between 0
 * and 1 too, for the weight of such a one is at most its mean between those of 0 and 1. [0, 1] when nothing was tried.
 */
export function anytimeInterval(found: number, tries: number): Interval {
  if (tries === 0) return { low: 0, high: 1 };
  const [rate, missed] = [found / tries, tries - found];
  const mixed = logGamma(found + 1) + logGamma(missed + 1) - logGamma(tries + 2);
  const against = (p: number): number => mixed - logPower(found, p) - logPower(missed, 1 - p);
  const level = Math.log(20);
  return {
    low: found === 0 ? 0 : rate * crossing((share) => against(rate * share), level),
    high: missed === 0 ? 1 : 1 - (1 - rate) * crossing((share) => against(1 - (1 - rate) * share), level),
  };
}

const logFactorials = [0];
function logFactorial(n: number): number {
  for (let i = logFactorials.length; i <= n; i++) logFactorials.push(logFactorials[i - 1] + Math.log(i));
  return logFactorials[n];
}

const logChoose = (n: number, k: number): number => logFactorial(n) - logFactorial(k) - logFactorial(n - k);

/** P(X ≤ found) for a binomial X with `tries` trials of probability `rate`. */
export function binomialAtMost(found: number, tries: number, rate: number): number {
  if (found < 0) return 0;
  if (found >= tries || rate <= 0) return 1;
  if (rate >= 1) return 0;
  let sum = 0;
  for (let k = 0; k <= found; k++) {
    sum += Math.exp(logChoose(tries, k) + k * Math.log(rate) + (tries - k) * Math.log1p(-rate));
  }
  return Math.min(1, sum);
}

/** Where a function that falls from above `level` to below it crosses it, in [0, 1]; 60 halvings exhaust a double. */
function crossing(falling: (rate: number) => number, level: number): number {
  let [low, high] = [0, 1];
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (falling(middle) > level) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/**
 * The exact binomial interval (Clopper & Pearson 1934): the rates under which neither this few nor this many successes
 * would be rarer than `(1 - confidence) / 2`. Never too narrow, so it suits tests that must not fail by chance.
 */
export function exactInterval(found: number, tries: number, confidence = 0.95): Interval {
  check(found, tries, MOST_TRIES);
  checkNumber("confidence", confidence, 0, 1);
  const tail = (1 - confidence) / 2;
  return {
    low: found === 0 ? 0 : crossing((rate) => binomialAtMost(found - 1, tries, rate), 1 - tail),
    high: found === tries ? 1 : crossing((rate) => binomialAtMost(found, tries, rate), tail),
  };
}

/**
 * Fisher's exact test, two-sided: the probability, if both counts had the same rate, of a split at least as uneven as this
 * one. Small values say that the rates differ.
 */
export function sameRate(
  one: { readonly found: number; readonly tries: number },
  other: { readonly found: number; readonly tries: number },
): number {
  const [a, b] = [rateOf("a", one), rateOf("b", other)];
  const total = a.found + b.found;
  const all = logChoose(a.tries + b.tries, total);
  const probability = (k: number) => Math.exp(logChoose(a.tries, k) + logChoose(b.tries, total - k) - all);
  const seen = probability(a.found);
  let sum = 0;
  for (let k = Math.max(0, total - b.tries); k <= Math.min(a.tries, total); k++) {
    const p = probability(k);
    if (p <= seen * (1 + 1e-9)) sum += p; // equal splits on the other side differ in their last bits
  }
  return Math.min(1, sum);
}

/** The two numbers of a rate, read once; a cell of a report has more. */
function rateOf(subject: string, given: unknown): { readonly found: number; readonly tries: number } {
  return reading(subject, () => {
    if (!isObject(given)) throw new LlariatError("request", `must be an object, got ${display(given)}`, { subject });
    const { found, tries } = given;
    check(found as number, tries as number, MOST_TRIES);
    return { found: found as number, tries: tries as number };
  });
}

/**
 * McNemar's test (McNemar 1947) of two outcomes on the same items, exact and two-sided: of the items that only one of the two
 * found, the probability of a split at least as uneven as this one if either is as likely. 1 where there are none.
 * @throws LlariatError("request") unless both are whole numbers ≥ 0.
 */
export function mcnemar(onlyOne: number, onlyOther: number): number {
  check(onlyOne, Number.MAX_SAFE_INTEGER);
  check(onlyOther, Number.MAX_SAFE_INTEGER);
  const discordant = onlyOne + onlyOther;
  check(onlyOne, discordant, MOST_TRIES);
  return Math.min(1, 2 * binomialAtMost(Math.min(onlyOne, onlyOther), discordant, 0.5));
}

/** When a cell is decided early: rates of `fail` and less are to be told from rates of `pass` and more. */
export interface SequentialRule {
  readonly fail: number;
  readonly pass: number;
  /** Chance of a wrong decision at exactly `fail` or `pass`. */
  readonly error: number;
}

const RULE: Kinds<SequentialRule> = { fail: "any", pass: "any", error: "any" };

/** One failure in two against one in ten: six successes in a row, or two failures, decide. */
export const DEFAULT_SEQUENTIAL: SequentialRule = { fail: 0.5, pass: 0.9, error: 0.05 };

/**
 * Wald's sequential probability ratio test (Wald 1945): "pass" or "fail" as soon as the tries so far say so with the
 * rule's error, else "open". @throws LlariatError("request") unless 0 < fail < pass < 1 and 0 < error < 0.5.
 */
export function settled(found: number, tries: number, rule: SequentialRule): "pass" | "fail" | "open" {
  check(found, tries);
  const { fail, pass, error } = checkOptions<SequentialRule>(rule, RULE, "sequential");
  for (const [name, value] of Object.entries({ fail, pass, error })) checkNumber(`sequential.${name}`, value);
  if (!(fail > 0 && fail < pass && pass < 1 && error > 0 && error < 0.5)) {
    throw new LlariatError(
      "request",
      `sequential: needs 0 < fail < pass < 1 and 0 < error < 0.5, got fail ${fail}, pass ${pass}, error ${error}`,
    );
  }
  const evidence = found * Math.log(pass / fail) + (tries - found) * Math.log((1 - pass) / (1 - fail));
  const bound = Math.log((1 - error) / error);
  return evidence >= bound ? "pass" : evidence <= -bound ? "fail" : "open";
}

/**
 * Standard error of `Σ sums / Σ counts`, a mean over clusters of correlated values (the linearised ratio estimator,
 * Cochran 1977, section 6.4): tokens of one window share their context, so windows, not tokens, are independent.
 * NaN for fewer than two clusters.
 */
export function clusterError(sums: readonly number[], counts: readonly number[]): number {
  const clusters = sums.length;
  if (clusters < 2) return NaN;
  const total = counts.reduce((sum, count) => sum + count, 0);
  const mean = sums.reduce((sum, value) => sum + value, 0) / total;
  const squares = sums.reduce((sum, value, i) => sum + (value - mean * counts[i]) ** 2, 0);
  return Math.sqrt((clusters / (clusters - 1)) * squares) / total;
}
