// lib/bias.wgsl — a linear layer's bias, f32 [N].
@group(1) @binding(9) var<storage, read> bias: array<f32>;
fn bias_at(column: u32) -> f32 { return bias[column]; }
