// sentences.ts — where one sentence ends and the next begins, as far as full stops tell.

/** The end of a sentence, and the space after it. */
export const SENTENCE_END = /[.!?]["')\]]*\s+/g;

/** The sentences of a text, without the space between them. */
export function sentences(text: string): string[] {
  const found: string[] = [];
  let from = 0;
  for (const { 0: end, index } of text.matchAll(SENTENCE_END)) {
    found.push(text.slice(from, index + end.length).trimEnd());
    from = index + end.length;
  }
  if (from < text.length) found.push(text.slice(from));
  return found;
}

/** White space of any length as single spaces, none around. */
export const singleSpaced = (text: string): string => text.replaceAll(/\s+/g, " ").trim();

/** Items with others put among them: `added[i]` before the item that stands at `places[i]`, ascending, as it was. */
export function interleave(items: readonly string[], added: readonly string[], places: readonly number[]): string[] {
  const all: string[] = [];
  let next = 0;
  for (let i = 0; i <= items.length; i++) {
    while (next < added.length && places[next] <= i) all.push(added[next++]);
    if (i < items.length) all.push(items[i]);
  }
  return [...all, ...added.slice(next)];
}
