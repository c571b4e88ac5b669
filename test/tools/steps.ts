// steps.ts — what tests watch of the loop: the steps that an engine takes, and the pages that are held.
import * as assert from "uvu/assert";
import type { Engine } from "../../src/engine/engine.ts";
import type { Want } from "../../src/model/forward.ts";
import type { Segment } from "../../src/engine/step.ts";

/** The segments of every step of an engine from now on; `before` is awaited before each, with its number from 1. */
export function recordSteps(
  engine: Pick<Engine, "step">,
  before?: (number: number, want: Want) => void | Promise<void>,
): (readonly Segment[])[] {
  const steps: (readonly Segment[])[] = [];
  const step = engine.step.bind(engine);
  engine.step = async (segments, want, recording) => {
    steps.push(segments);
    await before?.(steps.length, want);
    return step(segments, want, recording);
  };
  return steps;
}

/** What a model holds of its pool. */
interface Held {
  readonly kv: { readonly pages: number; readonly freePages: number };
  readonly prefixes: { readonly idle: number };
}

/** All pages are back: free, or kept as a prefix that nobody uses. */
export function nothingHeld({ kv, prefixes }: Held, what?: string): void {
  assert.is(kv.freePages + prefixes.idle, kv.pages, what);
}
