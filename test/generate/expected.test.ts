// What transformers answers with kv-llama and kv-llama-pi, cell by cell: prompts of key/value pairs, pass keys and titles
// inside and beyond the trained context, under every RoPE setting that was recorded. LLARIAT_ALL=1 runs every cell;
// otherwise all without scaling (kv, title) and a sample of the others; on SwiftShader one of each (tools/sample.ts).
// Left out of samples: model/goldens.test.ts has numbers and ids of every checkpoint.
import { AsyncLocalStorage } from "node:async_hooks";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type GenerateOptions, Llama } from "../../src/node/index.ts";
import type { Output, Sequence } from "../../src/engine/sequence.ts";
import { sampling } from "../tools/sample.ts";
import { farthest, firstDifference, folder, openDevice } from "../tools/models.ts";

interface Result {
  readonly ids: number[];
  readonly text: string;
  /** Smallest difference of the two best logits over the generated tokens. */
  readonly min_gap: number;
  /** [id, logit] of the first generated token. */
  readonly top5: [number, number][];
  /** What the default cached generation gave, where that differs. */
  readonly cached?: { readonly ids: number[]; readonly min_gap: number };
}

interface Prompt {
  readonly id: string;
  readonly prompt: string;
  readonly n_ids: number;
  readonly ids_sha256: string;
  readonly rel_len: number;
  readonly results: Readonly<Record<string, Result>>;
}

interface Recorded {
  readonly model: string;
  readonly trained_context: number;
  readonly max_new_tokens: number;
  readonly prompts: readonly Prompt[];
}

/** What a logit may be off: the goldens' tolerance for float32 is 0.0002 at a spread of 1; these logits have one of 6. */
const TOLERANCE = 0.0012;

const everything = process.env["LLARIAT_ALL"] === "1";
const CONCURRENT = 8;
const handle = await openDevice();
const { device } = handle;
const tests = suite("expected");

/** The cell whose request is running: known to everything that it calls. */
const running = new AsyncLocalStorage<Cell>();

class Cell {
  /** The five best logits of each generated token, as the engine found them. */
  readonly best: [number, number][][] = [];
}

/** Loads a model whose steps always keep five candidates and hand them to the cell that asked. */
async function load(model: string): Promise<Llama> {
  const llama = await Llama.load(folder(`/models/${model}`), { device });
  const { engine, scheduler } = llama;
  const cells = new WeakMap<Sequence, Cell>();
  const [open, step] = [scheduler.open.bind(scheduler), engine.step.bind(engine)];
  scheduler.open = (options) => {
    const [cell, sequence] = [running.getStore(), open(options)];
    if (cell) cells.set(sequence, cell);
    return sequence;
  };
  engine.step = async (segments, ...rest) => {
    const found = await step(
      segments.map((segment) => ({ ...segment, k: 5 })),
      ...rest,
    );
    let row = 0;
    for (const { sequence, outputs } of segments) {
      for (let i = 0; i < outputs.length; i++) cells.get(sequence)?.best.push(five(found[row++]));
    }
    return found;
  };
  return llama;
}

/** The five best [id, logit] of an output row, best first, of equal ones the smaller id first; or more where the fifth ties. */
function five(row: Output): [number, number][] {
  const pairs: [number, number][] =
    row instanceof Float32Array
      ? Array.from(row, (logit, id) => [id, logit])
      : Array.from(row.ids, (id, i) => [id, row.logits[i]]);
  return pairs.sort((a, b) => b[1] - a[1] || a[0] - b[0]);
}

/** One recorded answer, and how it is asked for. */
interface Job {
  readonly what: string;
  readonly prompt: Prompt;
  readonly want: Result;
  readonly options: GenerateOptions;
  /** The cached generation of a setting that depends on the length; its gaps were recorded only where its ids differ. */
  readonly cached?: boolean;
  /** Every step is a full pass over all tokens so far. */
  readonly recomputed?: boolean;
}

/** The ways in which a recorded setting is asked for; `turn` goes round the meanings where any will do. */
function ask(file: Recorded, prompt: Prompt, key: string, turn: number): Job[] {
  const want = prompt.results[key];
  const [, type, number] = /^(\D+)(\d*)$/.exec(key)!;
  const job = (how: string, options: GenerateOptions, rest: Partial<Job> = {}): Job => {
    return { what: `${prompt.id}, ${key}, ${how}`, prompt, want, options, ...rest };
  };
  const scaled = (rope_type: "linear" | "yarn" | "dynamic", options: GenerateOptions): GenerateOptions => {
    return { ropeScaling: { rope_type, factor: Number(number) }, ...options };
  };
  switch (type) {
    case "own":
      return [job("own", {})];
    case "none":
      return [job("none", { ropeScaling: null })];
    case "linear":
    case "yarn": {
      const ropeAngles = (["planned", "current", "as-inserted"] as const)[turn % 3];
      return [job(ropeAngles, scaled(type, { ropeAngles }))];
    }
    case "frozen":
      return [job("the prompt's length", scaled("dynamic", { ropeAngles: "planned", ropeLength: prompt.n_ids }))];
    case "dynamic": {
      const within = prompt.n_ids + want.ids.length <= file.trained_context;
      const inserted = job("as inserted", scaled("dynamic", { ropeAngles: "as-inserted" }), { cached: !within });
      // Within the trained length no frequency depends on the length: a cache changes nothing.
      if (within) return [inserted, job("planned", scaled("dynamic", { ropeLength: prompt.n_ids }))];
      return [inserted, job("recomputed", scaled("dynamic", {}), { recomputed: true })];
    }
    default:
      throw new Error(`unknown setting ${key}`);
  }
}

/** Largest difference of a logit so far. */
let worst = 0;
/** Cells whose ids part from transformers' at a step that may go either way. */
let parted = 0;

function near(what: string, got: number, want: number, allowed: number): void {
  const error = Math.abs(got - want);
  worst = Math.max(worst, error);
  assert.ok(error <= allowed, `${what}: ${got}, needed ${want}`);
}

/** The best logits of a token against the recorded five; sorted lists differ by no more than the logits do. */
function compareTop5(what: string, best: [number, number][], top5: [number, number][]): void {
  top5.forEach(([id, logit], i) => {
    near(`${what}, logit ${i} of the first token`, best[i][1], logit, TOLERANCE);
    const alone = [top5[i - 1], top5[i + 1]].every((other) => !other || Math.abs(other[1] - logit) > 2 * TOLERANCE);
    // The fifth may tie with a sixth that was not recorded.
    if (alone && i < top5.length - 1) assert.is(best[i][0], id, `${what}, id ${i} of the first token`);
  });
}

async function generate(llama: Llama, maxNewTokens: number, job: Job): Promise<void> {
  const { what, prompt, want, options, cached } = job;
  const cell = new Cell();
  const done = await running.run(cell, () =>
    llama.complete(prompt.prompt, { ...options, maxNewTokens, allowBeyond: true }),
  );
  assert.is(done.usage.promptTokens, prompt.n_ids, what);
  assert.is(cell.best.length, done.ids.length, what);
  compareTop5(what, cell.best[0], want.top5);
  const { ids } = cached ? (want.cached ?? want) : want;
  const smallest = cached ? want.cached?.min_gap : want.min_gap;
  const gaps = cell.best.map(([first, second]) => first[1] - second[1]);
  const at = firstDifference(done.ids, ids);
  if (at < 0) {
    if (smallest !== undefined) near(`${what}, smallest gap`, Math.min(...gaps), smallest, 2 * TOLERANCE);
    if (ids === want.ids) assert.is(done.text, want.text, what);
    return;
  }
  const where = `${what}: token ${at} is ${done.ids[at]}, needed ${ids[at]}`;
  assert.ok(gaps[at] <= 2 * TOLERANCE, `${where}; its logit is larger by ${gaps[at]}`);
  assert.ok((smallest ?? 0) <= 2 * TOLERANCE, `${where}; the smallest gap is ${smallest}`);
  assert.is(cell.best[at][1][0], ids[at], where);
  parted++;
}

/** Computes the whole sequence anew for the generated tokens, or some of them: what use_cache=False does. */
async function recompute(llama: Llama, job: Job): Promise<void> {
  const { what, prompt, want, options } = job;
  const ids = llama.tokenizer!.encode(prompt.prompt);
  const last = want.ids.length - 1;
  for (const step of everything ? want.ids.keys() : new Set(sampling ? [0, last] : [0, last >> 1, last])) {
    const logits = await llama.logits([...ids, ...want.ids.slice(0, step)], {
      rows: "last",
      ropeScaling: options.ropeScaling,
    });
    const best = five(logits);
    if (step === 0) compareTop5(what, best, want.top5);
    const gap = best[0][1] - best[1][1];
    assert.ok(gap >= want.min_gap - 2 * TOLERANCE, `${what}, step ${step}: gap ${gap}, smallest ${want.min_gap}`);
    if (best[0][0] === want.ids[step]) continue;
    assert.ok(gap <= 2 * TOLERANCE, `${what}: token ${step} is ${best[0][0]}, needed ${want.ids[step]}`);
    assert.is(best[1][0], want.ids[step], what);
  }
}

/** Runs jobs, some at a time, so that they share steps. */
async function runAll(jobs: readonly Job[], run: (job: Job) => Promise<void>): Promise<void> {
  const queue = jobs.values();
  const worker = async () => {
    for (const job of queue) await run(job);
  };
  await Promise.all(Array.from({ length: CONCURRENT }, worker));
}

const models: Readonly<Record<string, Llama>> = {
  "kv-llama": await load("kv-llama"),
  "kv-llama-pi": await load("kv-llama-pi"),
};

for (const [name, always] of [
  ["kv", ["none"]],
  ["title", ["none"]],
  ["kv-far", []],
  ["kv-pi", []],
  ["passkey", []],
] as const satisfies readonly (readonly [string, readonly string[]])[]) {
  const file = JSON.parse(readFileSync(folder(`expected/${name}.json`), "utf8")) as Recorded;
  const llama = models[file.model];
  const counts: string[] = [];
  const keys = [...new Set(file.prompts.flatMap(({ results }) => Object.keys(results)))];

  tests(`${name}: the tokenizer gives the ids transformers was asked with`, async () => {
    for (const { prompt, id, n_ids, ids_sha256 } of file.prompts) {
      const ids = llama.tokenizer!.encode(prompt);
      assert.is(ids.length, n_ids, id);
      assert.is(createHash("sha256").update(ids.join()).digest("hex"), ids_sha256, id);
    }
  });

  for (const [column, key] of keys.entries()) {
    tests(`${name}: ${key}`, async () => {
      const cells = file.prompts.filter(({ results }) => results[key]);
      // One prompt of each length, another one for each setting.
      const lengths = [...new Set(cells.map(({ rel_len }) => rel_len))];
      const sample = lengths.map((length, row) => {
        const same = cells.filter(({ rel_len }) => rel_len === length);
        return same[(7 * column + 3 * row) % same.length];
      });
      // Where even that takes too long, one prompt a setting: in turns of the shortest within and the shortest beyond the
      // trained context.
      const ends = [sample[0], sample.find(({ rel_len }) => rel_len > 1)!];
      const few = sampling ? [ends[column % 2]] : sample;
      const all = everything || (!sampling && (always as readonly string[]).includes(key));
      const chosen = all ? cells : few;
      const jobs = chosen.flatMap((prompt, row) => ask(file, prompt, key, column + row));
      await runAll(jobs, (job) => (job.recomputed ? recompute(llama, job) : generate(llama, file.max_new_tokens, job)));
      counts.push(`${key} ${chosen.length} of ${cells.length}`);
    });
  }
  tests(`${name}: every setting was run`, () => {
    assert.is(counts.length, keys.length);
    console.log(`note: ${name}.json, cells: ${counts.join(", ")}${everything ? "" : "; LLARIAT_ALL=1 runs all"}`);
  });
}

tests("logits of a prompt are the same from logits() and from generate()", async () => {
  const { prompts, model } = JSON.parse(readFileSync(folder("expected/kv.json"), "utf8")) as Recorded;
  const llama = models[model];
  const { prompt } = prompts[20];
  const cell = new Cell();
  await running.run(cell, () => llama.complete(prompt, { maxNewTokens: 1, reusePrefix: false }));
  const logits = await llama.logits(llama.tokenizer!.encode(prompt), { rows: "last" });
  assert.is(
    farthest(
      cell.best[0].map(([, logit]) => logit),
      logits.toSorted().reverse().slice(0, 5),
    ).error,
    0,
  );
});

tests.after(() => {
  for (const llama of Object.values(models)) llama.close();
  handle.release();
  console.log(
    `note: largest difference of a logit or of a smallest gap ${worst.toFixed(5)}; ${parted} answers parted at a tie`,
  );
});
tests.run();
