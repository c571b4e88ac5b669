// rmsnorm.wgsl — scale each row to unit root mean square, then by a learned weight.
//   y = w · x / √(mean(x²) + ε)                 RMSNorm, Zhang & Sennrich 2019 (arXiv 1910.07467), eq. 4
// x [rows, DIM] f32 · weight [DIM] f32 · y [rows, DIM] f32; y must not alias x. Padding elements of x are zero.
// one workgroup per row, WG lanes stride over DIM / 4 · rmsnorm.ts · test/kernels/rmsnorm.test.ts
override DIM: u32;
override DIM4: u32;
override EPS: f32;
override WG: u32;
@group(1) @binding(0) var<storage, read> x: array<vec4f>;
@group(1) @binding(1) var<storage, read_write> y: array<vec4f>;
@group(1) @binding(8) var<storage, read> weight: array<vec4f>;

@compute @workgroup_size(WG)
fn rmsnorm(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let first = group.x * DIM4;
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
