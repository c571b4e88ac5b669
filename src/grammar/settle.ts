// settle.ts — shapes as they will be written: what no value fits is taken out, so that every way that is begun can be ended.

import type { ArrayShape, ObjectShape, Shape } from "./shape.ts";
import { Words } from "./terminal.ts";
import { refuse } from "./work.ts";

/** Takes out what has no value. Throws LlariatError "request" where nothing is left, or a choice comes back to itself. */
export function settle(root: Shape): void {
  const shapes = reached(root);
  const finite = finiteOf(shapes);
  if (!finite.has(root)) refuse("", "no value fits it");
  for (const shape of shapes) {
    if (!finite.has(shape)) continue;
    if (shape.kind === "choice") settleChoice(shape.branches, finite);
    else if (shape.kind === "array") settleArray(shape, finite);
    else if (shape.kind === "object") settleObject(shape, finite);
  }
  checkCircles(shapes);
}

const partsOf = (shape: Shape): readonly Shape[] => {
  switch (shape.kind) {
    case "word":
      return [];
    case "choice":
      return shape.branches;
    case "array":
      return [...shape.first, shape.rest];
    default:
      return [...shape.properties.map(({ value }) => value), ...(shape.extra ? [shape.extra.value] : [])];
  }
};

function reached(root: Shape): Shape[] {
  const found = new Set([root]);
  for (const shape of found) for (const part of partsOf(shape)) found.add(part);
  return [...found];
}

/** Shapes that have a value: all whose parts that must be there have one, found from the innermost outwards. */
function finiteOf(shapes: readonly Shape[]): ReadonlySet<Shape> {
  const finite = new Set<Shape>();
  for (let before = -1; before < finite.size;) {
    before = finite.size;
    for (const shape of shapes.toReversed()) if (!finite.has(shape) && isFinite(shape, finite)) finite.add(shape);
  }
  return finite;
}

function isFinite(shape: Shape, finite: ReadonlySet<Shape>): boolean {
  switch (shape.kind) {
    case "word":
      return true;
    case "choice":
      return shape.branches.some((branch) => finite.has(branch));
    case "array": {
      const { first, rest, min, max } = shape;
      return (
        min <= max && first.slice(0, min).every((item) => finite.has(item)) && (min <= first.length || finite.has(rest))
      );
    }
    default: {
      const [least, most] = shape.extras;
      const extra = least === 0 || (shape.extra !== undefined && finite.has(shape.extra.value));
      return most >= least && extra && shape.properties.every(({ required, value }) => !required || finite.has(value));
    }
  }
}

function settleChoice(branches: Shape[], finite: ReadonlySet<Shape>): void {
  const left = [...new Set(branches)].filter((branch) => finite.has(branch));
  branches.splice(0, branches.length, ...left);
}

function settleArray(shape: ArrayShape, finite: ReadonlySet<Shape>): void {
  const until = shape.first.findIndex((item) => !finite.has(item));
  if (until >= 0) shape.max = Math.min(shape.max, until);
  else if (!finite.has(shape.rest)) shape.max = Math.min(shape.max, shape.first.length);
}

function settleObject(shape: ObjectShape, finite: ReadonlySet<Shape>): void {
  shape.properties = shape.properties.filter(({ value }) => finite.has(value));
  if (shape.extra && !finite.has(shape.extra.value)) shape.extra = undefined;
  shape.keys = new Words(shape.properties.map(({ key }) => `${key}:`));
}

/** A choice that is a branch of itself begins no value, and would be begun for ever. */
function checkCircles(shapes: readonly Shape[]): void {
  const done = new Set<Shape>();
  for (const shape of shapes) {
    const way = new Set<Shape>();
    const visit = (at: Shape): void => {
      if (at.kind !== "choice" || done.has(at)) return;
      if (way.has(at)) refuse("", "an anyOf, a oneOf or a $ref leads back to itself with nothing between");
      way.add(at);
      for (const branch of at.branches) visit(branch);
      way.delete(at);
      done.add(at);
    };
    visit(shape);
  }
}
