// tasks.ts — the prompts of models/train/{tasks,common}.py, letter by letter: same seeds, same lengths, same lines.
import { roundHalfEven } from "../../src/retrieval/prompts/prompt.ts";
import { TRAINED } from "./bundled.ts";
import { PythonRandom } from "./python.ts";

/** A prompt as test/fixtures/expected has them; what prompts.fromFixture reads. */
export interface TaskPrompt {
  readonly id: string;
  readonly task: "kv" | "passkey" | "title";
  readonly prompt: string;
  /** The whole answer. */
  readonly answer: string;
  /** What has to stand in it. */
  readonly value: string;
  readonly prompt_len: number;
  readonly rel_secret_pos: number | null;
}

/** Where a prompt is from: its set and seed, its length over the trained one, and the relative position of its secret. */
export interface Cell {
  readonly set: string;
  readonly length: number;
  readonly position: number;
  readonly seed: number;
}

/** Tokens of a key/value prompt without pairs and of one pair, with kv-llama's tokenizer (KV_FIXED in common.py). */
const [KV_FIXED, KV_PAIR] = [39, 18];
/** Of a pass-key prompt without filler and of one repetition (PK_FIXED). */
const [PK_FIXED, PK_FILLER] = [69, 24];
const FILLER = "The grass is green. The sky is blue. The sun is yellow. Here we go. There and back again.";

const random = (task: string, tokens: number, { set, position, seed }: Cell): PythonRandom =>
  new PythonRandom(["kv-llama", task, set, tokens, position, seed].join("|"));
const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, "0");

/** kv_cell: the most pairs that keep within the length; the secret is pair round(position · (n - 1)). */
export function kv(cell: Cell): TaskPrompt {
  const tokens = Math.floor(cell.length * TRAINED);
  const source = random("kv", tokens, cell);
  const pairs = Array.from({ length: Math.max(1, Math.floor((tokens - KV_FIXED) / KV_PAIR)) }, () => {
    const key = hex(source.bits128()[0], 8); // the first 8 digits of a UUID
    return { key, value: hex(source.bits(16), 4) };
  });
  const { key, value } = pairs[roundHalfEven(cell.position * (pairs.length - 1))];
  const lines = pairs.map((pair) => `'${pair.key}' = '${pair.value}'\n`).join("");
  return {
    ...named("kv", tokens, cell),
    prompt: `[INST] ## UUID key/value pairs to remember:\n\n${lines}\n\n What is the value of the key '${key}'? [/INST]`,
    answer: ` The value of the key '${key}' is '${value}'.`,
    value,
  };
}

/** passkey_cell: the most repetitions of the filler that keep within the length; the key after round(position · n). */
export function passkey(cell: Cell): TaskPrompt {
  const tokens = Math.floor(cell.length * TRAINED);
  const value = String(random("passkey", tokens, cell).below(100_000)).padStart(5, "0");
  const all = Math.max(0, Math.floor((tokens - PK_FIXED) / PK_FILLER));
  const before = roundHalfEven(cell.position * all);
  const filler = (times: number): string => (times === 0 ? "" : `${Array(times).fill(FILLER).join(" ")}\n`);
  return {
    ...named("passkey", tokens, cell),
    prompt:
      "There is an important info hidden inside a lot of irrelevant text. Find it and memorize them. " +
      "I will quiz you about the important information there.\n" +
      `${filler(before)}The pass key is ${value}. Remember it. ${value} is the pass key.\n${filler(all - before)}` +
      "What is the pass key? The pass key is",
    answer: ` ${value}.`,
    value,
  };
}

const named = <T extends "kv" | "passkey">(task: T, tokens: number, { set, length, position, seed }: Cell) => ({
  id: `${task}-${set}-${length}-${position}-${seed}`,
  task,
  prompt_len: tokens,
  rel_secret_pos: position,
});
