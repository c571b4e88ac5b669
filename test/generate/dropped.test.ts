// What a consumer forgets: a generator dropped half way, and thousands of requests on one signal.
// Opens a device in child processes.
import { spawnSync } from "node:child_process";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { root } from "../tools/source.ts";

const test = suite("dropped");

/** Runs a module in a process of its own that may collect garbage at will, with a model; what it prints. */
function child(body: string): { stdout: string; stderr: string } {
  const program = `
    import { Llama } from "./src/node/index.ts";
    const llama = await Llama.load("test/fixtures/goldens/rope_sweep");
    const asked = { maxNewTokens: 60, ignoreEos: true, allowBeyond: true, reusePrefix: false };
    const { kv, prefixes } = llama.engine.memory;
    const held = () => kv.pages - kv.freePages - prefixes.idle;
    ${body}
    llama.close();
  `;
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ["--expose-gc", "--import", "tsx", "--input-type=module", "--eval", program],
    { cwd: root, encoding: "utf8", timeout: 120_000 }, // a hang, not a speed limit
  );
  assert.is(status, 0, stderr);
  return { stdout, stderr };
}

test("what a device has judged is not kept: twenty thousand writes leave nothing", () => {
  const { stdout } = child(`
    const { gpu, memory } = llama.engine;
    const writes = async (count) => {
      for (let i = 0; i < count; i++) {
        gpu.write(memory.angles.tensor, 0, new Uint8Array(4));
        if (i % 500 === 0) await gpu.idle();
      }
      await gpu.idle();
      globalThis.gc();
      return process.memoryUsage().heapUsed;
    };
    const before = await writes(2000);
    console.log((await writes(20_000)) - before);
  `);
  const left = Number(stdout.trim().split("\n").at(-1));
  assert.ok(left < 1_000_000, `${left} bytes are left`); // each would leave some 70, in a chain of lists
});

test("a generator that is dropped half way gives its pages back", () => {
  const { stdout } = child(`
    const begin = async (signal) => {
      const pieces = llama.generate([1, 2, 3], { ...asked, signal });
      await pieces.next();
      return pieces;
    };
    const kept = await begin();
    const { signal } = new AbortController();
    for (let i = 0; i < 5; i++) await begin(i % 2 ? signal : undefined);
    const before = held();
    for (let turn = 0; held() >= before && turn < 1000; turn++) {
      globalThis.gc();
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    for (let turn = 0; held() > before / 6 && turn < 1000; turn++) {
      globalThis.gc();
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    const after = held();
    let ids = 1;
    for await (const _ of kept) ids++;
    console.log(before > after, after > 0, ids, held());
  `);
  assert.is(stdout, "true true 60 0\n", "what is dropped, and nothing else");
});

test("any number of requests wait for one signal without a warning", () => {
  const { stdout, stderr } = child(`
    import { getEventListeners } from "node:events";
    const { signal } = new AbortController();
    const all = Array.from({ length: 40 }, () => llama.complete([1, 2, 3], { ...asked, maxNewTokens: 2, signal }));
    await Promise.resolve();
    const logits = llama.logits([1, 2, 3], { signal });
    console.log(getEventListeners(signal, "abort").length);
    await Promise.all([...all, logits]);
    console.log(getEventListeners(signal, "abort").length);
    const controller = new AbortController();
    const ended = Array.from({ length: 40 }, () => llama.complete([1, 2, 3], { ...asked, signal: controller.signal }));
    controller.abort();
    console.log(new Set((await Promise.allSettled(ended)).map(({ reason }) => reason.code)));
  `);
  assert.is(stdout, "1\n0\nSet(1) { 'aborted' }\n");
  assert.not.match(stderr, /MaxListeners/);
});

test.run();
