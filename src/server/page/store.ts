// store.ts — what the browser keeps: the conversation and the settings, and the key until the tab is closed.

import type { Message } from "./api.ts";
import type { Choice } from "./rope.ts";

/** A message, and of an answer what is said below it. */
export interface Turn extends Message {
  /** What is said below an answer: model, RoPE setting, speed. */
  readonly facts?: readonly string[];
  /** Why it ended as it should not. */
  readonly problem?: string;
  /** A RoPE setting that would do, where one was proposed. */
  readonly proposal?: Choice;
}

/** What is kept. */
export interface Kept {
  readonly turns: Turn[];
  /** Tokens of the conversation as far as the server has counted them. */
  tokens: number;
  model: string;
  rope: Choice;
  /** Fields of the settings by the id of their input. */
  fields: Record<string, string | boolean>;
  /** Whether the settings are open. */
  open: boolean;
}

const NAME = "llariat.chat";
const KEY = "llariat.key";

const EMPTY: Kept = { turns: [], tokens: 0, model: "", rope: { type: "own", factor: 2 }, fields: {}, open: false };

/** What was kept the last time; nothing where the browser keeps nothing, or something else. */
export function load(): Kept {
  try {
    const kept = JSON.parse(localStorage.getItem(NAME) ?? "{}") as Partial<Kept>;
    return { ...structuredClone(EMPTY), ...(Array.isArray(kept.turns) && kept) };
  } catch {
    return structuredClone(EMPTY);
  }
}

/** Keeps it, as far as the browser does. */
export function save(kept: Kept): void {
  try {
    localStorage.setItem(NAME, JSON.stringify(kept));
  } catch {
    // A full or forbidden store loses a conversation when the page is left, and nothing before.
  }
}

/** The key of this tab. */
export function loadKey(): string {
  try {
    return sessionStorage.getItem(KEY) ?? "";
  } catch {
    return "";
  }
}

/** Keeps the key for this tab. */
export function saveKey(key: string): void {
  try {
    sessionStorage.setItem(KEY, key);
  } catch {
    // It is asked for again.
  }
}
