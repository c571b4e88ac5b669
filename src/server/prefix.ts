// prefix.ts — a name for what a request begins with: who sends requests of one name to one replica finds its pages known there.

import type { Message, Prompt } from "../index.ts";

/** The header that carries it. */
export const PREFIX_HEADER = "x-llariat-prefix";

/** Characters, or ids, that make the name: what two requests have in common beyond it may differ. */
const LENGTH = 2048;

/**
 * The name of a request's beginning: its model, its RoPE setting, and of a conversation the messages up to the first answer, so that
 * every turn has the same; of another prompt its first 2,048 characters or ids. 16 hexadecimal digits, FNV-1a of 64 bits
 * (Fowler, Noll and Vo): no secret, and nothing depends on it being unique.
 */
export function prefixName(model: string, rope: unknown, prompt: Prompt): string {
  const begin = typeof prompt === "string" ? prompt.slice(0, LENGTH) : JSON.stringify(first(prompt)).slice(0, LENGTH);
  let hash = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(JSON.stringify([model, rope ?? null, begin]))) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  }
  return hash.toString(16).padStart(16, "0");
}

function first(prompt: Exclude<Prompt, string>): readonly unknown[] {
  const items = Array.from(prompt as ArrayLike<unknown>).slice(0, LENGTH);
  const answer = items.findIndex((each) => (each as Partial<Message> | null)?.role === "assistant");
  return answer < 0 ? items : items.slice(0, answer);
}
