// cache/q8.wgsl — keys and values as 8-bit codes: 32 elements are a block of nine words, eight of codes and their step, an f32.
//   element = code · step,  step = largest |element| of the block / 127,  code = round(element / step), -127 … 127
// The step is an f32: blocks stay whole words, and it has the range of what was computed. As an f16 it would save 2 of 36 bytes.
alias KvWord = u32;
const KV_BLOCK = 32u;
const KV_WORDS = 9u;
fn kv_encode(block: array<f32, KV_BLOCK>) -> array<KvWord, KV_WORDS> {
  var largest = 0.0;
  for (var i = 0u; i < KV_BLOCK; i++) { largest = max(largest, abs(block[i])); }
  let step = largest / 127.0;
  let inverse = select(0.0, 1.0 / step, step >= 0x1p-126f); // below is zero, or what devices may take for it
  var words = array<KvWord, KV_WORDS>();
  for (var i = 0u; i < KV_BLOCK; i++) {
    words[i / 4u] |= (u32(i32(round(block[i] * inverse))) & 0xffu) << (8u * (i % 4u));
  }
  words[8] = bitcast<u32>(step);
  return words;
}
fn code(word: u32, i: u32) -> f32 { return f32(i32(word << (24u - 8u * (i % 4u))) >> 24u); }
fn key_at(i: u32) -> f32 {
  let block = i / KV_BLOCK * KV_WORDS;
  return code(keys[block + i % KV_BLOCK / 4u], i) * bitcast<f32>(keys[block + 8u]);
}
fn value_at(i: u32) -> f32 {
  let block = i / KV_BLOCK * KV_WORDS;
  return code(values[block + i % KV_BLOCK / 4u], i) * bitcast<f32>(values[block + 8u]);
}
fn key4(i: u32) -> vec4f {
  let block = i / KV_BLOCK * KV_WORDS;
  let codes = vec4i(vec4u(keys[block + i % KV_BLOCK / 4u]) << vec4u(24u, 16u, 8u, 0u)) >> vec4u(24u);
  return vec4f(codes) * bitcast<f32>(keys[block + 8u]);
}
fn value4(i: u32) -> vec4f {
  let block = i / KV_BLOCK * KV_WORDS;
  let codes = vec4i(vec4u(values[block + i % KV_BLOCK / 4u]) << vec4u(24u, 16u, 8u, 0u)) >> vec4u(24u);
  return vec4f(codes) * bitcast<f32>(values[block + 8u]);
}
