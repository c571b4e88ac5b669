// random.ts — the generator behind sampling: the same seed gives the same numbers on every machine, as only 32- and 64-bit
// integers and exact scalings are involved. xoshiro128** 1.1, Blackman & Vigna 2018, seeded by SplitMix64, Steele et al. 2014.

import { LlariatError } from "../error.ts";
import { display } from "../text/wording.ts";

const rotate = (x: number, by: number): number => (x << by) | (x >>> (32 - by));

/** One step of xoshiro128**: advances `state` [4], not all zero, and returns 32 random bits as an unsigned integer. */
export function xoshiro128(state: Uint32Array): number {
  const result = Math.imul(rotate(Math.imul(state[1], 5), 7), 9) >>> 0;
  const shifted = state[1] << 9;
  state[2] ^= state[0];
  state[3] ^= state[1];
  state[1] ^= state[2];
  state[0] ^= state[3];
  state[2] ^= shifted;
  state[3] = rotate(state[3], 11);
  return result;
}

/** `count` 64-bit outputs of SplitMix64 started at `seed`. */
export function splitMix64(seed: bigint, count: number): BigUint64Array {
  const out = new BigUint64Array(count);
  let state = seed;
  for (let i = 0; i < count; i++) {
    state = BigInt.asUintN(64, state + 0x9e3779b97f4a7c15n);
    let z = state;
    z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n);
    z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d049bb133111ebn);
    out[i] = z ^ (z >> 31n);
  }
  return out;
}

/** Throws LlariatError "request" unless the seed is a whole number from 0 to 2^53 - 1. */
export function checkSeed(seed: unknown): asserts seed is number {
  if (!Number.isSafeInteger(seed) || (seed as number) < 0)
    throw new LlariatError("request", `must be a whole number from 0 to 2^53 - 1, got ${display(seed)}`, {
      subject: "seed",
    });
}

/** A stream of random numbers. */
export class Random {
  /** What started the stream; give it to another Random to get the same one. */
  readonly seed: number;
  readonly #state: Uint32Array;

  /**
   * Without a seed one is drawn from the platform's cryptographic generator.
   * @throws LlariatError("request") for a seed that is no whole number from 0 to 2^53 - 1.
   */
  constructor(seed?: number) {
    if (seed === undefined) {
      const [high, low] = crypto.getRandomValues(new Uint32Array(2));
      seed = (high >>> 11) * 2 ** 32 + low;
    }
    checkSeed(seed);
    this.seed = seed;
    // Words written out, low first: a view would take the machine's byte order. SplitMix64 never gives two zeros in a row.
    const [a, b] = splitMix64(BigInt(seed), 2);
    this.#state = Uint32Array.from([a, a >> 32n, b, b >> 32n], (word) => Number(word & 0xffff_ffffn));
  }

  /** Uniform in 0 … 2^32 - 1. */
  uint32(): number {
    return xoshiro128(this.#state);
  }

  /** Uniform in [0, 1), a multiple of 2^-53. */
  float(): number {
    const high = this.uint32() >>> 5;
    return (high * 2 ** 26 + (this.uint32() >>> 6)) / 2 ** 53;
  }
}
