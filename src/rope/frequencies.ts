// frequencies.ts — RoPE scaling as data: one record per setting, and the frequencies that follow from it.
// Every type is a pure function of (rope, n): nothing survives a call. (transformers 5.12 keeps the frequencies of the
// last long call and uses them for later short ones, pull request 46624; ours equals a fresh model in every version.)
// parse.ts makes the records · turns.ts their fixed point for the GPU · test/rope/frequencies.test.ts

import { LlariatError } from "../error.ts";
import { isObject } from "../text/json.ts";
import { reading } from "../text/options.ts";
import { display } from "../text/wording.ts";

/** What every setting has. All lengths in tokens; all values are the effective ones, with defaults filled in. */
export interface RopeCommon {
  /** θ, the base of the unscaled frequencies b_i = θ^(-2i/d). */
  readonly theta: number;
  /** d, elements of a head that turn; even. All of them, but where an architecture turns only a part. */
  readonly headDim: number;
  /** s; 1 where the type or the setting has none. */
  readonly factor: number;
  /** m: cos and sin, of queries and of keys, are multiplied by it. 1 except for yarn and longrope. */
  readonly attentionFactor: number;
  /** M, max_position_embeddings: where dynamic starts to scale, and the reach of default, llama3 and longrope. */
  readonly maxPositions: number;
  /** M0, the length the unscaled frequencies were trained for; M where nothing else is stated. */
  readonly originalMaxPositions: number;
  /** Keys a checkpoint's config states and this type does not use; transformers ignores them too. Never from a request. */
  readonly ignored: readonly string[];
}

/** One RoPE setting: frozen plain data, with everything `frequencies` needs. Made by parseRope and parseRopeScaling. */
export type Rope = RopeCommon &
  (
    | { readonly type: "default" | "linear" | "ntk" | "dynamic" }
    | {
        readonly type: "yarn";
        /** Turns within M0 above which a wave is left alone, and below which it is fully interpolated. */
        readonly betaFast: number;
        readonly betaSlow: number;
        /** Whether the ends of the ramp are rounded outwards to whole indices. */
        readonly truncate: boolean;
      }
    /** Divisors of the frequencies, d/2 each: short for n ≤ M0, long beyond. */
    | { readonly type: "longrope"; readonly shortFactor: readonly number[]; readonly longFactor: readonly number[] }
    /** Turns within M0: waves with fewer than low are divided by s, with more than high left alone, blended between. */
    | { readonly type: "llama3"; readonly lowFreqFactor: number; readonly highFreqFactor: number }
    /** The first partialRotaryFactor · d/2 pairs turn, the others stay. */
    | { readonly type: "proportional"; readonly partialRotaryFactor: number }
  );

/** The names of the types; a config and a request spell them so. */
export type RopeType = Rope["type"];

/** Whether the frequencies depend on n, the total length: only then do the meanings of `ropeAngles` differ. */
export const dependsOnLength = (rope: Rope): boolean => rope.type === "dynamic" || rope.type === "longrope";

/**
 * The shortest length that has the same frequencies as `n` tokens, so that a table of angles can be shared:
 * `frequencies(rope, n)` and `frequencies(rope, effectiveLength(rope, n))` are equal. 1 for types that ignore n.
 * @throws LlariatError("rope") unless n is a whole number ≥ 1.
 */
export function effectiveLength(rope: Rope, n: number): number {
  if (!(Number.isSafeInteger(n) && n >= 1))
    throw new LlariatError("rope", `length n: must be a whole number of tokens ≥ 1, got ${display(n)}`);
  if (rope.type === "dynamic") return n > rope.maxPositions ? n : 1;
  if (rope.type === "longrope") return n > rope.originalMaxPositions ? rope.originalMaxPositions + 1 : 1;
  return 1;
}

/** θ · α^(d/(d-2)): slows the last wave by exactly α and leaves the first alone (NTK-aware scaling, bloc97 2023). */
const ntkBase = (theta: number, alpha: number, d: number) => theta * Math.pow(alpha, d / (d - 2));

/** Unscaled frequencies [d/2] in radians per token: θ^(-2i/d) for i < d/2, Su et al. 2021 (RoFormer), section 3.2.2. */
export const unscaled = (theta: number, d: number) =>
  Float64Array.from({ length: d / 2 }, (_, i) => theta ** ((-2 * i) / d));

/**
 * Frequencies ω [headDim/2] in radians per token, f64, and the attention scaling m, for a pass whose total length is `n`
 * tokens (largest position + 1, cached tokens count; at least 1). Rotation pairs element i with i + headDim/2, by the
 * angle position · ω[i]; cos and sin of queries and keys are multiplied by m. The caller owns the array.
 * @throws LlariatError("rope") if n is not a whole number ≥ 1.
 */
export function frequencies(rope: Rope, n: number): { omega: Float64Array; attentionScaling: number } {
  checkRope(rope);
  const { theta, headDim: d, factor: s, maxPositions: M, originalMaxPositions: M0, attentionFactor } = rope;
  const length = effectiveLength(rope, n);
  let omega = unscaled(theta, d);
  switch (rope.type) {
    case "default":
      break;
    case "linear": // ω = b / s. Position Interpolation, Chen et al. 2023, section 3.2
      omega = omega.map((b) => b / s);
      break;
    case "ntk":
      omega = unscaled(ntkBase(theta, s, d), d);
      break;
    case "dynamic": // α = s · n/M - (s - 1); at s = 1 that is n/M, not 1
      if (length > M) omega = unscaled(ntkBase(theta, (s * length) / M - (s - 1), d), d);
      break;
    case "yarn": {
      const ramp = yarnRamp(rope);
      omega = omega.map((b, i) => b * (1 - ramp(i)) + (b / s) * ramp(i));
      break;
    }
    case "longrope": {
      const divisors = length > M0 ? rope.longFactor : rope.shortFactor;
      omega = omega.map((b, i) => b / divisors[i]);
      break;
    }
    case "llama3": {
      const { lowFreqFactor: low, highFreqFactor: high } = rope;
      omega = omega.map((b) => {
        const turnsWithin = (M0 * b) / (2 * Math.PI);
        const kept = clamp((turnsWithin - low) / (high - low));
        return (1 - kept) * (b / s) + kept * b;
      });
      break;
    }
    case "proportional": {
      const turning = Math.floor((rope.partialRotaryFactor * d) / 2);
      omega = omega.map((b, i) => (i < turning ? b / s : 0));
      break;
    }
    default:
      return rope satisfies never;
  }
  return { omega, attentionScaling: attentionFactor };
}

const clamp = (x: number) => Math.min(1, Math.max(0, x));

/**
 * How far index i is interpolated, 0 to 1. YaRN, Peng et al. 2023, section 3.2; as transformers has it: the ramp runs over
 * the index instead of the wavelength, and its end is bounded by d - 1 although only d/2 indices exist.
 */
function yarnRamp(rope: Rope & { type: "yarn" }): (i: number) => number {
  const { theta, headDim: d, originalMaxPositions: M0 } = rope;
  const indexTurning = (r: number) => (d * Math.log(M0 / (2 * Math.PI * r))) / (2 * Math.log(theta));
  let [low, high] = [indexTurning(rope.betaFast), indexTurning(rope.betaSlow)];
  if (rope.truncate) [low, high] = [Math.floor(low), Math.ceil(high)];
  [low, high] = [Math.max(low, 0), Math.min(high, d - 1)];
  if (low === high) high += 0.001; // transformers' guard against division by zero
  return (i) => clamp((i - low) / (high - low));
}

/** Wavelengths 2π/ω [headDim/2] in tokens at length n; Infinity where a pair does not turn. */
export const wavelengths = (rope: Rope, n: number): Float64Array =>
  frequencies(rope, n).omega.map((omega) => (2 * Math.PI) / omega);

/**
 * Longest context in tokens the setting is meant for: the trained length times the factor for linear, ntk, yarn (M0) and
 * dynamic (M, where its formula starts); M for default, proportional, longrope and llama3. Nothing breaks beyond it, the
 * model just was not made for it.
 */
export function maxContext(rope: Rope): number {
  checkRope(rope);
  switch (rope.type) {
    case "linear":
    case "ntk":
    case "yarn":
      return Math.floor(rope.originalMaxPositions * rope.factor);
    case "dynamic":
      return Math.floor(rope.maxPositions * rope.factor);
    default:
      return rope.maxPositions;
  }
}

/** All effective values plus maxContext, as plain JSON data for `done.rope` and `llariat info`. */
export const describeRope = (rope: Rope): Rope & { maxContext: number } => {
  const reach = maxContext(rope);
  return { ...rope, maxContext: reach };
};

/** Throws LlariatError "request" for what is no setting as parseRope and parseRopeScaling give it. */
const NUMBERS = ["theta", "headDim", "factor", "attentionFactor", "maxPositions", "originalMaxPositions"];
/** Heads have 32 to 512 elements; far more would only take time. */
const MOST_ELEMENTS = 2 ** 16;

function checkRope(rope: unknown): void {
  const isRope = reading(
    "rope",
    () =>
      isObject(rope) &&
      NUMBERS.every((name) => Number.isFinite(rope[name])) &&
      Number.isSafeInteger((rope["headDim"] as number) / 2) &&
      (rope["headDim"] as number) <= MOST_ELEMENTS,
  );
  if (isRope) return;
  const problem = `must be a setting that parseRope or parseRopeScaling gave, got ${display(rope)}`;
  throw new LlariatError("request", problem, { subject: "rope" });
}

/**
 * Text for keys: settings with equal text have equal angles at every n, so they may share an angle table (per
 * effectiveLength) and cached prefixes.
 */
export function ropeKey(rope: Rope): string {
  const { ignored: _, ...values } = rope;
  return JSON.stringify(Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1)));
}
