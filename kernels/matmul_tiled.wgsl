// matmul_tiled.wgsl — a linear layer for many rows, tiled through workgroup memory.
//   y[row, n] = Σ_k x[row, k] · weight[n, k]  (+ bias[n])  (+ y[row, n] if ADD)
// x [rows, 4·K4] f32 · weight [N, 4·K4] · y [rows, Y_STRIDE] f32, columns COLUMN …
// a workgroup of 64 lanes makes 32 rows × 64 columns; a lane makes 4 rows × 8 columns in registers from tiles of 16 k.
// The tiles lie k-major, so that the lanes of a row of lanes read neighbouring columns. matmul_tiled.ts · test/kernels/linear.test.ts
override N: u32;
override K4: u32;
override Y_STRIDE: u32;
override COLUMN: u32;
override ADD: bool;
override OF_OUTPUTS: bool; // rows are the step's outputs, not its token rows
const TILE_ROWS = 32u;
const TILE_COLUMNS = 64u;
const TILE_K4 = 4u;
@group(1) @binding(0) var<storage, read> x: array<vec4f>;
@group(1) @binding(1) var<storage, read_write> y: array<f32>;

// Scalars, not vec4: writing one component of a shared vector may race with a neighbour's component.
var<workgroup> x_tile: array<f32, 16u * 32u>; // [k][row]
var<workgroup> w_tile: array<f32, 16u * 64u>; // [k][column]

@compute @workgroup_size(64)
fn matmul_tiled(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let rows = select(step.rows, step.outputs, OF_OUTPUTS);
  let first_row = group.y * TILE_ROWS;
  let first = group.x * TILE_COLUMNS;
  let lane_row = (lane / 8u) * 4u;
  let lane_column = (lane % 8u) * 8u;
  var low = array<vec4f, 4>(); // columns 0–3 of each of the lane's rows
  var high = array<vec4f, 4>(); // columns 4–7
  for (var k4 = 0u; k4 < K4; k4 += TILE_K4) {
    // 32 rows × 4 vec4 of x and 64 columns × 4 vec4 of weights, transposed on the way in.
    for (var i = lane; i < TILE_ROWS * TILE_K4; i += 64u) {
      let row = i / TILE_K4;
      let k = i % TILE_K4;
      var v = vec4f();
      if (first_row + row < rows && k4 + k < K4) { v = x[(first_row + row) * K4 + k4 + k]; }
      for (var c = 0u; c < 4u; c++) { x_tile[(k * 4u + c) * TILE_ROWS + row] = v[c]; }
    }
    for (var i = lane; i < TILE_COLUMNS * TILE_K4; i += 64u) {
      let column = i / TILE_K4;
      let k = i % TILE_K4;
      var v = vec4f();
      if (first + column < N && k4 + k < K4) { v = weight4((first + column) * K4 + k4 + k); }
      for (var c = 0u; c < 4u; c++) { w_tile[(k * 4u + c) * TILE_COLUMNS + column] = v[c]; }
    }
    workgroupBarrier();
    for (var k = 0u; k < 16u; k++) {
      let at = k * TILE_COLUMNS + lane_column;
      let b = vec4f(w_tile[at], w_tile[at + 1u], w_tile[at + 2u], w_tile[at + 3u]);
      let c = vec4f(w_tile[at + 4u], w_tile[at + 5u], w_tile[at + 6u], w_tile[at + 7u]);
      for (var r = 0u; r < 4u; r++) {
        let a = vec4f(x_tile[k * TILE_ROWS + lane_row + r]);
        low[r] = fma(a, b, low[r]);
        high[r] = fma(a, c, high[r]);
      }
    }
    workgroupBarrier();
  }
  for (var r = 0u; r < 4u; r++) {
    let row = first_row + lane_row + r;
    if (row >= rows) { return; }
    for (var c = 0u; c < 8u; c++) {
      let n = first + lane_column + c;
      if (n >= N) { break; }
      let at = row * Y_STRIDE + COLUMN + n;
      var value = select(low[r][c % 4u], high[r][c % 4u], c >= 4u) + bias_at(COLUMN + n);
      if (ADD) { value += y[at]; }
      y[at] = value;
    }
  }
}
