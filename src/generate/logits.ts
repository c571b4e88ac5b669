// logits.ts — whole rows of logits, and the log-probabilities of a text: one pass, nothing generated.

import type { Output } from "../engine/sequence.ts";
import { checkAborted } from "../error.ts";
import { type RopeChoice, parseRopeScaling } from "../rope/index.ts";
import { type Kinds, checkOptions, reading } from "../text/options.ts";
import type { RequestContext } from "./options.ts";
import { contiguous, promptIds } from "./request.ts";
import { logProbability } from "./sample.ts";

/** Options of `logits`. */
export interface LogitsOptions {
  /** `all`: a row per id; `last`: one row. Default `all`. */
  readonly rows?: "all" | "last";
  readonly ropeScaling?: RopeChoice;
  /** Position of each id, increasing; default 0, 1, 2 …. A layout with gaps shows what RoPE does far from 0, cheaply. */
  readonly positions?: ArrayLike<number>;
  readonly signal?: AbortSignal;
}

/** Options of `score`. */
export interface ScoreOptions extends Omit<LogitsOptions, "rows" | "positions"> {
  /** Called with the logits [vocab] after ids[position], for each position but the last; the row is overwritten later. */
  readonly onLogits?: (position: number, row: Float32Array) => void;
}

const COMMON: Kinds<Omit<LogitsOptions, "rows" | "positions">> = { ropeScaling: "any", signal: "signal" };
const SCORE_OPTIONS: Kinds<ScoreOptions> = { ...COMMON, onLogits: "callback" };
const LOGITS_OPTIONS: Kinds<LogitsOptions> = { ...COMMON, rows: ["all", "last"], positions: "any" };

/**
 * Logits of a prompt, computed in one pass with nothing cached before: Float32Array [ids.length or 1, vocab], the
 * caller's. Length-dependent RoPE uses ids.length. Any length that fits the device is computed.
 */
export async function logits(
  context: RequestContext,
  ids: readonly number[] | Uint32Array,
  options: LogitsOptions = {},
): Promise<Float32Array> {
  const { scheduler } = context;
  const { rows = "all", positions, ropeScaling, signal } = checkOptions<LogitsOptions>(options, LOGITS_OPTIONS);
  const tokens = promptIds(context, ids);
  const rope = parseRopeScaling(ropeScaling, context.rope);
  const runs = reading("positions", () => contiguous(tokens, positions));
  const n = runs[runs.length - 1].position + runs[runs.length - 1].ids.length;
  const gaps = runs.length > 1 || runs[0].position > 0;
  checkAborted(signal, "computing logits");
  const sequence = scheduler.open({ capacity: tokens.length, rope, meaning: "planned", planned: n, gaps });
  try {
    const found: Output[] = [];
    for (const run of runs) {
      if (gaps) sequence.at(run.position);
      const own = await sequence.feed(run.ids, { rows, signal });
      if (rows === "last") found.length = 0;
      found.push(...own);
    }
    const { vocab } = scheduler.engine.config;
    const result = new Float32Array(found.length * vocab);
    found.forEach((row, i) => result.set(row as Float32Array, i * vocab));
    return result;
  } finally {
    sequence.close();
  }
}

/**
 * Natural log-probabilities of a text under the model: Float64Array [ids.length − 1], of ids[1] after ids[0], and so on.
 * The same numbers as from `logits`, without holding more than one step's logits in memory.
 */
export async function score(
  context: RequestContext,
  ids: readonly number[] | Uint32Array,
  options: ScoreOptions = {},
): Promise<Float64Array> {
  const { scheduler } = context;
  const { maxOutputs } = scheduler.engine;
  const { ropeScaling, signal, onLogits } = checkOptions<ScoreOptions>(options, SCORE_OPTIONS);
  const tokens = promptIds(context, ids);
  const rope = parseRopeScaling(ropeScaling, context.rope);
  const n = tokens.length;
  checkAborted(signal, "computing logits");
  const sequence = scheduler.open({ capacity: n, rope, meaning: "planned", planned: n });
  const scores = new Float64Array(n - 1);
  try {
    for (let first = 0; first < n - 1; first += maxOutputs) {
      const chunk = tokens.subarray(first, Math.min(first + maxOutputs, n - 1));
      const rows = await sequence.feed(chunk, { rows: "all", signal });
      rows.forEach((row, i) => {
        onLogits?.(first + i, row as Float32Array);
        scores[first + i] = logProbability(row as Float32Array, tokens[first + i + 1]);
      });
    }
    return scores;
  } finally {
    sequence.close();
  }
}
