// headnorm.wgsl — scales each query and key head to unit root mean square, then by a learned weight, in place.
//   x = w · x / √(mean(x²) + ε)        RMSNorm, Zhang & Sennrich 2019 (arXiv 1910.07467), eq. 4, over the elements of a head;
//   of queries and keys: Dehghani et al. 2023 (arXiv 2302.05442), section 2, there as LayerNorm
// qkv [rows, QKV_STRIDE] f32: HEADS query heads, key heads, value heads · weight [2·HEAD_DIM] f32: of queries, then of keys
// a workgroup takes a head of a row, WG lanes stride over it · headnorm.ts · test/kernels/headnorm.test.ts
override HEAD_DIM: u32;
override HEADS: u32;
override QKV_STRIDE: u32;
override EPS: f32;
override WG: u32;
@group(1) @binding(0) var<storage, read_write> qkv: array<f32>;
@group(1) @binding(8) var<storage, read> weight: array<f32>;

@compute @workgroup_size(WG)
fn headnorm(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let first = group.y * QKV_STRIDE + group.x * HEAD_DIM;
  var squares = 0.0;
  for (var i = lane; i < HEAD_DIM; i += WG) { squares = fma(qkv[first + i], qkv[first + i], squares); }
  let scale = inverseSqrt(reduce_add(vec4f(squares, 0.0, 0.0, 0.0), lane).x / f32(HEAD_DIM) + EPS);
  let own = select(0u, HEAD_DIM, group.x >= HEADS);
  for (var i = lane; i < HEAD_DIM; i += WG) { qkv[first + i] = weight[own + i] * (qkv[first + i] * scale); }
}
