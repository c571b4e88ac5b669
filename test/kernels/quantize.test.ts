// quantize.test.ts — packing on the device: to the bit what the formats pack on the host, for every kind of stored numbers.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Format, formats, quantize, rowStride, tensorBytes } from "../../kernels/index.ts";
import { type FloatKind, narrowBF16, narrowF16, widen } from "../../kernels/formats/floats.ts";
import { Case, openLab, plainRows } from "../tools/harness.ts";
import { normal, whole } from "../tools/random.ts";

const test = suite("quantize");
const lab = await openLab();
test.after(() => lab.close());

const packed = Object.values(formats).filter(({ packing }) => packing !== undefined);

/** Elements as a file stores them, without gaps; and the same as f32. */
function stored(kind: FloatKind, values: ArrayLike<number>): { words: Uint32Array; floats: Float32Array } {
  const words = new Uint32Array(kind === "f32" ? values.length : Math.ceil(values.length / 2));
  const elements = kind === "f32" ? new Float32Array(words.buffer) : new Uint16Array(words.buffer);
  const narrow = { f32: Math.fround, f16: narrowF16, bf16: narrowBF16 }[kind];
  for (let i = 0; i < values.length; i++) elements[i] = narrow(values[i]);
  const floats = new Float32Array(values.length);
  widen(kind, new Uint8Array(words.buffer), floats);
  return { words, floats };
}

/** Packs rows on the device and on the host and compares every byte; the reference compares every number besides. */
async function check(format: Format, kind: FloatKind, columns: number, values: ArrayLike<number>): Promise<void> {
  const rows = values.length / columns;
  const { words, floats } = stored(kind, values);
  const one = new Case(lab.gpu, 2, plainRows(rows));
  try {
    const source = one.tensor("source", [words.length], words, "u32");
    const into = format.tensors("packed", rows + 1, columns); // the row beyond keeps what it holds
    for (const { name, shape, dtype } of Object.values(into)) one.tensor(name, shape, () => 1, dtype);
    await one.run([quantize({ source, kind, columns, format, into })]);
    const bytes = Object.fromEntries(
      Object.entries(format.tensors("packed", rows, columns)).map(([key, tensor]) => [
        key,
        new Uint8Array(tensorBytes(tensor)),
      ]),
    );
    const row = new Float32Array(rowStride(format, columns));
    for (let at = 0; at < rows; at++) {
      row.set(floats.subarray(at * columns, (at + 1) * columns));
      format.pack(row, bytes, at);
    }
    for (const [key, tensor] of Object.entries(into)) {
      const length = rows * format.rowBytes(columns)[key];
      const got = new Uint8Array(await lab.gpu.read(tensor, 0, length));
      const at = got.findIndex((byte, i) => byte !== bytes[key][i]);
      if (at < 0) continue;
      const perRow = format.rowBytes(columns)[key];
      assert.unreachable(
        `${key} of row ${Math.floor(at / perRow)}, byte ${at % perRow}: ${got[at]}, ${bytes[key][at]}`,
      );
    }
  } finally {
    one.close();
  }
}

for (const format of packed) {
  for (const kind of ["f32", "f16", "bf16"] as const) {
    test(`${kind} as ${format.name}: rows of any length, numbers of any size`, async () => {
      for (const [rows, columns] of [[1, 1], [3, 32], [5, 33], [7, 107], [4, 576]]) {
        const next = normal(rows + columns);
        const random = whole(columns);
        // Blocks of every size that the scale's f16 has, and of some that it has not; zeros of both signs.
        const values = Array.from({ length: rows * columns }, (_, i) => {
          const size = 2 ** (((i >> 5) % 40) - 30);
          return random(9) === 0 ? [0, -0][random(2)] : next() * size;
        });
        await check(format, kind, columns, values);
      } // prettier-ignore
    });
  }

  test(`${format.name}: every f16 there is, among the multiples of its largest`, async () => {
    // A row per exponent: the finite halves of both signs, those of one exponent in a block with 2^5 times as large a one.
    const bits = Array.from({ length: 0x7c00 }, (_, i) => i);
    const values = new Float32Array(0x7c00);
    widen("f16", new Uint8Array(Uint16Array.from(bits).buffer), values);
    const blocks: number[] = [];
    for (let at = 0; at < values.length; at += 31) {
      const own = Array.from(values.subarray(at, at + 31), (value, i) => (i % 2 ? -value : value));
      const top = Math.min(65_504, 32 * Math.max(...own.map(Math.abs)));
      blocks.push(...own, ...Array.from({ length: 31 - own.length }, () => 0), at % 2 ? top : -top);
    }
    await check(format, "f16", 32, blocks.slice(0, 32 * Math.floor(blocks.length / 32)));
  });

  test(`${format.name}: quotients next to where rounding turns, in f32`, async () => {
    const random = whole(7);
    const one = new Float32Array(1);
    const bits = new Uint32Array(one.buffer);
    const near = (value: number, steps: number): number => {
      one[0] = value;
      bits[0] += steps;
      return one[0];
    };
    const values: number[] = [];
    for (let block = 0; block < 400; block++) {
      const largest = (1 + random(1 << 23) / 2 ** 23) * 2 ** (random(20) - 10) * (random(2) ? 1 : -1);
      const d = format.name === "q4_0" ? largest / -8 : Math.abs(largest) / 127;
      values.push(largest);
      for (let i = 1; i < 32; i++) {
        const reach = format.name === "q4_0" ? 7 : 126;
        values.push(near((random(2 * reach + 1) - reach + 0.5) * d, random(9) - 4));
      }
    }
    await check(format, "f32", 32, values);
  });
}

test("what cannot be packed on a device is refused by name", () => {
  const source = { name: "source", dtype: "u32", shape: [1] } as const;
  const args = { source, columns: 1, into: {} };
  assert.throws(() => quantize({ ...args, kind: "f32", format: formats.f16 }), /f32 cannot be packed as f16/);
  assert.throws(() => quantize({ ...args, kind: "u32", format: formats.q8_0 }), /u32 cannot be packed as q8_0/);
});

test.run();
