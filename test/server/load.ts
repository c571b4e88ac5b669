// load.ts — a server under load and faults, with the numbers that count; each part ends with a line of JSON.
//   npm run test:server                       queue, overload, leave, lost, fuzz
//   npm run test:server -- queue leave        those alone
//   npm run test:server -- mixed --minutes 60 one hour of mixed traffic: memory, handles and latency at its end as at its start
// Traffic goes to 127.0.0.1 only. Ends with "N passed, N failed".
import { parseArgs } from "node:util";
import { fuzz } from "../tools/hostile.ts";
import { serving } from "../tools/serving.ts";
import { type Target, calls, leaving, losing, overloaded, queued, settled, stream } from "../tools/traffic.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { minutes: { type: "string" }, seed: { type: "string" } },
});
const minutes = Number(values.minutes ?? 60);
const seed = Number(values.seed ?? 1);
if (!(minutes > 0)) throw new TypeError(`--minutes: got ${values.minutes}, needed a number above 0`);
if (!Number.isSafeInteger(seed)) throw new TypeError(`--seed: got ${values.seed}, needed a whole number`);

const PLACES = 8;
const QUEUE = 56;

const held = (target: Target) => {
  globalThis.gc?.();
  const { rss, heapUsed } = process.memoryUsage();
  const { weights, kv, activations } = target.llama.memory;
  const handles = process.getActiveResourcesInfo().filter((name) => name !== "Timeout").length;
  return { rssMiB: rss >> 20, heapMiB: heapUsed >> 20, gpuMiB: (weights + kv + activations) >> 20, handles };
};

/** Rounds of streams, leavers and overload until the time is over; a line a minute. */
async function mixed(target: Target) {
  const latency = async (): Promise<number> => {
    const got = [];
    for (const call of calls(20, seed)) got.push((await stream(target, call)).firstMs);
    return Math.round(got.toSorted((a, b) => a - b)[10]);
  };
  await queued(target, 16, seed); // what is compiled and allocated once
  const before = { ...held(target), medianFirstMs: await latency() };
  const start = Date.now();
  let [rounds, clients, shown] = [0, 0, 0];
  while (Date.now() - start < minutes * 60_000) {
    const own = seed + ++rounds;
    await queued(target, 16, own);
    await leaving(target, 32, 16, own);
    await overloaded(target, 96, PLACES + QUEUE, own);
    await fuzz(target, 20, own);
    clients += 16 + 32 + 96 + 20;
    const passed = Math.floor((Date.now() - start) / 60_000);
    if (passed > shown) console.log(`${(shown = passed)} min: ${clients} clients, ${JSON.stringify(held(target))}`);
  }
  await settled(target);
  return { minutes, rounds, clients, before, after: { ...held(target), medianFirstMs: await latency() } };
}

const parts: Readonly<Record<string, (target: Target) => Promise<object>>> = {
  queue: async (target) => {
    const before = held(target);
    return { ...(await queued(target, 64, seed)), before, after: held(target) };
  },
  overload: async (target) => {
    const room = PLACES + QUEUE;
    const full = await queued(target, room, seed);
    return { atCapacity: full.tokensPerSecond, ...(await overloaded(target, 4 * room, room, seed)) };
  },
  leave: async (target) => {
    const before = held(target);
    return { ...(await leaving(target, 1000, 48, seed)), before, after: held(target) };
  },
  lost: (target) => losing(target, 24, 6, seed),
  fuzz: async (target) => ({ statuses: await fuzz(target, 10_000, seed) }),
  mixed,
};
const chosen = positionals.length > 0 ? positionals : Object.keys(parts).filter((name) => name !== "mixed");
const unknown = chosen.find((name) => !(name in parts));
if (unknown !== undefined) throw new TypeError(`there is no part ${unknown}, only ${Object.keys(parts).join(", ")}`);

let failed = 0;
for (const name of chosen) {
  const at = await serving({ maxConcurrent: PLACES, queue: QUEUE }, { onDeviceLost: "reload" });
  const target = { ...at, origin: await at.server.listen({ port: 0 }) };
  try {
    console.log(JSON.stringify({ part: name, adapter: at.llama.adapter?.name, seed, ...(await parts[name](target)) }));
  } catch (error) {
    failed++;
    console.error(error);
  }
  await at.close();
}
console.log(`${chosen.length - failed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
