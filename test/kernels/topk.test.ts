// topk.test.ts — candidates for sampling, with their ties, and the logarithm of Σ e^logit.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { CANDIDATE_STRIDE, type DeviceFacts, readCandidates, topk } from "../../kernels/index.ts";
import { goldenEntry, goldenTensors } from "../tools/goldens.ts";
import { Case, openLab, plainRows } from "../tools/harness.ts";
import { normal } from "../tools/random.ts";

const test = suite("topk");
const lab = await openLab();
test.after(() => lab.close());

interface Candidates {
  readonly count: number;
  readonly logSum: number;
  readonly logits: Map<number, number>;
}

type Run = (vocab: number, ks: readonly number[], logits: (i: number) => number) => Promise<Candidates[]>;

/** Rows of logits with a k for each, on the GPU and in the reference; what the GPU gives. */
const runOn =
  (device: DeviceFacts): Run =>
  async (vocab, ks, logits) => {
    const one = new Case(lab.gpu, 2, { ...plainRows(1), outputs: ks.map((k) => ({ row: 0, k })) });
    // A row more than there are outputs, which must keep what it holds: the last output may not write past its end.
    const candidates = one.tensor("candidates", [ks.length + 1, CANDIDATE_STRIDE], () => 0, "u32");
    await one.run([
      topk({ logits: one.tensor("logits", [ks.length, vocab], logits), candidates, step: one.layout, device }),
    ]);
    const words = Uint32Array.from(one.values(candidates));
    one.close();
    return ks.map((_, row) => {
      const { count, ids, logits, logSumExp } = readCandidates(words, row);
      return { count, logSum: logSumExp, logits: new Map(Array.from(ids, (id, i) => [id, logits[i]])) };
    });
  };

for (const device of lab.differing("topk")) {
  const run = runOn(device);
  const on = lab.name(device);
  test(`k from 1 to 64 and beyond the vocabulary, sizes from 1 on, ${on}`, async () => {
    for (const vocab of [1, 2, 203, 700]) {
      const ks = [1, 2, 5, 50, 64, 256, 1000];
      const rows = await run(vocab, ks, normal(vocab));
      assert.equal(
        rows.map(({ count }) => count),
        ks.map((k) => Math.min(k, vocab)),
      );
    }
  });

  test(`a vocabulary of 128,256, logits of all sizes and signs, ${on}`, async () => {
    const next = normal(5);
    const rows = await run(128_256, [1, 64], () => next() * 10 ** (3 * next()));
    assert.equal(
      rows.map(({ count }) => count),
      [1, 64],
    );
  });

  test(`ties with the k-th are kept, whatever their number, ${on}`, async () => {
    const rows = await run(600, [1, 3, 3, 1, 255, 256, 1], (i) => {
      const [row, id] = [Math.floor(i / 600), i % 600];
      if (row === 0) return id === 7 || id === 431 ? 2 : -2; // two for one
      if (row === 1) return id % 100 === 0 ? 1 : 0; // six for three
      if (row === 2) return id < 2 ? 5 : id < 5 ? 4 : 3; // 5 5 4 4 4
      if (row === 3) return -1.5; // all equal: more than there is room for
      if (row === 4) return id < 256 ? 1 : 0; // exactly full
      if (row === 5) return id < 257 ? 1 : 0; // one too many
      return id; // one, after rows with many
    });
    assert.equal(
      rows.map(({ count }) => count),
      [2, 6, 5, 600, 256, 257, 1],
    );
    assert.equal(new Set(rows[0].logits.keys()), new Set([7, 431]));
  });

  test(`zero and minus zero tie, as numbers do, ${on}`, async () => {
    const [{ logits }] = await run(5, [1], (i) => [-1, -0, -3, 0, -2][i]);
    assert.equal(new Set(logits.keys()), new Set([1, 3]));
  });

  test(`ids ruled out by minus infinity are neither counted in the sum nor in the way, ${on}`, async () => {
    const [first, all] = await run(300, [2, 300], (i) => (i % 3 === 0 ? Math.fround(i / 300) : -Infinity));
    assert.equal(new Set(first.logits.keys()), new Set([294, 297]));
    assert.is(all.count, 300);
  });

  for (const name of ["a", "odd", "one", "large"]) {
    test(`golden softmax-${name}: e^(logit − log Σ), ${on}`, async () => {
      const path = `ops/softmax-${name}.safetensors`;
      const [tensors, { tolerance }] = [await goldenTensors(path), goldenEntry(path)];
      const [x, out] = [tensors.get("x")!, tensors.get("out_f64")!];
      const rows = { a: 4, odd: 3, one: 2, large: 3 }[name]!;
      const vocab = x.length / rows;
      const found = await run(
        vocab,
        Array.from({ length: rows }, () => vocab),
        (i) => x[i],
      );
      const { abs = 0, rel = 0 } = tolerance!.f32;
      for (const [row, { logSum }] of found.entries()) {
        for (let id = 0; id < vocab; id++) {
          const [got, want] = [Math.exp(x[row * vocab + id] - logSum), out[row * vocab + id]];
          // A sum of size s is itself rounded to f32, which the manifest's tolerance for a softmax does not count.
          const rounding = want * Math.abs(logSum) * 2 ** -23;
          assert.ok(
            Math.abs(got - want) <= abs + rel * want + rounding,
            `row ${row}, id ${id}: ${got}, needed ${want}`,
          );
        }
      }
    });
  }
}

test.run();
