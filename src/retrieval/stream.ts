// stream.ts — random numbers for prompts, keyed by words. A prompt must be the same on every machine and in every version,
// or saved reports could not be resumed and rates not compared; so only algorithms that are published and integer are used.

import { splitMix64, xoshiro128 } from "../generate/random.ts";

/** A stream of random numbers that depends on its key alone. */
export interface Stream {
  /** A whole number in [0, below), each equally likely; `below` at most 2³². */
  below(below: number): number;
  /** `digits` hexadecimal digits. */
  hex(digits: number): string;
  /** One of the items. */
  pick<T>(items: readonly T[]): T;
  /** The items in random order (Fisher & Yates, from the last place down); the list itself stays as it is. */
  shuffle<T>(items: readonly T[]): T[];
  /** `size` distinct whole numbers in [0, below), in the order in which they are drawn; `size` at most `below`. */
  sample(below: number, size: number): number[];
}

/** 64-bit FNV-1a of a text's UTF-16 units, low byte first; for keys and fingerprints, not for secrets. */
export function fnv1a(text: string): bigint {
  // 64 × 64 bits in four 16-bit limbs: documents are hashed too, and BigInt arithmetic per character would take seconds
  let [a, b, c, d] = [0x2325, 0x8422, 0x9ce4, 0xcbf2];
  for (let i = 0; i < text.length * 2; i++) {
    const unit = text.charCodeAt(i >> 1);
    a ^= i & 1 ? unit >>> 8 : unit & 0xff;
    // times 2⁴⁰ + 0x1b3
    const low = a * 0x1b3;
    const second = b * 0x1b3 + (low >>> 16);
    const third = c * 0x1b3 + (a << 8) + (second >>> 16);
    const fourth = d * 0x1b3 + (b << 8) + Math.floor(third / 65536);
    [a, b, c, d] = [low & 0xffff, second & 0xffff, third & 0xffff, fourth & 0xffff];
  }
  return (BigInt(d) << 48n) | (BigInt(c) << 32n) | (BigInt(b) << 16n) | BigInt(a);
}

/** The stream of a key: xoshiro128** started by SplitMix64 from the key's FNV-1a. */
export function stream(...key: readonly (string | number)[]): Stream {
  const [low, high] = splitMix64(fnv1a(JSON.stringify(key)), 2);
  const state = Uint32Array.of(...[low, low >> 32n, high, high >> 32n].map((word) => Number(BigInt.asUintN(32, word))));
  const below = (limit: number): number => {
    const fair = 2 ** 32 - (2 ** 32 % limit); // numbers from here on would favour the small results
    for (;;) {
      const value = xoshiro128(state);
      if (value < fair) return value % limit;
    }
  };
  return {
    below,
    hex: (digits) => Array.from({ length: digits }, () => below(16).toString(16)).join(""),
    pick: (items) => items[below(items.length)],
    shuffle: (items) => {
      const order = [...items];
      for (let i = order.length - 1; i > 0; i--) {
        const j = below(i + 1);
        [order[i], order[j]] = [order[j], order[i]];
      }
      return order;
    },
    sample: (limit, size) => {
      // The first places of a list 0, 1, 2, … shuffled from the front, of which only what has moved is kept.
      const moved = new Map<number, number>();
      const at = (i: number): number => moved.get(i) ?? i;
      return Array.from({ length: size }, (_, i) => {
        const j = i + below(limit - i);
        const drawn = at(j);
        moved.set(j, at(i));
        return drawn;
      });
    },
  };
}
