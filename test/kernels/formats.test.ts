// formats.test.ts — what every weight format promises on the host: sizes, rows that keep to themselves, packing there and back.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { declarations, formats, matrixOf, parts, rowStride, tensorBytes } from "../../kernels/index.ts";
import { normal } from "../tools/random.ts";

const test = suite("formats");

for (const [name, format] of Object.entries(formats)) {
  test(`${name}: one name, whole blocks, and a WGSL half that declares its tensors`, () => {
    assert.equal([format.name, format.part], [name, `formats/${name}`]);
    const block4 = Number(/const BLOCK4 = (\d+)u;/.exec(parts[format.part])?.[1]);
    assert.is(format.block % (4 * block4), 0);
    const declared = declarations[format.part].bindings;
    assert.equal(declared.map((binding) => binding.name).toSorted(), Object.keys(format.tensors("w", 1, 1)).toSorted());
    for (const { group, binding, type } of declared) {
      assert.equal([group, type], [2, "read-only-storage"]);
      assert.is.not(binding, 1, "which is the bias");
    }
  });

  test(`${name}: rows follow each other without gap, in whole words`, () => {
    for (const columns of [1, 4, 45, 576]) {
      const rowBytes = format.rowBytes(columns);
      for (const rows of [1, 3, 8]) {
        for (const [key, tensor] of Object.entries(format.tensors("w", rows, columns))) {
          assert.is(rowBytes[key] % 4, 0, `${key}: a row of ${columns}`);
          const rest = tensorBytes(tensor) - rows * rowBytes[key];
          assert.ok(rest >= 0 && rest < 16, `${key} [${rows}, ${columns}]: ${rest} bytes beyond the rows`);
        }
      }
    }
  });

  test(`${name}: a row comes back, changes no other, and packs to the same bytes again`, () => {
    const [rows, columns] = [5, 45];
    const width = rowStride(format, columns);
    const empty = () =>
      Object.fromEntries(
        Object.entries(format.tensors("w", rows, columns)).map(([key, tensor]) => [
          key,
          new Uint8Array(tensorBytes(tensor)),
        ]),
      );
    const next = normal(3);
    const given = Array.from({ length: rows }, () =>
      Float32Array.from({ length: width }, (_, i) => (i < columns ? next() : 0)),
    );
    const [bytes, again] = [empty(), empty()];
    for (const at of [3, 0, 4, 1, 2]) format.pack(given[at], bytes, at);
    for (let at = 0; at < rows; at++) {
      const row = new Float32Array(width).fill(7);
      format.unpack(bytes, at, row);
      assert.ok(
        row.subarray(columns).every((value) => value === 0),
        "padding",
      );
      const largest = Math.max(...given[at].map(Math.abs));
      // A step of four bits is an eighth of the largest; no format is coarser.
      given[at].forEach((value, i) =>
        assert.ok(Math.abs(row[i] - value) <= largest / 8, `row ${at}, ${i}: ${row[i]}, ${value}`),
      );
      format.pack(row, again, at);
    }
    assert.equal(again, bytes);
  });
}

test("a matrix is cut into pieces of equal height but the last", () => {
  const whole = matrixOf(formats.f16, "m", 10, 6);
  assert.equal(whole.pieces, [
    { firstRow: 0, rows: 10, tensors: { weight: { name: "m", dtype: "f16", shape: [10, 6] } } },
  ]);
  const cut = matrixOf(formats.f32, "m", 10, 6, 4);
  assert.equal(
    cut.pieces.map(({ firstRow, rows, tensors }) => [firstRow, rows, tensors.weight.name, tensors.weight.shape]),
    [[0, 4, "m#0", [4, 6]], [4, 4, "m#1", [4, 6]], [8, 2, "m#2", [2, 6]]],
  ); // prettier-ignore
  assert.equal([cut.name, cut.rows, cut.columns, cut.format], ["m", 10, 6, formats.f32]);
});

test.run();
