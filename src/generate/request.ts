// request.ts — what a request means, settled before anything is computed: ids, lengths, RoPE setting.

import { ROPE_ANGLES } from "../engine/angles.ts";
import type { SequenceMemory } from "../engine/memory.ts";
import { LlariatError } from "../error.ts";
import type { GenerateOptions, Prompt, RequestContext } from "./options.ts";
import { type Rope, maxContext, parseRopeScaling } from "../rope/index.ts";
import { scalingThatFits, showScaling } from "../rope/index.ts";
import { samplingOptions } from "./sample.ts";
import { checkStops } from "./stop.ts";
import type { Message } from "../../tokenizer/index.ts";
import { display } from "../text/wording.ts";

/** Whether a prompt is chat messages. */
export const isChat = (prompt: Prompt): prompt is readonly Message[] =>
  Array.isArray(prompt) && typeof prompt[0] === "object" && prompt[0] !== null;

/** Token ids of a prompt. Throws `request` for an empty one or an id outside the vocabulary, `tokenizer` without files. */
export function promptIds(context: RequestContext, prompt: Prompt, chat: GenerateOptions["chat"] = {}): Uint32Array {
  const { tokenizer, scheduler } = context;
  const { vocab } = scheduler.engine.config;
  let ids: ArrayLike<number>;
  if (typeof prompt === "string" || isChat(prompt)) {
    if (!tokenizer) {
      throw new LlariatError("tokenizer", "the checkpoint has no tokenizer.json; give token ids, or add the file");
    }
    // A template writes its own special tokens; adding them again would double the first.
    ids =
      typeof prompt === "string"
        ? tokenizer.encode(prompt)
        : tokenizer.encode(tokenizer.applyChatTemplate(prompt, chat), {
            addSpecialTokens: false,
          });
  } else if (Array.isArray(prompt) || prompt instanceof Uint32Array) ids = prompt as ArrayLike<number>;
  else throw new LlariatError("request", `prompt: needs text, messages or token ids, got ${typeof prompt}`);
  if (ids.length === 0) throw new LlariatError("request", "prompt: needs at least one token, got none");
  for (let i = 0; i < ids.length; i++) {
    if (!Number.isInteger(ids[i]) || ids[i] < 0 || ids[i] >= vocab) {
      throw new LlariatError("request", `prompt: id ${ids[i]} at ${i} is outside the vocabulary of ${vocab}`);
    }
  }
  return Uint32Array.from(ids);
}

/** Tokens to generate: as asked, else what is usual and fits. */
function newTokens(context: RequestContext, options: GenerateOptions, promptTokens: number, limit: number): number {
  const { maxNewTokens } = options;
  if (maxNewTokens === undefined) {
    const wanted = context.generation.maxNewTokens ?? 256;
    return Math.max(1, promptTokens < limit ? Math.min(wanted, limit - promptTokens) : wanted);
  }
  checkNewTokens(maxNewTokens);
  return maxNewTokens;
}

function checkNewTokens(maxNewTokens: number): void {
  if (Number.isInteger(maxNewTokens) && maxNewTokens >= 1) return;
  const got = display(maxNewTokens);
  throw new LlariatError("request", `must be a whole number ≥ 1, got ${got}`, { subject: "maxNewTokens" });
}

/** Refuses what no model could be asked: sampling values, stop strings, a number of tokens. Throws `request` naming it. */
export function checkOptions(options: GenerateOptions): void {
  samplingOptions(options);
  checkStops(stopStrings(options));
  if (options.maxNewTokens !== undefined) checkNewTokens(options.maxNewTokens);
}

/** The stop strings of a request. */
export const stopStrings = ({ stop = [] }: GenerateOptions): readonly string[] =>
  typeof stop === "string" ? [stop] : stop;

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
  if (!Number.isSafeInteger(planned) || planned < 1) {
    const got = display(planned);
    throw new LlariatError("request", `must be a whole number of tokens ≥ 1, got ${got}`, { subject: "ropeLength" });
  }
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

/** Refuses what the device, or the limit on keys and values, could never hold. */
function checkRoom({ maxTokens }: SequenceMemory, capacity: number): void {
  if (capacity <= maxTokens) return;
  const most = `keys and values of one request on this device hold ${maxTokens}`;
  throw new LlariatError("context", `prompt and new tokens are ${capacity}, ${most}; ask for fewer new tokens`);
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
  checkRoom(scheduler.engine.memory, capacity);
  return { ids, rope, maxNewTokens, capacity, ...angleOptions(options, capacity) };
}

/** The ids in runs of neighbouring positions. Throws `request` unless positions are whole, increasing and one per id. */
export function contiguous(ids: Uint32Array, positions?: ArrayLike<number>): { ids: Uint32Array; position: number }[] {
  if (!positions) return [{ ids, position: 0 }];
  if (positions.length !== ids.length) {
    throw new LlariatError("request", `positions: needs one per id, got ${positions.length} for ${ids.length} ids`);
  }
  const runs: { ids: Uint32Array; position: number }[] = [];
  let start = 0;
  for (let i = 0; i < ids.length; i++) {
    const [position, before] = [positions[i], i > 0 ? positions[i - 1] : -1];
    if (!Number.isInteger(position) || position <= before || position >= 2 ** 31) {
      throw new LlariatError(
        "request",
        `positions: must increase and stay below 2^31, got ${position} after ${before}`,
      );
    }
    if (i > 0 && position !== before + 1) {
      runs.push({ ids: ids.subarray(start, i), position: positions[start] });
      start = i;
    }
  }
  runs.push({ ids: ids.subarray(start), position: positions[start] });
  return runs;
}
