// gather.wgsl — picks the rows whose logits are wanted, so that the output matrix sees only those.
//   y[i] = x[row of output i]
// x [rows, DIM] f32 · y [outputs, DIM] f32
// one workgroup per output, WG lanes stride over DIM / 4 · gather.ts · test/kernels/gather.test.ts
override DIM4: u32;
override WG: u32;
@group(1) @binding(0) var<storage, read> x: array<vec4f>;
@group(1) @binding(1) var<storage, read_write> y: array<vec4f>;

@compute @workgroup_size(WG)
fn gather(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = output_row(group.x);
  for (var i = lane; i < DIM4; i += WG) {
    y[group.x * DIM4 + i] = x[row * DIM4 + i];
  }
}
