// options.ts — what a request says and what comes back: the types that callers see.

import type { LlariatError } from "../error.ts";
import type { Message, Tokenizer } from "../../tokenizer/index.ts";
import type { GenerationConfig } from "../checkpoint/generation.ts";
import type { Scheduler } from "../engine/scheduler.ts";
import type { Rope, RopeAngles, RopeChoice, describeRope } from "../rope/index.ts";
import type { TokenMask } from "../grammar/index.ts";
import type { Kinds } from "../text/options.ts";
import type { Likely } from "./sample.ts";
import type { SamplingOptions } from "./sampling.ts";
import type { SpeculateOptions } from "./speculate.ts";

/** Token ids: any list or typed array of whole numbers or bigints. */
export type Ids = ArrayLike<number> | ArrayLike<bigint>;

/** Text, chat messages, or token ids taken as they are. */
export type Prompt = string | readonly Message[] | Ids;

/**
 * Options of one request. What is left out comes from the checkpoint's generation_config.json, then from these
 * defaults. Nobody waits for `onPrefill`: one that returns a promise ends the request, as one that throws does.
 */
export interface GenerateOptions extends SamplingOptions {
  /**
   * Most tokens to generate; exactly this many with `ignoreEos`. Default: 256, or what is left of the context that the RoPE
   * setting reaches; a prompt that leaves nothing of it needs the option.
   */
  readonly maxNewTokens?: number;
  /** Generation ends before the first of these strings, which is not given out. They may name special tokens: `</s>`. */
  readonly stop?: string | readonly string[];
  /** Generation ends with any of these ids, as with an end-of-sequence token; also with `ignoreEos`. */
  readonly stopIds?: Ids;
  /** Go on after an end-of-sequence token. */
  readonly ignoreEos?: boolean;
  /** Report each token's log-probability under the model (before temperature and filters). */
  readonly logprobs?: boolean;
  /** Report for each token the k most likely ids under the model and their log-probabilities, k up to 256. */
  readonly topLogprobs?: number;
  /** Ends the request at once, also during prefill, with LlariatError("aborted"). */
  readonly signal?: AbortSignal;
  /** RoPE scaling of this request; null or "none" for none; left out, the model's own. */
  readonly ropeScaling?: RopeChoice;
  /** What length-dependent angles mean while generating (src/rope/meanings.ts). Default "planned". */
  readonly ropeAngles?: RopeAngles;
  /** The n of `planned` angles. Default: prompt plus maxNewTokens. */
  readonly ropeLength?: number;
  /** Accept a prompt beyond the context that the RoPE setting is meant for. */
  readonly allowBeyond?: boolean;
  /** Template name, tools and variables for chat messages; whether the last one is to be continued (ChatOptions). */
  readonly chat?: {
    readonly templateName?: string;
    readonly addGenerationPrompt?: boolean;
    readonly continueFinalMessage?: boolean | string;
    readonly tools?: unknown[];
    readonly variables?: Record<string, unknown>;
  };
  /** Use keys and values of an earlier request that began with the same tokens under the same RoPE setting. Default true. */
  readonly reusePrefix?: boolean;
  /**
   * The form that the answer must have: any text (default), any JSON object, JSON of a schema, or what a mask of the caller's
   * allows. Only tokens that can still lead to that form are drawn, by their probabilities under the model. The end token may come
   * where the form is complete and only there; where nothing can follow the answer ends by itself. An answer that `maxNewTokens`
   * or a stop string ends is cut: with finishReason `length` JSON may be incomplete.
   */
  readonly responseFormat?: ResponseFormat;
  /**
   * Speculative decoding: guess the next tokens and compute them in one step, which gives as many tokens as were guessed right
   * and one more. The same tokens as without, drawn with the same random numbers; only where two logits are closer than
   * rounding may a step of several rows decide otherwise, as a step shared with other requests may. Default false.
   */
  readonly speculate?: boolean | SpeculateOptions;
  /**
   * Called once, before anything is allocated, with the tokens that prompt and answer may have together and the bytes of
   * their keys and values. What it throws ends the request. A promise is waited for, until the signal fires, so that a
   * queue may stand here.
   */
  readonly onAllocate?: (need: { readonly tokens: number; readonly kvBytes: number }) => unknown;
  /** Called after each chunk of the prompt with the tokens computed so far; the last chunk of these may still be under way. */
  readonly onPrefill?: (done: number, total: number) => void;
}

/**
 * The form of an answer. JSON has at most one space after `:` and `,` and before the value, and no other white space; objects have
 * their properties in the order of the schema, then those that it does not list. README has the keywords that a schema may have.
 */
export type ResponseFormat =
  | { readonly type: "text" }
  | { readonly type: "json_object" }
  | { readonly type: "json_schema"; readonly schema: object | boolean }
  | {
      readonly type: "mask";
      /** Called once per answer. */
      readonly start: () => TokenMask;
    };

/** Every option of a request. */
export const GENERATE_OPTIONS: Kinds<GenerateOptions> = {
  maxNewTokens: "any",
  stop: "any",
  stopIds: "any",
  ignoreEos: "flag",
  logprobs: "flag",
  topLogprobs: "any",
  signal: "signal",
  ropeScaling: "any",
  ropeAngles: "any",
  ropeLength: "any",
  allowBeyond: "flag",
  chat: "object",
  reusePrefix: "flag",
  responseFormat: "any",
  speculate: "any",
  onAllocate: "function",
  onPrefill: "callback",
  temperature: "any",
  topK: "any",
  topP: "any",
  minP: "any",
  typicalP: "any",
  repetitionPenalty: "any",
  frequencyPenalty: "any",
  presencePenalty: "any",
  logitBias: "any",
  noRepeatNgramSize: "any",
  minNewTokens: "any",
  seed: "any",
};

/** One generated token. `text` is what became certain with it: empty inside a character or a possible stop string. */
export interface Piece {
  readonly id: number;
  readonly text: string;
  readonly logprob?: number;
  /** The most likely first. */
  readonly topLogprobs?: readonly Likely[];
}

/** The effective RoPE setting of a request. */
export type EffectiveRope = ReturnType<typeof describeRope> & {
  /** Total length the frequencies were computed for (`planned`), else the final length. */
  readonly n: number;
  readonly angles: RopeAngles;
};

/** A finished request. */
export interface Completion {
  readonly text: string;
  /** Every generated id, an end-of-sequence token included. */
  readonly ids: number[];
  readonly logprobs?: number[];
  /** Per generated id, the most likely first. */
  readonly topLogprobs?: (readonly Likely[])[];
  /** `stop`: end of sequence, a stop string or a stop id; `length`: maxNewTokens reached. */
  readonly finishReason: "stop" | "length";
  readonly usage: {
    readonly promptTokens: number;
    /** Of the prompt; they were not computed again. */
    readonly cachedTokens: number;
    readonly completionTokens: number;
    /** With `speculate`: drafted tokens that were computed, … */
    readonly draftTokens?: number;
    /** … and those of them that were drawn. */
    readonly acceptedTokens?: number;
  };
  /** Milliseconds. `firstTokenMs` counts from the first piece asked for; `prefillMs` is the prompt, `decodeMs` all later tokens. */
  readonly timing: {
    readonly firstTokenMs: number;
    readonly prefillMs: number;
    readonly decodeMs: number;
    readonly prefillTokensPerSecond: number;
    /** Of the tokens after the first; 0 if there is none. */
    readonly decodeTokensPerSecond: number;
    /** With `speculate`: tokens after the first per step that gave them; 0 if there is none. */
    readonly tokensPerStep?: number;
  };
  readonly rope: EffectiveRope;
}

/** What a request needs of the loaded model. */
export interface RequestContext {
  readonly scheduler: Scheduler;
  readonly tokenizer: Tokenizer | undefined;
  /** Why there is none. */
  readonly tokenizerProblem: LlariatError | undefined;
  readonly rope: Rope;
  readonly generation: GenerationConfig;
  /** Ids that end a text: of the checkpoint, and the tokenizer's own. */
  readonly eosIds: readonly number[];
  readonly maxContext: number | undefined;
}
