// lib/stored_f32.wgsl — elements i and i + 1 of quantize.wgsl's source, as bits of f32.
fn stored_pair(i: u32) -> vec2<u32> { return vec2<u32>(source[i], source[i + 1u]); }
