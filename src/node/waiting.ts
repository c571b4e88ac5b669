// waiting.ts — waiting for Dawn without burning a core. As long as one of its promises is pending, npm `webgpu` asks Dawn
// for news in every turn of the event loop, without a pause; on a software adapter that takes a core from the computation.

const NAP_MS = 1;
/** A nap's share of the time waited so far: what a result may come late by. */
const SHARE = 0.05;

const cell = new Int32Array(new SharedArrayBuffer(4));
let waits = 0;
let since = 0;
/** Whether a turn with a nap is due. A wait that begins in the turn in which the last one ended must not add another. */
let due = false;

/** Puts naps of at most a millisecond between the turns of the event loop until the promise settles; gives it back. */
export function napWhile<T>(promise: Promise<T>): Promise<T> {
  since = performance.now();
  waits++;
  if (!due) setImmediate(nap);
  due = true;
  return promise.finally(() => waits--);
}

function nap(): void {
  due = waits > 0;
  if (!due) return;
  // Nobody wakes this cell: the thread sleeps until the time is over.
  Atomics.wait(cell, 0, 0, Math.min(NAP_MS, (performance.now() - since) * SHARE));
  setImmediate(nap);
}
