// traffic.ts — many clients of one server at once, over sockets of this machine: who streams, who is refused, who goes away.
// Bounded in number; nothing of what they assert is a time.
import * as assert from "uvu/assert";
import type { Llama } from "../../src/index.ts";
import { nothingHeld } from "./steps.ts";
import { whole } from "./random.ts";
import type { Serving } from "./serving.ts";

/** A server that listens, and its model. */
export interface Target extends Pick<Serving, "llama" | "server"> {
  readonly origin: string;
}

/** A client's request: greedy, a length of its own. */
interface Call {
  readonly prompt: number[];
  readonly max_tokens: number;
}

/** What a client got. */
interface Got {
  readonly status: number;
  readonly text: string;
  /** It got to [DONE]. */
  readonly whole: boolean;
  readonly retryAfter: string | null;
  /** Milliseconds to the first text and to the end. */
  readonly firstMs: number;
  readonly endMs: number;
}

/** Requests from a seed; prompts differ from their third token on. */
export function calls(count: number, seed: number, tokens = 12): Call[] {
  const below = whole(seed);
  return Array.from({ length: count }, () => ({
    prompt: [1, ...Array.from({ length: 8 + below(40) }, () => 260 + below(400))],
    max_tokens: 1 + below(tokens),
  }));
}

const PATH = "/v1/completions";
const bodyOf = (call: Call): object => ({ ...call, temperature: 0, ignore_eos: true, allow_beyond: true });

/** The text that a request gets alone, from the library. */
export async function alone(llama: Llama, { prompt, max_tokens }: Call): Promise<string> {
  const options = { maxNewTokens: max_tokens, temperature: 0, ignoreEos: true, allowBeyond: true };
  return (await llama.complete(prompt, options)).text;
}

/**
 * Streams an answer; `leave` says after how many events of text the client goes away, undefined: it stays. `heard` is called with
 * the headers of the response.
 */
export async function stream({ origin }: Target, call: Call, leave?: number, heard?: () => void): Promise<Got> {
  const start = performance.now();
  const controller = new AbortController();
  let [text, whole, firstMs, events] = ["", false, 0, 0];
  const init = {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ ...bodyOf(call), stream: true }),
    signal: controller.signal,
  };
  const sent = fetch(origin + PATH, init);
  if (leave === 0) setImmediate(() => controller.abort());
  let status = 0;
  try {
    const response = await sent;
    status = response.status;
    heard?.();
    const retryAfter = response.headers.get("retry-after");
    if (status !== 200) {
      await response.text();
      return { status, text, whole, retryAfter, firstMs, endMs: performance.now() - start };
    }
    let held = "";
    const decoder = new TextDecoder();
    read: for await (const chunk of response.body!) {
      held += decoder.decode(chunk as Uint8Array, { stream: true });
      const parts = held.split("\n\n");
      held = parts.pop()!;
      for (const part of parts.filter((each) => each.startsWith("data: "))) {
        firstMs ||= performance.now() - start;
        if (part === "data: [DONE]") whole = true;
        else {
          const { choices, error } = JSON.parse(part.slice(6)) as { choices?: { text: string }[]; error?: object };
          assert.is(error, undefined, part);
          text += choices![0]?.text ?? "";
          if (++events === leave) {
            controller.abort();
            break read; // Node's client may wait for ever for a body that has ended as it was aborted
          }
        }
      }
    }
  } catch (error) {
    if (leave === undefined) throw error;
  }
  return { status, text, whole, retryAfter: null, firstMs, endMs: performance.now() - start };
}

/** Resolves once nobody runs or waits, and asserts that every page is back. */
export async function settled({ llama, origin }: Target): Promise<void> {
  for (;;) {
    const { models } = (await (await fetch(`${origin}/health`)).json()) as {
      models: Record<string, Record<string, number>>;
    };
    if (Object.values(models).every(({ running, waiting }) => running + waiting === 0)) break;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  nothingHeld(llama.engine.memory);
}

const longest = (all: readonly number[]): number => Math.round(Math.max(...all));

/** `count` clients stream at once: each gets the text that it gets alone. */
export async function queued(target: Target, count: number, seed = 1) {
  const asked = calls(count, seed);
  const start = performance.now();
  const got = await Promise.all(asked.map((call) => stream(target, call)));
  const seconds = (performance.now() - start) / 1000;
  await settled(target);
  for (const [i, each] of got.entries()) {
    assert.ok(each.whole, `client ${i}: status ${each.status}`);
    assert.is(each.text, await alone(target.llama, asked[i]), `client ${i}`);
  }
  const tokens = asked.reduce((sum, { max_tokens }) => sum + max_tokens, 0);
  return {
    clients: count,
    tokensPerSecond: Math.round(tokens / seconds),
    longestWaitMs: longest(got.map(({ firstMs }) => firstMs)),
  };
}

/**
 * More clients than a server takes, at once: those for whom there is room are answered whole, the others are refused with 429
 * and a time to come back. Nothing is computed until all have come, so how many are refused is no matter of speed.
 */
export async function overloaded(target: Target, count: number, room: number, seed = 2) {
  const asked = calls(count, seed);
  const { engine } = target.llama;
  const step = engine.step.bind(engine);
  let all!: () => void;
  const come = new Promise<void>((resolve) => (all = resolve));
  engine.step = async (...args) => {
    await come;
    return step(...args);
  };
  let heard = 0;
  const start = performance.now();
  const got = await Promise.all(
    asked.map((call) => stream(target, call, undefined, () => void (++heard === count && all()))),
  );
  engine.step = step;
  const seconds = (performance.now() - start) / 1000;
  await settled(target);
  const answered = got.filter(({ status }) => status === 200);
  const refused = got.filter(({ status }) => status === 429);
  assert.equal([answered.length, refused.length], [room, count - room]);
  for (const each of answered) assert.ok(each.whole);
  for (const each of refused) assert.match(each.retryAfter!, /^\d+$/);
  for (const [i, each] of got.entries()) if (each.whole) assert.is(each.text, await alone(target.llama, asked[i]));
  const tokens = asked.reduce((sum, { max_tokens }, i) => sum + (got[i].whole ? max_tokens : 0), 0);
  return {
    clients: count,
    answered: answered.length,
    refused: refused.length,
    tokensPerSecond: Math.round(tokens / seconds),
    longestRefusalMs: longest(refused.map(({ endMs }) => endMs)),
  };
}

/** Clients that go away after a number of events each, `atOnce` of them at a time: every page is back. */
export async function leaving(target: Target, count: number, atOnce: number, seed = 3) {
  const below = whole(seed);
  const asked = calls(count, seed, 24);
  let next = 0;
  let left = 0;
  const client = async (): Promise<void> => {
    while (next < count) {
      const got = await stream(target, asked[next++], below(8));
      if (!got.whole) left++;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, client));
  await settled(target);
  const after = calls(1, seed + 1)[0];
  assert.is((await stream(target, after)).text, await alone(target.llama, after), "the next is answered as ever");
  return { clients: count, left };
}

/** Clients stream while the device is lost `losses` times: each gets the text that it gets without a loss. */
export async function losing(target: Target, count: number, losses: number, seed = 4) {
  const asked = calls(count, seed, 24);
  const expected: string[] = [];
  for (const call of asked) expected.push(await alone(target.llama, call));
  const below = whole(seed);
  let ended = 0;
  const all = Promise.all(
    asked.map(async (call) => {
      const got = await stream(target, call);
      ended++;
      return got;
    }),
  );
  let lost = 0;
  for (; lost < losses && ended < count; lost++) {
    const { engine } = target.llama;
    const step = engine.step.bind(engine);
    // After some steps more, wherever those are then.
    await new Promise<void>((resolve) => {
      let steps = 1 + below(12);
      engine.step = async (...args) => {
        if (--steps === 0) {
          engine.gpu.device.destroy();
          resolve();
        }
        return step(...args);
      };
      void all.then(() => resolve());
    });
    while (target.llama.engine === engine && ended < count) await new Promise((resolve) => setTimeout(resolve, 5));
  }
  for (const [i, got] of (await all).entries()) {
    assert.ok(got.whole, `client ${i}: status ${got.status}`);
    assert.is(got.text, expected[i], `client ${i}`);
  }
  await settled(target);
  return { clients: count, losses: lost };
}
