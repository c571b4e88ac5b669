// append.wgsl — writes each row's keys and values into its slot of the paged cache.
//   keys[slot(row)] = k(row), values[slot(row)] = v(row)
// qkv [rows, QKV_STRIDE] f32 · keys, values [slots, KV_STRIDE] f32; a slot is found through the sequence's page table
// a workgroup copies SPAN elements of a row, WG lanes stride over them · append.ts · test/kernels/append.test.ts
override K_AT: u32; // where the keys of a qkv row start; the values follow
override KV_DIM: u32;
override KV_STRIDE: u32;
override QKV_STRIDE: u32;
override SPAN: u32;
override WG: u32;
@group(1) @binding(0) var<storage, read> qkv: array<f32>;
@group(1) @binding(1) var<storage, read_write> keys: array<f32>;
@group(1) @binding(2) var<storage, read_write> values: array<f32>;

@compute @workgroup_size(WG)
fn append(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = group.y;
  let source = row * QKV_STRIDE + K_AT;
  let slot = kv_slot(sequence_pages(row_sequence(row)), row_position(row)) * KV_STRIDE;
  let end = min((group.x + 1u) * SPAN, KV_DIM);
  for (var i = group.x * SPAN + lane; i < end; i += WG) {
    keys[slot + i] = qkv[source + i];
    values[slot + i] = qkv[source + KV_DIM + i];
  }
}
