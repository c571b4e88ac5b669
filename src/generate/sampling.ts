// sampling.ts — what a request asks of the draw of its tokens: options, checked and completed.

import type { GenerationConfig } from "../checkpoint/generation.ts";
import { LlariatError } from "../error.ts";
import { isObject } from "../text/json.ts";
import { display } from "../text/wording.ts";
import { checkSeed } from "./random.ts";

/**
 * How the next token is chosen. Greedy unless something asks for sampling: `temperature` above 0, one of `topK`, `topP`,
 * `minP`, `typicalP` that filters, or do_sample in the checkpoint's generation_config.json. What is left out comes from that
 * file, then from the defaults given here. They apply in this order: logitBias, repetitionPenalty, frequencyPenalty and
 * presencePenalty, noRepeatNgramSize, minNewTokens; temperature, topK, topP, minP, typicalP.
 */
export interface SamplingOptions {
  /** Divides the logits; 0 is greedy, the first of the largest. Default when sampling: 1. */
  readonly temperature?: number;
  /** Keep the k largest logits and what ties with the k-th; 0 keeps all. Default when sampling: 50, as in transformers. */
  readonly topK?: number;
  /** Keep the most probable ids that together exceed this probability, at least one. Default: 1, all. */
  readonly topP?: number;
  /** Keep ids at least this probable relative to the most probable one. Default: 0, all. */
  readonly minP?: number;
  /**
   * Keep the ids whose information is nearest to the expected one, as many as together have this probability (locally typical
   * sampling, Meister et al. 2022, arXiv 2202.00666). Default: 1, all.
   */
  readonly typicalP?: number;
  /**
   * Divides the positive and multiplies the negative logits of every id in the prompt and the text so far, each once; also
   * when greedy. Default: 1, none.
   */
  readonly repetitionPenalty?: number;
  /** Taken off an id's logit for each time the answer has it so far, as OpenAI's API does. Default: 0. */
  readonly frequencyPenalty?: number;
  /** Taken off the logit of each id that the answer has so far, once. Default: 0. */
  readonly presencePenalty?: number;
  /** Added to the logits of these ids; -Infinity forbids one. Default: none. */
  readonly logitBias?: Readonly<Record<number, number>>;
  /** No run of this many ids comes twice in prompt and answer; 0 allows all. Default: 0. */
  readonly noRepeatNgramSize?: number;
  /** The ids that end an answer are forbidden until it has this many tokens. Default: 0. */
  readonly minNewTokens?: number;
  /** Starts the random numbers: the same seed repeats the text. Default: another one each time. */
  readonly seed?: number;
}

/** Sampling options with every default filled in; temperature 0 is greedy, topK 0 is off. */
export type Sampling = Readonly<Required<Omit<SamplingOptions, "seed" | "logitBias">>> &
  Pick<SamplingOptions, "seed"> & { readonly logitBias: ReadonlyMap<number, number> };

/** Those of a GenerationConfig that may be stated there. */
type Defaults = Partial<GenerationConfig>;

const whole = (value: number) => Number.isSafeInteger(value) && value >= 0;
const share = (value: number) => value >= 0 && value <= 1;

/**
 * Checks the options and fills in what is left out, see SamplingOptions. `generation` is the checkpoint's parsed
 * generation_config.json, already checked; `vocab` bounds the ids of `logitBias`.
 * @throws LlariatError("request") naming the option.
 */
export function samplingOptions(options: SamplingOptions, generation: Defaults = {}, vocab = Infinity): Sampling {
  const { temperature, topK, topP, minP, typicalP, repetitionPenalty, seed } = options;
  const { frequencyPenalty, presencePenalty, noRepeatNgramSize, minNewTokens } = options;
  check("temperature", temperature, (value) => value >= 0, "a number ≥ 0 (0 is greedy)");
  check("topK", topK, whole, "a whole number ≥ 0 (0 keeps all)");
  check("topP", topP, share, "a number from 0 to 1 (1 keeps all)");
  check("minP", minP, share, "a number from 0 to 1 (0 keeps all)");
  check("typicalP", typicalP, (value) => value > 0 && value <= 1, "a number above 0 up to 1 (1 keeps all)");
  check("repetitionPenalty", repetitionPenalty, (value) => value > 0, "a number above 0 (1 is none)");
  check("frequencyPenalty", frequencyPenalty, () => true, "a number (0 is none)");
  check("presencePenalty", presencePenalty, () => true, "a number (0 is none)");
  check("noRepeatNgramSize", noRepeatNgramSize, whole, "a whole number ≥ 0 (0 allows all)");
  check("minNewTokens", minNewTokens, whole, "a whole number ≥ 0");
  if (seed !== undefined) checkSeed(seed);

  const filters = (topK ?? 0) > 0 || (topP ?? 1) < 1 || (minP ?? 0) > 0 || (typicalP ?? 1) < 1;
  // A file that says temperature 0 means greedy; asking for a filter asks for more than that.
  const inherited = filters ? generation.temperature || 1 : generation.doSample ? (generation.temperature ?? 1) : 0;
  return Object.freeze({
    temperature: temperature ?? inherited,
    topK: topK ?? generation.topK ?? 50,
    topP: topP ?? generation.topP ?? 1,
    minP: minP ?? generation.minP ?? 0,
    typicalP: typicalP ?? generation.typicalP ?? 1,
    repetitionPenalty: repetitionPenalty ?? generation.repetitionPenalty ?? 1,
    frequencyPenalty: frequencyPenalty ?? 0,
    presencePenalty: presencePenalty ?? 0,
    noRepeatNgramSize: noRepeatNgramSize ?? generation.noRepeatNgramSize ?? 0,
    minNewTokens: minNewTokens ?? generation.minNewTokens ?? 0,
    logitBias: biases(options.logitBias, vocab),
    ...(seed !== undefined && { seed }),
  });
}

function check(name: string, value: unknown, valid: (value: number) => boolean, needed: string): void {
  if (value === undefined || (typeof value === "number" && Number.isFinite(value) && valid(value))) return;
  throw new LlariatError("request", `must be ${needed}, got ${display(value)}`, { subject: name });
}

/** Biases by id. */
function biases(given: unknown, vocab: number): ReadonlyMap<number, number> {
  if (given === undefined) return new Map();
  if (!isObject(given)) {
    const problem = `must be an object from ids to numbers, got ${display(given)}`;
    throw new LlariatError("request", problem, { subject: "logitBias" });
  }
  return new Map(
    Object.entries(given).map(([key, bias]) => {
      const id = Number(key);
      if (!(Number.isSafeInteger(id) && id >= 0 && id < vocab && String(id) === key)) {
        const most = vocab === Infinity ? "" : ` below the vocabulary's ${vocab}`;
        throw new LlariatError("request", `ids must be whole numbers ≥ 0${most}, got ${display(key)}`, {
          subject: "logitBias",
        });
      }
      if (typeof bias !== "number" || !(bias < Infinity)) {
        const problem = `must be a number, or -Infinity to forbid the id, got ${display(bias)}`;
        throw new LlariatError("request", problem, { subject: `logitBias[${id}]` });
      }
      return [id, bias];
    }),
  );
}

/** Whether scores are other than the logits: then only the whole row tells which are the largest. */
export const changesScores = (sampling: Sampling): boolean =>
  sampling.repetitionPenalty !== 1 ||
  sampling.frequencyPenalty !== 0 ||
  sampling.presencePenalty !== 0 ||
  sampling.noRepeatNgramSize > 0 ||
  sampling.logitBias.size > 0;

/**
 * How many of the largest logits (with all ties of the last) decide a draw: 1 for greedy, k for top-k, Infinity for the
 * whole row: a penalty may change the order, and without top-k every id has its share of the sum. Where ids are barred for
 * `minNewTokens`, the whole row decides as well.
 */
export function candidatesNeeded(sampling: Sampling, vocab: number): number {
  const { temperature, topK } = sampling;
  if (changesScores(sampling)) return Infinity;
  if (temperature === 0) return 1;
  return topK === 0 ? Infinity : Math.min(topK, vocab);
}
