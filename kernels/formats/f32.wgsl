// formats/f32.wgsl — weights as they are: four f32 in a vec4.
@group(1) @binding(8) var<storage, read> weight: array<vec4f>;
const BLOCK4 = 1u;
fn weight4(i: u32) -> vec4f { return weight[i]; }
fn dot_block(i: u32, v: array<vec4f, BLOCK4>) -> f32 { return dot(v[0], weight4(i)); }
