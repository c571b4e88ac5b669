// trust.ts — checks the variants that a device is to run, on a small input and before they are used: drivers differ, and
// nobody can test every one of them. What they give is compared with f64 on the host, not with the plain variant on the
// device: that would have to be compiled for nothing else (1.3 s on lavapipe against 0.6 for all the rest) and is no more
// certain to be right.

import {
  CANDIDATE_STRIDE,
  type Choices,
  type DeviceFacts,
  type Dispatch,
  PAGE,
  SPLIT,
  type StepLayout,
  type StepShape,
  type Tensor,
  attentionDecode,
  attentionPrefill,
  caches,
  choose,
  formats,
  gatedUnit,
  kvLayer,
  linear,
  matrixOf,
  matvec,
  plainVariant,
  rmsnorm,
  stepLayout,
  stride,
  tileRows,
  topk,
  variantName,
} from "../../kernels/index.ts";
import { LlariatError } from "../error.ts";
import { Gpu } from "./gpu.ts";

/** A variant that is not to be used. */
export interface Refusal {
  /** Its name, as `variantName` gives it. */
  readonly variant: string;
  /** The variant that is used instead: one that passed its own trial, or the plain one. */
  readonly instead: string;
  /** A clause that says what was seen. */
  readonly why: string;
}

/**
 * Results are sums of at most TERMS products of numbers between -1 and 1 in f32, so that rounding comes to TERMS² · 2^-24 = 6e-4
 * at the very worst, and in practice to 1e-6; or, in attention, means of such numbers, weighed by scores that are off by less
 * than that. A lane that is left out, counted twice or taken for another is off by a product, which is 1/4 on average.
 */
const ALLOWED = 2 ** -10;
const TERMS = 99;

/** Rows: a full tile of attention and a ragged one, two tiles of matmul_shuffle. */
const ROWS = 21;
/** Rows that variants are chosen for: those of a long prompt. */
const MANY = Infinity;
/** Columns: ragged, two workgroups of matmul_shuffle, whose lanes have four columns each. */
const columnsFor = ({ subgroupMax }: DeviceFacts): number => 4 * subgroupMax + 43;
/** Heads: two groups of query heads that read a key/value head each. */
const [HEADS, KV_HEADS] = [4, 2];
/** Keys: two parts of decode attention, the second ragged, on pages in reverse order. */
const LENGTH = SPLIT + 13;
const PAGES = Math.ceil(LENGTH / PAGE);
const EPS = 1e-5;

type Kernel = Exclude<keyof Choices, "elementwise">;

const KERNELS: readonly Kernel[] = [
  "linear",
  "matvec",
  "swiglu",
  "attention_prefill",
  "attention_decode",
  "rmsnorm",
  "topk",
];

const chosen = (kernel: Kernel, facts: DeviceFacts): Choices[Kernel] =>
  choose(kernel, { rows: kernel === "swiglu" ? 1 : MANY, n: columnsFor(facts), k: TERMS }, facts);

/**
 * Runs, of each kernel, what `facts` choose if it is not the plain variant, and what is chosen in place of a variant that
 * fails; gives back those that do not compile or whose results are wrong. Throws `device` if the device fails as a whole.
 */
export async function checkVariants(
  device: GPUDevice,
  facts: DeviceFacts,
  kernels: readonly Kernel[] = KERNELS,
): Promise<Refusal[]> {
  const refused = new Set(facts.refused);
  const now: DeviceFacts = { ...facts, refused };
  const failed: { readonly kernel: Kernel; readonly variant: string; readonly why: string }[] = [];
  let suspects = kernels;
  for (;;) {
    suspects = suspects.filter((kernel) => chosen(kernel, now) !== plainVariant(kernel));
    if (suspects.length === 0) break;
    const wrong = await tryOut(device, now, suspects);
    for (const [kernel, why] of wrong) {
      const variant = variantName(kernel, chosen(kernel, now));
      failed.push({ kernel, variant, why });
    }
    for (const { variant } of failed) refused.add(variant);
    suspects = [...wrong.keys()];
  }
  return failed.map(({ kernel, variant, why }) => ({
    variant,
    instead: variantName(kernel, chosen(kernel, now)),
    why,
  }));
}

/** What is wrong with the chosen variant of each kernel, where anything is. */
async function tryOut(device: GPUDevice, facts: DeviceFacts, kernels: readonly Kernel[]): Promise<Map<Kernel, string>> {
  const gpu = new Gpu(device, facts);
  try {
    const trial = new Trial(gpu, facts);
    const cases = kernels.map((kernel) => trial.prepare(kernel));
    // All are compiled side by side, and run while the host works out what they should give.
    const failures = await Promise.all(cases.map((each) => trial.start(each)));
    const wrong = new Map<Kernel, string>();
    for (const [i, kernel] of kernels.entries()) {
      const why = failures[i] ?? (await trial.compare(cases[i]));
      if (why !== undefined) wrong.set(kernel, why);
    }
    return wrong;
  } finally {
    gpu.close();
  }
}

/** Dispatches, where their result is, and what it should be, NaN where that is nobody's business. */
interface Case {
  readonly dispatches: Dispatch[];
  readonly y: Tensor;
  readonly want: (row: number, column: number) => number;
}

/** A small step: the last ROWS tokens of one sequence, each also an output. */
class Trial {
  readonly #gpu: Gpu;
  readonly #facts: DeviceFacts;
  readonly #step: StepLayout;
  readonly #shape: StepShape;
  readonly #data: Uint32Array<ArrayBuffer>;

  constructor(gpu: Gpu, facts: DeviceFacts) {
    this.#gpu = gpu;
    this.#facts = facts;
    // Lanes hold unequal numbers of a head's elements, and both halves of it are read four at a time, as those of real models.
    const headDim = 2 * facts.subgroupMax + 8;
    const step = stepLayout({ rows: ROWS, outputs: ROWS, sequences: 1, fills: 1, headDim });
    const data = new Uint32Array(step.pageAt + PAGES);
    const tall = tileRows(headDim);
    const tiles = Math.ceil(ROWS / tall);
    for (let tile = 0; tile < tiles; tile++) {
      data.set([tile * tall, Math.min(tall, ROWS - tile * tall), 0], step.tileAt + 4 * tile);
    }
    for (let row = 0; row < ROWS; row++) {
      data.set([0, LENGTH - ROWS + row, 0, 0], step.rowAt + 4 * row);
      data.set([row, 1 + row], step.outputAt + 2 * row);
    }
    for (let page = 0; page < PAGES; page++) data[step.pageAt + page] = PAGES - 1 - page;
    this.#shape = {
      rows: ROWS,
      singles: ROWS,
      outputs: ROWS,
      tiles,
      splits: Math.ceil(LENGTH / SPLIT),
      fills: 0,
      fillRows: 0,
    };
    data.set([ROWS, ROWS, tiles, this.#shape.splits]);
    this.#step = step;
    this.#data = data;
    gpu.createStep(data.byteLength);
  }

  /** Compiles and submits a case; what is wrong with its text, undefined if nothing is. */
  async start({ dispatches }: Case): Promise<string | undefined> {
    try {
      await this.#gpu.run(await this.#gpu.record(dispatches), this.#shape, this.#data);
      return undefined;
    } catch (error) {
      if (!(error instanceof LlariatError) || error.code !== "kernel") throw error;
      return error.message;
    }
  }

  /** What is wrong with the results of a case that was started; undefined if nothing is. */
  async compare({ y, want }: Case): Promise<string | undefined> {
    const columns = y.shape[1];
    const needed = Float64Array.from({ length: ROWS * columns }, (_, i) => want(Math.floor(i / columns), i % columns));
    const got = new Float32Array(await this.#gpu.read(y));
    for (const [i, value] of needed.entries()) {
      const is = got[Math.floor(i / columns) * stride(columns) + (i % columns)];
      const right = Number.isNaN(value) || Math.abs(is - value) <= ALLOWED;
      if (!right) return `in a trial it gave ${is}, needed ${value}`;
    }
    return got.subarray(ROWS * stride(columns)).some((value) => value !== 1) ? "it writes beyond its rows" : undefined;
  }

  /** Makes the tensors and dispatches of a kernel. */
  prepare(kernel: Kernel): Case {
    const [step, device] = [this.#step, this.#facts];
    const n = columnsFor(device);
    const { headDim } = step.capacity;
    const tensor = (name: string, rows: number, columns: number, dtype: "f32" | "u32" = "f32"): Tensor => ({
      name: `${kernel}.${name}`,
      dtype,
      shape: [rows, columns],
    });
    const make = (made: Tensor): Tensor => {
      this.#gpu.create(made, "activations");
      return made;
    };
    /** Makes a tensor of numbers; what it holds. */
    const fill = (made: Tensor): ((row: number, column: number) => number) => {
      const [rows, columns] = made.shape;
      const values = numbers(rows, columns);
      this.#gpu.write(make(made), 0, values);
      return (row, column) => values[row * stride(columns) + column];
    };
    // The row beyond the step's holds ones, and must keep them.
    const output = (columns: number, dtype: "f32" | "u32" = "f32"): Tensor => {
      const made = make(tensor("y", ROWS + 1, columns, dtype));
      this.#gpu.write(made, 4 * ROWS * stride(columns), new Float32Array(stride(columns)).fill(1));
      return made;
    };
    switch (kernel) {
      case "linear":
      case "matvec": {
        const x = tensor("x", ROWS, TERMS);
        const weight = matrixOf(formats.f32, `${kernel}.weight`, n, TERMS);
        const [xAt, weightAt] = [fill(x), fill(weight.pieces[0].tensors.weight)];
        const args = { x, weight, y: output(n), step, device };
        return {
          dispatches: kernel === "matvec" ? matvec(args) : linear({ ...args, rows: MANY }),
          y: args.y,
          want: (row, column) => sum(TERMS, (i) => xAt(row, i) * weightAt(column, i)),
        };
      }
      case "swiglu": {
        const x = tensor("x", ROWS, TERMS);
        const weight = matrixOf(formats.f32, `${kernel}.weight`, 2 * n, TERMS);
        const [xAt, weightAt] = [fill(x), fill(weight.pieces[0].tensors.weight)];
        const args = { x, weight, y: output(n), gateUp: x, rows: 1, step, device };
        const column = (row: number, i: number) => sum(TERMS, (k) => xAt(row, k) * weightAt(i, k));
        const want = (row: number, i: number) => {
          const gate = column(row, i);
          return (gate / (1 + Math.exp(-gate))) * column(row, n + i);
        };
        return { dispatches: gatedUnit(args), y: args.y, want };
      }
      case "rmsnorm": {
        const [x, weight] = [tensor("x", ROWS, TERMS), tensor("weight", 1, TERMS)];
        const [xAt, weightAt] = [fill(x), fill(weight)];
        const args = { x, weight: { ...weight, shape: [TERMS] }, y: output(TERMS), eps: EPS, device };
        const size = (row: number) => Math.sqrt(sum(TERMS, (i) => xAt(row, i) ** 2) / TERMS + EPS);
        return { dispatches: [rmsnorm(args)], y: args.y, want: (row, i) => (weightAt(0, i) * xAt(row, i)) / size(row) };
      }
      case "topk": {
        const logits = tensor("logits", ROWS, n);
        const [at, y] = [fill(logits), output(CANDIDATE_STRIDE, "u32")];
        // What is added up is Σ e^logit, in the third word; the candidates themselves are found without any sum.
        const logSum = (row: number) => Math.log(sum(n, (i) => Math.exp(at(row, i))));
        const want = (row: number, word: number) => (word === 2 ? logSum(row) : NaN);
        return { dispatches: [topk({ logits, candidates: y, step, device })], y, want };
      }
      case "attention_prefill":
      case "attention_decode": {
        const qkv = tensor("qkv", ROWS, (HEADS + 2 * KV_HEADS) * headDim);
        const kv = kvLayer(caches.f32, kernel, PAGES * PAGE, KV_HEADS * headDim);
        const [q, k, v] = [fill(qkv), fill(kv.keys), fill(kv.values)];
        const table = make(tensor("table", 1, headDim));
        const partials = make(tensor("partials", ROWS * HEADS * this.#shape.splits, headDim + 2));
        const heads = { heads: HEADS, kvHeads: KV_HEADS, rawKeys: false };
        const args = { qkv, kv, table, partials, y: output(HEADS * headDim), ...heads, step, device };
        const slot = (key: number) => (PAGES - 1 - Math.floor(key / PAGE)) * PAGE + (key % PAGE);
        const weights = (row: number, head: number): Float64Array => {
          const at = Math.floor((head * KV_HEADS) / HEADS) * headDim;
          const score = (key: number) => sum(headDim, (i) => q(row, head * headDim + i) * k(slot(key), at + i));
          const length = LENGTH - ROWS + row + 1;
          const terms = Float64Array.from({ length }, (_, key) => Math.exp(score(key) * headDim ** -0.5));
          const mass = sum(length, (key) => terms[key]);
          return terms.map((term) => term / mass);
        };
        const known = Array.from({ length: ROWS * HEADS }, (_, i) => weights(Math.floor(i / HEADS), i % HEADS));
        return {
          dispatches: kernel === "attention_prefill" ? attentionPrefill(args) : attentionDecode(args),
          y: args.y,
          want: (row, column) => {
            const head = Math.floor(column / headDim);
            const own = known[row * HEADS + head];
            const at = Math.floor((head * KV_HEADS) / HEADS) * headDim + (column % headDim);
            return sum(own.length, (key) => own[key] * v(slot(key), at));
          },
        };
      }
    }
  }
}

function sum(count: number, term: (i: number) => number): number {
  let total = 0;
  for (let i = 0; i < count; i++) total += term(i);
  return total;
}

/** Numbers between -1 and 1 of no pattern, the same for the same shape; the padding of rows is zero. */
function numbers(rows: number, columns: number): Float32Array<ArrayBuffer> {
  let state = rows;
  return Float32Array.from({ length: rows * stride(columns) }, (_, i) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0; // Numerical Recipes' linear congruential generator
    return i % stride(columns) < columns ? state / 2 ** 31 : 0;
  });
}
