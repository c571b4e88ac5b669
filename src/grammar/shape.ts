// shape.ts — what a schema comes down to: which values there may be, as words (terminal.ts) and the brackets around them.

import type { OneOf, Terminal, Words } from "./terminal.ts";

/** Values of one kind, or of several. Recursive schemas make circles. */
export type Shape = WordShape | ObjectShape | ArrayShape | ChoiceShape;

/** A value without brackets, or one that is spelt out. */
export interface WordShape {
  readonly kind: "word";
  readonly terminal: Terminal;
}

/** One of several shapes; of none: no value at all. */
export interface ChoiceShape {
  readonly kind: "choice";
  readonly branches: Shape[];
}

/** A property, in the order in which they are written. */
export interface Property {
  readonly key: string;
  readonly value: Shape;
  readonly required: boolean;
}

/** An object. */
export interface ObjectShape {
  readonly kind: "object";
  properties: readonly Property[];
  /** Of properties that are not listed; undefined: there are none. They come last. */
  extra: { readonly key: Terminal; readonly value: Shape } | undefined;
  /** How many of `extra` there must be, at least, and at most. */
  extras: readonly [number, number];
  /** `"key":` of each property. */
  keys: Words;
  /** The key of a property from number i on, by i: as far as the next that is required. */
  readonly from: OneOf[];
}

/** An array. */
export interface ArrayShape {
  readonly kind: "array";
  /** The first items, one by one. */
  first: readonly Shape[];
  /** Of all others. */
  rest: Shape;
  min: number;
  max: number;
}
