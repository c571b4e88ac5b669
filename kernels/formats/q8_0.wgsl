// formats/q8_0.wgsl — 32 whole numbers of a byte share a scale in f16: 8 words, four numbers each, low byte first. q8_0.ts
@group(1) @binding(8) var<storage, read> weight: array<vec4<u32>>; // half a block
@group(1) @binding(10) var<storage, read> scale: array<u32>; // of two blocks
const BLOCK4 = 8u;
fn block_scale(i: u32) -> f32 { return unpack2x16float(scale[i / 2u])[i % 2u]; }
fn numbers4(word: u32) -> vec4f {
  return vec4f(vec4<i32>(vec4<u32>(word) << vec4<u32>(24u, 16u, 8u, 0u)) >> vec4<u32>(24u));
}
fn read_block(i: u32) -> array<vec4<u32>, 2> { return array<vec4<u32>, 2>(weight[2u * i], weight[2u * i + 1u]); }
fn block4(block: array<vec4<u32>, 2>, j: u32) -> vec4f { return numbers4(block[j / 4u][j % 4u]); }
fn weight4(i: u32) -> vec4f { return block_scale(i / 8u) * numbers4(weight[i / 4u][i % 4u]); }
fn dot_block(i: u32, v: array<vec4f, BLOCK4>) -> f32 {
  let low = weight[2u * i];
  let high = weight[2u * i + 1u];
  var sum = 0.0;
  for (var j = 0u; j < 4u; j++) { sum += dot(v[j], numbers4(low[j])); }
  for (var j = 0u; j < 4u; j++) { sum += dot(v[4u + j], numbers4(high[j])); }
  return block_scale(i) * sum;
}
