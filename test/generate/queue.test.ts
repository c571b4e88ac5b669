// The queue between a request and its consumer: order, bound, end, failure, and who is woken when.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Queue } from "../../src/generate/queue.ts";

const test = suite("queue");

test("items come in order, to a reader who waits and to one who comes later; then the end", async () => {
  const queue = new Queue<number>(4, () => {});
  const waiting = queue.next();
  queue.push(1);
  queue.push(2);
  assert.is(await waiting, 1);
  queue.push(3);
  queue.end();
  assert.equal(
    [await queue.next(), await queue.next(), await queue.next(), await queue.next()],
    [2, 3, undefined, undefined],
  );
});

test("a full queue lets its maker rest, and wakes it once the reader has come half-way", async () => {
  let woken = 0;
  const queue = new Queue<number>(4, () => woken++);
  for (let i = 0; i < 3; i++) {
    queue.push(i);
    assert.is(queue.full, false, `${i}`);
  }
  queue.push(3);
  assert.is(queue.full, true);
  assert.is(await queue.next(), 0);
  assert.is(woken, 0);
  assert.is(await queue.next(), 1);
  assert.is(woken, 1);
  await queue.next();
  await queue.next();
  assert.is(woken, 1, "once");
  queue.push(4);
  assert.is(queue.full, false);
});

test("a failure voids what is in it, also for a reader who waits; after the end it comes too late", async () => {
  const gone = new Error("gone");
  const fails = async (queue: Queue<number>) => {
    try {
      return await queue.next();
    } catch (error) {
      return error;
    }
  };
  const queue = new Queue<number>(4, () => {});
  queue.push(1);
  queue.fail(gone);
  queue.fail(new Error("another"));
  assert.is(await fails(queue), gone);
  assert.is(await fails(queue), gone);
  const other = new Queue<number>(4, () => {});
  const waiting = fails(other);
  other.fail(gone);
  assert.is(await waiting, gone);
  const ended = new Queue<number>(4, () => {});
  ended.push(7);
  ended.end();
  ended.fail(gone);
  assert.equal([await fails(ended), await fails(ended)], [7, undefined]);
});

test.run();
