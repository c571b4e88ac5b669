// matvec.wgsl — a linear layer for few rows: reads every weight once, coalesced along k.
//   y[row, n] = SCALE · (Σ_k x[row, k] · weight[n, k]  (+ bias[n]))  (+ y[row, n] if ADD)         with lib/columns
//   y[row, n] = silu(gate) · up, which are columns n and n + N / 2 of that sum                   with lib/gated
//   y[row, n] += …, and what the next norm needs of it                                            with lib/residual
//   queries, turned, into y; keys, turned, and values into the cache                              with lib/placed
// x [rows, 4·K4] f32, or with SQUARES [2·rows, 4·K4]: of a row w ∘ x, then sums of squares (ahead.ts) · weight [N, 4·ROW4]
// y [rows, Y_STRIDE] f32, columns COLUMN …
// a workgroup makes OUTPUTS (4 or 8) sums of one row; WG lanes stride over the blocks of a weight row, then one reduction
// matvec.ts · test/kernels/linear.test.ts
override N: u32;
override K: u32;
override K4: u32;
override ROW4: u32; // a weight row: K4 up to a whole block of BLOCK4, the rest zero
override SQUARES: u32; // vec4 of sums of squares that are beside each row of x; 0: none
override EPS: f32;
override Y_STRIDE: u32;
override COLUMN: u32;
override GRID_X: u32;
override ADD: bool;
override SCALE: f32;
override WG: u32;
@group(1) @binding(0) var<storage, read> x: array<vec4f>;
@group(1) @binding(1) var<storage, read_write> y: array<f32>;

// Where row `row` of x starts.
fn x_row(row: u32) -> u32 { return select(row, 2u * row, SQUARES > 0u) * K4; }

// What the sums of a row are multiplied by: 1 / √(mean(x²) + ε), the half of RMSNorm that whoever wrote w ∘ x has left.
fn root(row: u32, lane: u32) -> f32 {
  if (SQUARES == 0u) { return 1.0; }
  var squares = vec4f();
  for (var i = lane; i < SQUARES; i += WG) { squares += x[x_row(row) + K4 + i]; }
  return inverseSqrt(dot(reduce_add(squares, lane), vec4f(1.0)) / f32(K) + EPS);
}

@compute @workgroup_size(WG)
fn matvec(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = group.y * GRID_X + group.x;
  let row = group.z;
  let first = x_row(row);
  let blocks = ROW4 / BLOCK4;
  var start = array<u32, OUTPUTS>();
  for (var i = 0u; i < OUTPUTS; i++) { start[i] = weight_row(index, i) * blocks; }
  var sum = array<f32, OUTPUTS>();
  for (var b = lane; b < blocks; b += WG) {
    var v = array<vec4f, BLOCK4>();
    for (var j = 0u; j < BLOCK4; j++) {
      var k = b * BLOCK4 + j;
      if (ROW4 > K4) { k = min(k, K4 - 1u); } // times zero
      v[j] = x[first + k];
    }
    for (var i = 0u; i < OUTPUTS; i++) { sum[i] += dot_block(start[i] + b, v); }
  }
  store(row, index, sum, lane);
}
