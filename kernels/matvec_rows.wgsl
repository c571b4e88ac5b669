// matvec_rows.wgsl — a linear layer for a few rows that stand side by side: reads every weight once for ROWS of them.
//   y[row, n] = SCALE · (Σ_k x[row, k] · weight[n, k]  (+ bias[n]))  (+ y[row, n] if ADD)
// x [rows, 4·K4] f32 · weight [N, 4·ROW4] · y [rows, Y_STRIDE] f32, columns COLUMN …
// a workgroup makes OUTPUTS (4 or 8) columns of ROWS rows; WG lanes stride over the blocks of a weight row, a lane keeps
// ROWS × OUTPUTS sums in registers, then one reduction per row · matvec_rows.ts · test/kernels/linear.test.ts
override N: u32;
override K4: u32;
override ROW4: u32; // a weight row: K4 up to a whole block of BLOCK4, the rest zero
override Y_STRIDE: u32;
override COLUMN: u32;
override GRID_X: u32;
override ADD: bool;
override SCALE: f32;
override OF_OUTPUTS: bool; // rows are the step's outputs, not its token rows
override WG: u32;
@group(1) @binding(0) var<storage, read> x: array<vec4f>;
@group(1) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn matvec_rows(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let rows = select(step.rows, step.outputs, OF_OUTPUTS);
  let first = (group.y * GRID_X + group.x) * OUTPUTS;
  let first_row = group.z * ROWS;
  let blocks = ROW4 / BLOCK4;
  // Columns beyond N and rows beyond the last repeat it and are not stored: cheaper than a branch around every read.
  var start = array<u32, OUTPUTS>();
  for (var i = 0u; i < OUTPUTS; i++) { start[i] = min(first + i, N - 1u) * ROW4; }
  var sum = array<array<f32, OUTPUTS>, ROWS>();
  for (var b = lane; b < blocks; b += WG) {
    for (var j = 0u; j < BLOCK4; j++) {
      let at = b * BLOCK4 + j;
      var k = at;
      if (ROW4 > K4) { k = min(k, K4 - 1u); } // times zero
      var w = array<vec4f, OUTPUTS>();
      for (var i = 0u; i < OUTPUTS; i++) { w[i] = weight4(start[i] + at); }
      for (var r = 0u; r < ROWS; r++) {
        let v = x[min(first_row + r, rows - 1u) * K4 + k];
        for (var i = 0u; i < OUTPUTS; i++) { sum[r][i] += dot(v, w[i]); }
      }
    }
  }
  // All of ROWS, so that the sums are never indexed by what is known only at run time: they would leave the registers.
  for (var r = 0u; r < ROWS; r++) {
    let row = first_row + r;
    if (row >= rows) { break; }
    for (var i = 0u; i < OUTPUTS; i += 4u) {
      let total = reduce_add(vec4f(sum[r][i], sum[r][i + 1u], sum[r][i + 2u], sum[r][i + 3u]), lane);
      let n = first + i + lane;
      if (lane < 4u && n < N) {
        let at = row * Y_STRIDE + COLUMN + n;
        var value = total[lane] + bias_at(COLUMN + n);
        if (SCALE != 1.0) { value *= SCALE; }
        if (ADD) { value += y[at]; }
        y[at] = value;
      }
    }
  }
}
