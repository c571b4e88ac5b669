// rmsnorm.wgsl — scale each row to unit root mean square, then by a learned weight.
//   y = w · x / √(mean(x²) + ε)                 RMSNorm, Zhang & Sennrich 2019 (arXiv 1910.07467), eq. 4
//   with SQUARES, the half of it that a sum over columns may begin with (ahead.ts): y[2·row] = w · x, y[2·row + 1] = sums of x² over
//   EACH4 vec4 that follow each other, in SQUARES vec4
// x [rows, DIM] f32 · weight [DIM] f32 · y [rows, DIM] f32, or [2·rows, DIM]; must not alias x. Padding elements of x are zero.
// one workgroup per row, WG lanes stride over DIM / 4 · rmsnorm.ts · test/kernels/rmsnorm.test.ts
override DIM: u32;
override DIM4: u32;
override EPS: f32;
override SQUARES: u32; // 0: the whole norm
override EACH4: u32;
override WG: u32;
@group(1) @binding(0) var<storage, read> x: array<vec4f>;
@group(1) @binding(1) var<storage, read_write> y: array<vec4f>;
@group(1) @binding(8) var<storage, read> weight: array<vec4f>;

@compute @workgroup_size(WG)
fn rmsnorm(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let first = group.x * DIM4;
  if (SQUARES > 0u) {
    for (var i = lane; i < DIM4; i += WG) { y[2u * first + i] = weight[i] * x[first + i]; }
    for (var i = lane; i < SQUARES; i += WG) {
      var sums = vec4f();
      for (var j = 0u; j < 4u; j++) {
        for (var k = 0u; k < EACH4; k++) {
          let at = (4u * i + j) * EACH4 + k;
          if (at < DIM4) { sums[j] += dot(x[first + at], x[first + at]); }
        }
      }
      y[2u * first + DIM4 + i] = sums;
    }
    return;
  }
  var squares = vec4f();
  for (var i = lane; i < DIM4; i += WG) {
    let v = x[first + i];
    squares = fma(v, v, squares);
  }
  let scale = inverseSqrt(dot(reduce_add(squares, lane), vec4f(1.0)) / f32(DIM) + EPS);
  for (var i = lane; i < DIM4; i += WG) {
    y[first + i] = weight[i] * (x[first + i] * scale);
  }
}
