// cache/f16.wgsl — keys and values as 16-bit floats, IEEE 754 binary16: four elements are a word of eight bytes.
// What is beyond ±65504 becomes ±65504: an infinity would make NaN of a whole softmax. Models whose keys come near that cannot
// run in f16 at all; none is known.
alias KvWord = vec2u;
const KV_BLOCK = 4u;
const KV_WORDS = 1u;
fn kv_encode(block: array<f32, KV_BLOCK>) -> array<KvWord, KV_WORDS> {
  let bits = vec4u(half_bits(block[0]), half_bits(block[1]), half_bits(block[2]), half_bits(block[3]));
  return array<KvWord, KV_WORDS>(bits.xz | (bits.yw << vec2u(16u)));
}
// To nearest, ties to even. pack2x16float may round either way, and lavapipe rounds towards zero: every key a little too short.
fn half_bits(value: f32) -> u32 {
  let bits = bitcast<u32>(clamp(value, -65504.0, 65504.0));
  let size = bits & 0x7fffffffu;
  // 13 of 23 bits go and the exponent's bias falls by 112; a carry into the exponent is right. Below 2^-14 the spacing is 2^-24.
  let normal = (size + 0xfffu + ((size >> 13u) & 1u) - 0x38000000u) >> 13u;
  let subnormal = u32(round(bitcast<f32>(size) * 16777216.0));
  return ((bits >> 16u) & 0x8000u) | select(subnormal, normal, size >= 0x38800000u);
}
fn halves(word: KvWord) -> vec4f { return vec4f(unpack2x16float(word.x), unpack2x16float(word.y)); }
fn key_at(i: u32) -> f32 { return unpack2x16float(keys[i / 4u][i / 2u % 2u])[i % 2u]; }
fn value_at(i: u32) -> f32 { return unpack2x16float(values[i / 4u][i / 2u % 2u])[i % 2u]; }
fn key4(i: u32) -> vec4f { return halves(keys[i / 4u]); }
fn value4(i: u32) -> vec4f { return halves(values[i / 4u]); }
