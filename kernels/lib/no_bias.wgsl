// lib/no_bias.wgsl — a linear layer without bias.
fn bias_at(column: u32) -> f32 { return 0.0; }
