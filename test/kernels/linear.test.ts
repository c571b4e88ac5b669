// linear.test.ts — matvec, matvec_rows, matmul_tiled and matmul_shuffle over formats, biases, sums into y, weights in pieces, odd sizes.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  type FormatName,
  type Linear,
  type Matrix,
  type DeviceFacts,
  type Tensor,
  PAGE,
  caches,
  formats,
  choose,
  kvLayer,
  matmulTiled,
  matmulTiledLow,
  matmulTiledTall,
  matmulShuffle,
  matrixOf,
  matvec,
  matvecGated,
  matvecPlaced,
  matvecResidual,
  matvecRows,
  queriesKeysValues,
  rmsnorm,
  rmsnormAhead,
  swiglu,
} from "../../kernels/index.ts";
import { goldenEntry, goldenTensors, within } from "../tools/goldens.ts";
import { Case, openLab, plainRows, scrambled } from "../tools/harness.ts";
import { normal } from "../tools/random.ts";
import { noteSampled, sampling } from "../tools/sample.ts";

const test = suite("linear");
const lab = await openLab();
test.after(() => lab.close());

const MANY_ROWS = { rows: Infinity, n: 1, k: 1 };

/** Every variant, with a device that it is chosen on. */
const kernels: { name: string; linear: Linear; device: DeviceFacts }[] = [
  ...lab.differing("matvec").map((device) => {
    const name = `matvec with ${choose("matvec", MANY_ROWS, device)}`;
    return { name, linear: matvec, device };
  }),
  ...lab.differing("linear").map((device) => {
    const name = choose("linear", MANY_ROWS, device);
    return { name, linear: name === "matmul_tiled" ? matmulTiled : matmulShuffle, device };
  }),
  { name: "matmul_tiled_low", linear: matmulTiledLow, device: lab.devices[0] },
  { name: "matmul_tiled_tall", linear: matmulTiledTall, device: lab.devices[0] },
];

interface Shape {
  readonly n: number;
  readonly k: number;
  readonly format?: FormatName;
  readonly bias?: boolean;
  readonly add?: boolean;
  readonly scale?: number;
  /** Rows at which the weight is cut. */
  readonly cut?: number;
  /** Rows are the step's outputs, not its token rows. */
  readonly ofOutputs?: boolean;
}

const shapes: Shape[] = [
  { n: 1, k: 1 },
  { n: 67, k: 130, format: "f16", cut: 1, bias: true, add: true },
  { n: 65, k: 301, add: true },
  { n: 70, k: 33, format: "bf16", bias: true, add: true, scale: 0.22 },
  { n: 45, k: 75, format: "bf16", cut: 13, ofOutputs: true },
  { n: 200, k: 2050, format: "bf16", bias: true },
  // Every format, where the last block is partly padding.
  ...Object.keys(formats).map((format) => ({ n: 21, k: 107, format: format as FormatName, cut: 6 })),
];

/** A [n, k] weight in pieces. */
const weightOf = (one: Case, { n, k, format = "f32", cut }: Shape, next: () => number): Matrix =>
  one.matrix("weight", [n, k], next, formats[format], cut ? [cut] : []);

/** A function that gives these values one after another. */
function each(values: ArrayLike<number>): () => number {
  let i = 0;
  return () => values[i++];
}

// In samples kernels and shapes take turns: each kernel half of the shapes.
const products = kernels.flatMap((kernel, turn) =>
  shapes.map((shape, i) => ({ ...kernel, shape, chosen: !sampling || (i + turn) % 2 === 0 })),
);
if (sampling) noteSampled("shapes under kernels", products.filter(({ chosen }) => chosen).length, products.length);
for (const { name, linear, device, shape, chosen } of products) {
  if (chosen) {
    const { n, k, add, scale, ofOutputs = false } = shape;
    test(`${name} ${JSON.stringify(shape)}`, async () => {
      for (const rows of name === "matmul_tiled_tall" ? [1, 131] : [1, 5, 33, 67]) {
        const next = normal(rows + n + k);
        const outputs = Array.from({ length: ofOutputs ? rows : 2 }, () => ({ row: 0 }));
        const one = new Case(lab.gpu, 2, { ...plainRows(ofOutputs ? 2 : rows), outputs });
        const x = one.tensor("x", [rows + 5, k], next); // rows beyond the step's must keep what they hold
        const bias = shape.bias ? one.tensor("bias", [n], next) : undefined;
        const y = one.tensor("y", [rows + 5, n], next);
        const weight = weightOf(one, shape, next);
        const dispatches = linear({ x, weight, bias, y, add, scale, ofOutputs, step: one.layout, device });
        for (const dispatch of dispatches) assert.is(dispatch.ofOutputs, ofOutputs); // by which the reference goes
        const found = await one.run(dispatches);
        one.close();
        // A sum of k terms is off by about √k roundings of 2^-24: squared 7e-12 for 2050, and a tenth of it for 301.
        for (const { nmse } of found) assert.ok(nmse < 4e-15 * k, `${rows} rows: ${nmse}`);
      }
    });
  }
}

/** Kernels that hold as many rows at a time as a step of few has, once per way to add up. */
const few: typeof kernels = [
  ...lab.differing("matvec").map((device) => {
    const name = `matvec_rows with ${choose("matvec", MANY_ROWS, device)}`;
    return { name, linear: matvecRows, device };
  }),
  ...kernels.filter(({ name }) => name === "matmul_shuffle"),
];

for (const [i, { name, linear, device }] of few.entries()) {
  const ragged = { n: 45, k: 75, format: "bf16", cut: 13, bias: true, add: true, scale: 0.5, ofOutputs: true } as const;
  const cases: [Shape, number][] = [
    [ragged, 3],
    [ragged, 8],
    // How a format is read does not depend on how sums are added up.
    ...Object.keys(formats).map((format): [Shape, number] => [{ n: 21, k: 107, format: format as FormatName }, 2]),
    [{ n: 9, k: 40 }, 35], // three workgroups of rows, the last one ragged
  ];
  for (const [shape, rows] of i === 0 ? cases : cases.slice(0, 2)) {
    test(`${name}, ${rows} rows, ${JSON.stringify(shape)}`, async () => {
      const { n, k, add, scale, ofOutputs = false } = shape;
      const next = normal(rows + n + k);
      const outputs = Array.from({ length: ofOutputs ? rows : 2 }, () => ({ row: 0 }));
      const one = new Case(lab.gpu, 2, { ...plainRows(ofOutputs ? 2 : rows), outputs });
      const x = one.tensor("x", [rows + 5, k], next);
      const bias = shape.bias ? one.tensor("bias", [n], next) : undefined;
      const y = one.tensor("y", [rows + 5, n], next);
      const weight = weightOf(one, shape, next);
      const dispatches = linear({ x, weight, bias, y, add, scale, ofOutputs, rows, step: one.layout, device });
      const found = await one.run(dispatches);
      one.close();
      for (const { nmse } of found) assert.ok(nmse < 4e-15 * k, `${nmse}`);
    });
  }
}

for (const device of lab.differing("matvec")) {
  const sums = choose("matvec", MANY_ROWS, device);
  test(`gate, up and their unit in one matvec with ${sums}`, async () => {
    // Two and four columns of each in a workgroup, the last one ragged; gates beyond where e^-v is infinite.
    for (const [format, hidden, bias] of [
      ["f32", 21, false],
      ["f16", 37, true],
    ] as const) {
      const k = 75;
      const next = normal(hidden);
      const one = new Case(lab.gpu, 2, plainRows(3));
      const x = one.tensor("x", [5, k], next);
      const weight = weightOf(one, { n: 2 * hidden, k, format }, next);
      const steep = (i: number) => next() + (i === 1 ? -120 : i === 2 ? 120 : 0);
      const biases = bias ? one.tensor("bias", [2 * hidden], steep) : undefined;
      const y = one.tensor("y", [5, hidden], next);
      const dispatches = matvecGated({ x, weight, bias: biases, y, step: one.layout, device });
      const [{ nmse }] = await one.run(dispatches);
      one.close();
      assert.ok(nmse < 4e-15 * k, `${format}: ${nmse}`);
    }
  });

  test(`golden mlp, gate and up in one matvec with ${sums}`, async () => {
    const path = "ops/mlp.safetensors";
    const tensors = await goldenTensors(path);
    const [rows, dim, hidden] = [4, 48, 75];
    const one = new Case(lab.gpu, 2, plainRows(rows));
    const x = one.tensor("x", [rows, dim], tensors.get("x"));
    const both = one.matrix(
      "both",
      [2 * hidden, dim],
      each([...tensors.get("gate_proj")!, ...tensors.get("up_proj")!]),
    );
    const down = one.matrix("down", [dim, hidden], each(tensors.get("down_proj")!));
    const gated = one.tensor("gated", [rows, hidden]);
    const y = one.tensor("y", [rows, dim]);
    const rest = { step: one.layout, device };
    await one.run([
      ...matvecGated({ x, weight: both, y: gated, ...rest }),
      ...matvec({ x: gated, weight: down, y, ...rest }),
    ]);
    within(one.values(y), tensors.get("out_f64")!, goldenEntry(path).tolerance!.f32, "mlp");
    one.close();
  });
}

for (const device of lab.differing("matvec")) {
  const sums = choose("matvec", MANY_ROWS, device);
  test(`a norm in two halves around the residual stream, matvec with ${sums}`, async () => {
    // Ragged columns of workgroups of four and of eight, more of them than lanes; a whole vec4 of sums of squares, and several.
    for (const [format, dim, hidden, bias] of [
      ["f32", 75, 21, false],
      ["f16", 301, 40, true],
      ["q8_0", 64, 37, false],
    ] as const) {
      const next = normal(dim);
      const one = new Case(lab.gpu, 2, plainRows(3));
      const rest = { step: one.layout, device };
      const [x, y] = [one.tensor("x", [5, hidden], next), one.tensor("y", [5, dim], next)];
      const ahead = {
        tensor: one.tensor("ahead", [10, dim], () => 0),
        columns: formats[format].matvecColumns,
        eps: 0.1, // large enough to be seen
      };
      const [before, after] = [one.tensor("before", [dim], next), one.tensor("after", [dim], next)];
      const out = one.matrix("out", [dim, hidden], next, formats[format]);
      const both = one.matrix("both", [2 * hidden, dim], next, formats[format]);
      const wide = one.matrix("wide", [29, dim], next, formats[format], [16]);
      const biased = bias ? one.tensor("bias", [dim], next) : undefined;
      const [gated, logits] = [one.tensor("gated", [5, hidden], next), one.tensor("logits", [5, 29], next)];
      const found = await one.run([
        rmsnormAhead({ x: y, weight: before, ahead, device }),
        ...matvec({ x: ahead.tensor, norm: ahead, weight: wide, y: logits, ...rest }),
        ...matvecResidual({ x, weight: out, bias: biased, y, scale: 0.5, next: { weight: after, ahead }, ...rest }),
        ...matvecGated({ x: ahead.tensor, norm: ahead, weight: both, y: gated, ...rest }),
        ...matvec({ x: ahead.tensor, norm: ahead, weight: wide, y: logits, add: true, ...rest }),
      ]);
      // The same as the norm by itself.
      const [whole, product] = [one.tensor("whole", [5, dim]), one.tensor("product", [5, 29], () => 0)];
      await one.run([
        rmsnorm({ x: y, weight: after, y: whole, eps: ahead.eps, device }),
        ...matvec({ x: whole, weight: wide, y: product, ...rest }),
        ...matvec({ x: ahead.tensor, norm: ahead, weight: wide, y: logits, ...rest }),
      ]);
      const [got, want] = [one.values(logits), one.values(product)];
      for (let i = 0; i < 3 * 29; i++) assert.ok(Math.abs(got[i] - want[i]) < 1e-5 * Math.sqrt(dim), `${format} ${i}`);
      one.close();
      for (const { nmse } of found) assert.ok(nmse < 4e-15 * dim, `${format}: ${nmse}`);
    }
  });

  test(`queries, keys and values turned and placed by matvec with ${sums}`, async () => {
    const pages = scrambled(8, 8);
    for (const [format, cache, bias, turned] of [
      ["f16", caches.f32, true, true],
      ["bf16", caches.f16, false, true],
      ["q4_0", caches.f32, false, true],
      ["f16", caches.f16, true, false],
    ] as const) {
      const [heads, kvHeads, headDim, k] = [3, 2, 24, 52];
      const next = normal(heads + k);
      const one = new Case(lab.gpu, headDim, {
        runs: [
          { start: 5, rows: 1, pages: pages.slice(0, 1) },
          { start: 31, rows: 2, pages: pages.slice(1, 3), angle: 4, raw: true }, // over the edge of a page
          { start: 70, rows: 1, pages: pages.slice(3, 6), angle: 30 },
        ],
      });
      const [x, width] = [one.tensor("x", [6, k], next), (heads + 2 * kvHeads) * headDim];
      const kv = one.kv([8 * PAGE, kvHeads * headDim], next, next, cache);
      const dispatches = matvecPlaced({
        x,
        weight: one.matrix("weight", [width, k], next, formats[format]),
        bias: bias ? one.tensor("bias", [width], next) : undefined,
        y: one.tensor("qkv", [6, width], next),
        table: one.tensor("table", [101, headDim], next),
        kv,
        heads,
        kvHeads,
        turned,
        step: one.layout,
        device,
      });
      await one.run(dispatches); // what it must not write is as it was
      one.close();
    }
  });
}

test("what matvec cannot join is refused by name", () => {
  const tensor = (name: string, ...shape: number[]): Tensor => ({ name, dtype: "f32", shape });
  const step = new Case(lab.gpu, 8, plainRows(1)).layout;
  const [device] = lab.devices;
  const weight = matrixOf(formats.f16, "w", 24, 8);
  const args = { x: tensor("x", 1, 8), y: tensor("y", 1, 24), step, device };
  const placed = { ...args, table: tensor("table", 1, 8), heads: 1, kvHeads: 1, turned: true };
  const kv = kvLayer(caches.f32, 0, 32, 8);
  assert.is(matvecPlaced({ ...placed, weight, kv }).length, 1);
  const kernels = (more: { headNorm?: Tensor; rows: number }) =>
    queriesKeysValues({ ...placed, weight, kv, eps: 0, ...more }).map(({ kernel }) => kernel);
  assert.equal(kernels({ rows: 1 }), ["matvec"]);
  assert.equal(kernels({ rows: 1, headNorm: tensor("headNorm", 16) }), ["matvec", "headnorm", "rope", "append"]);
  assert.equal(kernels({ rows: 2 }).slice(1), ["rope", "append"]);
  assert.throws(() => matvecPlaced({ ...placed, weight, kv: kvLayer(caches.q8, 0, 32, 8) }), /w: got .* cache in q8/);
  assert.throws(() => matvecPlaced({ ...placed, weight: matrixOf(formats.f32, "w", 24, 8), kv }), /weights in f32/);
  assert.throws(() => matvecPlaced({ ...placed, weight: matrixOf(formats.f16, "w", 24, 8, 8), kv }), /3 pieces/);
  const ahead = { tensor: tensor("ahead", 2, 24), columns: 4, eps: 0 } as const;
  const next = { weight: tensor("norm", 24), ahead };
  assert.throws(() => matvecResidual({ ...args, weight, next }), /w: got sums of squares of 4 columns/);
});

test("gate and up in pieces are refused by name", () => {
  const tensor = (name: string, ...shape: number[]): Tensor => ({ name, dtype: "f32", shape });
  const weight = matrixOf(formats.f32, "gateUp", 6, 4, 4);
  const args = { x: tensor("x", 1, 4), weight, y: tensor("y", 1, 3), step: new Case(lab.gpu, 2, plainRows(1)).layout };
  assert.throws(() => matvecGated({ ...args, device: lab.devices[0] }), /gateUp: got 2 pieces, needed one/);
});

/** The operations of few rows through matvec and those of many through the matrix products, as the engine has it. */
const FEW = ["matmul-gemv", "matmul-long-k", "matmul-k1", "matmul-one", "matmul-wide"];
const MANY = ["matmul-odd", "matmul-tile", "matmul-ragged", "linear-bfloat16", "linear-float16"];

for (const { name, linear, device } of kernels) {
  test(`goldens through ${name}`, async () => {
    for (const file of name.startsWith("matvec") ? FEW : MANY) {
      const path = `ops/${file}.safetensors`;
      const tensors = await goldenTensors(path);
      const { tensors: shapes, tolerance } = goldenEntry(path) as ReturnType<typeof goldenEntry> & {
        tensors: Record<string, { dtype: string; shape: number[] }>;
      };
      const [rows, k] = shapes.x.shape;
      const n = shapes.weight.shape[0];
      const one = new Case(lab.gpu, 2, plainRows(rows));
      const format = formats[shapes.weight.dtype.toLowerCase() as FormatName];
      const weight = one.matrix("weight", [n, k], each(tensors.get("weight")!), format);
      const bias = tensors.has("bias") ? one.tensor("bias", [n], tensors.get("bias")) : undefined;
      const y = one.tensor("y", [rows, n]);
      const x = one.tensor("x", [rows, k], tensors.get("x"));
      await one.run(linear({ x, weight, bias, y, step: one.layout, device }));
      within(one.values(y), tensors.get("out_f64")!, tolerance!.f32, file);
      one.close();
    }
  });

  if (name.startsWith("matmul")) continue; // four rows
  test(`golden mlp through ${name}`, async () => {
    const path = "ops/mlp.safetensors";
    const tensors = await goldenTensors(path);
    const [rows, dim, hidden] = [4, 48, 75];
    const one = new Case(lab.gpu, 2, plainRows(rows));
    const x = one.tensor("x", [rows, dim], tensors.get("x"));
    // gate and up lie one above the other, as the engine loads them
    const gateAndUp = [...tensors.get("gate_proj")!, ...tensors.get("up_proj")!];
    const both = one.matrix("both", [2 * hidden, dim], each(gateAndUp));
    const down = one.matrix("down", [dim, hidden], each(tensors.get("down_proj")!));
    const gateUp = one.tensor("gateUp", [rows, 2 * hidden]);
    const gated = one.tensor("gated", [rows, hidden]);
    const y = one.tensor("y", [rows, dim]);
    const rest = { step: one.layout, device };
    await one.run([
      ...linear({ x, weight: both, y: gateUp, ...rest }),
      swiglu({ x: gateUp, y: gated, device }),
      ...linear({ x: gated, weight: down, y, ...rest }),
    ]);
    within(one.values(y), tensors.get("out_f64")!, goldenEntry(path).tolerance!.f32, "mlp");
    one.close();
  });
}

test("more columns than one dimension of workgroups takes are folded into the next", async () => {
  const { device, linear } = kernels[0];
  const n = 65_535 * 8 + 9; // one row of workgroups, one more, and one column beyond
  const next = normal(2);
  const one = new Case(lab.gpu, 2, plainRows(1));
  const weight = weightOf(one, { n, k: 4, format: "bf16" }, next);
  const [x, y] = [one.tensor("x", [1, 4], next), one.tensor("y", [1, n])];
  await one.run(linear({ x, weight, y, step: one.layout, device }));
  one.close();
});

test("shapes that do not fit are refused by name", () => {
  const tensor = (name: string, ...shape: number[]): Tensor => ({ name, dtype: "f32", shape });
  const weight = matrixOf(formats.f32, "q_proj", 5, 3);
  const one = new Case(lab.gpu, 2, plainRows(1));
  const args = { weight, step: one.layout, device: lab.devices[0] };
  for (const { linear } of kernels) {
    assert.throws(
      () => linear({ ...args, x: tensor("x", 1, 4), y: tensor("y", 1, 5) }),
      /q_proj: columns of x must be 3, got 4/,
    );
    assert.throws(
      () => linear({ ...args, x: tensor("x", 1, 3), y: tensor("y", 1, 6) }),
      /q_proj: columns of y must be 5, got 6/,
    );
    assert.throws(
      () => linear({ ...args, x: tensor("x", 1, 3), y: tensor("y", 1, 5), bias: tensor("b", 4) }),
      /q_proj: length of bias must be 5, got 4/,
    );
  }
});

test.run();
