// lib/gated.wgsl — what a workgroup of matvec makes of gate and up, whose rows lie one above the other: half of its OUTPUTS are
// gates, the others the ups of the same columns, and what is stored is their gated unit.
//   y = silu(gate) · up,  silu(v) = v / (1 + e^-v)          SwiGLU, Shazeer 2020 (arXiv 2002.05202), eq. 6 with β = 1
// N, OUTPUTS (4 or 8) and `y` are declared by whoever links this. SCALE, ADD and COLUMN are not read: 1, false and 0.
fn weight_row(index: u32, i: u32) -> u32 {
  let half = OUTPUTS / 2u;
  return min(index * half + i % half, N / 2u - 1u) + select(0u, N / 2u, i >= half);
}

fn store(row: u32, index: u32, sum: array<f32, OUTPUTS>, lane: u32) {
  let half = OUTPUTS / 2u;
  let hidden = N / 2u;
  let scale = root(row, lane);
  let gates = scale * reduce_add(vec4f(sum[0], sum[1], sum[2], sum[3]), lane);
  var ups = vec4f(gates.zw, 0.0, 0.0); // of four sums the first two are gates
  if (OUTPUTS == 8u) {
    ups = scale * reduce_add(vec4f(sum[OUTPUTS - 4u], sum[OUTPUTS - 3u], sum[OUTPUTS - 2u], sum[OUTPUTS - 1u]), lane);
  }
  let n = index * half + lane;
  if (lane < half && n < hidden) {
    let gate = gates[lane] + bias_at(n);
    let up = ups[lane] + bias_at(hidden + n);
    y[row * Y_STRIDE + n] = gate / (1.0 + exp(min(-gate, 87.0))) * up; // 87 as in swiglu.wgsl
  }
}
