// append.wgsl — writes each row's keys and values into its slot of the paged cache.
//   keys[slot(row)] = k(row), values[slot(row)] = v(row)
// qkv [rows, QKV_STRIDE] f32 · keys, values [slots, KV_STRIDE] f32; a slot is found through the sequence's page table
// one lane per element · append.ts · test/kernels/append.test.ts
override K_AT: u32; // where the keys of a qkv row start; the values follow
override KV_DIM: u32;
override KV_STRIDE: u32;
override QKV_STRIDE: u32;
override WG: u32;
@group(1) @binding(0) var<storage, read> qkv: array<f32>;
@group(1) @binding(1) var<storage, read_write> keys: array<f32>;
@group(1) @binding(2) var<storage, read_write> values: array<f32>;

@compute @workgroup_size(WG)
fn append(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = group.x * WG + lane;
  let row = group.y;
  if (i >= KV_DIM) { return; }
  let slot = kv_slot(sequence_pages(row_sequence(row)), row_position(row));
  keys[slot * KV_STRIDE + i] = qkv[row * QKV_STRIDE + K_AT + i];
  values[slot * KV_STRIDE + i] = qkv[row * QKV_STRIDE + K_AT + KV_DIM + i];
}
