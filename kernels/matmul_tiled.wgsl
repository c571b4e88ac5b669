// matmul_tiled.wgsl — a linear layer for many rows, tiled through workgroup memory.
//   y[row, n] = SCALE · (Σ_k x[row, k] · weight[n, k]  (+ bias[n]))  (+ y[row, n] if ADD)
// x [rows, 4·K4] f32 · weight [N, 4·ROW4] · y [rows, Y_STRIDE] f32, columns COLUMN …
// a workgroup of 8 × 8 lanes makes TILE_ROWS × TILE_COLUMNS outputs, a lane LANE_ROWS × 8 of them in registers, from tiles of
// 4 · TILE_K4 elements of k. The tiles lie k-major, so that the lanes of a row of lanes read neighbouring columns.
// matmul_tiled.ts · test/kernels/linear.test.ts
override N: u32;
override K4: u32;
override ROW4: u32; // a weight row: K4 up to a whole block of its format
override Y_STRIDE: u32;
override COLUMN: u32;
override ADD: bool;
override SCALE: f32;
override OF_OUTPUTS: bool; // rows are the step's outputs, not its token rows
const TILE_K4 = 4u;
const LANE_ROWS = TILE_ROWS / 8u;
const_assert TILE_ROWS % 8u == 0u && TILE_COLUMNS == 8u * 8u; // two vec4 of columns per lane
@group(1) @binding(0) var<storage, read> x: array<vec4f>;
@group(1) @binding(1) var<storage, read_write> y: array<f32>;

// Scalars, not vec4: writing one component of a shared vector may race with a neighbour's component.
var<workgroup> x_tile: array<f32, 4u * TILE_K4 * TILE_ROWS>; // [k][row]
var<workgroup> w_tile: array<f32, 4u * TILE_K4 * TILE_COLUMNS>; // [k][column]

@compute @workgroup_size(64)
fn matmul_tiled(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let rows = select(step.rows, step.outputs, OF_OUTPUTS);
  let first_row = group.y * TILE_ROWS;
  let first = group.x * TILE_COLUMNS;
  let lane_row = (lane / 8u) * LANE_ROWS;
  let lane_column = (lane % 8u) * 8u;
  var low = array<vec4f, LANE_ROWS>(); // columns 0–3 of each of the lane's rows
  var high = array<vec4f, LANE_ROWS>(); // columns 4–7
  for (var k4 = 0u; k4 < K4; k4 += TILE_K4) {
    // TILE_K4 vec4 of every row of x and of every column's weights, transposed on the way in.
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
      if (first + column < N && k4 + k < K4) { v = weight4((first + column) * ROW4 + k4 + k); }
      for (var c = 0u; c < 4u; c++) { w_tile[(k * 4u + c) * TILE_COLUMNS + column] = v[c]; }
    }
    workgroupBarrier();
    for (var k = 0u; k < 4u * TILE_K4; k++) {
      let at = k * TILE_COLUMNS + lane_column;
      let b = vec4f(w_tile[at], w_tile[at + 1u], w_tile[at + 2u], w_tile[at + 3u]);
      let c = vec4f(w_tile[at + 4u], w_tile[at + 5u], w_tile[at + 6u], w_tile[at + 7u]);
      for (var r = 0u; r < LANE_ROWS; r++) {
        let a = vec4f(x_tile[k * TILE_ROWS + lane_row + r]);
        low[r] = fma(a, b, low[r]);
        high[r] = fma(a, c, high[r]);
      }
    }
    workgroupBarrier();
  }
  for (var r = 0u; r < LANE_ROWS; r++) {
    let row = first_row + lane_row + r;
    if (row >= rows) { return; }
    for (var c = 0u; c < 8u; c++) {
      let n = first + lane_column + c;
      if (n >= N) { break; }
      let at = row * Y_STRIDE + COLUMN + n;
      var value = select(low[r][c % 4u], high[r][c % 4u], c >= 4u) + bias_at(COLUMN + n);
      if (SCALE != 1.0) { value *= SCALE; }
      if (ADD) { value += y[at]; }
      y[at] = value;
    }
  }
}
