// lib/residual.wgsl — what a workgroup of matvec makes: OUTPUTS columns that it adds to the residual stream, and of them the half of
// the next norm that needs no other workgroup: w ∘ y, and the sum of their squares.
//   y[n] += SCALE · (Σ (+ bias[n])) · ahead[2·row, n] = w[n] · y[n] · ahead[2·row + 1, index] = Σ y[n]²
// N, OUTPUTS, SCALE and `y` are declared by whoever links this. COLUMN is not read: 0.
@group(1) @binding(2) var<storage, read_write> ahead: array<f32>;
@group(1) @binding(11) var<storage, read> norm: array<f32>;

fn weight_row(index: u32, i: u32) -> u32 { return min(index * OUTPUTS + i, N - 1u); }

fn store(row: u32, index: u32, sum: array<f32, OUTPUTS>, lane: u32) {
  let scale = root(row, lane);
  var squares = 0.0;
  for (var i = 0u; i < OUTPUTS; i += 4u) {
    let total = scale * reduce_add(vec4f(sum[i], sum[i + 1u], sum[i + 2u], sum[i + 3u]), lane);
    let n = index * OUTPUTS + i + lane;
    if (lane < 4u && n < N) {
      let at = row * Y_STRIDE + n;
      var value = total[lane] + bias_at(n);
      if (SCALE != 1.0) { value *= SCALE; }
      value += y[at];
      y[at] = value;
      ahead[at + row * Y_STRIDE] = norm[n] * value;
      squares = fma(value, value, squares);
    }
  }
  let all = reduce_add(vec4f(squares, 0.0, 0.0, 0.0), lane).x;
  if (lane == 0u) { ahead[(2u * row + 1u) * Y_STRIDE + index] = all; }
}
