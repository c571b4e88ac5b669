// recorded.ts — what transformers gave: counts of cells (test/fixtures/measured.json) and single answers (…/expected).
import { readFileSync } from "node:fs";
import { type CompleteOptions, parseScaling } from "../../src/retrieval/index.ts";
import { folder } from "../tools/models.ts";
import type { Count } from "./compare.ts";
import { type Bundled, TRAINED } from "./bundled.ts";
import type { TaskPrompt } from "./tasks.ts";

const json = (path: string): unknown => JSON.parse(readFileSync(folder(path), "utf8"));

/** An answer of transformers 5.12.1. */
export interface Result {
  readonly ids: readonly number[];
  readonly text: string;
  readonly found: boolean;
  /** Smallest difference of the two best logits over the generated tokens. */
  readonly min_gap: number;
  /** Of dynamic, recorded with use_cache=False: what the default cached generation gave, where that differs. */
  readonly cached?: Omit<Result, "cached">;
}

/** A prompt of test/fixtures/expected and its answers by RoPE setting. */
export interface RecordedPrompt extends TaskPrompt {
  readonly rel_len: number;
  readonly seed: number;
  readonly n_ids: number;
  readonly results: Readonly<Record<string, Result>>;
}

/** A file of test/fixtures/expected. */
export interface Recorded {
  readonly model: Bundled;
  readonly max_new_tokens: number;
  readonly prompts: readonly RecordedPrompt[];
}

/** Logits of two float32 engines differ by at most 0.0012 (expected.test.ts), so a smaller lead than twice that may turn. */
export const TIE = 0.0024;

/** Settings of a column of recorded answers: which of ours must give which of them. */
export function settings(rope: string): { scaling: string; of: (result: Result) => Omit<Result, "cached"> }[] {
  const whole = (result: Result): Result => result;
  const factor = rope.replace(/^\D+/, "");
  if (rope === "own" || rope === "none") return [{ scaling: rope, of: whole }];
  if (rope.startsWith("frozen")) return [{ scaling: `dynamic:${factor}/planned`, of: whole }];
  if (rope.startsWith("dynamic")) {
    return [{ scaling: `dynamic:${factor}/as-inserted`, of: (result) => result.cached ?? result }];
  }
  return [{ scaling: rope.replace(/(\d)$/, ":$1"), of: whole }];
}

/** How an answer is asked for: greedily, under a scaling, also beyond the trained context. */
export const greedy = (scaling: string, maxNewTokens: number): CompleteOptions => {
  const { label: _, ...rope } = parseScaling(scaling);
  return { ...rope, maxNewTokens, temperature: 0, allowBeyond: true };
};

const files = new Map<string, Recorded>();

/** Reads test/fixtures/expected/NAME.json. */
export function recorded(name: string): Recorded {
  const known = files.get(name) ?? (json(`expected/${name}.json`) as Recorded);
  files.set(name, known);
  return known;
}

/** Success rates at distances from the end, ascending: [tokens, found]. */
export interface KMax {
  readonly window: number;
  readonly prompt_tokens: number;
  readonly kmax: number;
  readonly tries: number;
  readonly rows: readonly (readonly [number, number])[];
}

/** test/fixtures/measured.json; a cell is [prompts, value found, whole answer right]. */
export const measured = json("measured.json") as {
  readonly cells: Readonly<Record<string, Readonly<Record<string, readonly [number, number, number]>>>>;
  readonly k_max: Readonly<Record<string, KMax>>;
};

/** test/fixtures/measured-4k.json: cells of kv-llama-4k, lengths in tokens. */
export const measured4k = (json("measured-4k.json") as { cells: (typeof measured)["cells"][string] }).cells;

/** How transformers generated. */
export type How = "cached" | "no_cache";

/** Counts of a cell, and the set of prompts they are about. */
export interface Reference {
  readonly set: "rates" | "public";
  readonly value: Count;
  /** Answers that were right as a whole; unknown where a cell was not measured itself. */
  readonly exact?: Count;
}

/** A cell of transformers. */
export interface Place {
  readonly model: string;
  readonly how: How;
  readonly task: "kv" | "passkey";
  /** Key of the setting in the fixtures, such as yarn4. */
  readonly rope: string;
  readonly length: number;
  readonly position: number;
}

const NEW_TOKENS = 40;
const isDynamic = (rope: string): boolean => /^(dynamic|frozen)/.test(rope);

/**
 * What transformers found in a cell: as measured; within the trained length, where dynamic scales nothing, as measured
 * without scaling; or counted from the recorded answers. Where neither has the position (three cells of yarn, two of
 * linear), what it found at the other positions of that length, as if these were prompts of this cell.
 */
export function reference(place: Place): Reference | undefined {
  return here(place) ?? elsewhere(place);
}

function here(place: Place): Reference | undefined {
  const { model, how, task, rope, length, position } = place;
  const within = length * TRAINED + NEW_TOKENS <= TRAINED;
  const key = `${task}/${isDynamic(rope) && within ? "none" : rope}/${length}/${position}`;
  const cell = measured.cells[`${model}/${how}`]?.[key];
  if (cell) {
    const [tries, found, exact] = cell;
    return { set: "rates", value: { found, tries }, exact: { found: exact, tries } };
  }
  const all = (task === "kv" ? ["kv", "kv-far"] : ["passkey"]).flatMap((name) => recorded(name).prompts);
  const answers = all
    .filter((prompt) => prompt.rel_len === length && prompt.rel_secret_pos === position)
    .flatMap(({ results: { [rope]: result } }) =>
      result ? [how === "cached" ? (result.cached ?? result) : result] : [],
    );
  if (model !== "kv-llama" || answers.length === 0) return undefined;
  return { set: "public", value: { found: answers.filter(({ found }) => found).length, tries: answers.length } };
}

function elsewhere(place: Place): Reference | undefined {
  const others = [0.1, 0.2, 0.5, 0.8].flatMap((position) => here({ ...place, position }) ?? []);
  const sum = (of: (count: Count) => number): number => others.reduce((total, { value }) => total + of(value), 0);
  const value = { found: sum(({ found }) => found), tries: sum(({ tries }) => tries) };
  return value.tries > 0 ? { set: "rates", value } : undefined;
}
