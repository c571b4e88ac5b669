// append.wgsl — writes each row's keys and values into its slot of the paged cache.
//   keys[slot(row)] = k(row), values[slot(row)] = v(row)
// qkv [rows, QKV_STRIDE] f32 · keys, values [slots, KV_STRIDE] as kernels/cache has them; a slot is found through the sequence's page table
// a workgroup takes SPAN blocks of a row, WG lanes stride over them · append.ts · test/kernels/append.test.ts
override K_AT: u32; // where the keys of a qkv row start; the values follow
override KV_DIM: u32;
override KV_STRIDE: u32;
override QKV_STRIDE: u32;
override SPAN: u32;
override WG: u32;
@group(1) @binding(0) var<storage, read> qkv: array<f32>;
@group(1) @binding(1) var<storage, read_write> keys: array<KvWord>;
@group(1) @binding(2) var<storage, read_write> values: array<KvWord>;

@compute @workgroup_size(WG)
fn append(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = group.y;
  let source = row * QKV_STRIDE + K_AT;
  let slot = kv_slot(sequence_pages(row_sequence(row)), row_position(row)) * (KV_STRIDE / KV_BLOCK); // in blocks
  let blocks = (KV_DIM + KV_BLOCK - 1u) / KV_BLOCK;
  let end = min((group.x + 1u) * SPAN, blocks);
  for (var b = group.x * SPAN + lane; b < end; b += WG) {
    var k = array<f32, KV_BLOCK>();
    var v = array<f32, KV_BLOCK>();
    for (var i = 0u; i < KV_BLOCK; i++) {
      let at = b * KV_BLOCK + i;
      if (at >= KV_DIM) { break; } // the rest of the last block stays zero
      k[i] = qkv[source + at];
      v[i] = qkv[source + KV_DIM + at];
    }
    let key = kv_encode(k);
    let value = kv_encode(v);
    for (var i = 0u; i < KV_WORDS; i++) {
      keys[(slot + b) * KV_WORDS + i] = key[i];
      values[(slot + b) * KV_WORDS + i] = value[i];
    }
  }
}
