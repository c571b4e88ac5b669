// fit.ts — filler to a length in tokens, exactly and in linear time.
//
// Tokenizers do not add up: a piece may cost another number of tokens beside other neighbours. So each piece is counted
// once, after a neighbour of its own kind; the sum tells where to stop; the whole prompt is counted; what the sum was off
// by is taken from the goal, and that settles within a few rounds, because joints cost about the same everywhere. A fixed
// number of whole counts and one short count per piece: linear in the length of the prompt. What can only be made as a whole
// from a number (`largest`) is counted as a whole each time, a bounded number of times.

import { LlariatError } from "../../error.ts";
import type { CountTokens } from "../engine.ts";

/** Whole counts of the prompt before the best length so far is taken. */
const ROUNDS = 12;
/**
 * Lines from which the last ones are chosen so that the sum comes out, and how many those are. Lines of hexadecimal digits
 * have 13 to 18 tokens with the Llama vocabularies, mostly 16 to 18: eight lines of 18 reach as far as nine of 16, so from
 * there on every sum exists, and with three times that many it exists in nearly every pool.
 */
const POOL = 64;
const CHOSEN = 24;
/** The pool where a short prompt needs lines of a rare length. */
const LARGE_POOL = 512;
/** Units left and right of the best cut that are tried one by one. */
const NEAR = 12;

/** Estimated tokens of pieces, each counted once after `neighbour`. */
function pricer(count: CountTokens, neighbour: string): (piece: string) => number {
  const alone = count(neighbour);
  const known = new Map<string, number>();
  return (piece) => {
    let price = known.get(piece);
    if (price === undefined) known.set(piece, (price = Math.max(0, count(neighbour + piece) - alone)));
    return price;
  };
}

function tooShort(target: number, least: number): never {
  throw new LlariatError(
    "request",
    `prompt length: ${target} tokens are too few, the prompt without any filler has ${least}; ask for more`,
  );
}

/**
 * The largest n from `least` to `most` whose prompt has at most `target` tokens, for prompts that grow with n: by
 * interpolation between a prompt that fits and one that does not, halving every third time. About eight counts.
 * @throws LlariatError("request") if the prompt is longer already with `least`.
 */
export function largest(target: number, least: number, most: number, tokensAt: (n: number) => number): number {
  let [low, high] = [least, most + 1];
  let lowTokens = tokensAt(low);
  if (lowTokens > target) tooShort(target, lowTokens);
  let highTokens: number | undefined;
  for (let round = 1; high - low > 1; round++) {
    const slope =
      ((highTokens ?? lowTokens) - (highTokens === undefined ? 0 : lowTokens)) /
      (highTokens === undefined ? low : high - low);
    const guess = low + Math.round((target - lowTokens) / Math.max(slope, 1e-3));
    const n =
      round % 3 === 0 && highTokens !== undefined ? (low + high) >> 1 : Math.max(low + 1, Math.min(high - 1, guess));
    const tokens = tokensAt(n);
    if (tokens <= target) [low, lowTokens] = [n, tokens];
    else [high, highTokens] = [n, tokens];
  }
  return low;
}

/** Goal of lines that cannot be cut. */
export interface LineGoal {
  readonly target: number;
  readonly count: CountTokens;
  /** Draws a further line. */
  readonly draw: () => string;
  /** The whole prompt around lines. */
  readonly compose: (lines: readonly string[]) => string;
}

/**
 * Lines with which the prompt has `target` tokens, or the most below that the lines' lengths allow. Where lines differ in
 * tokens, the last few are chosen from a pool so that the sum comes out exactly.
 * @throws LlariatError("request") if the prompt is longer without any line.
 */
export function fitLines({ target, count, draw, compose }: LineGoal): string[] {
  const bare = count(compose([]));
  if (bare > target) tooShort(target, bare);
  const price = pricer(count, draw());
  const pool = Array.from({ length: POOL }, draw);
  let prices = pool.map(price);
  const reserve = CHOSEN * Math.max(...prices, 1);
  const lines: string[] = [];
  let sum = bare;
  let bias = 0; // what whole prompts have beyond the sum of their parts
  let best: string[] = [];
  let bestTokens = bare;
  for (let round = 0; round < ROUNDS; round++) {
    while (target - sum - bias > reserve) {
      const line = draw();
      lines.push(line);
      sum += Math.max(1, price(line));
    }
    while (target - sum - bias < 0 && lines.length > 0) sum -= Math.max(1, price(lines.pop()!));
    const goal = Math.max(0, target - sum - bias);
    let chosen = subset(prices, goal);
    if (total(prices, chosen) < goal && pool.length < LARGE_POOL && prices.some((each) => each !== prices[0])) {
      while (pool.length < LARGE_POOL) pool.push(draw());
      prices = pool.map(price);
      chosen = subset(prices, goal);
    }
    const all = [...lines, ...chosen.map((i) => pool[i])];
    const tokens = count(compose(all));
    if (tokens <= target && tokens > bestTokens) [best, bestTokens] = [all, tokens];
    const found = tokens - sum - total(prices, chosen);
    if (tokens === target || found === bias) break;
    bias = found;
    pool.unshift(...pool.splice(-7)); // joints differ too: other lines of the same sum may do
    prices = pool.map(price);
  }
  return best;
}

const total = (prices: readonly number[], chosen: readonly number[]): number =>
  chosen.reduce((sum, i) => sum + prices[i], 0);

/** Indices of distinct items whose sum is `goal`, or the largest below it that items make; fewest table cells first. */
function subset(prices: readonly number[], goal: number): number[] {
  const last = new Int32Array(goal + 1).fill(-1); // the item that first reached each sum
  const reachable = new Uint8Array(goal + 1);
  reachable[0] = 1;
  prices.forEach((price, item) => {
    if (price <= 0) return;
    for (let sum = goal; sum >= price; sum--) {
      if (!reachable[sum] && reachable[sum - price]) [reachable[sum], last[sum]] = [1, item];
    }
  });
  const chosen: number[] = [];
  for (let sum = reachable.lastIndexOf(1); sum > 0; sum -= prices[last[sum]]) chosen.push(last[sum]);
  return chosen.reverse();
}

/** Words with the space before them; what has no spaces is taken 24 characters at a time. */
const WORDS = /\s*\S{1,24}|\s+$/gu;

/** Goal of running text that may be cut. */
export interface TextGoal {
  readonly target: number;
  readonly count: CountTokens;
  /** Filler; may be far longer than needed, only its beginning is read. */
  readonly text: string;
  /** The whole prompt around a beginning of the text. */
  readonly compose: (filler: string) => string;
  /** What is taken as a whole while counting: by default a word with the space before it. Matches all of the text. */
  readonly pieces?: RegExp;
  /** What pieces are counted after; by default a short word. */
  readonly neighbour?: string;
  /** Whether the last piece may be cut where the length asks for it. Default true. */
  readonly cut?: boolean;
}

/**
 * How many UTF-16 units of the text to take, so that the prompt has `target` tokens, or the most below that.
 * @throws LlariatError("request") if the prompt is longer without any filler, or shorter with all of it.
 */
export function fitText(goal: TextGoal): number {
  const { target, count, text, compose, pieces = WORDS, neighbour = "a", cut = true } = goal;
  const tokensAt = (end: number): number => count(compose(text.slice(0, end)));
  const bare = tokensAt(0);
  if (bare > target) tooShort(target, bare);
  const found = text.matchAll(pieces);
  const price = pricer(count, neighbour);
  const ends = [0];
  const sums = [bare];
  /** The last piece boundary whose estimated sum is at most `goal`; pieces are read as far as that takes. */
  const boundary = (goal: number): number => {
    while (sums[sums.length - 1] <= goal) {
      const next = found.next();
      if (next.done) break;
      ends.push(next.value.index + next.value[0].length);
      sums.push(sums[sums.length - 1] + price(next.value[0]));
    }
    let low = 0;
    let high = sums.length; // the estimate never falls, so the boundary is found by halving
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if (sums[middle] <= goal) low = middle;
      else high = middle;
    }
    return low;
  };
  let [below, belowTokens] = [0, bare]; // the best boundary so far
  let above = Infinity; // the first boundary known to be too long
  let want = target;
  for (let round = 0; round < ROUNDS; round++) {
    let at = boundary(want);
    if (at >= above) at = above - 1;
    if (at <= below) at = Math.min(below + 1, ends.length - 1);
    if (at === below || at >= above) break;
    const tokens = tokensAt(ends[at]);
    if (tokens > target) above = at;
    else [below, belowTokens] = [at, tokens];
    if (tokens === target) return ends[at];
    want = sums[at] + target - tokens;
  }
  if (above === Infinity && below === ends.length - 1) {
    throw new LlariatError(
      "request",
      `prompt length: ${target} tokens need more filler text, all of it gives ${belowTokens}; give a longer text`,
    );
  }
  return cut
    ? cutPiece(text, [ends[below], ends[Math.min(below + 1, ends.length - 1)]], target, tokensAt)
    : ends[below];
}

/**
 * The cut in or near one piece that has the target's tokens, or the most below it. More text is rarely fewer tokens, so
 * halving nearly always finds it; a few cuts around are tried where a word's beginning costs more than the word.
 */
function cutPiece(text: string, piece: [number, number], target: number, tokensAt: (end: number) => number): number {
  let [low, high] = piece;
  let [best, bestTokens] = [low, -1];
  const isTarget = (end: number): boolean => {
    const tokens = tokensAt(end);
    if (tokens <= target && tokens > bestTokens) [best, bestTokens] = [end, tokens];
    if (tokens <= target) low = Math.max(low, end);
    else high = Math.min(high, end);
    return tokens === target;
  };
  while (high - low > 1) if (isTarget((low + high) >>> 1)) break;
  const middle = low;
  for (let i = 1; i <= NEAR && bestTokens < target; i++) {
    for (const end of [middle + i, middle - i]) if (end > 0 && end < text.length && isTarget(end)) break;
  }
  return isLowSurrogate(text, best) ? best - 1 : best;
}

const isLowSurrogate = (text: string, index: number): boolean => (text.charCodeAt(index) & 0xfc00) === 0xdc00;
