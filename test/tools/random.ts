// random.ts — random numbers from a seed: the same on every machine. mulberry32 (Tommy Ettinger 2017).

/** Numbers in [0, 1). */
export function uniform(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b_79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Whole numbers from 0 on, below the one that is given each time. */
export function whole(seed: number): (below: number) => number {
  const next = uniform(seed);
  return (below) => Math.floor(next() * below);
}

/** Standard normal numbers, by the Box–Muller transform. */
export function normal(seed: number): () => number {
  const next = uniform(seed);
  return () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
}
