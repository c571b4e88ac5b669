// formats/f16.wgsl — four IEEE half floats in two u32, low half first. unpack2x16float is exact and core WGSL,
// so no shader-f16 is needed to read them.
@group(1) @binding(8) var<storage, read> weight: array<vec2<u32>>;
const BLOCK4 = 1u;
fn weight4(i: u32) -> vec4f {
  let pairs = weight[i];
  return vec4f(unpack2x16float(pairs.x), unpack2x16float(pairs.y));
}
fn dot_block(i: u32, v: array<vec4f, BLOCK4>) -> f32 { return dot(v[0], weight4(i)); }
