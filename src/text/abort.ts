// abort.ts — waiting for a caller's signal.

import { aborted } from "../error.ts";

// Borrowed from the prototypes: only a real signal answers them, wherever it was made, and it may carry properties of the
// same names that throw.
const own = <T extends object>(prototype: T, name: keyof T): PropertyDescriptor =>
  Object.getOwnPropertyDescriptor(prototype, name)!;
const isAborted = own(AbortSignal.prototype, "aborted")["get"] as () => boolean;
const add = own(EventTarget.prototype, "addEventListener")["value"] as EventTarget["addEventListener"];
const remove = own(EventTarget.prototype, "removeEventListener")["value"] as EventTarget["removeEventListener"];

/** Whether a value is an AbortSignal. */
export function isSignal(value: unknown): value is AbortSignal {
  try {
    return typeof isAborted.call(value) === "boolean";
  } catch {
    return false;
  }
}

interface Waiting {
  readonly listeners: Set<() => void>;
  readonly fire: () => void;
}

const waiting = new WeakMap<AbortSignal, Waiting>();

/**
 * Calls `listener` once when the signal fires, unless the function that comes back is called before. However many wait for
 * a signal, it has one listener of ours: Node warns of a leak from the eleventh on. A listener must not throw.
 */
export function onAbort(signal: AbortSignal | undefined, listener: () => void): () => void {
  if (!signal) return () => {};
  const own = waiting.get(signal) ?? listen(signal);
  const entry = () => listener(); // the same listener may wait twice
  own.listeners.add(entry);
  return () => {
    if (!own.listeners.delete(entry) || own.listeners.size > 0 || waiting.get(signal) !== own) return;
    waiting.delete(signal);
    remove.call(signal, "abort", own.fire);
  };
}

function listen(signal: AbortSignal): Waiting {
  const listeners = new Set<() => void>();
  const fire = () => {
    waiting.delete(signal);
    for (const listener of listeners) listener(); // one that is taken out meanwhile is not called
    listeners.clear();
  };
  const own = { listeners, fire };
  waiting.set(signal, own);
  add.call(signal, "abort", fire, { once: true });
  return own;
}

/** A signal that fires with the first of these, and what ends its waiting for them. */
export function anySignal(signals: readonly AbortSignal[]): {
  readonly signal: AbortSignal;
  readonly over: () => void;
} {
  const any = new AbortController();
  const ends = signals.map((each) => {
    if (each.aborted) any.abort(each.reason);
    return onAbort(each, () => any.abort(each.reason));
  });
  return { signal: any.signal, over: () => ends.forEach((end) => end()) };
}

/**
 * What a function of the caller's promises; LlariatError "aborted" as soon as the signal fires, whatever the function makes of it.
 * `doing` ends its sentence.
 */
export async function orAborted<T>(
  ask: () => PromiseLike<T> | T,
  signal: AbortSignal | undefined,
  doing: string,
): Promise<T> {
  let over = (): void => {};
  try {
    // Before the function hears of the signal, so that its own rejection comes second.
    const fired = new Promise<never>((_, reject) => {
      over = onAbort(signal, () => reject(aborted(signal!, doing)));
    });
    return await Promise.race([ask(), fired]);
  } finally {
    over();
  }
}
