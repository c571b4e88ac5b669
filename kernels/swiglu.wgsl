// swiglu.wgsl — the gated unit of the feed-forward layer.
//   y = silu(gate) · up,  silu(v) = v / (1 + e^-v)          SwiGLU, Shazeer 2020 (arXiv 2002.05202), eq. 6 with β = 1
// x [rows, 2·HIDDEN] f32, gate first, then up · y [rows, HIDDEN] f32
// a workgroup makes SPAN elements of a row, WG lanes stride over them · swiglu.ts · test/kernels/swiglu.test.ts
override HIDDEN: u32;
override X_STRIDE: u32;
override Y_STRIDE: u32;
override SPAN: u32;
override WG: u32;
@group(1) @binding(0) var<storage, read> x: array<f32>;
@group(1) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn swiglu(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = group.y;
  let end = min((group.x + 1u) * SPAN, HIDDEN);
  for (var column = group.x * SPAN + lane; column < end; column += WG) {
    let gate = x[row * X_STRIDE + column];
    let up = x[row * X_STRIDE + HIDDEN + column];
    // e^-v overflows to infinity below -88: v / infinity is 0, which is silu's limit, but WGSL does not promise infinities.
    // e^-87 is the least that an f32 holds in full.
    let sigmoid = 1.0 / (1.0 + exp(min(-gate, 87.0)));
    y[row * Y_STRIDE + column] = gate * sigmoid * up;
  }
}
