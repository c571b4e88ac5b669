// The step buffer as the host fills it: rows, tiles, outputs, page tables, and each RoPE setting once.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { PAGE, SPLIT, stepLayout, tileRows } from "../../kernels/index.ts";
import { AngleTable, type RopeAngles } from "../../src/engine/angles.ts";
import { type Rope, parseRope, parseRopeScaling } from "../../src/rope/index.ts";
import { type Segment, type Sequence, StepWriter } from "../../src/engine/step.ts";

const tests = suite("step");
const HEAD_DIM = 8;
const layout = stepLayout({ rows: 200, outputs: 50, sequences: 4, fills: 4, headDim: HEAD_DIM });
const own = parseRope({ head_dim: HEAD_DIM, rope_theta: 10_000, max_position_embeddings: 64 });
const DYNAMIC = parseRopeScaling({ rope_type: "dynamic", factor: 2 }, own);

function setUp() {
  const table = new AngleTable({ create: () => {} }, HEAD_DIM);
  let page = 40;
  const sequence = (rope: Rope, capacity: number, meaning: RopeAngles = "planned"): Sequence => ({
    pages: Array.from({ length: Math.ceil(capacity / PAGE) }, () => page--),
    angles: table.take({ rope, meaning, rows: capacity, planned: capacity, gaps: false }),
    length: 0,
    capacity,
    prefix: [],
  });
  const writer = new StepWriter(layout, 20);
  const write = (segments: readonly Segment[]) => {
    const { shape, data } = writer.write(segments);
    const records = (at: number, words: number, count: number) =>
      Array.from({ length: count }, (_, i) => [...data.subarray(at + words * i, at + words * (i + 1))]);
    return {
      shape,
      head: [...data.subarray(0, 4)],
      rows: records(layout.rowAt, 4, shape.rows),
      tiles: records(layout.tileAt, 4, shape.tiles),
      fills: records(layout.fillAt, 4, shape.fills),
      outputs: records(layout.outputAt, 2, shape.outputs),
      sequences: records(layout.sequenceAt, 4, segments.length),
      settings: records(layout.turnsAt, layout.turnsStride, shape.fills),
      pages: [...data.subarray(layout.pageAt)],
    };
  };
  return { sequence, write };
}

const feed = (sequence: Sequence, count: number, more: Partial<Segment> = {}): Segment => ({
  sequence,
  ids: Array.from({ length: count }, (_, i) => 100 + i),
  from: 0,
  count,
  n: sequence.length + count,
  outputs: [count - 1],
  k: 1,
  ...more,
});

tests("a prompt, then single tokens of two sequences", () => {
  const { sequence, write } = setUp();
  const [a, b] = [sequence(own, 70), sequence(own, 40)];
  const tile = tileRows(HEAD_DIM);
  const first = write([feed(a, 33), feed(b, 2, { outputs: [0, 1], k: 7 })]);
  assert.equal(first.shape, { rows: 35, outputs: 3, tiles: 4, splits: 1, fills: 1, fillRows: 33 });
  assert.equal(first.head, [35, 3, 4, 1]);
  assert.equal(first.rows[32], [132, 32, 0, 32]);
  assert.equal(first.rows.slice(33), [
    [100, 0, 1, 0],
    [101, 1, 1, 1],
  ]);
  assert.equal(first.tiles, [
    [0, tile, 0, 0],
    [tile, tile, 0, 0],
    [32, 1, 0, 0],
    [33, 2, 1, 0],
  ]);
  assert.equal(first.outputs, [
    [32, 1],
    [33, 7],
    [34, 7],
  ]);
  assert.equal(first.sequences, [
    [0, 0, 0, 0],
    [2, 0, 0, 0],
  ]);
  assert.equal(first.pages, [40, 39, 37], "as many as are in use, not as many as there are");
  assert.equal(first.fills, [[0, 0, 33, 0]], "the second sequence's rows are among the first's");

  [a.length, b.length] = [33, 2];
  const second = write([feed(b, 1), feed(a, 1)]);
  assert.equal(second.rows, [
    [100, 2, 0, 2],
    [100, 33, 1, 33],
  ]);
  assert.equal(second.fills, [[33, 33, 1, 0]]);
  assert.equal(second.sequences, [
    [0, 0, 0, 0],
    [1, 0, 0, 0],
  ]);
  assert.equal(second.pages, [37, 40, 39]);
});

tests("settings are written once each; raw keys and the start of a range belong to the sequence", () => {
  const { sequence, write } = setUp();
  const [a, b, c] = [sequence(DYNAMIC, 90, "current"), sequence(DYNAMIC, 90, "as-inserted"), sequence(own, 30)];
  const step = write([feed(a, 70), feed(b, 70), feed(c, 5, { outputs: [] })]);
  assert.equal(step.fills, [
    [0, 0, 70, 0],
    [90, 0, 70, 0],
    [180, 0, 5, 1],
  ]);
  assert.equal(
    step.sequences.map(([, first, raw]) => [first, raw]),
    [
      [0, 1],
      [90, 0],
      [180, 0],
    ],
  );
  assert.equal(step.settings[0].slice(0, HEAD_DIM), [...a.angles.setting(70).words.subarray(0, HEAD_DIM)]);
  assert.equal(step.settings[1].slice(0, HEAD_DIM), [...c.angles.setting(5).words.subarray(0, HEAD_DIM)]);
  assert.is(step.shape.outputs, 2);
  assert.is(step.shape.fillRows, 70);
});

tests("parts of attention follow from the longest sequence", () => {
  const { sequence, write } = setUp();
  const [a, b] = [sequence(own, SPLIT + 5), sequence(own, 40)];
  a.length = SPLIT - 1;
  assert.is(write([feed(b, 1), feed(a, 1)]).shape.splits, 1);
  assert.is(write([feed(b, 1), feed(a, 2)]).shape.splits, 2);
});

tests("a segment is a part of its ids", () => {
  const { sequence, write } = setUp();
  const a = sequence(own, 50);
  a.length = 8;
  const ids = Array.from({ length: 30 }, (_, i) => 500 + i);
  const { rows } = write([feed(a, 3, { ids, from: 8 })]);
  assert.equal(rows, [
    [508, 8, 0, 8],
    [509, 9, 0, 9],
    [510, 10, 0, 10],
  ]);
});

tests.run();
