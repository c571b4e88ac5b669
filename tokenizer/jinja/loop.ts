// jinja/loop.ts — the variable `loop`: where a loop is, and what stands beside.

import { spend } from "./budget.ts";
import { equal, iterate, lengthOf } from "./compare.ts";
import { typeError } from "./fault.ts";
import { Callable, Special, Tuple, Undefined } from "./values.ts";
import type { Keywords, Value } from "./values.ts";

/** Jinja2's LoopContext: a loop that can look one item ahead. */
export class Loop extends Special {
  readonly type = "LoopContext";
  readonly #iterable: Value | undefined;
  #iterator: Iterator<Value>;
  readonly #depth0: number;
  readonly #recurse: ((iterable: Value, depth: number) => Value) | undefined;
  #index0 = -1;
  #length: number | undefined;
  /** The next item, once somebody looked: its result. */
  #ahead: IteratorResult<Value> | undefined;
  #before: Value | undefined;
  #current: Value | undefined;
  #changed: Tuple | undefined;

  /** `items` are what the loop runs over, `iterable` the same with a length, if it has one. `recurse` renders a level below. */
  constructor(
    items: Iterable<Value>,
    iterable: Value | undefined,
    depth0 = 0,
    recurse?: (iterable: Value, depth: number) => Value,
  ) {
    super();
    this.#iterable = iterable;
    this.#iterator = items[Symbol.iterator]();
    this.#depth0 = depth0;
    this.#recurse = recurse;
  }

  /** Goes on to the next item; JavaScript's undefined after the last. */
  next(): Value | undefined {
    spend(4);
    const result = this.#ahead ?? this.#iterator.next();
    this.#ahead = undefined;
    if (result.done) {
      this.#ahead = result;
      return undefined;
    }
    this.#index0++;
    this.#before = this.#current;
    this.#current = result.value;
    return result.value;
  }

  #peek(): IteratorResult<Value> {
    return (this.#ahead ??= this.#iterator.next());
  }

  get #count(): number {
    if (this.#length === undefined) {
      const known = this.#iterable === undefined ? undefined : lengthOf(this.#iterable);
      if (known === undefined) {
        const rest: Value[] = [];
        for (let each = this.#iterator.next(); !each.done; each = this.#iterator.next()) {
          spend(2);
          rest.push(each.value);
        }
        this.#iterator = rest[Symbol.iterator]();
        this.#length = rest.length + this.#index0 + 1 + (this.#ahead !== undefined && !this.#ahead.done ? 1 : 0);
      } else this.#length = known;
    }
    return this.#length;
  }

  attribute(name: string): Value | undefined {
    switch (name) {
      case "index":
        return BigInt(this.#index0 + 1);
      case "index0":
        return BigInt(this.#index0);
      case "first":
        return this.#index0 === 0;
      case "last":
        return this.#peek().done === true;
      case "length":
        return BigInt(this.#count);
      case "revindex":
        return BigInt(this.#count - this.#index0);
      case "revindex0":
        return BigInt(this.#count - this.#index0 - 1);
      case "depth":
        return BigInt(this.#depth0 + 1);
      case "depth0":
        return BigInt(this.#depth0);
      case "previtem":
        return this.#index0 === 0 ? new Undefined(() => "there is no previous item") : this.#before;
      case "nextitem": {
        const next = this.#peek();
        return next.done ? new Undefined(() => "there is no next item") : next.value;
      }
      case "cycle":
        return new Callable(name, (args) =>
          args.length === 0 ? typeError("no items for cycling given") : args[this.#index0 % args.length],
        );
      case "changed":
        return new Callable(name, (args) => {
          const value = new Tuple(args);
          if (this.#changed && equal(this.#changed, value)) return false;
          this.#changed = value;
          return true;
        });
    }
    return undefined;
  }

  print(): string {
    return `<LoopContext ${this.#index0 + 1}/${this.#count}>`;
  }

  /** What is left of the loop, each item with the loop itself. */
  override *iterate(): Generator<Value> {
    for (let next = this.next(); next !== undefined; next = this.next()) yield new Tuple([next, this]);
  }

  override invoke(args: readonly Value[], keywords: Keywords): Value {
    const iterable = args.length > 0 ? args[0] : keywords.get("iterable");
    if (args.length + keywords.size !== 1 || iterable === undefined) typeError("loop() takes exactly one argument");
    if (!this.#recurse) typeError("The loop must have the 'recursive' marker to be called recursively.");
    return this.#recurse(iterable, this.#depth0 + 1);
  }
}

/** A loop over a value. Throws the Fault "TypeError" for what cannot be iterated. */
export function loopOver(iterable: Value): Loop {
  return new Loop(iterate(iterable), iterable);
}
