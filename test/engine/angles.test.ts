// Ranges of the rotary table, without a GPU: who shares one, what a step must write, and what each meaning makes of n.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Tensor } from "../../kernels/index.ts";
import { type Angles, AngleTable } from "../../src/engine/angles.ts";
import {
  type Rope,
  type RopeAngles,
  type RopeScaling,
  frequencies,
  parseRope,
  parseRopeScaling,
  turns,
} from "../../src/rope/index.ts";

const tests = suite("angles");
const own = parseRope({ head_dim: 8, rope_theta: 10_000, max_position_embeddings: 64 });
const rope = (scaling?: RopeScaling): Rope => parseRopeScaling(scaling, own);
const YARN = rope({ rope_type: "yarn", factor: 4 });
const DYNAMIC = rope({ rope_type: "dynamic", factor: 2 });
const LONG = rope({ rope_type: "longrope", factor: 4, short_factor: [1, 1, 1, 1], long_factor: [1, 2, 3, 4] });

function table() {
  const created: Tensor[] = [];
  const angles = new AngleTable({ create: (tensor) => void created.push(tensor) }, 8);
  const take = (
    of: Rope,
    rows: number,
    options: { meaning?: RopeAngles; planned?: number; gaps?: boolean } = {},
  ): Angles => {
    const { meaning = "planned", planned = rows, gaps = false } = options;
    return angles.take({ rope: of, meaning, rows, planned, gaps });
  };
  return { created, angles, take };
}

/** What a fill writes, without the setting's words. */
const written = (angles: Angles, end: number, n = end) => {
  const fill = angles.fill(end, n);
  return fill && [fill.first, fill.position, fill.count];
};

tests("equal frequencies share a range, and each row is written once", () => {
  const { take } = table();
  const [a, b] = [take(YARN, 50), take(rope({ type: "yarn", factor: 4 }), 40)];
  assert.is(a.region, b.region, "another spelling is the same setting");
  assert.ok(a.shared);
  assert.equal(written(a, 20), [0, 0, 20]);
  assert.is(written(b, 15), undefined);
  assert.equal(written(b, 21), [0 + 20, 20, 1]);
  assert.is(written(a, 21), undefined);
  const c = take(YARN, 60);
  assert.is(c.region, a.region, "a longer sequence makes the range longer");
  assert.equal([a.first, a.region.rows, a.region.filled], [0, 60, 21], "there was room behind it");
  assert.is.not(take(own, 10).region, a.region);
});

tests("a setting is its frequencies at the length asked for, as fixed point, and m", () => {
  const { take } = table();
  for (const [of, n] of [
    [YARN, 30],
    [DYNAMIC, 30],
    [DYNAMIC, 100],
    [LONG, 64],
    [LONG, 65],
  ] as const) {
    const { words } = take(of, 100, { planned: n }).setting(7);
    const { omega, attentionScaling } = frequencies(of, n);
    assert.equal([...words.subarray(0, 8)], [...turns(omega)]);
    assert.is(new Float32Array(words.buffer, 4 * 8, 1)[0], Math.fround(attentionScaling));
  }
});

tests("planned: one n for all steps; equal lengths share, others do not, and within the trained length all do", () => {
  const { take } = table();
  const [a, b, c] = [take(DYNAMIC, 100), take(DYNAMIC, 100), take(DYNAMIC, 90)];
  assert.is(a.region, b.region);
  assert.is.not(a.region, c.region);
  assert.is(a.setting(10).key, a.setting(100).key);
  assert.is(take(DYNAMIC, 30).region, take(DYNAMIC, 20).region, "no length below 64 is scaled");
  assert.is(take(DYNAMIC, 30).shared, take(DYNAMIC, 64).shared);
  assert.is.not(take(LONG, 30).shared, take(LONG, 65).shared);
  assert.is(take(LONG, 66).shared, take(LONG, 65).shared);
});

tests("as-inserted: a row keeps what it was written with; later ones have the frequencies of their step", () => {
  const { take } = table();
  const a = take(DYNAMIC, 100, { meaning: "as-inserted" });
  assert.is(a.shared, undefined);
  assert.is(a.rawKeys, false);
  assert.equal(written(a, 60), [0, 0, 60]);
  const fill = a.fill(70, 70)!;
  assert.equal([fill.first, fill.position, fill.count], [60, 60, 10]);
  assert.equal([...fill.setting.words.subarray(0, 8)], [...turns(frequencies(DYNAMIC, 70).omega)]);
  assert.is.not(fill.setting.key, a.setting(71).key);
});

tests("current: raw keys, and every row anew when n changes the frequencies", () => {
  const { take } = table();
  const a = take(DYNAMIC, 100, { meaning: "current" });
  assert.is(a.rawKeys, true);
  assert.equal(written(a, 60), [0, 0, 60]);
  assert.equal(written(a, 64), [60, 60, 4], "within the trained length nothing changes");
  assert.equal(written(a, 65), [0, 0, 65]);
  assert.equal(written(a, 66), [0, 0, 66]);
  const b = take(LONG, 100, { meaning: "current" });
  assert.equal(written(b, 64), [b.first, 0, 64]);
  assert.equal(written(b, 65), [b.first, 0, 65], "the long factors");
  assert.equal(written(b, 66), [b.first + 65, 65, 1]);
  assert.is(take(YARN, 10, { meaning: "current" }).rawKeys, false, "a static type needs none");
});

tests("a prompt's chunks have the whole prompt's n", () => {
  const { take } = table();
  const a = take(DYNAMIC, 200, { meaning: "current" });
  assert.equal(written(a, 50, 150), [0, 0, 50]);
  assert.equal(written(a, 100, 150), [50, 50, 50]);
  assert.equal(written(a, 151, 151), [0, 0, 151]);
});

tests("rows with gaps between their positions belong to one sequence", () => {
  const { take } = table();
  const [a, b] = [take(YARN, 10, { gaps: true }), take(YARN, 10, { gaps: true })];
  assert.is.not(a.region, b.region);
  assert.is(a.shared, undefined);
  a.offset = 60_000;
  assert.equal(written(a, 4), [0, 60_000, 4]);
  a.offset = 70_000;
  assert.equal(written(a, 6), [4, 70_004, 2]);
});

tests("ranges never overlap, gaps are filled, and the table says how many rows they need", () => {
  const { angles, take, created } = table();
  assert.equal(created, [{ name: "table", dtype: "f32", shape: [64, 8] }]);
  const settings = Array.from({ length: 6 }, (_, i) => rope({ rope_type: "linear", factor: 2 + i }));
  const [a, b, c] = [take(settings[0], 30), take(settings[1], 20), take(settings[2], 14)];
  assert.equal([a.first, b.first, c.first], [0, 30, 50]);
  assert.is(angles.rows, 64);
  angles.release(b);
  assert.is(take(settings[3], 21).first, 64, "the gap is one row too small");
  assert.is(take(settings[4], 20).first, 30);
  assert.is(angles.rows, 85);
  assert.equal(angles.sized(85), { name: "table", dtype: "f32", shape: [85, 8] });
  angles.release(a);
  assert.is(take(settings[5], 30).first, 0);
});

tests("a range that grows stays where there is room, else it moves and is written anew; both can be taken back", () => {
  const { angles, take } = table();
  const [a, b] = [take(rope({ type: "linear", factor: 2 }), 20), take(rope({ type: "linear", factor: 3 }), 10)];
  written(a, 15);
  written(b, 5);
  angles.fit(b, 40);
  assert.equal([b.first, b.region.rows, b.region.filled], [20, 40, 5]);
  const undo = angles.fit(a, 21);
  assert.equal([a.first, a.region.rows, a.region.filled], [60, 21, 0]);
  assert.equal(written(a, 16), [60, 0, 16]);
  undo();
  assert.equal([a.first, a.region.rows, a.region.filled], [0, 20, 15]);
  assert.is(angles.rows, 60);
  angles.fit(a, 20)();
  assert.equal([a.first, a.region.rows, a.region.filled], [0, 20, 15], "nothing to do, nothing to take back");
});

tests("what another took meanwhile, or who went, is left alone when a growth is taken back", () => {
  const { angles, take } = table();
  const [a, b] = [take(YARN, 10), take(own, 10)];
  a.fill(10, 10);
  const undo = angles.fit(a, 30); // it moves behind b
  const c = take(rope({ rope_type: "linear", factor: 2 }), 10);
  assert.equal([a.first, b.first, c.first], [20, 10, 0]);
  undo();
  assert.equal([a.region.rows, b.first, c.first], [10, 10, 0]);
  assert.is(a.first, 20);
  assert.equal(written(a, 10), [20, 0, 10], "what lies elsewhere is written anew");
  const again = angles.fit(a, 50);
  angles.release(a);
  again();
  assert.equal([angles.rows, take(DYNAMIC, 5).first], [20, 20]);
});

tests("rows of tokens that come again are written again, unless their frequencies are fixed", () => {
  const { take } = table();
  const [a, b] = [take(DYNAMIC, 100, { meaning: "as-inserted" }), take(YARN, 100)];
  written(a, 70);
  written(b, 70);
  a.rewind(66);
  b.rewind(66);
  const fill = a.fill(68, 68)!;
  assert.equal([fill.position, fill.count, fill.setting.key], [66, 2, a.setting(68).key]);
  assert.is(written(b, 70), undefined);
});

tests("a shared range stays until its last sequence goes", () => {
  const { take, angles } = table();
  const [a, b] = [take(YARN, 30), take(YARN, 30)];
  written(a, 30);
  angles.release(a);
  assert.is(take(own, 5).first, 30);
  angles.release(b);
  const c = take(YARN, 30);
  assert.is(c.first, 0);
  assert.equal(written(c, 3), [0, 0, 3], "what the rows held is not trusted");
});

tests("a setting's text is made once per request, not once per step", () => {
  const { take } = table();
  let texts = 0;
  const counted = new Proxy(DYNAMIC, { ownKeys: (of) => (texts++, Reflect.ownKeys(of)) });
  const [a, b] = [take(counted, 500, { meaning: "current" }), take(counted, 500, { meaning: "as-inserted" })];
  for (let n = 60; n < 200; n++) for (const angles of [a, b]) angles.fill(n, n);
  assert.is(texts, 2);
});

tests("settings are remembered, however many lengths there are", () => {
  const { take } = table();
  const a = take(DYNAMIC, 2000, { meaning: "as-inserted" });
  assert.is(a.setting(100), a.setting(100));
  const first = a.setting(100);
  for (let n = 65; n < 1000; n++) a.setting(n);
  assert.equal(a.setting(100), first);
});

tests.run();
