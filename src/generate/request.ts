// request.ts — what a request means, settled before anything is computed: ids, lengths, RoPE setting.

import { LlariatError } from "../error.ts";
import { GENERATE_OPTIONS, type GenerateOptions, type Ids, type Prompt, type RequestContext } from "./options.ts";
import { ROPE_ANGLES, type Rope, maxContext, parseRopeScaling } from "../rope/index.ts";
import { scalingThatFits, showScaling } from "../rope/index.ts";
import { CANDIDATES } from "../../kernels/index.ts";
import { readResponseFormat } from "./mask.ts";
import { samplingOptions } from "./sampling.ts";
import { speculateOptions } from "./speculate.ts";
import { checkStops } from "./stop.ts";
import type { Message, Tokenizer } from "../../tokenizer/index.ts";
import { CHAT_OPTIONS } from "../../tokenizer/chat.ts";
import { checkOptions, checkWhole, reading } from "../text/options.ts";
import { isObject } from "../text/json.ts";
import { display } from "../text/wording.ts";

/** Whether a prompt is chat messages. */
export const isChat = (prompt: Prompt): prompt is readonly Message[] =>
  Array.isArray(prompt) && typeof prompt[0] === "object" && prompt[0] !== null;

/** Token ids of a prompt. Throws `request` for an empty one or an id outside the vocabulary, `tokenizer` without one. */
export function promptIds(context: RequestContext, prompt: Prompt, chat: GenerateOptions["chat"] = {}): Uint32Array {
  return reading("prompt", () => readPrompt(context, prompt, chat));
}

function readPrompt(context: RequestContext, prompt: Prompt, chat: NonNullable<GenerateOptions["chat"]>): Uint32Array {
  const { tokenizer, scheduler } = context;
  const { vocab } = scheduler.engine.config;
  let ids: Ids;
  if (typeof prompt === "string" || isChat(prompt)) {
    if (!tokenizer) throw context.tokenizerProblem!;
    // A template writes its own special tokens; adding them again would double the first.
    ids =
      typeof prompt === "string"
        ? tokenizer.encode(prompt)
        : tokenizer.encode(tokenizer.applyChatTemplate(prompt, chat), {
            addSpecialTokens: false,
          });
  } else if (isList(prompt)) ids = prompt;
  else {
    throw new LlariatError("request", `needs text, messages or token ids, got ${display(prompt)}`, {
      subject: "prompt",
    });
  }
  if (ids.length === 0) throw new LlariatError("request", "needs at least one token, got none", { subject: "prompt" });
  return readIds(ids, vocab, "prompt");
}

/**
 * What `read` makes of each of several prompts. Throws `request` where they are no list; errors about a prompt name it
 * by its number.
 */
export function promptList<T>(prompts: readonly Prompt[], read: (prompt: Prompt) => T): T[] {
  return reading("prompts", () => {
    if (!Array.isArray(prompts)) {
      const problem = `must be a list of prompts, got ${display(prompts)}`;
      throw new LlariatError("request", problem, { subject: "prompts", advice: "for one prompt, a list of one" });
    }
    const list: T[] = [];
    for (let i = 0; i < prompts.length; i++) list.push(inPrompt(i, () => read(prompts[i] as Prompt)));
    return list;
  });
}

/** Errors about a prompt say which of several it is. */
function inPrompt<T>(i: number, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof LlariatError)) throw error;
    const { code, problem, advice, hint } = error;
    if (error.subject !== "prompt" && !(code === "context" && error.subject === undefined)) throw error;
    throw new LlariatError(code, problem, { subject: `prompts[${i}]`, advice, hint, cause: error });
  }
}

const isList = (value: unknown): value is Ids =>
  Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));

/** Ids of the vocabulary, copied. Throws `request` naming `subject` for any that is none. */
function readIds(ids: unknown, vocab: number, subject: string): Uint32Array {
  if (!isList(ids)) throw new LlariatError("request", `must be a list of ids, got ${display(ids)}`, { subject });
  const read = new Uint32Array(ids.length);
  for (let i = 0; i < ids.length; i++) {
    const id: unknown = ids[i];
    const number = typeof id === "bigint" ? Number(id) : id;
    if (typeof number !== "number" || !Number.isInteger(number) || number < 0 || number >= Math.min(vocab, 2 ** 32)) {
      const problem = `id ${display(id)} at ${i} is ${vocab === Infinity ? "no id" : `outside the vocabulary of ${vocab}`}`;
      throw new LlariatError("request", problem, { subject });
    }
    read[i] = number;
  }
  return read;
}

/** Tokens to generate: as asked, else what is usual and fits. */
function newTokens(context: RequestContext, options: GenerateOptions, promptTokens: number, limit: number): number {
  const { maxNewTokens } = options;
  if (maxNewTokens === undefined) {
    const wanted = Math.min(context.generation.maxNewTokens ?? 256, limit - promptTokens);
    if (wanted >= 1) return wanted;
    const problem = `must be given: the prompt's ${promptTokens} tokens leave nothing of the ${limit} that are reached`;
    const advice = "or use a RoPE scaling that reaches further";
    throw new LlariatError("context", problem, { subject: "maxNewTokens", advice });
  }
  checkWhole("maxNewTokens", maxNewTokens, 1);
  return maxNewTokens;
}

/**
 * Refuses what no model could be asked: unknown names, values of another kind. Gives back a copy, read once. Throws `request`
 * naming the option.
 */
export function checkRequest(given: GenerateOptions): GenerateOptions {
  const options = checkOptions<GenerateOptions>(given, GENERATE_OPTIONS);
  const { chat, maxNewTokens, stop, stopIds } = options;
  const logitBias = reading("logitBias", () =>
    isObject(options.logitBias) ? { ...options.logitBias } : options.logitBias,
  );
  samplingOptions({ ...options, logitBias });
  if (maxNewTokens !== undefined) checkWhole("maxNewTokens", maxNewTokens, 1);
  topLogprobs(options);
  angleOptions(options, 1);
  const speculate = reading("speculate", () => speculateOptions(options.speculate));
  const responseFormat = readResponseFormat(options.responseFormat);
  return {
    ...options,
    ...(speculate !== undefined && { speculate }),
    ...(responseFormat !== undefined && { responseFormat }),
    ...(logitBias !== undefined && { logitBias }),
    ...(stop !== undefined && { stop: reading("stop", () => stopStrings(options)) }),
    ...(stopIds !== undefined && { stopIds: reading("stopIds", () => readIds(stopIds, Infinity, "stopIds")) }),
    ...(chat !== undefined && { chat: checkOptions<typeof chat>(chat, CHAT_OPTIONS, "chat") }),
  };
}

/** The stop strings of a request. Throws `request` for what is no text or an empty one. */
export function stopStrings({ stop = [] }: GenerateOptions): readonly string[] {
  if (typeof stop === "string" || Array.isArray(stop)) {
    const stops: string[] = [];
    for (const each of typeof stop === "string" ? [stop] : (stop as readonly string[])) {
      checkStops([each]); // before the next: a list of holes may be of any length
      stops.push(each);
    }
    return stops;
  }
  throw new LlariatError("request", `must be a text or a list of texts, got ${display(stop)}`, { subject: "stop" });
}

/** Ids that end a text: what the checkpoint's files state, and the tokenizer's own end of sequence, which some lists forget. */
export const endOfText = (eosIds: readonly number[], tokenizer: Tokenizer | undefined): readonly number[] => [
  ...new Set([...eosIds, ...(tokenizer?.eosId === undefined ? [] : [tokenizer.eosId])]),
];

/** Ids that end a request, whether or not they are given out. */
export function endingIds(
  { eosIds, scheduler }: RequestContext,
  { stopIds = [], ignoreEos }: GenerateOptions,
): Set<number> {
  const own = readIds(stopIds, scheduler.engine.config.vocab, "stopIds");
  return new Set([...own, ...(ignoreEos ? [] : eosIds)]);
}

/** How many of the most likely ids to report per token. */
export function topLogprobs({ topLogprobs: count = 0 }: GenerateOptions): number {
  checkWhole("topLogprobs", count, 0, { most: CANDIDATES });
  return count;
}

/** Refuses a prompt that the setting is not meant for, and names what would fit. */
function checkReach(rope: Rope, model: Rope, promptTokens: number): void {
  const reach = maxContext(rope);
  if (promptTokens <= reach) return;
  const fit = scalingThatFits(rope, model, promptTokens);
  const reached = maxContext(parseRopeScaling(fit, model));
  throw new LlariatError(
    "context",
    `the prompt has ${promptTokens} tokens, ${rope.type} RoPE reaches ${reach} on this model`,
    {
      advice: `ropeScaling: ${showScaling(fit)} would reach ${reached}, or set allowBeyond: true`,
      hint: { ropeScaling: fit, reach: reached },
    },
  );
}

/** The meaning of length-dependent angles and the n of `planned` ones. Throws `request` naming the option. */
function angleOptions({ ropeAngles, ropeLength }: GenerateOptions, capacity: number) {
  const meaning = ropeAngles ?? "planned";
  if (!ROPE_ANGLES.includes(meaning)) {
    const got = display(meaning);
    throw new LlariatError("request", `must be one of ${ROPE_ANGLES.join(", ")}, got ${got}`, {
      subject: "ropeAngles",
    });
  }
  const planned = ropeLength ?? capacity;
  checkWhole("ropeLength", planned, 1, { unit: "tokens" });
  return { meaning, planned };
}

/** Refuses what the model was not loaded for. */
function checkLoaded(loaded: number, prompt: number, fresh: number): void {
  if (prompt + fresh <= loaded) return;
  const got = prompt > loaded ? `the prompt has ${prompt} tokens` : `prompt and new tokens are ${prompt} + ${fresh}`;
  throw new LlariatError("context", `${got}, the model was loaded for ${loaded}`, {
    subject: "maxContext",
    advice: "load it with more",
  });
}

/** Refuses a text of which nothing is generated where model, setting or device do not hold it. Throws `context`. */
export function checkLength(context: RequestContext, rope: Rope, tokens: number, allowBeyond = false): void {
  checkLoaded(context.maxContext ?? Infinity, tokens, 0);
  if (!allowBeyond) checkReach(rope, context.rope, tokens);
  context.scheduler.engine.memory.checkCapacity(tokens);
}

/** A request as it will be run, checked: ids, effective RoPE setting, lengths in tokens, and what its angles mean. */
export function readRequest(context: RequestContext, prompt: Prompt, options: GenerateOptions) {
  const rope = parseRopeScaling(options.ropeScaling, context.rope);
  const ids = promptIds(context, prompt, options.chat);
  const { maxContext: loaded = Infinity, scheduler } = context;
  checkLoaded(loaded, ids.length, 1);
  if (!options.allowBeyond) checkReach(rope, context.rope, ids.length);
  const maxNewTokens = newTokens(context, options, ids.length, Math.min(maxContext(rope), loaded));
  const capacity = ids.length + maxNewTokens;
  checkLoaded(loaded, ids.length, maxNewTokens);
  scheduler.engine.memory.checkCapacity(capacity);
  return { ids, rope, maxNewTokens, capacity, ...angleOptions(options, capacity) };
}

/** The ids in runs of neighbouring positions. Throws `request` unless positions are whole, increasing and one per id. */
export function contiguous(ids: Uint32Array, positions?: ArrayLike<number>): { ids: Uint32Array; position: number }[] {
  if (positions === undefined) return [{ ids, position: 0 }];
  if (!isList(positions)) {
    const problem = `must be a list of whole numbers, got ${display(positions)}`;
    throw new LlariatError("request", problem, { subject: "positions" });
  }
  if (positions.length !== ids.length) {
    const problem = `needs one per id, got ${positions.length} for ${ids.length} ids`;
    throw new LlariatError("request", problem, { subject: "positions" });
  }
  const runs: { ids: Uint32Array; position: number }[] = [];
  let start = 0;
  for (let i = 0; i < ids.length; i++) {
    const [position, before] = [positions[i], i > 0 ? positions[i - 1] : -1];
    if (!Number.isInteger(position) || position <= before || position >= 2 ** 31) {
      const got = i > 0 ? `${display(position)} at ${i} after ${before}` : `${display(position)} at 0`;
      const problem = `must be whole numbers from 0 on that increase and stay below 2^31, got ${got}`;
      throw new LlariatError("request", problem, { subject: "positions" });
    }
    if (i > 0 && position !== before + 1) {
      runs.push({ ids: ids.subarray(start, i), position: positions[start] });
      start = i;
    }
  }
  runs.push({ ids: ids.subarray(start), position: positions[start] });
  return runs;
}
