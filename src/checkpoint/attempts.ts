// attempts.ts — requests over a network that fails now and then: tried again after a pause, ended when nothing comes.

import { LlariatError, checkAborted } from "../error.ts";
import { unlessStalled, wait } from "../text/later.ts";

/** How patient requests are. */
export interface Patience {
  /** Tries after a connection that broke or a status 429, 502, 503 or 504, each after twice the pause (default 3). */
  readonly retries?: number;
  /** First pause in milliseconds (default 500). */
  readonly pauseMs?: number;
  /** A request to which nothing comes for so many milliseconds counts as a broken connection (default 60,000). */
  readonly stallMs?: number;
}

/** A status that says "later"; `refusal`: what to throw when it is the last. */
export class Later extends Error {
  readonly refusal: LlariatError;

  constructor(refusal: LlariatError) {
    super(refusal.message);
    this.refusal = refusal;
  }
}

/** What is asked, for its sentences; `secret`: texts that must not stand in one. */
export interface Asked extends Patience {
  readonly shown: string;
  readonly doing: string;
  readonly where: string;
  readonly signal: AbortSignal | undefined;
  readonly secrets: readonly string[];
}

/**
 * Runs a request until it is answered. `attempt` gets the signal that ends it and a function to call whenever something
 * came. Throws what `attempt` throws as LlariatError, "source" when the last try broke or was put off, "aborted".
 */
export async function answered<T>(
  { shown, doing, where, signal, secrets, retries = 3, pauseMs = 500, stallMs = 60_000 }: Asked,
  attempt: (signal: AbortSignal, came: () => void) => Promise<T>,
): Promise<T> {
  for (let tries = 1; ; tries++) {
    checkAborted(signal, doing);
    try {
      return await unlessStalled(signal, stallMs, attempt);
    } catch (cause) {
      checkAborted(signal, doing);
      if (cause instanceof LlariatError) throw cause;
      if (tries > retries) {
        if (cause instanceof Later) throw cause.refusal;
        const reason = secrets.reduce((text, secret) => text.replaceAll(secret, "…"), because(cause));
        const problem = `the connection failed ${tries === 1 ? "" : `${tries} times`}${where} (${reason})`;
        throw new LlariatError("source", `${shown}: ${problem}`, { advice: "check the network and load again", cause });
      }
    }
    await wait(pauseMs * 2 ** (tries - 1), signal, doing);
  }
}

/** fetch hides the reason ("fetch failed") one level down. */
function because(error: unknown): string {
  const inner = error instanceof Error && error.cause !== undefined ? error.cause : error;
  return inner instanceof Error ? inner.message : String(inner);
}
