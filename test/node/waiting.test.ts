// waiting.test.ts — naps while a device is awaited: results pass through, the event loop goes on, and does not spin.
import { setTimeout as sleep } from "node:timers/promises";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { napWhile } from "../../src/node/waiting.ts";

const test = suite("waiting");

/** Turns of the event loop until `promise` settles, while something asks for a turn at once each time, as Dawn does. */
async function turns(promise: Promise<unknown>): Promise<number> {
  let count = 0;
  let going = true;
  const turn = () => {
    count++;
    if (going) setImmediate(turn);
  };
  setImmediate(turn);
  await promise;
  going = false;
  return count;
}

test("gives the value or the reason", async () => {
  assert.is(await napWhile(Promise.resolve(7)), 7);
  const reason = new Error("lost");
  const caught = await napWhile(Promise.reject(reason)).catch((error: unknown) => error);
  assert.is(caught, reason);
});

test("few turns while waiting, every one again afterwards", async () => {
  const free = await turns(sleep(200));
  const napping = await turns(napWhile(sleep(200)));
  assert.ok(napping * 5 < free, `${napping} turns with naps, ${free} without`);
  const after = await turns(sleep(200));
  assert.ok(napping * 5 < after, `${after} turns afterwards`);
});

test("two waits at a time: naps end with the last", async () => {
  const short = napWhile(sleep(10));
  const long = turns(napWhile(sleep(200)));
  await short;
  const napping = await long;
  const free = await turns(sleep(200));
  assert.ok(napping * 5 < free, `${napping} turns with naps, ${free} without`);
});

test("waits one after another take turns napping: one nap per turn, however many there were", async () => {
  const { wait } = Atomics;
  let naps = 0;
  Atomics.wait = ((...args: Parameters<typeof wait>) => (naps++, wait(...args))) as typeof wait;
  try {
    // Each wait begins in the same turn in which the one before ended, as the steps of a generation do.
    for (let i = 0; i < 50; i++) await napWhile(new Promise(setImmediate));
    naps = 0;
    const turned = await turns(napWhile(sleep(100)));
    assert.ok(naps > 0 && naps <= turned + 1, `${naps} naps in ${turned} turns`);
  } finally {
    Atomics.wait = wait;
  }
});

test.run();
