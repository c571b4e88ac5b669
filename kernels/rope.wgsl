// rope.wgsl — rotates each query and key head, or its first 2·HALF elements, by its position's angles, in place.
//   x[i]        = x[i] · m·cos φ_i − x[i + HALF] · m·sin φ_i
//   x[i + HALF] = x[i + HALF] · m·cos φ_i + x[i] · m·sin φ_i        RoFormer, arXiv 2104.09864, eq. 34, pairs (i, i + HALF)
// qkv [rows, QKV_STRIDE] f32: HEADS query heads, KV_HEADS key heads, value heads · table [angle rows, TABLE_STRIDE] vec2f
// Keys of a sequence that caches them raw are left alone: attention rotates those where it reads them.
// a workgroup turns SPAN pairs of a row, WG lanes stride over them · rope.ts · test/kernels/rope.test.ts
override HALF: u32;
override HEAD_DIM: u32;
override HEADS: u32;
override KV_HEADS: u32;
override QKV_STRIDE: u32;
override TABLE_STRIDE: u32; // in pairs
override SPAN: u32;
override WG: u32;
@group(1) @binding(0) var<storage, read> table: array<vec2f>;
@group(1) @binding(1) var<storage, read_write> qkv: array<f32>;

@compute @workgroup_size(WG)
fn rope(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = group.y;
  let heads = select(HEADS + KV_HEADS, HEADS, sequence_raw(row_sequence(row)));
  let angle = row_angle(row) * TABLE_STRIDE;
  let end = min((group.x + 1u) * SPAN, heads * HALF);
  for (var pair = group.x * SPAN + lane; pair < end; pair += WG) {
    let at = row * QKV_STRIDE + (pair / HALF) * HEAD_DIM + pair % HALF;
    let turn = table[angle + pair % HALF];
    let a = qkv[at];
    let b = qkv[at + HALF];
    qkv[at] = a * turn.x - b * turn.y;
    qkv[at + HALF] = b * turn.x + a * turn.y;
  }
}
