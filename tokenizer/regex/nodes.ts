// nodes.ts — what a regular expression is made of, between its text (parse.ts) and its program (program.ts).

/**
 * A part of a regular expression. `set`: one character, as a JavaScript class of flag u or v. `repeat`: at least `min`, at
 * most `max` times. `atomic`: once matched, never given back. `look`: an assertion ahead or behind, or its opposite.
 */
export type Node =
  | { readonly kind: "set"; readonly set: string }
  | { readonly kind: "sequence"; readonly parts: readonly Node[] }
  | { readonly kind: "choice"; readonly branches: readonly Node[] }
  | { readonly kind: "repeat"; readonly body: Node; readonly min: number; readonly max: number; readonly lazy: boolean }
  | { readonly kind: "atomic"; readonly body: Node }
  | { readonly kind: "look"; readonly body: Node; readonly behind: boolean; readonly not: boolean };

/** One character of a JavaScript class. */
export const set = (source: string): Node => ({ kind: "set", set: source });

/** One part after the other. */
export const sequence = (...parts: Node[]): Node => (parts.length === 1 ? parts[0] : { kind: "sequence", parts });

/** The first of the branches with which the rest matches, too. */
export const choice = (...branches: Node[]): Node =>
  branches.length === 1 ? branches[0] : { kind: "choice", branches };

/** As many times as possible, or with `lazy` as few, from `min` to `max`. */
export const repeat = (body: Node, min: number, max: number, lazy = false): Node => ({
  kind: "repeat",
  body,
  min,
  max,
  lazy,
});

/** `body` follows at this place. */
export const ahead = (body: Node, not = false): Node => ({ kind: "look", body, behind: false, not });

/** `body` ends at this place. */
export const behind = (body: Node, not = false): Node => ({ kind: "look", body, behind: true, not });

/** Whether a part can match nothing. */
export function nullable(node: Node): boolean {
  switch (node.kind) {
    case "set":
      return false;
    case "sequence":
      return node.parts.every(nullable);
    case "choice":
      return node.branches.some(nullable);
    case "repeat":
      return node.min === 0 || nullable(node.body);
    case "atomic":
      return nullable(node.body);
    case "look":
      return true;
  }
}
