// perplexity.ts — sliding-window perplexity, as in section 3.2 of the Position Interpolation paper (arXiv 2306.15595,
// tables 1 and 2), which follows Press et al. 2022 (ALiBi, appendix B).

import { LlariatError, checkAborted } from "../error.ts";
import type { RopeScaling } from "../rope/index.ts";
import { type Kinds, checkOptions, checkWhole, reading } from "../text/options.ts";
import { display } from "../text/wording.ts";
import type { Encoder, ScoringEngine } from "./engine.ts";
import { score, unscored } from "./engine.ts";
import type { Scaling } from "./scaling.ts";
import { parseScaling } from "./scaling.ts";
import { clusterError } from "./stats.ts";
import { fnv1a } from "./stream.ts";

/** What to measure. */
export interface PerplexitySettings {
  /** A text, encoded by the engine's tokenizer (with its bos token), or token ids as they are. */
  readonly text: string | readonly number[] | Uint32Array;
  /** For the report. */
  readonly name?: string;
  /** Tokens a prediction may see, at most. */
  readonly windows: readonly number[];
  /** Tokens by which the window moves, 256 as in the paper; half a window where that is less. */
  readonly stride?: number;
  /** As for `retrieve`. Default: own. */
  readonly ropeScalings?: readonly (string | RopeScaling | Scaling | null)[];
  /** Only the first tokens of the text. */
  readonly maxTokens?: number;
}

/** One number of the table. */
export interface PerplexityRow {
  readonly scaling: string;
  readonly window: number;
  /** The stride in effect. */
  readonly stride: number;
  /** Tokens that were predicted: all but the first. */
  readonly tokens: number;
  /** Sum of negative log-likelihoods in nats. */
  readonly nll: number;
  /** exp(nll / tokens). */
  readonly perplexity: number;
  /** Of the perplexity: windows are the independent units; null with one window. */
  readonly standardError: number | null;
  readonly seconds: number;
}

/** The table of one text. */
export interface Perplexity {
  readonly text: { readonly name: string; readonly tokens: number; readonly fnv1a: string };
  readonly rows: readonly PerplexityRow[];
}

/** How far a measurement is, after each window. */
export interface PerplexityProgress {
  readonly scaling: string;
  readonly window: number;
  readonly tokens: number;
  readonly of: number;
  /** The table so far. */
  readonly rows: readonly PerplexityRow[];
}

/** An engine that scores, and its tokenizer if texts are to be given. */
export type PerplexityEngine = ScoringEngine & {
  readonly tokenizer?: Encoder | undefined;
};

const KINDS: Kinds<PerplexitySettings> = {
  text: "any",
  name: "text",
  windows: "list",
  stride: "any",
  ropeScalings: "list",
  maxTokens: "any",
};

/** How a measurement is followed and ended. */
export interface PerplexityOptions {
  /** Hears how far it is. */
  readonly onProgress?: (progress: PerplexityProgress) => void;
  /** Ends it at once. */
  readonly signal?: AbortSignal;
}

/** Refuses windows, a stride and a maxTokens that cannot be meant. @throws LlariatError("request") naming the setting. */
export function checkWindows({
  windows,
  stride = 256,
  maxTokens = Infinity,
}: Pick<PerplexitySettings, "windows" | "stride" | "maxTokens">): void {
  if (!Array.isArray(windows)) {
    throw new LlariatError("request", `must be a list, got ${display(windows)}`, { subject: "windows" });
  }
  if (windows.length === 0) throw new LlariatError("request", "needs at least one", { subject: "windows" });
  const all = ["maxTokens", maxTokens] as const;
  for (const [subject, value] of [
    ["stride", stride],
    ...(maxTokens === Infinity ? [] : [all]),
    ...windows.map((window) => ["windows", window]),
  ] as [string, number][]) {
    checkWhole(subject, value, 2, { unit: "tokens" });
  }
}

/**
 * Perplexity of a text for every scaling and window. Every window is scored afresh, none of its keys come from an earlier
 * one: the first scores all its tokens but the first, each later one its last `stride` (the last: what is left).
 * @throws LlariatError: "request" for settings or an engine that cannot score, "tokenizer" for a text without a
 * tokenizer, "rope" for a scaling, "aborted" or whatever the engine throws.
 */
export async function perplexity(
  engine: PerplexityEngine,
  given: PerplexitySettings,
  also: PerplexityOptions = {},
): Promise<Perplexity> {
  const settings = checkOptions<PerplexitySettings>(given, KINDS);
  const options = checkOptions<PerplexityOptions>(also, { onProgress: "callback", signal: "signal" });
  reading("windows", () => checkWindows(settings));
  const { windows, stride = 256, maxTokens = Infinity, name = "text" } = settings;
  if (reading("engine", () => typeof engine.score !== "function" && typeof engine.logits !== "function")) {
    throw unscored();
  }
  const whole = reading("text", () => encode(engine, settings.text));
  const ids = whole.slice(0, maxTokens);
  if (ids.length < 2)
    throw new LlariatError("request", `${name}: perplexity needs at least 2 tokens, got ${ids.length}`);
  const scalings = reading("ropeScalings", () => (settings.ropeScalings ?? ["own"]).map((each) => parseScaling(each)));
  const rows: PerplexityRow[] = [];
  for (const scaling of scalings) {
    for (const window of windows) {
      rows.push(
        await slide(
          engine,
          { ids, window, stride: Math.min(stride, Math.floor(window / 2)), scaling },
          options.signal,
          (tokens) => options.onProgress?.({ scaling: scaling.label, window, tokens, of: ids.length, rows }),
        ),
      );
    }
  }
  return { text: { name, tokens: ids.length, fnv1a: fnv1a(ids.join(",")).toString(16) }, rows };
}

function encode(engine: PerplexityEngine, text: PerplexitySettings["text"]): number[] {
  if (typeof text !== "string") {
    const isList = Array.isArray(text) || (ArrayBuffer.isView(text) && !(text instanceof DataView));
    const ids: number[] = [];
    for (let i = 0; isList && i < text.length && Number.isInteger(text[i]); i++) ids.push(text[i]);
    if (isList && ids.length === text.length) return ids;
    const got = isList ? `${display(text[ids.length])} at ${ids.length}` : display(text);
    throw new LlariatError("request", `must be a text or token ids, got ${got}`, { subject: "text" });
  }
  if (engine.tokenizer) return Array.from(engine.tokenizer.encode(text));
  throw new LlariatError("tokenizer", "this engine has no tokenizer, so a text cannot be encoded; give token ids");
}

interface Slide {
  readonly ids: readonly number[];
  readonly window: number;
  readonly stride: number;
  readonly scaling: Scaling;
}

async function slide(
  engine: PerplexityEngine,
  { ids, window, stride, scaling }: Slide,
  signal: AbortSignal | undefined,
  progress: (tokens: number) => void,
): Promise<PerplexityRow> {
  const started = performance.now();
  const { ropeScaling } = scaling;
  const [sums, counts]: [number[], number[]] = [[], []];
  let scored = 0; // ids up to here are done
  for (let begin = 0; scored < ids.length; begin += stride) {
    checkAborted(signal, "measuring perplexity");
    const end = Math.min(begin + window, ids.length);
    const logs = await score(engine, ids.slice(begin, end), {
      ...(ropeScaling === undefined ? {} : { ropeScaling }),
      ...(signal ? { signal } : {}),
    });
    const fresh = logs.slice(-Math.min(end - scored, logs.length));
    sums.push(fresh.reduce((sum, log) => sum - log, 0));
    counts.push(fresh.length);
    scored = end;
    progress(scored);
  }
  const nll = sums.reduce((sum, value) => sum + value, 0);
  const tokens = counts.reduce((sum, value) => sum + value, 0);
  const value = Math.exp(nll / tokens);
  const error = value * clusterError(sums, counts); // delta method: d exp(x) = exp(x) dx
  return {
    scaling: scaling.label,
    window,
    stride,
    tokens,
    nll,
    perplexity: value,
    standardError: Number.isFinite(error) ? error : null,
    seconds: (performance.now() - started) / 1000,
  };
}
