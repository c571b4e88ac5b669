// trial.ts — a small input for each kernel whose variants are chosen, and what it should give, in f64 on the host.

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
  formats,
  gatedUnit,
  kvLayer,
  linear,
  type Matrix,
  matrixOf,
  matvec,
  matvecPlaced,
  matvecResidual,
  rmsnorm,
  rowStride,
  squareSums,
  stepLayout,
  stride,
  tensorBytes,
  tileRows,
  topk,
} from "../../kernels/index.ts";
import { LlariatError } from "../error.ts";
import type { Gpu } from "./gpu.ts";

/**
 * Results are sums of at most TERMS products of numbers between -1 and 1 in f32, so that rounding comes to TERMS² · 2^-24 = 6e-4
 * at the very worst, and in practice to 1e-6; or, in attention, means of such numbers, weighed by scores that are off by less
 * than that. A lane that is left out, counted twice or taken for another is off by a product, which is 1/4 on average.
 */
const ALLOWED = 2 ** -10;
/** Terms of a sum. */
export const TERMS = 99;

/** Rows: a full tile of attention and a ragged one, two tiles of matmul_shuffle. */
const ROWS = 21;
/** Rows that variants are chosen for: those of a long prompt. */
export const MANY = Infinity;
/** Columns: ragged, two workgroups of matmul_shuffle, whose lanes have four columns each. */
export const columnsFor = ({ subgroupMax }: DeviceFacts): number => 4 * subgroupMax + 43;
/** Heads: two groups of query heads that read a key/value head each. */
const [HEADS, KV_HEADS] = [4, 2];
/** Keys: two parts of decode attention, the second ragged, on pages in reverse order. */
const LENGTH = SPLIT + 13;
const PAGES = Math.ceil(LENGTH / PAGE);
const EPS = 1e-5;

/** A kernel whose variants are tried. */
export type Kernel = Exclude<keyof Choices, "elementwise">;

/** The format of the weights that a kernel is tried with. */
export const formatFor = (kernel: Kernel) => (kernel === "blocks" ? formats.q4_0 : formats.f32);

/** What an element of a result should be, NaN where that is nobody's business. */
type Want = (row: number, column: number) => number;

/** Dispatches, where their result is, and what it should be; and other tensors that they write. */
export interface Case {
  readonly dispatches: Dispatch[];
  readonly y: Tensor;
  readonly want: Want;
  readonly also?: readonly { readonly tensor: Tensor; readonly want: Want }[];
}

/** A small step: the last ROWS tokens of one sequence, each also an output. */
export class Trial {
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
  async compare({ y, want, also = [] }: Case): Promise<string | undefined> {
    const got = new Float32Array(await this.#gpu.read(y));
    const wrong = different(got, ROWS, y.shape[1], want);
    if (wrong !== undefined) return wrong;
    for (const { tensor, want: own } of also) {
      const [rows, columns] = tensor.shape;
      const other = different(new Float32Array(await this.#gpu.read(tensor)), rows, columns, own);
      if (other !== undefined) return other;
    }
    return got.subarray(ROWS * stride(y.shape[1])).some((value) => value !== 1)
      ? "it writes beyond its rows"
      : undefined;
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
    const fill = (made: Tensor, held = (_row: number, value: number) => value): Want => {
      const [rows, columns] = made.shape;
      const values = numbers(rows, columns).map((value, i) => held(Math.floor(i / stride(columns)), value));
      this.#gpu.write(make(made), 0, values);
      return (row, column) => values[row * stride(columns) + column];
    };
    /** Makes a matrix in one piece; what it multiplies with. */
    const pack = ({ rows, columns, format, pieces: [{ tensors }] }: Matrix): Want => {
      const [values, width] = [numbers(rows, columns), rowStride(format, columns)];
      const list = Object.entries(tensors);
      const bytes = Object.fromEntries(list.map(([key, each]) => [key, new Uint8Array(tensorBytes(each))]));
      const held = Array.from({ length: rows }, (_, at) => {
        const row = new Float32Array(width);
        row.set(values.subarray(at * stride(columns), at * stride(columns) + columns));
        format.pack(row, bytes, at);
        format.unpack(bytes, at, row);
        return row;
      });
      for (const [key, each] of list) this.#gpu.write(make(each), 0, bytes[key]);
      return (row, column) => held[row][column];
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
      case "blocks": {
        const x = tensor("x", ROWS, TERMS);
        const weight = matrixOf(formatFor(kernel), `${kernel}.weight`, n, TERMS);
        const [xAt, weightAt, y] = [fill(x), pack(weight), output(n)];
        const want: Want = (row, column) => sum(TERMS, (i) => xAt(row, i) * weightAt(column, i));
        return { dispatches: linear({ x, weight, y, rows: 1, step, device }), y, want };
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
      case "norm": {
        // One dispatch does both halves: the root of a norm that was begun, and the beginning of the next. The stream begins with zeros.
        const x = tensor("x", 2 * ROWS, TERMS);
        const weight = matrixOf(formats.f32, `${kernel}.weight`, n, TERMS);
        const weightOfNext = tensor("next", 1, n);
        const { matvecColumns: columns } = formats.f32;
        const xAt = fill(x, (row, value) => (row % 2 === 0 ? value : Math.abs(value))); // sums of squares
        const [weightAt, nextAt] = [fill(weight.pieces[0].tensors.weight), fill(weightOfNext)];
        const norm = { tensor: x, columns, eps: EPS };
        const ahead = { tensor: make(tensor("ahead", 2 * ROWS, n)), columns, eps: EPS };
        const args = { x, norm, weight, y: output(n), next: { weight: { ...weightOfNext, shape: [n] }, ahead } };
        const sums = 4 * squareSums(norm);
        const rows = Array.from({ length: ROWS }, (_, row) => {
          const root = Math.sqrt(sum(sums, (i) => xAt(2 * row + 1, i)) / TERMS + EPS);
          return Float64Array.from(
            { length: n },
            (_unused, i) => sum(TERMS, (k) => xAt(2 * row, k) * weightAt(i, k)) / root,
          );
        });
        const left = (row: number, i: number) => {
          const own = rows[row >> 1];
          if (row % 2 === 0) return nextAt(0, i) * own[i];
          return own.slice(i * columns, (i + 1) * columns).reduce((total, v) => total + v * v, 0);
        };
        return {
          dispatches: matvecResidual({ ...args, step, device }),
          y: args.y,
          want: (row, column) => rows[row][column],
          also: [{ tensor: ahead.tensor, want: left }],
        };
      }
      case "rope": {
        const [x, columns] = [tensor("x", ROWS, TERMS), (HEADS + 2 * KV_HEADS) * headDim];
        const weight = matrixOf(formats.bf16, `${kernel}.weight`, columns, TERMS); // f32 has too few columns in a workgroup
        const kv = kvLayer(caches.f32, kernel, PAGES * PAGE, KV_HEADS * headDim);
        const table = tensor("table", 1, headDim);
        const [xAt, weightAt, tableAt] = [fill(x), pack(weight), fill(table)];
        make(kv.keys);
        make(kv.values);
        const rows = Array.from({ length: ROWS }, (_, row) =>
          Float64Array.from({ length: columns }, (_unused, i) => sum(TERMS, (k) => xAt(row, k) * weightAt(i, k))),
        );
        const half = headDim / 2;
        const turned = (row: number, column: number) => {
          const [first, pair] = [column % headDim < half, column % half];
          const partner = rows[row][first ? column + half : column - half];
          return rows[row][column] * tableAt(0, 2 * pair) + (first ? -partner : partner) * tableAt(0, 2 * pair + 1);
        };
        const [keysAt, valuesAt] = [HEADS * headDim, (HEADS + KV_HEADS) * headDim];
        const rowOf = (slot: number) => {
          const page = PAGES - 1 - Math.floor(slot / PAGE);
          return page * PAGE + (slot % PAGE) - (LENGTH - ROWS);
        };
        const held = (at: (row: number, column: number) => number) => (slot: number, column: number) => {
          const row = rowOf(slot);
          return row >= 0 && row < ROWS ? at(row, column) : 0;
        };
        const args = { x, weight, y: output(columns), kv, table, heads: HEADS, kvHeads: KV_HEADS, turned: true };
        return {
          dispatches: matvecPlaced({ ...args, step, device }),
          y: args.y,
          want: (row, column) => (column < keysAt ? turned(row, column) : NaN),
          also: [
            { tensor: kv.keys, want: held((row, column) => turned(row, keysAt + column)) },
            { tensor: kv.values, want: held((row, column) => rows[row][valuesAt + column]) },
          ],
        };
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

/** What is wrong with the first rows of a result; undefined if nothing is. */
function different(got: Float32Array, rows: number, columns: number, want: Want): string | undefined {
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const [is, needed] = [got[row * stride(columns) + column], want(row, column)];
      const right = Number.isNaN(needed) || Math.abs(is - needed) <= ALLOWED;
      if (!right) return `in a trial it gave ${is}, needed ${needed}`;
    }
  }
  return undefined;
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
