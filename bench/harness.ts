// harness.ts — what every benchmark shares: its arguments, a device with a clock, and result lines.
// A time is that of the GPU (timestamp queries around the work) where the device has a clock, else of the wall around
// submit and idle. Trials repeat the work until it lasts, so that neither clock's grain nor the submit counts.

import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type Dispatch, type StepShape, type DeviceFacts, lanesOf } from "../kernels/index.ts";
import { LlariatError } from "../src/error.ts";
import { Gpu, type Recording } from "../src/device/gpu.ts";
import { type AdapterFacts, requestDevice } from "../src/node/gpu.ts";
import { awaitDevice } from "../src/device/handle.ts";
import { deviceFacts } from "../src/device/facts.ts";
import { type About, type Result, type Timing, about, appendLine, round, timing } from "./result.ts";

export { type Result, type Timing, round, timing };

// GPUBufferUsage as numbers (WebGPU, "Buffer Usages").
const USAGE = { MAP_READ: 0x1, COPY_SRC: 0x4, COPY_DST: 0x8, QUERY_RESOLVE: 0x200 };
const MAP_READ = 0x1;

/** Work per run of a recording: one of them decides what it is compared with. */
export interface Work {
  readonly bytes: number;
  readonly flops: number;
  readonly bound: "bytes" | "flops";
}

/** What one kind of dispatch takes of a step. */
export interface Share extends Timing {
  readonly kind: string;
  readonly count: number;
  /** The first of them. */
  readonly dispatch: Dispatch;
}

/** CPU time of this process so far, over the cores there are. */
export const cpuMs = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000 / availableParallelism();
};

/** Options that every benchmark takes. */
export const COMMON_OPTIONS = {
  adapter: { type: "string" },
  variants: { type: "string" },
  json: { type: "string" },
  save: { type: "boolean" },
  minutes: { type: "string" },
  quick: { type: "boolean" },
  help: { type: "boolean" },
} as const;

/** The command line's values; prints `usage` and ends the process for --help or an option that does not exist. */
export function benchArguments<T extends Record<string, { type: "string" | "boolean" }>>(usage: string, options: T) {
  try {
    const { values } = parseArgs<{ options: typeof COMMON_OPTIONS & T }>({
      options: { ...COMMON_OPTIONS, ...options },
    });
    if (!(values as { help?: boolean }).help) return values;
    console.log(usage);
    return process.exit(0);
  } catch (error) {
    console.error(`${(error as Error).message}\n${usage}`);
    return process.exit(2);
  }
}

/** Runs a benchmark. A TypeError is a mistake in its arguments: it is told in its sentence, and the exit code is 2. */
export async function runBench(main: () => Promise<void>): Promise<void> {
  try {
    await main();
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    console.error(error.message);
    process.exitCode = 2;
  }
}

export interface BenchOptions {
  readonly adapter?: string;
  /** Variants of kernels; default: those that are faster. */
  readonly variants?: string;
  /** File that result lines are appended to. */
  readonly json?: string;
  /** They are appended to the adapter's own file in bench/results as well. */
  readonly save?: boolean;
  /** Minutes after which nothing new is begun. */
  readonly minutes?: string;
}

/** Where the results of an adapter are kept. */
export const resultsFile = (adapter: string): string =>
  fileURLToPath(new URL(`results/${adapter}.jsonl`, import.meta.url));

/** Opens a device for measuring. The caller calls `close()`. */
export async function openBench(options: BenchOptions = {}): Promise<Bench> {
  const { device, adapter, release } = await requestDevice({ adapter: options.adapter, profiling: true });
  const { variants } = options;
  if (variants !== undefined && variants !== "shuffle" && variants !== "tiled") {
    throw new LlariatError("request", `--variants: got ${variants}, needed shuffle or tiled`);
  }
  const minutes = Number(options.minutes ?? Infinity);
  if (!(minutes > 0)) throw new TypeError(`--minutes: got ${options.minutes}, needed a number above 0`);
  const { facts, notes } = await deviceFacts(device, variants);
  for (const note of notes) console.log(note);
  const files = [options.json, options.save ? resultsFile(adapter.name) : undefined];
  const until = performance.now() + 60_000 * minutes;
  return new Bench(new Gpu(device, facts), adapter, {
    release,
    files: files.filter((file) => file !== undefined),
    until,
  });
}

/** A device under measurement: times recordings, knows the device's limits, and reports. */
export class Bench {
  readonly gpu: Gpu;
  readonly adapter: AdapterFacts;
  readonly #release: () => void;
  readonly #files: readonly string[];
  readonly #until: number;
  readonly #about: About;
  #clock: { set: GPUQuerySet; resolved: GPUBuffer; reader: GPUBuffer } | undefined;

  constructor(
    gpu: Gpu,
    adapter: AdapterFacts,
    { release, files, until }: { release: () => void; files: readonly string[]; until: number },
  ) {
    this.gpu = gpu;
    this.adapter = adapter;
    this.#release = release;
    this.#files = files;
    this.#until = until;
    this.#about = about(adapter);
    console.log(`${adapter.description}\n${this.hasClock ? "GPU timestamps" : "no GPU timestamps: wall clock"}`);
  }

  /** Variants that this device can run, the chosen one first. */
  get variants(): DeviceFacts[] {
    const { facts } = this.gpu;
    const other: DeviceFacts = { ...facts, variants: facts.variants === "shuffle" ? "tiled" : "shuffle" };
    return lanesOf(facts) ? [facts, other] : [facts];
  }

  /** Whether the time for benchmarks is over; what is left out for that is said. */
  isLate(leftOut: string): boolean {
    const late = performance.now() > this.#until;
    if (late) console.log(`no time left for ${leftOut} (--minutes)`);
    return late;
  }

  get hasClock(): boolean {
    return this.gpu.device.features.has("timestamp-query");
  }

  /**
   * Times a recording of `gpu` (default: the bench's own): one run to compile, then trials of as many runs as last
   * `atLeastMs`, one after another.
   */
  async time(
    recording: Recording,
    shape: StepShape,
    data: Uint32Array<ArrayBuffer>,
    { trials = 7, atLeastMs = 20, gpu = this.gpu } = {},
  ): Promise<Timing> {
    const run = (repeat: number) => {
      void gpu.run(Array.from({ length: repeat }, () => recording).flat(), shape, data);
    };
    return this.timeWork(run, { trials, atLeastMs });
  }

  /** Times what `submit(repeat)` hands to the queue; see `time`. */
  async timeWork(submit: (repeat: number) => void, { trials = 7, atLeastMs = 20 } = {}): Promise<Timing> {
    submit(1);
    await this.gpu.idle();
    const [first] = await this.#trials(() => submit(1), 1);
    if (first > 1000) trials = Math.min(trials, 5); // slow work is timed well enough by few
    const repeat = Math.max(1, Math.min(500, Math.round(atLeastMs / first)));
    const before = cpuMs();
    const found = await this.#trials(() => submit(repeat), trials);
    const cpu = (cpuMs() - before) / (trials + 1) / repeat; // every batch of trials begins with one that is not counted
    return { ...timing(found.map((ms) => ms / repeat)), ...(this.adapter.isSoftware && { cpuMs: cpu }) };
  }

  /**
   * Time of a recording by kernel and shape: all dispatches of a kind run after one another, so that weights come from
   * memory as they do in a step. Largest first.
   */
  async profile(gpu: Gpu, recording: Recording, shape: StepShape, data: Uint32Array<ArrayBuffer>): Promise<Share[]> {
    const kinds = new Map<string, Recording[number][]>();
    for (const one of recording) {
      const { kernel, constants } = one.dispatch;
      if (one.dispatch.workgroups(shape).includes(0)) continue;
      const { N: n, K4: k4 } = constants;
      const key = n === undefined ? kernel : `${kernel} ${n} × ${4 * k4}`;
      kinds.set(key, [...(kinds.get(key) ?? []), one]);
    }
    const shares: Share[] = [];
    for (const [kind, part] of kinds) {
      const found = await this.time(part, shape, data, { gpu, trials: 5 });
      shares.push({ kind, count: part.length, dispatch: part[0].dispatch, ...found });
    }
    return shares.sort((a, b) => b.best - a.best);
  }

  /** Prints a result, and appends it to the results file as one line of JSON. */
  report(result: Result): void {
    const { kernel, shape, format, cache, variants, ms, spread, gbs, gflops, percent, tokensPerSecond } = result;
    const cell = (value: number | undefined, unit: string, digits = 4) =>
      value === undefined ? "" : `${round(value, digits)} ${unit}`;
    const amount = result.count?.toString() ?? cell(result.bytes && result.bytes / 1e6, "MB");
    const rate = cell(gbs, "GB/s") || cell(gflops, "GFLOPS") || amount;
    const { batch = 1, depth = 0 } = result;
    const where = `${shape}${batch > 1 ? ` × ${batch}` : ""}${depth > 0 ? ` after ${depth}` : ""}`;
    const row = [
      kernel.padEnd(28),
      where.padEnd(34),
      [format, cache && `cache ${cache}`, variants].filter(Boolean).join(" ").padEnd(14),
      cell(ms, "ms").padStart(12),
      (spread === undefined ? "" : `± ${Math.round(50 * spread)} %`).padStart(8),
      cell(result.cpuMs, "cpu", 3).padStart(11),
      cell(tokensPerSecond, "tok/s").padStart(14),
      rate.padStart(15),
      cell(percent, "%", 3).padStart(8),
    ];
    console.log(row.join(" ").trimEnd());
    for (const file of this.#files) appendLine(file, result, this.#about);
  }

  close(): void {
    this.#clock?.set.destroy();
    this.#clock?.resolved.destroy();
    this.#clock?.reader.destroy();
    this.gpu.close();
    this.#release();
  }

  async #trials(submit: () => void, trials: number): Promise<number[]> {
    if (this.hasClock) {
      // Handed over together, so that the GPU never waits for the host between two marks; the first is a warm-up.
      return (await this.#marked(Array.from({ length: trials + 1 }, () => submit))).slice(1);
    }
    const found: number[] = [];
    for (let trial = 0; trial <= trials; trial++) {
      const start = performance.now();
      submit();
      await this.gpu.idle();
      if (trial > 0) found.push(performance.now() - start);
    }
    return found;
  }

  /** Milliseconds on the GPU's clock of each piece of work, in order. */
  async #marked(works: readonly (() => void)[]): Promise<number[]> {
    const { device } = this.gpu;
    this.#clock ??= {
      set: device.createQuerySet({ type: "timestamp", count: 2 * CLOCK_PAIRS }),
      resolved: device.createBuffer({ size: 16 * CLOCK_PAIRS, usage: USAGE.QUERY_RESOLVE | USAGE.COPY_SRC }),
      reader: device.createBuffer({ size: 16 * CLOCK_PAIRS, usage: USAGE.MAP_READ | USAGE.COPY_DST }),
    };
    const { set, resolved, reader } = this.#clock;
    // Timestamps belong to passes: an empty pass before and one after the work.
    const mark = (index: number) => {
      const encoder = device.createCommandEncoder();
      encoder.beginComputePass({ timestampWrites: { querySet: set, beginningOfPassWriteIndex: index } }).end();
      device.queue.submit([encoder.finish()]);
    };
    works.forEach((work, i) => {
      mark(2 * i);
      work();
      mark(2 * i + 1);
    });
    const encoder = device.createCommandEncoder();
    encoder.resolveQuerySet(set, 0, 2 * works.length, resolved, 0);
    encoder.copyBufferToBuffer(resolved, 0, reader, 0, 16 * works.length);
    device.queue.submit([encoder.finish()]);
    await awaitDevice(reader.mapAsync(MAP_READ, 0, 16 * works.length));
    const times = new BigUint64Array(reader.getMappedRange(0, 16 * works.length).slice());
    reader.unmap();
    this.gpu.check();
    return works.map((_, i) => Number(times[2 * i + 1] - times[2 * i]) / 1e6);
  }
}

/** Pieces of work that one query set can time: 4096 queries is WebGPU's limit per set. */
const CLOCK_PAIRS = 1024;
