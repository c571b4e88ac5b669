// formats/q4_0.wgsl — 32 whole numbers of four bits share a scale in f16: 4 words of eight numbers, the first four in the low
// halves of the bytes, the others in the high ones. q4_0.ts
@group(1) @binding(8) var<storage, read> weight: array<vec4<u32>>; // of a block
@group(1) @binding(10) var<storage, read> scale: array<u32>; // of two blocks
const BLOCK4 = 8u;
fn block_scale(i: u32) -> f32 { return unpack2x16float(scale[i / 2u])[i % 2u]; }
// Numbers 4·high … 4·high + 3 of a word.
fn numbers4(word: u32, high: u32) -> vec4f {
  return vec4f(vec4<i32>(vec4<u32>(word) << (vec4<u32>(28u, 20u, 12u, 4u) - 4u * high)) >> vec4<u32>(28u));
}
fn weight4(i: u32) -> vec4f { return block_scale(i / 8u) * numbers4(weight[i / 8u][i / 2u % 4u], i % 2u); }
fn dot_block(i: u32, v: array<vec4f, BLOCK4>) -> f32 {
  let words = weight[i];
  var sum = 0.0;
  for (var j = 0u; j < BLOCK4; j++) { sum += dot(v[j], numbers4(words[j / 2u], j % 2u)); }
  return block_scale(i) * sum;
}
