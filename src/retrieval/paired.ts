// paired.ts — two settings on the same prompts: what one finds and the other does not. Prompts that both find, or neither, say
// nothing about which is better, and so need not blur the comparison as two rates side by side do.

import { checkOptions, reading } from "../text/options.ts";
import type { Cell } from "./cell.ts";
import { mcnemar } from "./stats.ts";

/** Two scalings on the prompts that both answered. */
export interface Pairing {
  readonly one: string;
  readonly other: string;
  /** Prompts that both answered, over all tasks and lengths. */
  readonly prompts: number;
  /** Prompts whose value only the first finds, and only the second. */
  readonly onlyOne: number;
  readonly onlyOther: number;
  /** McNemar's exact test: how likely so uneven a split is if neither is better. */
  readonly p: number;
}

/**
 * Every two scalings of a grid that answered a prompt in common, in the grid's order.
 * @throws LlariatError("request") for what is no list of cells.
 */
export function pairings(cells: readonly Cell[]): Pairing[] {
  checkOptions({ cells }, { cells: "list" });
  return reading("cells", () => paired(cells));
}

function paired(cells: readonly Cell[]): Pairing[] {
  const found = new Map<string, Map<string, boolean>>();
  for (const { scaling, attempts } of cells) {
    const mine = found.get(scaling) ?? new Map<string, boolean>();
    found.set(scaling, mine);
    for (const attempt of attempts) if (attempt.error === undefined) mine.set(attempt.prompt, attempt.found);
  }
  const scalings = [...found];
  return scalings.flatMap(([one, mine], i) =>
    scalings.slice(i + 1).flatMap(([other, theirs]): Pairing[] => {
      const common = [...mine].filter(([prompt]) => theirs.has(prompt));
      if (common.length === 0) return [];
      const onlyOne = common.filter(([prompt, here]) => here && !theirs.get(prompt)!).length;
      const onlyOther = common.filter(([prompt, here]) => !here && theirs.get(prompt)!).length;
      return [{ one, other, prompts: common.length, onlyOne, onlyOther, p: mcnemar(onlyOne, onlyOther) }];
    }),
  );
}

/** A pairing as a sentence, the better of the two first. */
export function pairingSentence({ one, other, prompts, onlyOne, onlyOther }: Pairing): string {
  const [better, worse, more, less] =
    onlyOther > onlyOne ? [other, one, onlyOther, onlyOne] : [one, other, onlyOne, onlyOther];
  if (more === 0) return `${better} and ${worse} find the same of ${prompts}`;
  return `${better} finds ${more} of ${prompts} that ${worse} does not, ${less} the other way`;
}
