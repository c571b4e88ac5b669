// automaton.ts — a grammar byte by byte: words, and a stack of what follows each (a push-down automaton whose every possible
// way is followed at once). Ways that stand before the same word share one stack, which branches below (a graph-structured
// stack, Tomita 1985): so there are never more ways than words of the grammar, however a schema is nested.
//   whitespace: at most one space after `:` and `,` and before the value; none elsewhere

import type { ArrayShape, ObjectShape, Property, Shape } from "./shape.ts";
import { OneOf, type Terminal, literal } from "./terminal.ts";

/** What is to be done when a word is complete: begin the next ones, above what follows them. */
interface Place {
  readonly id: number;
  readonly open: (below: Stack, outcome: number, ways: Ways) => void;
}

/** What follows a word: places, each above its own rest. `ends`: the whole value may be complete. */
interface Stack {
  readonly id: number;
  readonly frames: readonly { readonly place: Place; readonly below: Stack }[];
  readonly ends: boolean;
  /** The state in which a word above it is complete, by outcome. */
  readonly after: Map<number, State>;
}

/** One way on: a word, how far it is, and what follows it. */
export interface Way {
  readonly terminal: Terminal;
  readonly state: number;
  readonly stack: Stack;
}

/** Every way on from a place in a text. The automaton makes each once, until it has made so many that it forgets. */
export interface State {
  readonly id: number;
  readonly ways: readonly Way[];
  /** The value may end here. */
  readonly complete: boolean;
  /** By byte; null: the byte may not come; undefined: not asked yet. */
  readonly next: (State | null | undefined)[];
}

/** Ways while they are collected. */
interface Ways {
  add(terminal: Terminal, state: number, stack: Stack): void;
  end(): void;
}

const OPEN_OBJECT = literal("{");
const CLOSE_OBJECT = literal("}");
const OPEN_ARRAY = literal("[");
const CLOSE_ARRAY = literal("]");
const COMMA = literal(",");
const COLON = literal(":");
const SPACE = literal(" ");

/** States and stacks that are kept; beyond it all are forgotten and made anew, which costs time and nothing else. */
const MAX_KEPT = 20_000;

/** The automaton of one shape, which must have a value (schema.ts sees to that). */
export class Automaton {
  readonly #states = new Map<string, State>();
  readonly #stacks = new Map<string, Stack>();
  readonly #places = new Map<string, Place>();
  readonly #shapes = new Map<Shape, number>();
  #made = 0;
  readonly start: State;

  constructor(shape: Shape) {
    const ways = this.#collect();
    this.#spaced(shape).open(this.#stack([], true), 0, ways);
    this.start = ways.state();
  }

  /** The state after a byte; null where it may not come. */
  step(state: State, byte: number): State | null {
    const known = state.next[byte];
    if (known !== undefined) return known;
    const ways = this.#collect();
    for (const { terminal, state: at, stack } of state.ways) {
      const next = terminal.step(at, byte);
      if (next < 0) continue;
      if (terminal.goesOn(next)) ways.add(terminal, next, stack);
      const outcome = terminal.outcome(next);
      if (outcome >= 0) this.#open(stack, outcome, ways);
    }
    return (state.next[byte] = ways.empty ? null : ways.state());
  }

  /** The state in which the word of a way has just been completed. */
  after({ stack }: Way, outcome: number): State {
    let state = stack.after.get(outcome);
    if (state === undefined) {
      const ways = this.#collect();
      this.#open(stack, outcome, ways);
      stack.after.set(outcome, (state = ways.state()));
    }
    return state;
  }

  #open(stack: Stack, outcome: number, ways: Ways): void {
    if (stack.ends) ways.end();
    for (const { place, below } of stack.frames) place.open(below, outcome, ways);
  }

  #collect() {
    const ways = new Map<string, Way>();
    let complete = false;
    return {
      get empty() {
        return ways.size === 0 && !complete;
      },
      add: (terminal: Terminal, state: number, stack: Stack): void => {
        const key = `${terminal.id},${state}`;
        const other = ways.get(key);
        ways.set(key, { terminal, state, stack: other ? this.#union(other.stack, stack) : stack });
      },
      end: (): void => {
        complete = true;
      },
      state: (): State => this.#state([...ways.entries()], complete),
    };
  }

  #state(ways: readonly (readonly [string, Way])[], complete: boolean): State {
    const sorted = ways.toSorted(([a], [b]) => (a < b ? -1 : 1));
    const key = `${complete} ${sorted.map(([name, { stack }]) => `${name},${stack.id}`).join(" ")}`;
    let state = this.#states.get(key);
    if (state === undefined) {
      this.#forget();
      state = { id: this.#made++, ways: sorted.map(([, way]) => way), complete, next: [] };
      this.#states.set(key, state);
    }
    return state;
  }

  #stack(frames: Stack["frames"], ends: boolean): Stack {
    const key = `${ends} ${frames.map(({ place, below }) => `${place.id},${below.id}`).join(" ")}`;
    let stack = this.#stacks.get(key);
    if (stack === undefined) {
      this.#forget();
      stack = { id: this.#made++, frames, ends, after: new Map() };
      this.#stacks.set(key, stack);
    }
    return stack;
  }

  #forget(): void {
    if (this.#states.size + this.#stacks.size < MAX_KEPT) return;
    this.#states.clear();
    this.#stacks.clear();
  }

  #push(place: Place, below: Stack): Stack {
    return this.#stack([{ place, below }], false);
  }

  /** Both stacks: where the same place is above two rests, it is above their union. */
  #union(a: Stack, b: Stack): Stack {
    if (a === b) return a;
    const below = new Map(a.frames.map(({ place, below }) => [place, below]));
    for (const frame of b.frames) {
      const other = below.get(frame.place);
      below.set(frame.place, other ? this.#union(other, frame.below) : frame.below);
    }
    const frames = [...below].map(([place, below]) => ({ place, below })).toSorted((x, y) => x.place.id - y.place.id);
    return this.#stack(frames, a.ends || b.ends);
  }

  /** A place of a shape, made once. */
  #place(name: string, shape: Shape, open: Place["open"]): Place {
    let number = this.#shapes.get(shape);
    if (number === undefined) this.#shapes.set(shape, (number = this.#shapes.size));
    const key = `${name} ${number}`;
    let place = this.#places.get(key);
    if (place === undefined) this.#places.set(key, (place = { id: this.#places.size, open }));
    return place;
  }

  /** Begins a value of the shape. */
  #value(shape: Shape, below: Stack, ways: Ways): void {
    switch (shape.kind) {
      case "word":
        return ways.add(shape.terminal, shape.terminal.start, below);
      case "object":
        return ways.add(OPEN_OBJECT, 0, this.#push(this.#property(shape, 0, 0, true), below));
      case "array":
        return ways.add(OPEN_ARRAY, 0, this.#push(this.#item(shape, 0, true), below));
      default:
        for (const branch of shape.branches) this.#value(branch, below, ways);
    }
  }

  /** A value, with or without a space before it. */
  #spaced(shape: Shape): Place {
    const alone = this.#place("value", shape, (below, _, ways) => this.#value(shape, below, ways));
    return this.#place("spaced value", shape, (below, _, ways) => {
      this.#value(shape, below, ways);
      ways.add(SPACE, 0, this.#push(alone, below));
    });
  }

  /** Number `i` of the listed properties may come next, or one after it, after `extras` that are not listed; `first`: after `{`. */
  #property(shape: ObjectShape, i: number, extras: number, first: boolean): Place {
    const { properties, extra } = shape;
    const [least, most] = shape.extras;
    const count = most === Infinity ? Math.min(extras, least) : extras;
    return this.#place(`property ${i} ${count} ${first}`, shape, (below, _, ways) => {
      const rest = properties.slice(i).every(({ required }) => !required);
      const more = extra !== undefined && rest && count < most;
      if (rest && count >= least) ways.add(CLOSE_OBJECT, 0, below);
      if (i >= properties.length && !more) return;
      const key = this.#key(shape, i, count, more);
      if (first) key.open(below, 0, ways);
      else {
        ways.add(COMMA, 0, this.#push(key, below));
        ways.add(COMMA, 0, this.#push(this.#space(shape, `${i} ${count}`, key), below));
      }
    });
  }

  /** A key, where one must follow. */
  #key(shape: ObjectShape, i: number, count: number, more: boolean): Place {
    const { properties, extra } = shape;
    const named = this.#place(`named ${count}`, shape, (below, outcome, ways) => {
      const next = this.#property(shape, outcome + 1, count, false);
      this.#spaced(properties[outcome].value).open(this.#push(next, below), 0, ways);
    });
    const colon = this.#place(`colon ${count}`, shape, (below, _, ways) => {
      const next = this.#property(shape, properties.length, count + 1, false);
      this.#spaced(extra!.value).open(this.#push(next, below), 0, ways);
    });
    const other = this.#place(`other ${count}`, shape, (below, _, ways) =>
      ways.add(COLON, 0, this.#push(colon, below)),
    );
    return this.#place(`key ${i} ${count}`, shape, (below, _, ways) => {
      if (i < properties.length) ways.add(keysFrom(shape, i), 0, this.#push(named, below));
      if (more) ways.add(extra!.key, extra!.key.start, this.#push(other, below));
    });
  }

  /** A space before a place. */
  #space(shape: Shape, name: string, place: Place): Place {
    return this.#place(`space ${name}`, shape, (below, _, ways) => ways.add(SPACE, 0, this.#push(place, below)));
  }

  /** Item number `i` may come next; `first`: after `[`. */
  #item(shape: ArrayShape, i: number, first: boolean): Place {
    const { first: leading, rest, min, max } = shape;
    // Where nothing counts any more all items are alike.
    const at = max === Infinity ? Math.min(i, Math.max(min, leading.length)) : i;
    return this.#place(`item ${at} ${first}`, shape, (below, _, ways) => {
      if (at >= min) ways.add(CLOSE_ARRAY, 0, below);
      if (at >= max) return;
      const item = leading[at] ?? rest;
      const after = this.#push(this.#item(shape, at + 1, false), below);
      if (first) this.#value(item, after, ways);
      else ways.add(COMMA, 0, this.#push(this.#spaced(item), after));
    });
  }
}

/** The keys that may come where number `i` is next: up to the first that is required. */
function keysFrom(shape: ObjectShape, i: number): Terminal {
  const isRequired = ({ required }: Property) => required;
  const until = shape.properties.findIndex((property, j) => j >= i && isRequired(property));
  return (shape.from[i] ??= new OneOf(shape.keys, i, until < 0 ? Infinity : until));
}
