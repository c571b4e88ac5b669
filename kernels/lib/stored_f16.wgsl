// lib/stored_f16.wgsl — elements i and i + 1 of quantize.wgsl's source, as bits of f32: IEEE half floats, two to a word.
fn stored_pair(i: u32) -> vec2<u32> {
  var words = source[i / 2u];
  if (i % 2u == 1u) { words = (words >> 16u) | (source[i / 2u + 1u] << 16u); } // in a row of odd length
  return vec2<u32>(widened(words & 0xffffu), widened(words >> 16u));
}
// Not by unpack2x16float, which may take what lies below 2^-14 for zero.
fn widened(bits: u32) -> u32 {
  let sign = (bits & 0x8000u) << 16u;
  let size = bits & 0x7fffu;
  if (size >= 0x0400u) { return sign | ((size << 13u) + (112u << 23u)); } // the exponent's bias is 127, no longer 15
  if (size == 0u) { return sign; }
  let leading = firstLeadingBit(size); // of size · 2^-24
  return sign | ((leading + 103u) << 23u) | ((size << (23u - leading)) & 0x007fffffu);
}
