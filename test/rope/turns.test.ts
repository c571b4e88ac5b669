// Fixed-point phases against exact integers and against f64, at positions up to 2^20 and beyond.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { refusedSync } from "../tools/refused.ts";
import { uniform } from "../tools/random.ts";
import { angleRow, frequencies, parseRope, phase, turns } from "../../src/rope/index.ts";

const test = suite("rope-turns");

/** π · 2^bits by Machin's formula (1706): 16 atan(1/5) - 4 atan(1/239), with 64 guard bits. */
function pi(bits: bigint): bigint {
  const one = 1n << (bits + 64n);
  const atan = (x: bigint) => {
    let [sum, power, sign] = [0n, one / x, 1n];
    for (let n = 1n; power > 0n; n += 2n, power /= x * x, sign = -sign) sum += (sign * power) / n;
    return sum;
  };
  return (16n * atan(5n) - 4n * atan(239n)) >> 64n;
}
const PI = pi(600n);
const ONE = 1n << 600n;

/** numerator/denominator radians as a fraction of a turn × 2^64, rounded to nearest. */
const exactTurns = (numerator: bigint, denominator: bigint): bigint => {
  const [top, bottom] = [numerator * ONE << 64n, 2n * PI * denominator]; // prettier-ignore
  return (2n * top + bottom) / (2n * bottom);
};
const word64 = (words: Uint32Array, i = 0): bigint => (BigInt(words[2 * i + 1]) << 32n) | BigInt(words[2 * i]);

/** Distance of two phases in turns, across the wrap. */
const apart = (a: bigint, b: bigint): number => Math.abs(Number(BigInt.asIntN(64, a - b))) / 2 ** 64;

test("pi of the test itself", () => assert.is(Number((PI * 10n ** 15n) / ONE), 3141592653589793));

test("turns is the nearest fixed-point number to ω/2π for every f64", () => {
  const random = uniform(1);
  const values = [
    0,
    1,
    0.1,
    Math.PI,
    2 * Math.PI,
    1e-5,
    7,
    123456.789,
    2 ** 80,
    5e-324,
    2 ** -64,
    1e-19,
    2.2250738585072014e-308,
  ];
  for (let i = 0; i < 300; i++) values.push(random() * 10 ** (4 - 12 * random()));
  const words = turns(Float64Array.from(values));
  values.forEach((value, i) => {
    const [whole, fraction = ""] = value.toString(2).split("."); // a finite f64 in binary is written out exactly
    const exact = exactTurns(BigInt(`0b${whole}${fraction}`), 1n << BigInt(fraction.length));
    assert.is(word64(words, i), BigInt.asUintN(64, exact), `ω = ${value}`);
  });
});

test("phases of exact powers of ten at positions to 2^20 are right to 1e-9 turns", () => {
  // θ = 10^8, d = 32: ω_2k = 10^-k exactly, so that position / 10^k radians can be computed in integers.
  const { omega } = frequencies(parseRope({ head_dim: 32, rope_theta: 1e8 }), 1);
  const words = turns(omega);
  let worst = 0;
  for (const position of [0, 1, 2, 63, 1000, 4095, 65_537, 131_071, 999_999, 2 ** 20 - 1, 2 ** 20]) {
    for (let k = 0; k < 8; k++) {
      const exact = BigInt.asUintN(64, exactTurns(BigInt(position), 10n ** BigInt(k)));
      const difference = apart(phase(words[4 * k], words[4 * k + 1], position), exact);
      worst = Math.max(worst, difference);
      // The documented bound: 2^-65 turns of rounding and 2e-15 of ω per token.
      assert.ok(
        difference <= position * (2 ** -65 + (10 ** -k / (2 * Math.PI)) * 2e-15),
        `p ${position} k ${k} ${difference}`,
      );
    }
  }
  assert.ok(worst < 1e-9 && worst > 0, `${worst}`);
});

test("phase wraps: whole turns vanish, positions add up", () => {
  const words = turns(Float64Array.of(1, 0.3, 2 * Math.PI * 3 + 1));
  const random = uniform(2);
  for (let i = 0; i < 200; i++) {
    const [a, b] = [Math.floor(random() * 2 ** 31), Math.floor(random() * 2 ** 20)];
    for (let k = 0; k < 3; k++) {
      const at = (position: number) => phase(words[2 * k], words[2 * k + 1], position);
      assert.is(BigInt.asUintN(64, at(a) + at(b)), at(a + b));
      assert.ok(at(a) >= 0n && at(a) < 1n << 64n);
    }
  }
  // ω = 1 and ω = 1 + three turns differ by the f64 rounding of 2π·3 + 1 only (half an ulp of 20: 1.8e-15 rad, and of 2π·3).
  assert.ok(apart(word64(words, 0), word64(words, 2)) < 6e-16);
});

test("angle rows agree with f64 cos and sin where those are good", () => {
  for (const rope_scaling of [
    null,
    { type: "linear", factor: 3 },
    { type: "yarn", factor: 4 },
    { type: "dynamic", factor: 2 },
  ]) {
    const rope = parseRope({ head_dim: 64, rope_theta: 500000, rope_scaling });
    const { omega, attentionScaling: m } = frequencies(rope, 2 ** 20 + 1);
    const words = turns(omega);
    for (const position of [0, 1, 17, 2048, 60_000, 131_071, 2 ** 20]) {
      const row = angleRow(words, m, position);
      assert.is(row.length, 64);
      omega.forEach((w, i) => {
        // p · ω rounds to 2^-53 of the angle in f64, a turn to 2^-65; 4e-16 for 2π · fraction and cos.
        const allowed = (position * w * 2 ** -53 + position * 2 * Math.PI * 2 ** -65 + 4e-16) * m;
        assert.ok(Math.abs(row[2 * i] - m * Math.cos(position * w)) <= allowed, `cos ${position} ${i}`);
        assert.ok(Math.abs(row[2 * i + 1] - m * Math.sin(position * w)) <= allowed, `sin ${position} ${i}`);
      });
    }
  }
});

test("rounding a frequency to float32 would show", () => {
  const { omega } = frequencies(parseRope({ head_dim: 64 }), 1);
  const [exact, rounded] = [turns(omega), turns(Float64Array.from(new Float32Array(omega)))];
  const position = 2 ** 20;
  const worst = Math.max(...Array.from(omega, (_, i) => apart(phase(exact[2 * i], exact[2 * i + 1], position), phase(rounded[2 * i], rounded[2 * i + 1], position)))); // prettier-ignore
  assert.ok(worst > 1e-3, `${worst}`);
});

test("a frequency that is no frequency is refused", () => {
  for (const bad of [NaN, Infinity, -1])
    refusedSync(() => turns(Float64Array.of(1, bad)), "rope", /^frequency 1: must be finite/);
});

test.run();
