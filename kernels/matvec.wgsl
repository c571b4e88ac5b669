// matvec.wgsl — a linear layer for few rows: reads every weight once, coalesced along k.
//   y[row, n] = Σ_k x[row, k] · weight[n, k]  (+ bias[n])  (+ y[row, n] if ADD)
// x [rows, 4·K4] f32 · weight [N, 4·K4] · y [rows, Y_STRIDE] f32, columns COLUMN …
// a workgroup makes OUTPUTS (4 or 8) columns of one row; WG lanes stride over k / 4, then one reduction
// matvec.ts · test/kernels/linear.test.ts
override N: u32;
override K4: u32;
override Y_STRIDE: u32;
override COLUMN: u32;
override GRID_X: u32;
override ADD: bool;
override WG: u32;
@group(1) @binding(0) var<storage, read> x: array<vec4f>;
@group(1) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn matvec(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let first = (group.y * GRID_X + group.x) * OUTPUTS;
  let row = group.z;
  // Columns beyond N repeat the last one and are not stored: cheaper than a branch around every read.
  var start = array<u32, OUTPUTS>();
  for (var i = 0u; i < OUTPUTS; i++) { start[i] = min(first + i, N - 1u) * K4; }
  var sum = array<f32, OUTPUTS>();
  for (var k = lane; k < K4; k += WG) {
    let v = x[row * K4 + k];
    for (var i = 0u; i < OUTPUTS; i++) { sum[i] += dot(v, weight4(start[i] + k)); }
  }
  for (var i = 0u; i < OUTPUTS; i += 4u) {
    let total = reduce_add(vec4f(sum[i], sum[i + 1u], sum[i + 2u], sum[i + 3u]), lane);
    let n = first + i + lane;
    if (lane < 4u && n < N) {
      let at = row * Y_STRIDE + COLUMN + n;
      var value = total[lane] + bias_at(COLUMN + n);
      if (ADD) { value += y[at]; }
      y[at] = value;
    }
  }
}
