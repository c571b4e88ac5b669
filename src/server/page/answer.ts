// answer.ts — one answer on its way: text as it comes, and the times between.

import { ApiError, type Key, type Message, chat } from "./api.ts";
import { type Choice, choiceOf, ropeScaling, shown } from "./rope.ts";
import type { Turn } from "./store.ts";

/** What an answer is asked with. */
export interface Asked {
  readonly model: string;
  readonly messages: readonly Message[];
  readonly rope: Choice;
  /** Sampling and the like, by the names of the request's fields. */
  readonly fields: Readonly<Record<string, unknown>>;
  readonly key: Key;
  readonly signal: AbortSignal;
}

/** A finished answer, and the tokens of the conversation with it, if the server has said. */
export interface Answered {
  readonly turn: Turn;
  readonly tokens?: number;
  /** The server asked for a key. */
  readonly needsKey?: boolean;
}

const number = (value: number, digits = 0): string =>
  value.toLocaleString("en", { maximumFractionDigits: digits, minimumFractionDigits: digits });

/** Asks, and calls `onText` with all text so far after each piece. Never throws: what went wrong is part of the answer. */
export async function answer(asked: Asked, onText: (text: string) => void): Promise<Answered> {
  const { model, messages, rope, fields, key, signal } = asked;
  const body = { model, messages, ...fields, ...(rope.type !== "own" && { rope_scaling: ropeScaling(rope) }) };
  const facts: string[] = [];
  const began = performance.now();
  let [text, pieces, first, last, setting] = ["", 0, 0, 0, ""];
  let tokens: number | undefined;
  const end = (more: Partial<Turn> = {}, needsKey = false): Answered => {
    facts.unshift(model, ...(setting === "" ? [] : [setting]));
    if (pieces > 1) facts.push(`${number(((pieces - 1) * 1000) / Math.max(1, last - first), 1)} tokens/s`);
    if (pieces > 0) facts.push(`first token after ${number((first - began) / 1000, 2)} s`);
    return { turn: { role: "assistant", content: text, facts, ...more }, tokens, needsKey };
  };
  try {
    for await (const chunk of chat(body, key, signal)) {
      if (chunk.text !== "") {
        text += chunk.text;
        last = performance.now();
        if (pieces++ === 0) first = last;
        onText(text);
      }
      if (chunk.rope) setting = shown(chunk.rope);
      if (chunk.finish === "length") facts.push("ended at the token limit");
      if (!chunk.usage) continue;
      pieces = chunk.usage.completion_tokens;
      tokens = chunk.usage.prompt_tokens + pieces;
      facts.push(`${number(pieces)} tokens`);
    }
    return end();
  } catch (error) {
    if (signal.aborted) {
      facts.push("stopped");
      return end();
    }
    const known = error instanceof ApiError ? error : undefined;
    const scaling = known?.scaling === undefined ? undefined : choiceOf(known.scaling);
    const said = known?.message ?? `the page failed: ${String(error)}`;
    // A button offers what the second half of the sentence proposes in the words of the API.
    const problem = scaling ? said.replace(/^messages: /, "").replace(/; rope_scaling: .*$/, "") : said;
    const needsKey = known?.status === 401;
    return end({ problem: sentence(problem), proposal: scaling }, needsKey);
  }
}

/** A sentence of the server's, as one for people. */
const sentence = (text: string): string => `${text[0].toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
