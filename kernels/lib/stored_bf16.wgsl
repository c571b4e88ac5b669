// lib/stored_bf16.wgsl — elements i and i + 1 of quantize.wgsl's source, as bits of f32: bfloat16, two to a word.
fn stored_pair(i: u32) -> vec2<u32> {
  var words = source[i / 2u];
  if (i % 2u == 1u) { words = (words >> 16u) | (source[i / 2u + 1u] << 16u); } // in a row of odd length
  return vec2<u32>(words << 16u, words & 0xffff0000u);
}
