// pause.ts — lets others have a turn during long work on a file, so that a signal can end it.

import { checkAborted } from "../error.ts";

/** Lets timers and events run. Throws LlariatError "aborted" once the signal has fired; `doing` ends its sentence. */
export async function pause(signal: AbortSignal | undefined, doing: string): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve));
  checkAborted(signal, doing);
}
