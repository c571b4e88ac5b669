// matmul_tiled.wgsl — a linear layer for many rows, tiled through workgroup memory.
//   y[row, n] = SCALE · (Σ_k x[row, k] · weight[n, k]  (+ bias[n]))  (+ y[row, n] if ADD)
// x [rows, 4·K4] f32 · weight [N, 4·ROW4] · y [rows, Y_STRIDE] f32, columns COLUMN …
// a workgroup of 8 × LANES_Y lanes makes TILE_ROWS × 64 outputs, a lane 4·QUADS × 8 of them in registers, from tiles of
// 16 elements of k. A tile lies k-major in vec4 of four rows (or columns): a lane transposes blocks of 4 × 4 on the way in, and
// holds those of the next tile while this one is multiplied. README.md counts what that costs.
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
const TILE_COLUMNS = 64u;
const LANES = 8u * LANES_Y;
const TILE_ROWS = 4u * QUADS * LANES_Y;
const X_WIDE = TILE_ROWS / 4u; // vec4 of the tile per k
const W_WIDE = TILE_COLUMNS / 4u;
const X_BLOCKS = X_WIDE * TILE_K4;
const W_BLOCKS = W_WIDE * TILE_K4;
const_assert QUADS == 1u || QUADS == 2u;
const_assert X_BLOCKS <= LANES && W_BLOCKS <= LANES && X_WIDE % 8u == 0u; // a block of each per lane; `place` mixes eight vec4
@group(1) @binding(0) var<storage, read> x: array<vec4f>;
@group(1) @binding(1) var<storage, read_write> y: array<f32>;

var<workgroup> x_tile: array<vec4f, 4u * TILE_K4 * X_WIDE>; // [k][four rows]
var<workgroup> w_tile: array<vec4f, 4u * TILE_K4 * W_WIDE>; // [k][four columns]

// Where vec4 `quad` of the four k of `k4` lies: eight lanes that write side by side (two quads, four k4), and eight that read
// (eight quads, one k4), meet eight different groups of four banks.
fn place(quad: u32, k4: u32) -> u32 { return quad ^ (2u * k4); }

fn x_at(row: u32, k: u32, rows: u32) -> vec4f {
  if (row >= rows || k >= K4) { return vec4f(); }
  return x[row * K4 + k];
}

fn w_at(column: u32, k: u32) -> vec4f {
  if (column >= N || k >= K4) { return vec4f(); }
  return weight4(column * ROW4 + k);
}

// Four elements of k of four rows from `row` on: column i of the result is element i of each.
fn x_block(row: u32, k: u32, rows: u32) -> mat4x4f {
  return transpose(mat4x4f(x_at(row, k, rows), x_at(row + 1u, k, rows), x_at(row + 2u, k, rows), x_at(row + 3u, k, rows)));
}

fn w_block(column: u32, k: u32) -> mat4x4f {
  return transpose(mat4x4f(w_at(column, k), w_at(column + 1u, k), w_at(column + 2u, k), w_at(column + 3u, k)));
}

// sum + a bᵀ: column i of a sum belongs to row i of four. Named matrices and constant indices, so that all stay in registers.
fn outer(sum: mat4x4f, a: vec4f, b: vec4f) -> mat4x4f {
  return mat4x4f(
    fma(vec4f(a.x), b, sum[0]), fma(vec4f(a.y), b, sum[1]), fma(vec4f(a.z), b, sum[2]), fma(vec4f(a.w), b, sum[3]));
}

fn store(sums: mat4x4f, row: u32, column: u32, rows: u32) {
  var sum = sums;
  let tall = at_run_time(4u); // one copy of the store, not sixteen: on lavapipe it is long code
  for (var r = 0u; r < tall; r++) {
    for (var c = 0u; c < tall; c++) {
      let n = column + c;
      if (row + r >= rows || n >= N) { continue; }
      let at = (row + r) * Y_STRIDE + COLUMN + n;
      var value = sum[r][c] + bias_at(COLUMN + n);
      if (SCALE != 1.0) { value *= SCALE; }
      if (ADD) { value += y[at]; }
      y[at] = value;
    }
  }
}

@compute @workgroup_size(LANES)
fn matmul_tiled(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let rows = select(step.rows, step.outputs, OF_OUTPUTS);
  let first_row = group.y * TILE_ROWS;
  let first = group.x * TILE_COLUMNS;
  // The block of x that this lane brings, and of the weight, which the last lanes bring: with more lanes than blocks they are
  // others. Four neighbours bring the four k4 of a quad, 64 bytes in a row of x.
  let quad = lane / TILE_K4;
  let own_k = lane % TILE_K4;
  let brings_x = lane < X_BLOCKS;
  let brings_w = lane >= LANES - W_BLOCKS;
  let w_quad = quad - (LANES - W_BLOCKS) / TILE_K4;
  let lane_row = lane / 8u;
  let lane_column = lane % 8u;
  var sum_00 = mat4x4f(); // the first four rows and columns of the lane
  var sum_01 = mat4x4f(); // the first four rows, the second four columns
  var sum_10 = mat4x4f();
  var sum_11 = mat4x4f();
  var x_next = mat4x4f();
  var w_next = mat4x4f();
  if (brings_x) { x_next = x_block(first_row + 4u * quad, own_k, rows); }
  if (brings_w) { w_next = w_block(first + 4u * w_quad, own_k); }
  for (var k4 = 0u; k4 < K4; k4 += TILE_K4) {
    workgroupBarrier(); // the tile before has been read
    if (brings_x) {
      let at = 4u * own_k * X_WIDE + place(quad, own_k);
      x_tile[at] = x_next[0];
      x_tile[at + X_WIDE] = x_next[1];
      x_tile[at + 2u * X_WIDE] = x_next[2];
      x_tile[at + 3u * X_WIDE] = x_next[3];
    }
    if (brings_w) {
      let at = 4u * own_k * W_WIDE + place(w_quad, own_k);
      w_tile[at] = w_next[0];
      w_tile[at + W_WIDE] = w_next[1];
      w_tile[at + 2u * W_WIDE] = w_next[2];
      w_tile[at + 3u * W_WIDE] = w_next[3];
    }
    workgroupBarrier();
    let next = k4 + TILE_K4 + own_k; // under way while this tile is multiplied; zeros beyond the last
    if (brings_x) { x_next = x_block(first_row + 4u * quad, next, rows); }
    if (brings_w) { w_next = w_block(first + 4u * w_quad, next); }
    for (var k = 0u; k < 4u * TILE_K4; k++) {
      let x_from = k * X_WIDE + place(lane_row, k / 4u);
      let w_from = k * W_WIDE + place(lane_column, k / 4u);
      let a = x_tile[x_from];
      let b = w_tile[w_from];
      let c = w_tile[w_from + 8u];
      sum_00 = outer(sum_00, a, b);
      sum_01 = outer(sum_01, a, c);
      if (QUADS == 2u) {
        let d = x_tile[x_from + X_WIDE / 2u];
        sum_10 = outer(sum_10, d, b);
        sum_11 = outer(sum_11, d, c);
      }
    }
  }
  let row = first_row + 4u * lane_row;
  let column = first + 4u * lane_column;
  store(sum_00, row, column, rows);
  store(sum_01, row, column + 32u, rows);
  if (QUADS == 2u) {
    store(sum_10, row + TILE_ROWS / 2u, column, rows);
    store(sum_11, row + TILE_ROWS / 2u, column + 32u, rows);
  }
}
