// lib/pack_q8_0.wgsl — what quantize.wgsl packs for formats/q8_0: d = |largest| / 127, q = x / d rounded, halves away from zero.
const NUMBERS = 4u; // in a word
fn place(i: u32) -> u32 { return 8u * i; }
fn scale_sign(largest: u32) -> u32 { return 0u; }
// The quotient rounded to 24 bits. It is never halfway between two: 127 is odd.
fn scale_size(largest: Number) -> Number {
  var up = 7u;
  if ((largest.mantissa << up) / 127u >= 2u * TOP) { up = 6u; }
  let dividend = largest.mantissa << up;
  let quotient = dividend / 127u + u32(2u * (dividend % 127u) > 127u);
  let over = quotient >> 24u; // it was rounded up to the next power of two
  return Number(quotient >> over, largest.exponent - i32(up) + i32(over));
}
// A byte of the whole number for a quotient of at most 127, in two's complement.
fn whole(quotient: Number, negative: bool) -> u32 {
  let drop = u32(clamp(-quotient.exponent, 1, 31));
  let size = (quotient.mantissa + (1u << (drop - 1u))) >> drop;
  return select(size, (256u - size) & 255u, negative);
}
