// formats.test.ts — what every weight format promises on the host: sizes, rows that keep to themselves, packing there and back.
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { declarations, formats, matrixOf, parts, rowStride, tensorBytes } from "../../kernels/index.ts";
import { widenF16 } from "../../kernels/formats/floats.ts";
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
      assert.equal([group, type], [1, "read-only-storage"]);
      assert.ok(binding >= 8, "below are activations and cache");
      assert.is.not(binding, 9, "which is the bias");
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

test("q8_0 and q4_0 hold, to the bit, the numbers of ggml's reference quantisers", () => {
  const ggml = JSON.parse(readFileSync(new URL("../fixtures/ggml.json", import.meta.url), "utf8")) as Readonly<
    Record<"values" | "q8_0" | "q4_0", string>
  >;
  const bytesOf = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "base64"));
  const values = new Float32Array(bytesOf(ggml.values).buffer);
  // A block of ggml: the scale, then whole numbers; of four bits 0 … 15 for -8 … 7, number i with number i + 16.
  for (const [name, size, numberOf] of [
    ["q8_0", 34, (block: DataView, i: number) => block.getInt8(2 + i)],
    ["q4_0", 18, (block: DataView, i: number) => ((block.getUint8(2 + (i % 16)) >> (i < 16 ? 0 : 4)) & 15) - 8],
  ] as const) {
    const blocks = bytesOf(ggml[name]);
    const scale = new Float32Array(1);
    const format = formats[name];
    const bytes = { weight: new Uint8Array(format.rowBytes(64).weight), scale: new Uint8Array(4) };
    const row = new Float32Array(64);
    let zeros = 0;
    for (let at = 0; at < values.length / 32; at++) {
      row.fill(0).set(values.subarray(32 * at, 32 * at + 32));
      format.pack(row, bytes, 0);
      format.unpack(bytes, 0, row);
      const block = new DataView(blocks.buffer, at * size, size);
      const half = Uint16Array.of(block.getUint16(0, true));
      assert.is(bytes.scale[0] | (bytes.scale[1] << 8), half[0], `${name}: scale of block ${at}`);
      widenF16(half, scale);
      if (scale[0] === 0) zeros++;
      for (let i = 0; i < 32; i++)
        assert.is(row[i] + 0, scale[0] * numberOf(block, i) + 0, `${name}: block ${at}, ${i}`);
    }
    assert.ok(zeros > 1 && zeros < 80, `${zeros} blocks whose scale is zero`);
  }
});

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
