// matmul_shuffle.wgsl — a linear layer for many rows without workgroup memory: lanes hand activations round by shuffles.
//   y[row, n] = SCALE · (Σ_k x[row, k] · weight[n, k]  (+ bias[n]))  (+ y[row, n] if ADD)
// x [rows, 4·K4] f32 · weight [N, 4·ROW4] · y [rows, Y_STRIDE] f32, columns COLUMN …
// a workgroup is one subgroup of WG lanes and makes TILE_ROWS × (WG · TILE_COLUMNS) outputs: a lane owns TILE_COLUMNS columns
// and reads HELD rows of x, which it hands to the others. On adapters where a read costs much more than arithmetic, as
// on lavapipe, reads per multiply-add are what counts; matmul_tiled.wgsl is for GPUs.
// matmul_shuffle.ts · test/kernels/linear.test.ts
override N: u32;
override K4: u32;
override ROW4: u32; // a weight row: K4 up to a whole block of its format
override Y_STRIDE: u32;
override COLUMN: u32;
override ADD: bool;
override SCALE: f32;
override OF_OUTPUTS: bool; // rows are the step's outputs, not its token rows
override WG: u32;
@group(1) @binding(0) var<storage, read> x: array<vec4f>;
@group(1) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn matmul_shuffle(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let rows = select(step.rows, step.outputs, OF_OUTPUTS);
  let first_row = group.y * TILE_ROWS;
  let first = group.x * WG * TILE_COLUMNS + lane;
  var start = array<u32, TILE_COLUMNS>();
  for (var j = 0u; j < TILE_COLUMNS; j++) { start[j] = min(first + j * WG, N - 1u) * ROW4; }
  var sum = array<array<f32, TILE_COLUMNS>, TILE_ROWS>();
  let k4 = at_run_time(K4);
  for (var k = 0u; k < k4; k++) {
    var own = array<vec4f, HELD>(); // lane l holds rows l, l + WG, …
    for (var i = 0u; i < HELD; i++) { own[i] = x[(first_row + lane + i * WG) * K4 + k]; }
    var w = array<vec4f, TILE_COLUMNS>();
    for (var j = 0u; j < TILE_COLUMNS; j++) { w[j] = weight4(start[j] + k); }
    for (var r = 0u; r < TILE_ROWS; r++) {
      let a = subgroupShuffle(own[r / WG], r % WG);
      for (var j = 0u; j < TILE_COLUMNS; j++) {
        sum[r][j] = fma(a.w, w[j].w, fma(a.z, w[j].z, fma(a.y, w[j].y, fma(a.x, w[j].x, sum[r][j]))));
      }
    }
  }
  // Not unrolled on purpose: on lavapipe a store is long code, and compiling 64 of them took longer than all the rest.
  let tall = at_run_time(TILE_ROWS);
  for (var r = 0u; r < min(tall, rows - first_row); r++) {
    for (var j = 0u; j < TILE_COLUMNS; j++) {
      let n = first + j * WG;
      if (n >= N) { continue; }
      let at = (first_row + r) * Y_STRIDE + COLUMN + n;
      var value = sum[r][j] + bias_at(COLUMN + n);
      if (SCALE != 1.0) { value *= SCALE; }
      if (ADD) { value += y[at]; }
      y[at] = value;
    }
  }
}
