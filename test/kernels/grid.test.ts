// grid.test.ts — every kernel, started with one workgroup too few along each axis of its grid: the comparison with the
// reference must notice. So a `workgroups()` that forgets rows, columns, heads or parts cannot pass the other tests here.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import * as kernels from "../../kernels/index.ts";
import type { DeviceFacts, Dispatch, Format, KernelName, Linear } from "../../kernels/index.ts";
import { turns } from "../../src/rope/turns.ts";
import { Case, type StepPlan, openLab, scrambled } from "../tools/harness.ts";
import { normal } from "../tools/random.ts";
import { bits } from "../tools/reference.ts";

const test = suite("grid");
const lab = await openLab();
test.after(() => lab.close());

const HEAD_DIM = 16;
const [HEADS, KV_HEADS] = [4, 2];
/** Columns that no kernel makes with one workgroup, whichever variant. */
const WIDE = 1100;
const pages = scrambled(12, 12);
/** Two sequences, of which one has keys in more than one part; rows for two tiles of every matrix product, outputs likewise. */
const plan: StepPlan = {
  runs: [
    { start: 0, rows: 30, pages: pages.slice(0, 1) },
    { start: kernels.SPLIT + 5, rows: 5, pages: pages.slice(1, 6) },
  ],
  outputs: Array.from({ length: 35 }, (_, row) => ({ row, k: 3 })),
  fills: [
    { angle: 0, position: 9, count: 20 },
    { angle: 20, position: 0, count: 3 },
  ],
  settings: [{ turns: turns(Float64Array.from({ length: HEAD_DIM / 2 }, (_, i) => 0.5 ** i)) }],
  tileRows: kernels.tileRows(HEAD_DIM),
};

type Record = (one: Case, device: DeviceFacts) => readonly Dispatch[];
const next = normal(1);
const weightOf = (one: Case, rows: number, columns: number, format: Format = kernels.formats.f32) =>
  one.matrix("weight", [rows, columns], next, format);

const linear =
  (make: Linear, format?: Format): Record =>
  (one, device) => {
    const [x, y] = [one.tensor("x", [37, 9], next), one.tensor("y", [37, WIDE])];
    return make({ x, weight: weightOf(one, WIDE, 9, format), y, step: one.layout, device });
  };

/** The tensors of attention; `partials` as many as rows, heads and two parts need. */
const attended = (one: Case, device: DeviceFacts) => ({
  qkv: one.tensor("qkv", [37, (HEADS + 2 * KV_HEADS) * HEAD_DIM], next),
  kv: one.kv([12 * kernels.PAGE, KV_HEADS * HEAD_DIM], next),
  table: one.tensor("table", [2, HEAD_DIM], next),
  partials: one.tensor("partials", [35 * HEADS * 2, HEAD_DIM + 2], () => Math.abs(next())),
  y: one.tensor("y", [37, HEADS * HEAD_DIM]),
  heads: HEADS,
  kvHeads: KV_HEADS,
  rawKeys: false,
  step: one.layout,
  device,
});

/** One call of every kernel; the compiler asks for a row where a kernel is new. */
const RECORDS: Readonly<globalThis.Record<KernelName, Record>> = {
  angles: (one) => [kernels.angles({ table: one.tensor("table", [25, HEAD_DIM]), step: one.layout })],
  append: (one, device) => {
    const kv = one.kv([12 * kernels.PAGE, WIDE], next);
    return [kernels.append({ qkv: one.tensor("qkv", [35, 3 * WIDE], next), kv, step: one.layout, device })];
  },
  attention_prefill_tiled: (one, device) => [kernels.attentionPrefillTiled(attended(one, device))],
  attention_prefill_shuffle: (one, device) => [kernels.attentionPrefillShuffle(attended(one, device))],
  attention_decode_tiled: (one, device) => [kernels.attentionDecodeTiled(attended(one, device))],
  attention_decode_shuffle: (one, device) => [kernels.attentionDecodeShuffle(attended(one, device))],
  attention_merge: (one, device) => [kernels.attentionMerge(attended(one, device))],
  embed: (one, device) =>
    kernels.embed({ weight: weightOf(one, 40, 20), y: one.tensor("y", [35, 20]), step: one.layout, device }),
  gather: (one, device) => {
    const [x, y] = [one.tensor("x", [35, 20], next), one.tensor("y", [37, 20])];
    return [kernels.gather({ x, y, step: one.layout, device })];
  },
  headnorm: (one, device) => {
    const qkv = one.tensor("qkv", [35, (HEADS + 2 * KV_HEADS) * HEAD_DIM], next);
    const weight = one.tensor("weight", [2 * HEAD_DIM], next);
    const heads = { heads: HEADS, kvHeads: KV_HEADS };
    return [kernels.headnorm({ qkv, weight, ...heads, eps: 1e-5, step: one.layout, device })];
  },
  matvec: linear(kernels.matvec),
  matvec_shuffle: linear(kernels.matvecShuffle, kernels.formats.q8_0),
  matvec_rows: linear(kernels.matvecRows),
  matmul_tiled: linear(kernels.matmulTiled),
  matmul_shuffle: linear(kernels.matmulShuffle),
  pool: (one, device) => {
    const [x, y] = [one.tensor("x", [37, WIDE], next), one.tensor("y", [37, WIDE])]; // the last output has three rows
    return [kernels.pool({ x, y, step: one.layout, device })];
  },
  quantize: (one) => {
    const source = one.tensor("source", [35 * 200], () => bits(next()), "u32");
    const into = kernels.formats.q8_0.tensors("packed", 35, 200);
    for (const { name, shape, dtype } of Object.values(into)) one.tensor(name, shape, () => 0, dtype);
    return [kernels.quantize({ source, kind: "f32", columns: 200, format: kernels.formats.q8_0, into })];
  },
  rmsnorm: (one, device) => {
    const [x, y] = [one.tensor("x", [35, 20], next), one.tensor("y", [37, 20])];
    return [kernels.rmsnorm({ x, weight: one.tensor("weight", [20], next), y, eps: 1e-5, device })];
  },
  rope: (one, device) => {
    const [heads, kvHeads] = [100, 50]; // 150 · 8 pairs
    const qkv = one.tensor("qkv", [35, (heads + 2 * kvHeads) * HEAD_DIM], next);
    const table = one.tensor("table", [kernels.SPLIT + 10, HEAD_DIM], next);
    return [kernels.rope({ qkv, table, heads, kvHeads, step: one.layout, device })];
  },
  swiglu: (one, device) => {
    const [x, y] = [one.tensor("x", [35, 2 * WIDE], next), one.tensor("y", [37, WIDE])];
    return [kernels.swiglu({ x, y, device })];
  },
  topk: (one, device) => {
    const candidates = one.tensor("candidates", [35, kernels.CANDIDATE_STRIDE], () => 0, "u32");
    return [kernels.topk({ logits: one.tensor("logits", [35, 50], next), candidates, step: one.layout, device })];
  },
};

/** The dispatch with `less` workgroups fewer along one axis; the grid before goes into `sizes`. */
function cut(dispatch: Dispatch, axis: number, less: number, sizes: number[]): Dispatch {
  return {
    ...dispatch,
    workgroups: (shape) => {
      const grid = [...dispatch.workgroups(shape)] as [number, number, number];
      grid.forEach((size, i) => (sizes[i] = size));
      grid[axis] -= less;
      return grid;
    },
  };
}

/** Those with the narrowest and the widest choice: their grids differ most. */
const devices = lab.devices.filter((_, i, all) => i === 0 || i === all.length - 1);
for (const [name, record] of Object.entries(RECORDS)) {
  for (const device of devices.filter(({ variants }) => variants === "shuffle" || !name.endsWith("_shuffle"))) {
    test(`${name}: one workgroup too few, ${lab.name(device)}`, async () => {
      const attempt = async (axis: number, less: number, sizes: number[]): Promise<string> => {
        const one = new Case(lab.gpu, HEAD_DIM, plan);
        const dispatches = record(one, device).map((dispatch) => cut(dispatch, axis, less, sizes));
        const said = await one.run(dispatches).then(
          () => "",
          (error: unknown) => String(error),
        );
        if (said === "") one.close();
        return said;
      };
      const sizes = [0, 0, 0];
      assert.is(await attempt(0, 0, sizes), "", "the whole grid passes");
      const axes = [0, 1, 2].filter((axis) => sizes[axis] > 1);
      assert.ok(axes.length > 0, `a grid of ${sizes} cannot be cut: the case is too small`);
      for (const axis of axes) {
        assert.match(await attempt(axis, 1, sizes), new RegExp(`${name}.*(needed|must)`), `axis ${axis} of ${sizes}`);
      }
    });
  }
}

test.run();
