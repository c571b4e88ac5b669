// lib/pack_q4_0.wgsl — what quantize.wgsl packs for formats/q4_0: d = largest / -8, q = trunc(x / d + 8.5) - 8, at most 7.
const NUMBERS = 8u; // in a word
fn place(i: u32) -> u32 { return 8u * (i % 4u) + 4u * (i / 4u); }
fn scale_sign(largest: u32) -> u32 { return ~largest & SIGN; }
fn scale_size(largest: Number) -> Number { return Number(largest.mantissa, largest.exponent - 3); }
// Four bits of the whole number for a quotient of at most 8, in two's complement.
fn whole(quotient: Number, negative: bool) -> u32 {
  // In units of 2^-25. What lies below them changes nothing: the sum is then far from the next whole number.
  let up = quotient.exponent + 25;
  let size = select(quotient.mantissa >> u32(min(-up, 31)), quotient.mantissa << u32(up), up >= 0);
  let sum = select(0x11000000u + size, 0x11000000u - size, negative); // 8.5 and the quotient
  // The sum is rounded to the 24 bits of f32, which may lift it to the next whole number; a tie does, for that is even.
  let dropped = max(firstLeadingBit(sum), 23u) - 23u;
  return min(15u, (sum + ((1u << dropped) >> 1u)) >> 25u) ^ 8u;
}
