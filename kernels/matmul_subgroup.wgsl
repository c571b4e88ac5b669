// matmul_subgroup.wgsl — a linear layer for many rows without workgroup memory: lanes hand activations round by shuffles.
//   y[row, n] = Σ_k x[row, k] · weight[n, k]  (+ bias[n])  (+ y[row, n] if ADD)
// x [rows, 4·K4] f32 · weight [N, 4·K4] · y [rows, Y_STRIDE] f32, columns COLUMN …
// a workgroup is one subgroup of WG lanes and makes TILE_ROWS × (WG · TILE_COLUMNS) outputs: a lane owns TILE_COLUMNS columns
// and holds one k of every row, so a memory read is paid once per WG · TILE_COLUMNS multiply-adds. On adapters where a read
// costs much more than arithmetic (lavapipe: about 36 cycles per read of a subgroup) that is what counts; matmul.wgsl is for GPUs.
// matmul_subgroup.ts · test/kernels/linear.test.ts
override N: u32;
override K4: u32;
override Y_STRIDE: u32;
override COLUMN: u32;
override ADD: bool;
override OF_OUTPUTS: bool; // rows are the step's outputs, not its token rows
override WG: u32;
@group(1) @binding(0) var<storage, read> x: array<f32>;
@group(1) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn matmul_subgroup(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let rows = select(step.rows, step.outputs, OF_OUTPUTS);
  let first_row = group.y * TILE_ROWS;
  let first = group.x * WG * TILE_COLUMNS + lane;
  var start = array<u32, TILE_COLUMNS>();
  for (var j = 0u; j < TILE_COLUMNS; j++) { start[j] = min(first + j * WG, N - 1u) * K4; }
  var sum = array<array<f32, TILE_COLUMNS>, TILE_ROWS>();
  for (var k4 = 0u; k4 < K4; k4 += WG / 4u) {
    var mine = array<f32, TILE_ROWS>(); // lane l holds x[row, 4·k4 + l]
    for (var r = 0u; r < TILE_ROWS; r++) { mine[r] = x[(first_row + r) * K4 * 4u + k4 * 4u + lane]; }
    // Not unrolled on purpose: a shuffle with a variable lane costs one instruction, compiling eight copies takes seconds.
    for (var h = 0u; h < min(WG / 4u, K4 - k4); h++) {
      var w = array<vec4f, TILE_COLUMNS>();
      for (var j = 0u; j < TILE_COLUMNS; j++) { w[j] = weight4(start[j] + k4 + h); }
      for (var r = 0u; r < TILE_ROWS; r++) {
        let a = vec4f(
          subgroupShuffle(mine[r], 4u * h),
          subgroupShuffle(mine[r], 4u * h + 1u),
          subgroupShuffle(mine[r], 4u * h + 2u),
          subgroupShuffle(mine[r], 4u * h + 3u));
        for (var j = 0u; j < TILE_COLUMNS; j++) {
          sum[r][j] = fma(a.w, w[j].w, fma(a.z, w[j].z, fma(a.y, w[j].y, fma(a.x, w[j].x, sum[r][j]))));
        }
      }
    }
  }
  for (var j = 0u; j < TILE_COLUMNS; j++) {
    let n = first + j * WG;
    if (n >= N) { continue; }
    for (var r = 0u; r < TILE_ROWS; r++) {
      if (first_row + r >= rows) { break; }
      let at = (first_row + r) * Y_STRIDE + COLUMN + n;
      var value = sum[r][j] + bias_at(COLUMN + n);
      if (ADD) { value += y[at]; }
      y[at] = value;
    }
  }
}
