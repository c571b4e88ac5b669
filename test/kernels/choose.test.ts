// choose.test.ts — which variant is chosen for which size on which kind of device.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  type Choices,
  type DeviceFacts,
  ROW_CLASSES,
  candidates,
  choiceKey,
  choose,
  plainVariant,
  reason,
  rowClass,
  stepRows,
  variantsByKernel,
  variantName,
} from "../../kernels/index.ts";
import { matvecLanes } from "../../kernels/workgroup.ts";

const test = suite("choose");

const KERNELS: readonly (keyof Choices)[] = [
  "linear",
  "attention_prefill",
  "attention_decode",
  "matvec",
  "swiglu",
  "norm",
  "rope",
  "rmsnorm",
  "topk",
  "elementwise",
];
const many = { rows: 65, n: 100, k: 100 };
const all = (device: DeviceFacts): string[] => KERNELS.map((kernel) => choose(kernel, many, device));

const none: DeviceFacts = { subgroupMin: 0, subgroupMax: 0, variants: "tiled" };
const sized = (lanes: number, variants: DeviceFacts["variants"]): DeviceFacts => ({
  subgroupMin: lanes,
  subgroupMax: lanes,
  variants,
});
const TILED = ["matmul_tiled", "attention_prefill_tiled", "attention_decode_tiled"];
/** What is joined to matvec where there is one row, and takes dispatches of its own here. */
const APART = ["swiglu", "rmsnorm", "rope"];

test("without subgroups everything is plain", () => {
  assert.equal(
    all(none),
    KERNELS.map((kernel) => plainVariant(kernel)),
  );
  const { subgroupMin, subgroupMax } = none;
  assert.equal(all({ subgroupMin, subgroupMax, variants: "shuffle" }), all(none)); // there is nothing to shuffle in
});

test("subgroups of varying size, or of too few lanes for shuffles, add up their own lanes", () => {
  const sums = "lib/reduce_subgroups";
  const want = [...TILED, sums, ...APART, sums, sums, "spread"];
  for (const variants of ["tiled", "shuffle"] as const) {
    assert.equal(all({ subgroupMin: 4, subgroupMax: 128, variants }), want);
    assert.equal(all(sized(2, variants)), want);
  }
});

test("subgroups of one size: shuffles where they are faster", () => {
  for (const lanes of [4, 8, 32]) {
    assert.equal(all(sized(lanes, "tiled")), [
      ...TILED,
      "lib/reduce_subgroups",
      ...APART,
      "lib/reduce_subgroups",
      "lib/reduce_subgroups",
      "spread",
    ]);
    assert.equal(all(sized(lanes, "shuffle")), [
      "matmul_shuffle",
      "attention_prefill_shuffle",
      "attention_decode_shuffle",
      "lib/reduce_shuffle",
      ...APART,
      "lib/reduce_shuffle",
      "lib/reduce_workgroup",
      "walk",
    ]);
  }
});

test("one row of a linear layer is matvec's on every device, up to 16 share the reads of the weight", () => {
  const chosen = (rows: number, device: DeviceFacts) => choose("linear", { ...many, rows }, device);
  for (const device of [none, sized(32, "tiled"), sized(8, "shuffle")]) assert.is(chosen(1, device), "matvec");
  for (const rows of [2, 16]) {
    for (const device of [none, sized(32, "tiled")]) assert.is(chosen(rows, device), "matvec_rows");
    assert.is(chosen(rows, sized(8, "shuffle")), "matmul_shuffle");
  }
});

test("units, norms and caching of one row are done by the matvec beside them", () => {
  for (const device of [none, sized(32, "tiled"), sized(8, "shuffle")]) {
    const chosen = (rows: number) =>
      (["swiglu", "norm", "rope"] as const).map((of) => choose(of, { ...many, rows }, device));
    assert.equal(chosen(1), ["lib/gated", "lib/residual", "lib/placed"]);
    assert.equal(chosen(2), APART);
  }
});

test("one row of whole numbers goes through lanes that own columns where shuffles are faster", () => {
  for (const format of ["q8_0", "q4_0"]) {
    const one = { ...many, rows: 1, format };
    assert.is(choose("blocks", one, sized(8, "shuffle")), "matvec_shuffle");
    assert.is(choose("blocks", { ...one, rows: 2 }, sized(8, "shuffle")), "matvec");
    for (const device of [none, sized(32, "tiled"), sized(4, "shuffle")]) {
      assert.is(choose("blocks", one, device), "matvec");
    }
  }
  assert.is(choose("blocks", { ...many, rows: 1, format: "f16" }, sized(8, "shuffle")), "matvec");
});

test("a step's rows are rounded up to the least class that holds them, and beyond 16 they are many", () => {
  assert.equal([0, 1, 2, 4, 5, 8, 9, 16].map(rowClass), [1, 1, 4, 4, 8, 8, 16, 16]);
  assert.is(rowClass(ROW_CLASSES.at(-1)! + 1), undefined);
});

test("tiles of 32 rows for few of them, of 128 only where they were measured to be faster", () => {
  assert.is(choose("linear", { ...many, rows: 64 }, none), "matmul_tiled_low");
  assert.is(choose("linear", { ...many, rows: 64 }, sized(8, "shuffle")), "matmul_shuffle");
  assert.is(choose("linear", { ...many, rows: 512 }, none), "matmul_tiled");
});

test("what was measured for a size, then what is asked for of a kernel, goes before the table, if it can run", () => {
  const size = { ...many, format: "f16" };
  const choices = new Map([
    [choiceKey("linear", size), "matmul_tiled_tall"],
    ["linear", "matmul_shuffle"],
    ["rmsnorm", "lib/reduce_workgroup"],
  ]);
  const device = { ...sized(8, "tiled"), choices };
  assert.is(choose("linear", size, device), "matmul_tiled_tall");
  assert.is(choose("linear", many, device), "matmul_shuffle"); // of another format
  assert.is(choose("linear", many, { ...none, choices }), "matmul_tiled"); // no subgroups
  assert.is(choose("linear", size, { ...device, refused: new Set(["matmul_tiled_tall"]) }), "matmul_tiled");
  assert.is(choose("rmsnorm", many, device), "lib/reduce_workgroup");
  assert.equal(candidates("linear", many, none), ["matmul_tiled_low", "matmul_tiled_tall", "matmul_tiled"]);
  for (const kernel of KERNELS) assert.is(variantsByKernel[kernel].at(-1), plainVariant(kernel));
  assert.match(reason("linear", size, device), /128 rows/);
});

test("matvec has lanes for a large GPU where a layer has few columns, and none without a block of the weight to read", () => {
  const lanes = (n: number, k: number, block = 4) => matvecLanes(Math.ceil(n / 8), k / block);
  assert.is(lanes(4096, 4096), 256); // o of a 7B model: 512 workgroups
  assert.is(lanes(4096, 4096, 32), 128); // of 128 blocks
  assert.is(lanes(22_016, 4096), 64); // gate and up: 2,752 workgroups
  assert.is(lanes(8192, 4096), 128);
  assert.is(lanes(576, 576), 128); // 144 blocks
  assert.is(lanes(4096, 100), 64);
});

test("what was refused gives way to the next that holds, the plain variant to nothing", () => {
  const refused = new Set(["matmul_shuffle", "rmsnorm with lib/reduce_shuffle"]);
  const device = { ...sized(8, "shuffle"), refused };
  assert.is(choose("linear", many, device), "matmul_tiled");
  assert.is(choose("rmsnorm", many, device), "lib/reduce_subgroups");
  assert.is(choose("matvec", many, device), "lib/reduce_shuffle"); // a refusal is of one kernel
  const plain = new Set(KERNELS.map((kernel) => variantName(kernel, plainVariant(kernel))));
  assert.equal(all({ ...none, refused: plain }), all(none));
});

test("a step has as many rows as suit the matrix product", () => {
  assert.is(stepRows(sized(8, "shuffle")), 256);
  for (const device of [none, sized(32, "tiled")]) assert.is(stepRows(device), 512);
});

test.run();
