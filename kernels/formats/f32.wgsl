// formats/f32.wgsl — weights as they are: four f32 in a vec4.
@group(2) @binding(0) var<storage, read> weight: array<vec4f>;
fn weight4(i: u32) -> vec4f { return weight[i]; }
