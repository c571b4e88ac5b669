// profile.ts — the share of each kernel in a step: a prefill step of the largest size at the start, decode steps after 128
// tokens and after a prompt.

import type { Llama } from "../../src/index.ts";
import type { Plan } from "../../src/model/forward.ts";
import type { Bench } from "../harness.ts";
import { ratesOf } from "../limits.ts";
import { type Result, round } from "../result.ts";
import { work } from "../work.ts";
import { tokenIds } from "./requests.ts";
import { DECODE_AFTER } from "./speed.ts";

/** Reports the time of each of the steps and of its kernels, which have their own lines. */
export async function profile(
  bench: Bench,
  llama: Llama,
  prompt: number,
  say: (kernel: string, rest: Partial<Result>) => void,
): Promise<void> {
  const { engine } = llama;
  const { gpu } = engine;
  const chunk = Math.min(engine.maxRows, prompt);
  const capacity = Math.max(prompt, DECODE_AFTER) + 1;
  const sequence = llama.scheduler.open({ capacity, rope: llama.rope, meaning: "planned", planned: capacity });
  sequence.push(tokenIds(capacity, llama.config.vocab));
  const short = await engine.memory.reserve(sequence, capacity);
  if (short) throw short;
  const common = { outputs: 1, rawKeys: false, want: "candidates" } as const;
  const cases: [string, Plan, number, number][] = [
    [`prefill ${chunk}`, { ...common, rows: engine.maxRows, attention: "prefill" }, 0, chunk],
    [`decode at ${DECODE_AFTER}`, { ...common, rows: 1, attention: "decode" }, DECODE_AFTER, 1],
    [`decode at ${prompt}`, { ...common, rows: 1, attention: "decode" }, prompt, 1],
  ];
  for (const [what, plan, from, count] of cases) {
    const { dispatches, writer } = engine.dispatches(plan);
    const recording = await gpu.record(dispatches);
    sequence.advance(from - sequence.length); // the keys before are what the cache happens to hold: times do not depend on them
    const segment = { sequence, count, n: from + count, outputs: [count - 1], k: 1 };
    const { shape, data } = writer.write([segment]);
    const whole = await bench.time(recording, shape, data, { gpu });
    say(what, whole);
    const lengths = Array.from({ length: count }, (_, i) => from + i + 1);
    for (const share of await bench.profile(gpu, recording, shape, data)) {
      const { kind, count, dispatch, ...times } = share;
      const one = work(dispatch, shape, lengths);
      const rates = await ratesOf(bench, { ...one, bytes: one.bytes * count, flops: one.flops * count }, times);
      const part = `${round((100 * times.best) / whole.best, 3)} % of ${what}, ${count} ×`;
      say(kind, { shape: part, ...times, ...rates });
    }
  }
  sequence.close();
}
