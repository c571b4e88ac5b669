// matvec_shuffle.wgsl — a linear layer for one row whose weight lies in blocks of whole numbers: lanes own columns, and hand x round.
//   y[row, n] = SCALE · (Σ_k x[row, k] · weight[n, k]  (+ bias[n]))  (+ y[row, n] if ADD)
//   y[row, n] = silu(gate) · up, which are columns n and n + N / 2 of that sum                   if GATED
// x [rows, 4·K4] f32 · weight [N, 4·ROW4] · y [rows, Y_STRIDE] f32, columns COLUMN …
// a workgroup is one subgroup of WG lanes; a lane owns two columns of one row, reads a block of each at a time, and of x what is its
// share of a block's. matvec.wgsl reads x for every lane, which costs as much as the weights do where those are of few bits and a read
// is dear, as on lavapipe · matvec_shuffle.ts · test/kernels/matvec_shuffle.test.ts
override N: u32;
override K4: u32;
override ROW4: u32; // a weight row: K4 up to whole blocks, the rest zero
override Y_STRIDE: u32;
override COLUMN: u32;
override GRID_X: u32;
override ADD: bool;
override SCALE: f32;
override GATED: bool;
override WG: u32;
@group(1) @binding(0) var<storage, read> x: array<vec4f>;
@group(1) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn matvec_shuffle(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let index = group.y * GRID_X + group.x;
  let row = group.z;
  let blocks = at_run_time(ROW4 / BLOCK4);
  var column = vec2u(2u * index * WG + lane, (2u * index + 1u) * WG + lane);
  if (GATED) { column = vec2u(index * WG + lane) + vec2u(0u, N / 2u); }
  let start = min(column, vec2u(N - 1u)) * blocks; // columns beyond N repeat the last one and are not stored
  var sum = vec2f();
  for (var b = 0u; b < blocks; b++) {
    var own = array<vec4f, HELD>(); // vec4 lane, lane + WG, … of the block's BLOCK4
    for (var i = 0u; i < HELD; i++) { own[i] = x[row * K4 + min(b * BLOCK4 + i * WG + lane, K4 - 1u)]; } // beyond K4: times zero
    let left = read_block(start.x + b);
    let right = read_block(start.y + b);
    let d = vec2f(block_scale(start.x + b), block_scale(start.y + b));
    var whole = vec2f();
    for (var j = 0u; j < BLOCK4; j++) {
      let v = subgroupShuffle(own[j / WG], j % WG);
      let l = block4(left, j);
      let r = block4(right, j);
      whole = fma(v.xx, vec2f(l.x, r.x), fma(v.yy, vec2f(l.y, r.y), fma(v.zz, vec2f(l.z, r.z), fma(v.ww, vec2f(l.w, r.w), whole))));
    }
    sum = fma(whole, d, sum);
  }
  if (GATED) {
    if (column.x < N / 2u) {
      let both = sum + vec2f(bias_at(column.x), bias_at(column.y));
      y[row * Y_STRIDE + column.x] = both.x / (1.0 + exp(min(-both.x, 87.0))) * both.y; // 87 as in swiglu.wgsl
    }
    return;
  }
  for (var i = 0u; i < 2u; i++) {
    let n = column[i];
    if (n >= N) { break; }
    let at = row * Y_STRIDE + COLUMN + n;
    var value = sum[i] + bias_at(COLUMN + n);
    if (SCALE != 1.0) { value *= SCALE; }
    if (ADD) { value += y[at]; }
    y[at] = value;
  }
}
