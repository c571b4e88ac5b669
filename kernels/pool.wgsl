// pool.wgsl — adds up neighbouring rows: what the mean of a text's hidden states is made of, step by step.
//   y[i] = Σ x[row of output i + j], j < k of output i
// x [rows, DIM] f32 · y [outputs, DIM] f32; an output's k is the number of its rows
// WG lanes take SPAN columns of one output · pool.ts · test/kernels/pool.test.ts
override DIM: u32;
override STRIDE: u32;
override WG: u32;
override SPAN: u32;
@group(1) @binding(0) var<storage, read> x: array<f32>;
@group(1) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn pool(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let first = output_row(group.y);
  let count = output_k(group.y);
  let end = min((group.x + 1u) * SPAN, DIM);
  for (var i = group.x * SPAN + lane; i < end; i += WG) {
    var sum = 0.0;
    for (var j = 0u; j < count; j++) {
      sum += x[(first + j) * STRIDE + i];
    }
    y[group.y * STRIDE + i] = sum;
  }
}
