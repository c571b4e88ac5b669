// formats/q4_0.wgsl — 32 whole numbers of four bits share a scale in f16: 4 words of eight numbers, the first four in the low
// halves of the bytes, the others in the high ones. q4_0.ts
@group(1) @binding(8) var<storage, read> weight: array<vec4<u32>>; // of a block
@group(1) @binding(10) var<storage, read> scale: array<u32>; // of two blocks
const BLOCK4 = 8u;
fn block_scale(i: u32) -> f32 { return unpack2x16float(scale[i / 2u])[i % 2u]; }
// Numbers 4·high … 4·high + 3 of a word. One shift is of a count that varies: constant ones are cheaper on CPUs.
fn numbers4(word: u32, high: u32) -> vec4f {
  return vec4f(vec4<i32>(vec4<u32>(word << (4u - 4u * high)) << vec4<u32>(24u, 16u, 8u, 0u)) >> vec4<u32>(28u));
}
fn read_block(i: u32) -> vec4<u32> { return weight[i]; }
fn block4(block: vec4<u32>, j: u32) -> vec4f { return numbers4(block[j / 2u], j % 2u); }
fn weight4(i: u32) -> vec4f { return block_scale(i / 8u) * numbers4(weight[i / 8u][i / 2u % 4u], i % 2u); }
fn dot_block(i: u32, v: array<vec4f, BLOCK4>) -> f32 {
  let block = read_block(i);
  var sum = 0.0;
  for (var j = 0u; j < BLOCK4; j++) { sum += dot(v[j], block4(block, j)); }
  return block_scale(i) * sum;
}
