// reference.ts — interprets the kernels' records in float64 on the host, each from its formula and not from its WGSL.
// A tensor is a Float64Array of its logical shape, without padding. Beside each value stands its scale: the sum of the
// absolute values of the terms it is made of, which is what float32 rounding errors are proportional to.

import type { Dispatch, KernelName, StepLayout, StepShape, Tensor } from "../../kernels/index.ts";
import { CANDIDATES, PAGE, SPLIT } from "../../kernels/index.ts";
import { angleRow } from "../../src/rope/turns.ts";
import { nearestF16 } from "./blocks.ts";

/** A tensor that a dispatch wrote; `scale` is -1 where it wrote nothing. */
export interface Written {
  readonly tensor: Tensor;
  readonly scale: Float64Array;
}

export class Reference {
  readonly layout: StepLayout;
  readonly #tensors = new Map<string, Float64Array>();

  constructor(layout: StepLayout) {
    this.layout = layout;
  }

  /** Takes over `values` [shape without padding], as the GPU holds them: 16-bit weights already rounded. */
  set(name: string, values: Float64Array): void {
    this.#tensors.set(name, values);
  }

  has(name: string): boolean {
    return this.#tensors.has(name);
  }

  get(name: string): Float64Array {
    const values = this.#tensors.get(name);
    if (!values) throw new Error(`the reference has no tensor ${name}`);
    return values;
  }

  /** Runs one record; `workgroups` is the GPU's, and not asked. `data` is the filled part of the step buffer. */
  run(dispatch: Dispatch, shape: StepShape, data: Uint32Array): Written[] {
    const written = new Map<string, Written>();
    kernels[dispatch.kernel]({
      dispatch,
      shape,
      plan: new Plan(this.layout, data),
      get: (name) => this.get(dispatch.bind[name].name),
      put: (name, index, value, scale = Math.abs(value)) => {
        const tensor = dispatch.bind[name];
        const values = this.get(tensor.name);
        if (!(index >= 0 && index < values.length)) throw new Error(`${dispatch.kernel}: ${name}[${index}] is outside`);
        if (!written.has(name)) written.set(name, { tensor, scale: new Float64Array(values.length).fill(-1) });
        values[index] = value;
        written.get(name)!.scale[index] = scale;
      },
    });
    return [...written.values()];
  }
}

/** The step buffer by name (lib/step.wgsl has the same record layouts). */
class Plan {
  readonly #layout: StepLayout;
  readonly #data: Uint32Array;
  constructor(layout: StepLayout, data: Uint32Array) {
    this.#layout = layout;
    this.#data = data;
  }
  #record(at: number, words: number, i: number): Uint32Array {
    return this.#data.subarray(at + words * i, at + words * (i + 1));
  }
  row(i: number) {
    const [token, position, sequence, angle] = this.#record(this.#layout.rowAt, 4, i);
    return { token, position, sequence, angle };
  }
  tile(i: number) {
    const [firstRow, rows] = this.#record(this.#layout.tileAt, 4, i);
    return { firstRow, rows };
  }
  fill(i: number) {
    const [angle, position, count, setting] = this.#record(this.#layout.fillAt, 4, i);
    return { angle, position, count, setting };
  }
  output(i: number) {
    const [row, k] = this.#record(this.#layout.outputAt, 2, i);
    return { row, k };
  }
  sequence(i: number) {
    const [pages, angle, raw] = this.#record(this.#layout.sequenceAt, 4, i);
    return { pages, angle, raw: raw !== 0 };
  }
  setting(i: number) {
    const words = this.#record(this.#layout.turnsAt, this.#layout.turnsStride, i);
    const { rotaryDim } = this.#layout;
    return { turns: words.subarray(0, rotaryDim), scaling: float(words[rotaryDim]) };
  }
  slot(sequence: number, position: number): number {
    const page = this.#data[this.#layout.pageAt + this.sequence(sequence).pages + Math.floor(position / PAGE)];
    return page * PAGE + (position % PAGE);
  }
}

interface Call {
  readonly dispatch: Dispatch;
  readonly shape: StepShape;
  readonly plan: Plan;
  readonly get: (name: string) => Float64Array;
  readonly put: (name: string, index: number, value: number, scale?: number) => void;
}

const words = new Uint32Array(1);
const floats = new Float32Array(words.buffer);
/** The float32 of these bits; `bits` is the way back. */
export function float(bits: number): number {
  words[0] = bits;
  return floats[0];
}
export function bits(value: number): number {
  floats[0] = value;
  return words[0];
}

/** Rows of the result, of a kernel that works on token rows or on outputs. */
const rowsOf = ({ dispatch, shape }: Call): number => (dispatch.ofOutputs ? shape.outputs : shape.rows);
const columns = ({ dispatch }: Call, name: string): number => dispatch.bind[name].shape[1];
const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/** A weight as numbers: [rows, columns] of the piece that a dispatch reads. */
interface Weight {
  readonly rows: number;
  readonly at: (row: number, column: number) => number;
}

/** A weight of a width from what the tensors of its format hold: written from the format's definition, not from its code. */
const WEIGHTS: Readonly<Record<string, (call: Call, width: number) => Weight>> = {
  "formats/f32": elements,
  "formats/f16": elements,
  "formats/bf16": elements,
  "formats/q8_0": (call, width) => blocks(call, width, 64, (words, i) => byteOf(words[i >> 2], i & 3)),
  // Of each 8 the first four are the low halves of the bytes of a word, the others the high ones.
  "formats/q4_0": (call, width) =>
    blocks(call, width, 64, (words, i) => nibbleOf(byteOf(words[i >> 3], i & 3), (i >> 2) & 1)),
};

const signed = (value: number, size: number): number => (value >= size / 2 ? value - size : value);
const byteOf = (word: number, i: number): number => signed(Math.floor(word / 256 ** i) % 256, 256);
const nibbleOf = (byte: number, high: number): number => signed(Math.floor((byte & 255) / 16 ** high) % 16, 16);

/** Whole numbers times the scale of their 32 neighbours; rows are padded to `packed` elements. */
function blocks(call: Call, width: number, packed: number, number: (words: Float64Array, i: number) => number): Weight {
  const [words, scale] = [call.get("weight"), call.get("scale")];
  const padded = Math.ceil(width / packed) * packed;
  const at = (row: number, column: number): number => {
    const i = row * padded + column;
    return scale[Math.floor(i / 32)] * number(words, i);
  };
  return { rows: (scale.length * 32) / padded, at };
}

function elements(call: Call, width: number): Weight {
  const weight = call.get("weight");
  return { rows: weight.length / width, at: (row, column) => weight[row * width + column] };
}

const weights = (call: Call, width: number): Weight => definition(WEIGHTS, call, "formats/")(call, width);

/** The row of a table for the part that a dispatch takes from a folder. */
function definition<T>(table: Readonly<Record<string, T>>, { dispatch }: Call, folder: string): T {
  const part = dispatch.parts.find((name) => name.startsWith(folder));
  if (part === undefined || !(part in table)) throw new Error(`the reference does not know ${part}`);
  return table[part];
}

function embed(call: Call): void {
  const dim = columns(call, "y");
  const { FIRST: first, SCALE: scale } = call.dispatch.constants;
  const { rows, at } = weights(call, dim);
  for (let row = 0; row < call.shape.rows; row++) {
    const token = call.plan.row(row).token - first;
    if (token < 0 || token >= rows) continue; // another piece's token
    for (let i = 0; i < dim; i++) call.put("y", row * dim + i, scale * at(token, i));
  }
}

function rmsnorm(call: Call): void {
  const dim = columns(call, "x");
  const [x, weight] = [call.get("x"), call.get("weight")];
  const { SQUARES: squares, EACH4: each4 } = call.dispatch.constants;
  for (let row = 0; row < rowsOf(call); row++) {
    const values = x.subarray(row * dim, (row + 1) * dim);
    if (squares) {
      values.forEach((v, i) => call.put("y", 2 * row * dim + i, weight[i] * v));
      for (let i = 0; i < Math.min(dim, 4 * squares); i++) {
        const own = values.subarray(4 * each4 * i, 4 * each4 * (i + 1));
        call.put("y", (2 * row + 1) * dim + i, own.reduce((sum, v) => sum + v * v, 0)); // prettier-ignore
      }
      continue;
    }
    const mean = values.reduce((sum, v) => sum + v * v, 0) / dim;
    values.forEach((v, i) =>
      call.put("y", row * dim + i, (weight[i] * v) / Math.sqrt(mean + call.dispatch.constants.EPS)),
    );
  }
}

function headnorm(call: Call): void {
  const [width, d] = [columns(call, "qkv"), call.get("weight").length / 2];
  const { HEADS: heads, EPS: eps } = call.dispatch.constants;
  const weight = call.get("weight");
  // Of a row's heads all but the values': as many as there are keys.
  const kvHeads = (width / d - heads) / 2;
  for (let row = 0; row < call.shape.rows; row++) {
    for (let head = 0; head < heads + kvHeads; head++) {
      const at = row * width + head * d;
      const values = call.get("qkv").slice(at, at + d);
      const root = Math.sqrt(values.reduce((sum, v) => sum + v * v, 0) / d + eps);
      values.forEach((v, i) => call.put("qkv", at + i, (weight[head < heads ? i : d + i] * v) / root));
    }
  }
}

/** A value and its scale. */
type Scaled = readonly [value: number, scale: number];

/** Column i of a linear layer's row, with its bias; where a norm has been left half done (kernels/ahead.ts), with the other half. */
function products(call: Call, row: number): (i: number) => Scaled {
  const k = columns(call, "x");
  const { COLUMN: column, SQUARES: squares = 0, EPS: eps } = call.dispatch.constants;
  const x = call.get("x").subarray((squares ? 2 * row : row) * k);
  const sums = x.subarray(k, k + Math.min(k, 4 * squares));
  const root = squares ? 1 / Math.sqrt(sums.reduce((sum, v) => sum + v, 0) / k + eps) : 1;
  const weight = weights(call, k);
  const bias = call.dispatch.bind.bias ? call.get("bias") : undefined;
  return (i) => {
    let [sum, scale] = [0, 0];
    for (let j = 0; j < k; j++) {
      const term = x[j] * weight.at(i, j);
      sum += term;
      scale += Math.abs(term);
    }
    const own = bias?.[column + i] ?? 0;
    return [root * sum + own, root * scale + Math.abs(own)];
  };
}

function linear(call: Call): void {
  const { parts, constants } = call.dispatch;
  if (parts.includes("lib/gated") || constants.GATED) return gated(call);
  if (parts.includes("lib/placed")) return placed(call);
  const [k, stride] = [columns(call, "x"), columns(call, "y")];
  const { COLUMN: column, ADD: add, SCALE: factor } = constants;
  const { rows: n } = weights(call, k);
  const y = call.get("y");
  for (let row = 0; row < rowsOf(call); row++) {
    const product = products(call, row);
    const made = range(n).map((i): Scaled => {
      const at = row * stride + column + i;
      const before = add ? y[at] : 0;
      const [sum, scale] = product(i);
      const all: Scaled = [factor * sum + before, Math.abs(factor) * scale + Math.abs(before)];
      call.put("y", at, ...all);
      return all;
    });
    if (parts.includes("lib/residual")) putAhead(call, row, made);
  }
}

/** What a row of the residual stream leaves for the next norm: w ∘ y, and sums of the squares of each workgroup's columns. */
function putAhead(call: Call, row: number, y: readonly Scaled[]): void {
  const { length: n } = y;
  const norm = call.get("norm");
  y.forEach(([value, scale], i) => call.put("ahead", 2 * row * n + i, norm[i] * value, Math.abs(norm[i]) * scale));
  const each = call.dispatch.lengths!.OUTPUTS;
  for (let first = 0; first < n; first += each) {
    const own = y.slice(first, first + each);
    const sum = own.reduce((total, [value]) => total + value * value, 0);
    // A square is off by twice its root's error.
    const scale = own.reduce((total, [value, of]) => total + 2 * Math.abs(value) * of, sum);
    call.put("ahead", (2 * row + 1) * n + first / each, sum, scale);
  }
}

/** silu(gate) · up of a weight that has the rows of both. */
function gated(call: Call): void {
  const hidden = columns(call, "y");
  for (let row = 0; row < call.shape.rows; row++) {
    const column = products(call, row);
    for (let i = 0; i < hidden; i++) {
      const [[gate, gateScale], [up, upScale]] = [column(i), column(hidden + i)];
      const silu = gate / (1 + Math.exp(-gate));
      // silu' is at most 1.1, so that errors of the gate's sum pass on; exp and division add some of their own, as in swiglu.
      const scale =
        Math.abs(silu) * upScale + 1.1 * gateScale * Math.abs(up) + Math.abs(silu * up) * (1 + Math.abs(gate));
      call.put("y", row * hidden + i, silu * up, scale);
    }
  }
}

/** Queries, turned; keys, turned, and values in their slots. */
function placed(call: Call): void {
  const { HALF: half, HEADS: heads, KV_HEADS: kvHeads, TURNS: turns } = call.dispatch.constants;
  const [width, d, table] = [columns(call, "y"), 2 * half, call.get("table")];
  const kvDim = kvHeads * d;
  for (let row = 0; row < call.shape.rows; row++) {
    const { sequence, angle, position } = call.plan.row(row);
    const product = products(call, row);
    const all = range(width).map(product);
    const rotated = !turns ? 0 : call.plan.sequence(sequence).raw ? heads : heads + kvHeads;
    for (let head = 0; head < rotated; head++) {
      for (let i = 0; i < half; i++) {
        const at = head * d + i;
        const [[a, aScale], [b, bScale]] = [all[at], all[at + half]];
        const [first, second] = turned(table, half, angle, i, a, b);
        // Errors of both sums pass on, by at most the length of the angle's cosine and sine.
        const [, , aWhole, bWhole] = turned(table, half, angle, i, aScale, bScale);
        [all[at], all[at + half]] = [
          [first, aWhole],
          [second, bWhole],
        ];
      }
    }
    for (let i = 0; i < heads * d; i++) call.put("y", row * width + i, ...all[i]);
    const slot = call.plan.slot(sequence, position);
    for (const [name, from] of [
      ["keys", heads * d],
      ["values", heads * d + kvDim],
    ] as const) {
      for (let i = 0; i < kvDim; i++) {
        const [value, scale] = all[from + i];
        call.put(name, slot * columns(call, name) + i, value, scale + cached(call).held(value, columns(call, "x")));
      }
    }
  }
}

function angles(call: Call): void {
  const width = columns(call, "table");
  for (const fill of range(call.shape.fills).map((i) => call.plan.fill(i))) {
    const { turns, scaling } = call.plan.setting(fill.setting);
    for (let i = 0; i < fill.count; i++) {
      const row = angleRow(turns, scaling, fill.position + i);
      row.forEach((value, j) => call.put("table", (fill.angle + i) * width + j, value, Math.abs(scaling)));
    }
  }
}

/** (a, b) turned by row `angle`, pair `i` of the rotary table; and the sums of the terms' absolute values. */
function turned(
  table: Float64Array,
  half: number,
  angle: number,
  i: number,
  a: number,
  b: number,
): [number, number, number, number] {
  const [cos, sin] = [table[(angle * half + i) * 2], table[(angle * half + i) * 2 + 1]];
  const size = (u: number, v: number) => Math.abs(u) + Math.abs(v);
  return [a * cos - b * sin, b * cos + a * sin, size(a * cos, b * sin), size(b * cos, a * sin)];
}

function rope(call: Call): void {
  const half = columns(call, "table") / 2;
  const { HEADS: heads, KV_HEADS: kvHeads, HEAD_DIM: d } = call.dispatch.constants;
  const [qkv, table] = [call.get("qkv"), call.get("table")];
  for (let row = 0; row < call.shape.rows; row++) {
    const { sequence, angle } = call.plan.row(row);
    const rotated = call.plan.sequence(sequence).raw ? heads : heads + kvHeads;
    for (let head = 0; head < rotated; head++) {
      for (let i = 0; i < half; i++) {
        const at = row * columns(call, "qkv") + head * d + i;
        const [a, b, aScale, bScale] = turned(table, half, angle, i, qkv[at], qkv[at + half]);
        call.put("qkv", at, a, aScale);
        call.put("qkv", at + half, b, bScale);
      }
    }
  }
}

/** A way to hold keys and values: how many roundings of f32 reading an element takes, and a slot's elements written. */
interface Cache {
  readonly roundings: number;
  /** Elements 0 … kvDim − 1 of a slot become `element`; those that fill up its last block zero. */
  /** What holding it adds to the scale of a sum of k terms, in units of what lockstep.ts allows one. */
  readonly held: (value: number, k: number) => number;
  readonly put: (
    call: Call,
    name: "keys" | "values",
    slot: number,
    kvDim: number,
    element: (i: number) => number,
  ) => void;
}

/** Writes each element of a slot rounded, those beyond kvDim as zero. */
const putRounded =
  (rounded: (value: number) => number): Cache["put"] =>
  (call, name, slot, kvDim, element) => {
    const width = columns(call, name);
    for (let i = 0; i < width; i++) call.put(name, slot * width + i, i < kvDim ? rounded(element(i)) : 0);
  };

/** Cache formats from their definitions, as WEIGHTS above. What a tensor holds is elements, whatever it packs them into. */
const CACHES: Readonly<Record<string, Cache>> = {
  "cache/f32": { roundings: 0, held: () => 0, put: putRounded((value) => value) },
  // Half a unit in the last of 11 bits, or of numbers below 2^-14 half of 2^-24.
  "cache/f16": {
    roundings: 0,
    held: (value, k) => (2 ** 13 * Math.abs(value) + 1) / (4 + 4 * Math.sqrt(k)),
    put: putRounded(nearestF16),
  },
  "cache/q8": {
    roundings: 1, // code times step
    held: () => Infinity, // never written element by element
    put: (call, name, slot, kvDim, element) => {
      const width = columns(call, name);
      for (let block = 0; block < width; block += 32) {
        const values = range(32).map((i) => (block + i < kvDim ? element(block + i) : 0));
        const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
        // Right is whatever is nearest: where two codes are, either. So the error counts, in halves of a step (lockstep.ts).
        values.forEach((value, i) => call.put(name, slot * width + block + i, value, block + i < kvDim ? largest : 0));
      }
    },
  },
};

const cached = (call: Call): Cache => definition(CACHES, call, "cache/");

function append(call: Call): void {
  const width = columns(call, "qkv");
  const { KV_DIM: kvDim } = call.dispatch.constants;
  const { put } = cached(call);
  for (let row = 0; row < call.shape.rows; row++) {
    const { sequence, position } = call.plan.row(row);
    const slot = call.plan.slot(sequence, position);
    put(call, "keys", slot, kvDim, (i) => call.get("qkv")[(row + 1) * width - 2 * kvDim + i]);
    put(call, "values", slot, kvDim, (i) => call.get("qkv")[(row + 1) * width - kvDim + i]);
  }
}

/**
 * Attention of one row and head over the keys first … last: the largest score, Σ e^(score − top) and, per element,
 * Σ e^(score − top) v with its scale. What reaches a weight, in units of 2^-24: the error of its score, a sum of d terms as
 * large as `size`, and of exp (WGSL: 3 + 2·|v| ulp); what reaches the sum: its own n additions, and a division. A key and a value
 * that are not stored as f32 have been rounded when they were read, too.
 */
function attend(call: Call, row: number, head: number, begin: number, last: number) {
  const { HEADS: heads, KV_HEADS: kvHeads, RAW_KEYS: rotates, SCALE: factor, WINDOW: window } = call.dispatch.constants;
  const [d, half] = [2 * call.dispatch.constants.HALF, columns(call, "table") / 2];
  const stored = { keys: call.get("keys"), values: call.get("values") };
  const at = (name: "keys" | "values", slot: number, element: number) =>
    stored[name][slot * columns(call, name) + element];
  const [qkv, table] = [call.get("qkv"), call.get("table")];
  const { sequence, position } = call.plan.row(row);
  const { raw, angle } = call.plan.sequence(sequence);
  const first = window ? Math.max(begin, position - window + 1) : begin;
  const kvAt = Math.floor((head * kvHeads) / heads) * d;
  const query = row * columns(call, "qkv") + head * d;
  let size = 0;
  const scores = range(Math.min(last, position) + 1 - first).map((i) => {
    const slot = call.plan.slot(sequence, first + i);
    let [score, terms] = [0, 0];
    for (let j = 2 * half; j < d; j++) {
      const term = qkv[query + j] * at("keys", slot, kvAt + j); // these elements never turn
      score += term;
      terms += Math.abs(term);
    }
    for (let j = 0; j < half; j++) {
      const [a, b] = [at("keys", slot, kvAt + j), at("keys", slot, kvAt + half + j)];
      const [ka, kb, aScale, bScale] =
        raw && rotates ? turned(table, half, angle + first + i, j, a, b) : [a, b, Math.abs(a), Math.abs(b)];
      score += qkv[query + j] * ka + qkv[query + half + j] * kb;
      terms += Math.abs(qkv[query + j]) * aScale + Math.abs(qkv[query + half + j]) * bScale;
    }
    size = Math.max(size, terms * Math.abs(factor));
    return score * factor;
  });
  const top = scores.reduce((a, b) => Math.max(a, b), -Infinity);
  const read = cached(call).roundings;
  const roundings = 16 + read + (8 + read + 4 * Math.sqrt(d)) * size + 4 * Math.sqrt(scores.length);
  const [sum, scale] = [new Float64Array(d), new Float64Array(d)];
  let mass = 0;
  scores.forEach((score, i) => {
    const weight = Math.exp(score - top);
    const slot = call.plan.slot(sequence, first + i);
    mass += weight;
    for (let j = 0; j < d; j++) {
      const value = at("values", slot, kvAt + j);
      sum[j] += weight * value;
      scale[j] += weight * Math.abs(value) * roundings;
    }
  });
  return { top, mass, sum, scale, roundings };
}

function attention(call: Call): void {
  const [d, width] = [2 * call.dispatch.constants.HALF, columns(call, "y")];
  for (const { firstRow, rows } of range(call.shape.tiles).map((i) => call.plan.tile(i))) {
    for (let row = firstRow; row < firstRow + rows; row++) {
      for (let head = 0; head < width / d; head++) {
        const { mass, sum, scale } = attend(call, row, head, 0, Infinity);
        sum.forEach((value, j) => call.put("y", row * width + head * d + j, value / mass, scale[j] / mass));
      }
    }
  }
}

/** The parts of SPLIT keys that hold some that a row attends to. */
function partsOf(call: Call, row: number): number[] {
  const { position } = call.plan.row(row);
  const { WINDOW: window } = call.dispatch.constants;
  return range(Math.floor(position / SPLIT) + 1).filter(
    (part) => !window || (part + 1) * SPLIT > position - window + 1,
  );
}

function attentionDecode(call: Call): void {
  const { HALF: half, HEADS: heads } = call.dispatch.constants;
  const d = 2 * half;
  for (let row = 0; row < call.shape.singles; row++) {
    for (let head = 0; head < heads; head++) {
      for (const first of partsOf(call, row).map((part) => part * SPLIT)) {
        const { top, mass, sum, scale, roundings } = attend(call, row, head, first, first + SPLIT - 1);
        const at = ((row * heads + head) * call.shape.splits + first / SPLIT) * (d + 2);
        sum.forEach((value, j) => call.put("partials", at + j, value, scale[j]));
        call.put("partials", at + d, top, roundings);
        call.put("partials", at + d + 1, mass, mass * roundings);
      }
    }
  }
}

function attentionMerge(call: Call): void {
  const { headDim: d } = { headDim: call.dispatch.constants.HEAD_DIM };
  const [heads, partials] = [columns(call, "y") / d, call.get("partials")];
  for (let row = 0; row < call.shape.singles; row++) {
    const parts = partsOf(call, row);
    for (let head = 0; head < heads; head++) {
      const at = parts.map((part) => ((row * heads + head) * call.shape.splits + part) * (d + 2));
      const top = Math.max(...at.map((i) => partials[i + d]));
      const mass = at.reduce((sum, i) => sum + Math.exp(partials[i + d] - top) * partials[i + d + 1], 0);
      for (let j = 0; j < d; j++) {
        const terms = at.map((i) => (Math.exp(partials[i + d] - top) * partials[i + j]) / mass);
        // Rounding errors: exp (WGSL: 3 + 2·|v| ulp, and |v|·e^v ≤ 0.37), a division of 2.5 ulp, two sums of all parts.
        const scale = terms.reduce((sum, term) => sum + Math.abs(term), 0) * (16 + 8 * Math.sqrt(at.length));
        call.put(
          "y",
          (row * heads + head) * d + j,
          terms.reduce((sum, term) => sum + term, 0),
          scale,
        );
      }
    }
  }
}

function swiglu(call: Call): void {
  const hidden = columns(call, "y");
  const x = call.get("x");
  for (let row = 0; row < call.shape.rows; row++) {
    for (let i = 0; i < hidden; i++) {
      const [gate, up] = [x[row * 2 * hidden + i], x[row * 2 * hidden + hidden + i]];
      const value = (gate / (1 + Math.exp(-gate))) * up;
      // WGSL allows exp(v) an error of 3 + 2·|v| units in the last place ("Accuracy of built-in functions").
      call.put("y", row * hidden + i, value, Math.abs(value) * (1 + Math.abs(gate)));
    }
  }
}

function gather(call: Call): void {
  const dim = columns(call, "x");
  for (let i = 0; i < call.shape.outputs; i++) {
    const row = call.plan.output(i).row;
    for (let j = 0; j < dim; j++) call.put("y", i * dim + j, call.get("x")[row * dim + j]);
  }
}

function pool(call: Call): void {
  const dim = columns(call, "x");
  const x = call.get("x");
  for (let i = 0; i < call.shape.outputs; i++) {
    const { row, k } = call.plan.output(i);
    for (let j = 0; j < dim; j++) {
      const terms = range(k).map((r) => x[(row + r) * dim + j]);
      const [sum, scale] = terms.reduce(([a, b], term) => [a + term, b + Math.abs(term)], [0, 0]);
      call.put("y", i * dim + j, sum, scale);
    }
  }
}

/** What a word's half, or a word, of a stored matrix means; f16 by IEEE 754's formula. */
const STORED: Readonly<Record<string, (words: Float64Array, i: number) => number>> = {
  "lib/stored_f32": (words, i) => float(words[i]),
  "lib/stored_bf16": (words, i) => float(halfOf(words, i) * 65_536),
  "lib/stored_f16": (words, i) => {
    const half = halfOf(words, i);
    const [sign, e, f] = [half >> 15 ? -1 : 1, (half >> 10) & 31, half & 1023];
    return sign * (e === 0 ? 2 ** -14 * (f / 1024) : 2 ** (e - 15) * (1 + f / 1024));
  },
};
const halfOf = (words: Float64Array, i: number): number => Math.floor(words[i >> 1] / 65_536 ** (i & 1)) % 65_536;

/** How a block of 32 becomes a scale and 32 fields of a number of bits, and where in its words field i lies: ggml-quants.c. */
const PACKED: Readonly<Record<string, Packing>> = {
  "lib/pack_q8_0": {
    bits: 8,
    scale: (largest) => Math.abs(largest) / 127,
    field: (quotient) => (Math.sign(quotient) * Math.floor(Math.abs(quotient) + 0.5) + 256) % 256,
    shift: (i) => 8 * (i % 4),
  },
  "lib/pack_q4_0": {
    bits: 4,
    scale: (largest) => largest / -8,
    field: (quotient) => (Math.min(15, Math.trunc(Math.fround(quotient + 8.5))) + 8) % 16,
    shift: (i) => 8 * (i % 4) + (i % 8 < 4 ? 0 : 4),
  },
};
interface Packing {
  readonly bits: number;
  readonly scale: (largest: number) => number;
  readonly field: (quotient: number) => number;
  readonly shift: (i: number) => number;
}

function quantize(call: Call): void {
  const { COLUMNS: width } = call.dispatch.constants;
  const at = definition(STORED, call, "lib/stored_");
  const { bits: wide, scale, field, shift } = definition(PACKED, call, "lib/pack_");
  const words = call.get("source");
  const pairs = Math.ceil(width / 64);
  for (let block = 0; block < call.shape.rows * pairs * 2; block++) {
    const [row, first] = [Math.floor(block / (2 * pairs)), 32 * (block % (2 * pairs))];
    const values = range(32).map((i) => (first + i < width ? at(words, row * width + first + i) : 0));
    const largest = values.reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a), 0);
    const d = Math.fround(scale(largest));
    const held = narrowed(d);
    call.put("scale", block, held);
    const fields = values.map((value) => field(held === 0 ? 0 : Math.fround(value * Math.fround(1 / d))));
    const perWord = 32 / wide;
    for (let word = 0; word < wide; word++) {
      const own = fields.slice(word * perWord, (word + 1) * perWord);
      const value = own.reduce((sum, each, i) => sum + each * 2 ** shift(i), 0);
      call.put("weight", block * wide + word, value);
    }
  }
}

/** The f16 nearest to a number, ties to even: whole steps of 2^-24, or of 2^-10 of its leading bit. */
function narrowed(value: number): number {
  if (value === 0) return 0;
  const step = 2 ** (Math.max(-14, Math.floor(Math.log2(Math.abs(value)))) - 10);
  const [low, rest] = [Math.floor(value / step), value / step - Math.floor(value / step)];
  return step * (rest > 0.5 || (rest === 0.5 && low % 2 !== 0) ? low + 1 : low);
}

/** Candidates in order of their ids; the GPU's are in none (test/tools/lockstep.ts compares them as sets). */
function topk(call: Call): void {
  const [vocab, stride] = [columns(call, "logits"), columns(call, "candidates")];
  for (let output = 0; output < call.shape.outputs; output++) {
    const logits = call.get("logits").subarray(output * vocab, (output + 1) * vocab);
    const sorted = logits.toSorted().reverse();
    const least = sorted[Math.min(call.plan.output(output).k, vocab) - 1] ?? Infinity;
    const kept = range(vocab).filter((id) => logits[id] >= least);
    const logSum = sorted[0] + Math.log(logits.reduce((sum, v) => sum + Math.exp(v - sorted[0]), 0));
    const head = [kept.length, bits(sorted[0]), bits(logSum), 0];
    const pairs = kept.length > CANDIDATES ? [] : kept.flatMap((id) => [id, bits(logits[id])]);
    [...head, ...pairs].forEach((word, i) => call.put("candidates", output * stride + i, word, 1));
  }
}

const kernels: Readonly<Record<KernelName, (call: Call) => void>> = {
  embed,
  rmsnorm,
  headnorm,
  matvec: linear,
  matvec_shuffle: linear,
  matvec_rows: linear,
  matmul_tiled: linear,
  matmul_shuffle: linear,
  angles,
  rope,
  append,
  attention_prefill_tiled: attention,
  attention_prefill_shuffle: attention,
  attention_decode_tiled: attentionDecode,
  attention_decode_shuffle: attentionDecode,
  attention_merge: attentionMerge,
  swiglu,
  gather,
  pool,
  topk,
  quantize,
};
