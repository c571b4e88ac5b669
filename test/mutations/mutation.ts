// mutation.ts — one deliberate mistake, and who must notice it.

/** `find`, which `file` has exactly once, becomes `replace`; then one of `tests` must fail. */
export interface Mutation {
  readonly name: string;
  /** Relative to the root. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** Test files without folder `test/` and ending, the likeliest and those that open no device first. */
  readonly tests: readonly string[];
}

/** Mutations of one file that the same tests must notice, as [name, find, replace]. */
export const of = (
  file: string,
  tests: readonly string[],
  edits: readonly (readonly [name: string, find: string, replace: string])[],
): Mutation[] => edits.map(([name, find, replace]) => ({ name, file, find, replace, tests }));
