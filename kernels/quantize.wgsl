// quantize.wgsl — packs rows of a matrix, as a file stores them, into blocks of 32 whole numbers that share a scale in f16.
//   d = the block's largest element / reach, q = round(x / d)   as kernels/formats/blocks.ts says
// source [rows, COLUMNS] f32, f16 or bf16, without gaps · weight, scale: tensors of the format for these rows
// a lane packs two blocks, whose scales share a word. It computes in whole numbers alone: WGSL lets a quotient be off by
// 2.5 units in the last place, a sum be fused with a product and a small number become zero, and what is packed must be, to
// the bit, what the host packs. quantize.ts · test/kernels/quantize.test.ts
override COLUMNS: u32;
@group(1) @binding(0) var<storage, read> source: array<u32>;
@group(1) @binding(1) var<storage, read_write> weight: array<u32>;
@group(1) @binding(2) var<storage, read_write> scale: array<u32>;

const SIGN = 0x80000000u;
const TOP = 0x00800000u; // 2^23, the leading bit of a mantissa

// mantissa · 2^exponent, without sign; the mantissa is zero, or from TOP to 2 · TOP.
struct Number { mantissa: u32, exponent: i32 }

@compute @workgroup_size(64)
fn quantize(@builtin(global_invocation_id) id: vec3u) {
  let pairs = (COLUMNS + 63u) / 64u;
  let row = id.x / pairs;
  if (row >= step.rows) { return; }
  let first = (id.x % pairs) * 64u;
  let low = pack_block(row, first, 2u * id.x);
  scale[id.x] = low | (pack_block(row, first + 32u, 2u * id.x + 1u) << 16u);
}

// Packs elements first … first + 31 of a row into a block; gives its scale's bits.
fn pack_block(row: u32, first: u32, block: u32) -> u32 {
  let length = at_run_time(32u);
  var largest = 0u;
  for (var i = 0u; i < length; i += 2u) {
    let pair = elements(row, first + i);
    if ((pair.x & ~SIGN) > (largest & ~SIGN)) { largest = pair.x; }
    if ((pair.y & ~SIGN) > (largest & ~SIGN)) { largest = pair.y; }
  }
  let d = scale_size(number(largest));
  let sign = scale_sign(largest);
  let half = narrow(d);
  var inverse = Number(0u, 0); // where f16 has no scale so small every weight is zero
  if (half != 0u) { inverse = reciprocal(d); }
  for (var at = 0u; at < length; at += NUMBERS) {
    var word = 0u;
    for (var i = 0u; i < NUMBERS; i += 2u) {
      let pair = elements(row, first + at + i);
      word |= whole(product(number(pair.x), inverse), (pair.x & SIGN) != sign) << place(i);
      word |= whole(product(number(pair.y), inverse), (pair.y & SIGN) != sign) << place(i + 1u);
    }
    weight[(block * length + at) / NUMBERS] = word;
  }
  return half | (sign >> 16u);
}

// Elements `column` and the next of a row, as bits of f32; zero past its end.
fn elements(row: u32, column: u32) -> vec2<u32> {
  if (column >= COLUMNS) { return vec2<u32>(); }
  let pair = stored_pair(row * COLUMNS + column);
  return vec2<u32>(pair.x, select(0u, pair.y, column + 1u < COLUMNS));
}

// Without its sign; what lies below the normal numbers of f32 is zero to every scale that f16 has.
fn number(bits: u32) -> Number {
  let size = bits & ~SIGN;
  if (size < TOP) { return Number(0u, 0); }
  return Number((size & (TOP - 1u)) | TOP, i32(size >> 23u) - 150);
}

// Bits of the f16 nearest to x, ties to even; below 2^-14 its steps stay 2^-24 wide.
fn narrow(x: Number) -> u32 {
  let leading = x.exponent + 23;
  let drop = u32(13 + clamp(-14 - leading, 0, 18));
  let steps = (x.mantissa + (1u << (drop - 1u)) - 1u + ((x.mantissa >> drop) & 1u)) >> drop;
  return steps + select(0u, u32(leading + 14) << 10u, leading >= -14 && x.mantissa != 0u);
}

// 1 / x rounded to 24 bits: 2^47 / mantissa, bit by bit. It is never halfway between two.
fn reciprocal(x: Number) -> Number {
  var quotient = u32(x.mantissa == TOP);
  var rest = TOP - quotient * TOP;
  for (var i = 0u; i < 24u; i++) {
    rest <<= 1u;
    let fits = rest >= x.mantissa;
    quotient = (quotient << 1u) | u32(fits);
    if (fits) { rest -= x.mantissa; }
  }
  return Number(quotient + u32(2u * rest > x.mantissa), -47 - x.exponent);
}

// x · y rounded to 24 bits, ties to even.
fn product(x: Number, y: Number) -> Number {
  let a = vec2<u32>(x.mantissa >> 12u, x.mantissa & 0xfffu);
  let b = vec2<u32>(y.mantissa >> 12u, y.mantissa & 0xfffu);
  let middle = a.x * b.y + a.y * b.x;
  let low = a.y * b.y + ((middle & 0xfffu) << 12u);
  let high = a.x * b.x + (middle >> 12u) + (low >> 24u); // the product is high · 2^24 + the lower 24 bits of low
  let more = u32(high < TOP); // its leading bit is one lower: one more bit of low counts
  let kept = (high << more) | (((low & 0xffffffu) >> 23u) & more);
  let rest = (low << more) & 0xffffffu;
  return Number(kept + u32(rest + (kept & 1u) > TOP), x.exponent + y.exponent + 24 - i32(more));
}
