// later.ts — asking a server: which answers say "later", how long to wait, when nothing will come any more, how an address stands
// in a sentence.

import { checkAborted } from "../error.ts";
import { onAbort } from "./abort.ts";

/** Statuses that say "later", not "no" (RFC 9110, RFC 6585). */
export const LATER: ReadonlySet<number> = new Set([429, 502, 503, 504]);

/** What a timer takes; more would end at once. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/** Waits. Throws LlariatError "aborted" as soon as the signal fires; `doing` ends its sentence. */
export async function wait(ms: number, signal: AbortSignal | undefined, doing: string): Promise<void> {
  checkAborted(signal, doing);
  await new Promise<void>((resolve) => {
    const done = () => {
      clearTimeout(timer);
      over();
      resolve();
    };
    const timer = setTimeout(done, Math.min(ms, MAX_TIMER_MS));
    const over = onAbort(signal, done);
  });
  checkAborted(signal, doing);
}

/**
 * One request, ended by the caller's signal, or when nothing comes for `stallMs`. `attempt` gets the signal that ends it and a
 * function to call whenever something came.
 */
export async function unlessStalled<T>(
  signal: AbortSignal | undefined,
  stallMs: number,
  attempt: (signal: AbortSignal, came: () => void) => Promise<T>,
): Promise<T> {
  const stop = new AbortController();
  let end: (error: Error) => void = () => {};
  const ended = new Promise<never>((_, reject) => (end = reject));
  let timer: ReturnType<typeof setTimeout> | undefined;
  const quit = (error: Error) => {
    end(error);
    stop.abort(error);
  };
  const came = () => {
    clearTimeout(timer);
    timer = setTimeout(() => quit(new Error(`nothing came for ${stallMs} ms`)), Math.min(stallMs, MAX_TIMER_MS));
  };
  const over = onAbort(signal, () => quit(new Error("aborted")));
  came();
  try {
    // whoever passed a fetch of their own may not look at its signal
    return await Promise.race([attempt(stop.signal, came), ended]);
  } finally {
    clearTimeout(timer);
    over();
  }
}

/** What a caller gave for an address, without what may be a secret in it: name and password, query, fragment. */
export const withoutSecrets = (address: string): string =>
  JSON.stringify(
    address
      .replace(/[?#].*$/s, "")
      .replace(/\/\/[^/]*@/, "//")
      .slice(0, 80),
  );
