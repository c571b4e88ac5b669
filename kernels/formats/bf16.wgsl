// formats/bf16.wgsl — four bfloat16 in two u32, low half first. A bfloat16 is the upper half of an f32.
@group(1) @binding(8) var<storage, read> weight: array<vec2<u32>>;
const BLOCK4 = 1u;
fn weight4(i: u32) -> vec4f {
  let pairs = weight[i];
  return bitcast<vec4f>(vec4<u32>(pairs.x << 16u, pairs.x & 0xffff0000u, pairs.y << 16u, pairs.y & 0xffff0000u));
}
fn dot_block(i: u32, v: array<vec4f, BLOCK4>) -> f32 { return dot(v[0], weight4(i)); }
