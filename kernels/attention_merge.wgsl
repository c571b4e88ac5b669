// attention_merge.wgsl — joins the parts of attention_decode_tiled.wgsl and attention_decode_shuffle.wgsl.
//   y = Σ_p e^(top_p − top) sum_p / Σ_p e^(top_p − top) mass_p,  top = max_p top_p
// partials [rows · HEADS · step.splits, PARTIALS_STRIDE] f32 · y [rows, Y_STRIDE] f32
// one workgroup per row and head, WG lanes stride over the head · attention_merge.ts · test/kernels/attention.test.ts
override HEAD_DIM: u32;
override HEADS: u32;
override PARTIALS_STRIDE: u32;
override Y_STRIDE: u32;
override SPLIT: u32;
override WG: u32;
@group(1) @binding(0) var<storage, read> partials: array<f32>;
@group(1) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn attention_merge(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = group.x;
  let head = group.y;
  let parts = row_position(row) / SPLIT + 1u; // a short sequence has fewer parts than the step's longest
  let first = (row * HEADS + head) * step.splits * PARTIALS_STRIDE;
  var top = -1e30;
  let since = first_key(row_position(row)) / SPLIT; // parts before a window were not made
  for (var p = since; p < parts; p++) { top = max(top, partials[first + p * PARTIALS_STRIDE + HEAD_DIM]); }
  for (var d = lane; d < HEAD_DIM; d += WG) {
    var sum = 0.0;
    var mass = 0.0;
    for (var p = since; p < parts; p++) {
      let at = first + p * PARTIALS_STRIDE;
      let weight = exp(partials[at + HEAD_DIM] - top);
      sum = fma(weight, partials[at + d], sum);
      mass = fma(weight, partials[at + HEAD_DIM + 1u], mass);
    }
    y[row * Y_STRIDE + head * HEAD_DIM + d] = sum / mass;
  }
}
