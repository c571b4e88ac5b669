// The step buffer as the host fills it: rows, tiles, outputs, page tables, and each RoPE setting once.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { PAGE, SPLIT, stepLayout, tileRows } from "../../kernels/index.ts";
import { AngleTable } from "../../src/engine/angles.ts";
import { type Rope, type RopeAngles, parseRope, parseRopeScaling } from "../../src/rope/index.ts";
import { Sequence } from "../../src/engine/sequence.ts";
import { MAX_SINGLES, type Segment, StepWriter, splitSegments } from "../../src/engine/step.ts";

const tests = suite("step");
const HEAD_DIM = 8;
const layout = stepLayout({ rows: 200, outputs: 50, sequences: 4, fills: 4, headDim: HEAD_DIM });
const own = parseRope({ head_dim: HEAD_DIM, rope_theta: 10_000, max_position_embeddings: 64 });
const DYNAMIC = parseRopeScaling({ rope_type: "dynamic", factor: 2 }, own);

const host = { submit: () => {}, publish: () => {}, letGo: () => {}, close: () => {} };

function setUp() {
  const table = new AngleTable({ create: () => {} }, HEAD_DIM);
  let page = 40;
  const sequence = (rope: Rope, capacity: number, meaning: RopeAngles = "planned"): Sequence => {
    const angles = table.take({ rope, meaning, rows: capacity, planned: capacity, gaps: false });
    const made = new Sequence(host, { capacity, angles, shared: false });
    made.extend(Array.from({ length: Math.ceil(capacity / PAGE) }, () => page--));
    return made;
  };
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

/** A segment of `count` new tokens: 100, 101, … */
const feed = (sequence: Sequence, count: number, more: Partial<Segment> = {}): Segment => {
  sequence.push(Array.from({ length: count }, (_, i) => 100 + i));
  return { sequence, count, n: sequence.tokens.length, outputs: [count - 1], k: 1, ...more };
};

tests("a prompt beside rows that stand alone, then single tokens of two sequences", () => {
  const { sequence, write } = setUp();
  const [a, b] = [sequence(own, 70), sequence(own, 40)];
  const tile = tileRows(HEAD_DIM);
  const first = write([feed(a, 33), feed(b, 2, { outputs: [0, 1], k: 7 })]);
  assert.equal(first.shape, { rows: 35, outputs: 3, singles: 2, tiles: 3, splits: 1, fills: 2, fillRows: 31 });
  assert.equal(first.head, [35, 3, 3, 1]);
  assert.equal(first.rows.slice(0, 3), [
    [100, 0, 0, 0],
    [101, 1, 0, 1],
    [100, 0, 1, 0],
  ]);
  assert.equal(first.rows[34], [132, 32, 1, 32]);
  assert.equal(
    first.tiles,
    [
      [2, tile, 1, 0],
      [2 + tile, tile, 1, 0],
      [34, 1, 1, 0],
    ],
    "the rows that stand alone are in none",
  );
  assert.equal(
    first.outputs,
    [
      [34, 1],
      [0, 7],
      [1, 7],
    ],
    "in the segments' order",
  );
  assert.equal(first.sequences, [
    [0, 0, 0, 0],
    [1, 0, 0, 0],
  ]);
  assert.equal(first.pages, [37, 40, 39], "as many as are in use, not as many as there are");
  assert.equal(
    first.fills,
    [
      [0, 0, 2, 0],
      [2, 2, 31, 0],
    ],
    "both have one range of the table",
  );

  a.advance(33);
  b.advance(2);
  const second = write([feed(b, 1), feed(a, 1)]);
  assert.equal(second.shape.singles, 2);
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

tests("few rows of a sequence stand alone as far as there is room; all others make tiles", () => {
  const { sequence } = setUp();
  const counts = (list: readonly number[]) => {
    const { alone, tiled } = splitSegments(list.map((count) => feed(sequence(own, 40), count)));
    return [alone.map(({ count }) => count), tiled.map(({ count }) => count)];
  };
  assert.equal(counts([1, 4, 5, 2, 30]), [
    [1, 4, 2],
    [5, 30],
  ]);
  assert.equal(counts([4, 4, 4, 3, 4, 1]), [[4, 4, 4, 3, 1], [4]]);
  assert.equal(counts(Array.from({ length: MAX_SINGLES }, () => 1))[1], []);
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

tests("parts of attention follow from the longest sequence whose rows stand alone", () => {
  const { sequence, write } = setUp();
  const [a, b, c] = [sequence(own, SPLIT + 5), sequence(own, 40), sequence(own, 3 * SPLIT)];
  write([feed(a, SPLIT - 1)]);
  a.advance(SPLIT - 1);
  assert.is(write([feed(b, 1), feed(a, 1)]).shape.splits, 1);
  assert.is(write([feed(b, 1), feed(a, 1, { count: 2 }), feed(c, 2 * SPLIT)]).shape.splits, 2);
});

tests("a segment is the next part of its sequence's tokens", () => {
  const { sequence, write } = setUp();
  const a = sequence(own, 50);
  a.push(Array.from({ length: 30 }, (_, i) => 500 + i));
  a.advance(8);
  const { rows } = write([{ sequence: a, count: 3, n: 30, outputs: [2], k: 1 }]);
  assert.equal(rows, [
    [508, 8, 0, 8],
    [509, 9, 0, 9],
    [510, 10, 0, 10],
  ]);
});

tests.run();
