// later.ts — asking a server again: which answers say "later", how long to wait, how an address stands in a sentence.

import { checkAborted } from "../error.ts";

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
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, Math.min(ms, MAX_TIMER_MS));
    signal?.addEventListener("abort", done);
  });
  checkAborted(signal, doing);
}

/** What a caller gave for an address, without what may be a secret in it: name and password, query, fragment. */
export const withoutSecrets = (address: string): string =>
  JSON.stringify(
    address
      .replace(/[?#].*$/s, "")
      .replace(/\/\/[^/]*@/, "//")
      .slice(0, 80),
  );
