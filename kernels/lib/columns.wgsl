// lib/columns.wgsl — what a workgroup of matvec makes: OUTPUTS columns that follow each other. Columns beyond N repeat the last
// one and are not stored: cheaper than a branch around every read. N, OUTPUTS, SCALE, ADD and `y` are declared by whoever links this.
fn weight_row(index: u32, i: u32) -> u32 { return min(index * OUTPUTS + i, N - 1u); }

fn store(row: u32, index: u32, sum: array<f32, OUTPUTS>, lane: u32) {
  let scale = root(row, lane);
  for (var i = 0u; i < OUTPUTS; i += 4u) {
    let total = scale * reduce_add(vec4f(sum[i], sum[i + 1u], sum[i + 2u], sum[i + 3u]), lane);
    let n = index * OUTPUTS + i + lane;
    if (lane < 4u && n < N) {
      let at = row * Y_STRIDE + COLUMN + n;
      var value = total[lane] + bias_at(COLUMN + n);
      if (SCALE != 1.0) { value *= SCALE; }
      if (ADD) { value += y[at]; }
      y[at] = value;
    }
  }
}
