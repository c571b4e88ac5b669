// 16-bit floats and the search for NaN and infinity, each against an independent statement of the format.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { findNonFinite, narrowBF16, narrowF16, widenBF16, widenF16 } from "../../kernels/formats/floats.ts";
import type { FloatKind } from "../../kernels/formats/floats.ts";

const floats = suite("floats");
const all16 = Uint16Array.from({ length: 65_536 }, (_, i) => i);

/** binary16 by IEEE 754's formula, in f64. */
function f16(bits: number): number {
  const [sign, e, f] = [(-1) ** (bits >> 15), (bits >> 10) & 31, bits & 1023];
  if (e === 31) return f ? NaN : sign * Infinity;
  return sign * (e === 0 ? 2 ** -14 * (f / 1024) : 2 ** (e - 15) * (1 + f / 1024));
}

function bf16(bits: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint16(0, bits); // big endian: the two upper bytes
  return view.getFloat32(0);
}

floats("every f16 and bf16 bit pattern widens exactly, and every finite one narrows back", () => {
  for (const [widen, narrow, meaning] of [
    [widenF16, narrowF16, f16],
    [widenBF16, narrowBF16, bf16],
  ] as const) {
    const out = new Float32Array(65_536);
    widen(all16, out);
    for (const bits of all16) {
      const want = meaning(bits);
      if (!Object.is(out[bits], want)) assert.unreachable(`${widen.name} ${bits}: ${out[bits]} instead of ${want}`);
      if (Number.isFinite(want) && narrow(want) !== bits)
        assert.unreachable(`${narrow.name} ${want}: ${narrow(want)}, not ${bits}`);
    }
  }
});

floats("narrowing rounds to the nearest neighbour, ties to even", () => {
  for (const [narrow, meaning, top] of [
    [narrowF16, f16, 0x7bff],
    [narrowBF16, bf16, 0x7f7f],
  ] as const) {
    for (let low = 0; low < top; low++) {
      const [a, b] = [meaning(low), meaning(low + 1)];
      assert.is(narrow((a + b) / 2), low + (low & 1), `tie between ${a} and ${b}`);
      assert.is(narrow(a + (b - a) * 0.25), low);
      assert.is(narrow(-(a + (b - a) * 0.75)), (low + 1) | 0x8000);
    }
  }
});

floats("findNonFinite agrees with isFinite for every 16-bit pattern, in both halves of a word", () => {
  for (const [kind, meaning] of [
    ["f16", f16],
    ["bf16", bf16],
  ] as const) {
    for (const bits of all16) {
      const want = !Number.isFinite(meaning(bits));
      for (const [word, count] of [
        [bits, 1],
        [bits, 2],
        [(bits << 16) >>> 0, 2],
        [(bits << 16) + 0x3c00, 2],
      ] as const) {
        const at = word === bits ? 0 : 1;
        const got = findNonFinite(kind, Uint32Array.of(word), count);
        if (got !== (want ? at : -1))
          assert.unreachable(`${kind} ${bits.toString(16)} in word ${word.toString(16)}: ${got}`);
      }
    }
  }
});

floats("findNonFinite names the first bad element at any place and length", () => {
  const length = 10_001;
  const put: Record<FloatKind, (bytes: DataView, i: number, value: number) => void> = {
    f32: (bytes, i, value) => bytes.setFloat32(4 * i, value, true),
    f16: (bytes, i, value) => bytes.setUint16(2 * i, Number.isNaN(value) ? 0x7e00 : value > 0 ? 0x7c00 : 0xfc00, true),
    bf16: (bytes, i, value) => bytes.setUint16(2 * i, Number.isNaN(value) ? 0x7fc0 : value > 0 ? 0x7f80 : 0xff80, true),
  };
  for (const kind of ["f32", "f16", "bf16"] as const) {
    for (const place of [0, 1, 2, 4095, 4096, 8191, 8192, 8193, length - 1]) {
      for (const value of [NaN, Infinity, -Infinity]) {
        const words = new Uint32Array(length).fill(kind === "f32" ? 0x3f80_0000 : 0xbc00_7bff & 0xbc00_3bff);
        put[kind](new DataView(words.buffer), place, value);
        if (place < length - 5) put[kind](new DataView(words.buffer), place + 3, NaN);
        assert.is(findNonFinite(kind, words, length), place);
      }
    }
  }
  assert.is(
    findNonFinite("f32", Uint32Array.of(0x7f7f_ffff, 0xff7f_ffff, 1, 0x8000_0000), 4),
    -1,
    "largest and smallest f32",
  );
  assert.is(findNonFinite("f32", Uint32Array.of(0, 0x7fc0_0000), 1), -1, "only the first count elements");
});

floats.run();
