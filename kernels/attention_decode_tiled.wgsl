// attention_decode_tiled.wgsl — attention of single rows, the key/value length cut into parts of SPLIT keys that run side by side.
//   partials[row, head, part] = (Σ_j e^(s_j − top) v_j,  top,  Σ_j e^(s_j − top)),  s_j = q · k[j] · SCALE
//   Flash-Decoding, Dao et al. 2023; attention_merge.wgsl joins the parts
// qkv [rows, QKV_STRIDE] f32, rotated queries first · keys, values [slots, KV_STRIDE] as kernels/cache has them
// partials [rows · HEADS · step.splits, PARTIALS_STRIDE] f32, HEAD_DIM + 2 of a row in use
// a workgroup of WG lanes takes one row, one part and GROUP query heads that share a key/value head, so that keys and values
// are read once for all of them: scores with a lane per key, then the weighted sum with a lane per element of the head
// attention_decode_tiled.ts · test/kernels/attention.test.ts
override HALF: u32;
override HEADS: u32;
override KV_HEADS: u32;
override QKV_STRIDE: u32;
override KV_STRIDE: u32;
override PARTIALS_STRIDE: u32;
override SCALE: f32;
override WG: u32;
const NEVER = -1e30; // below any real score, yet finite
@group(1) @binding(2) var<storage, read> qkv: array<f32>;
@group(1) @binding(3) var<storage, read> values: array<KvWord>;
@group(1) @binding(4) var<storage, read_write> partials: array<f32>;

var<workgroup> queries: array<f32, GROUP * HEAD_DIM>;
var<workgroup> scores: array<f32, GROUP * SPLIT>; // [query head][key], then the weights
var<workgroup> share: array<f32, WG>; // one lane's share of a maximum, then of a sum

@compute @workgroup_size(WG)
fn attention_decode_tiled(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = group.x;
  let half = at_run_time(HALF);
  let begin = group.z * SPLIT;
  let position = row_position(row);
  if (begin > position || begin + SPLIT <= first_key(position)) { return; }
  let first = max(begin, first_key(position));
  let length = min(begin + SPLIT, position + 1u) - first;
  let sequence = row_sequence(row);
  let pages = sequence_pages(sequence);
  let raw = sequence_raw(sequence);
  let angle = sequence_angle(sequence);
  let own = head_group(group.y);
  let kv_at = own.kv * HEAD_DIM;

  for (var i = lane; i < own.count * 2u * half; i += WG) {
    queries[i] = qkv[row * QKV_STRIDE + own.first * HEAD_DIM + i];
  }
  workgroupBarrier();
  for (var j = lane; j < length; j += WG) {
    let key = first + j;
    let at = kv_slot(pages, key) * KV_STRIDE + kv_at;
    var score = array<f32, GROUP>();
    for (var d = 0u; d < half; d++) {
      let k = key_pair(at, d, raw, angle + key);
      for (var g = 0u; g < GROUP; g++) {
        score[g] = fma(queries[g * HEAD_DIM + d], k.x, fma(queries[g * HEAD_DIM + d + HALF], k.y, score[g]));
      }
    }
    for (var g = 0u; g < GROUP; g++) { scores[g * SPLIT + j] = score[g] * SCALE; }
  }
  workgroupBarrier();
  // Softmax over the part: WG / GROUP lanes share each query head.
  let lanes = WG / GROUP;
  let g = lane / lanes;
  let busy = g < GROUP;
  var top = NEVER;
  if (busy) {
    for (var j = lane % lanes; j < length; j += lanes) { top = max(top, scores[g * SPLIT + j]); }
  }
  share[lane] = top;
  workgroupBarrier();
  if (busy) {
    for (var l = 0u; l < lanes; l++) { top = max(top, share[g * lanes + l]); }
  }
  workgroupBarrier();
  var mass = 0.0;
  if (busy) {
    for (var j = lane % lanes; j < length; j += lanes) {
      let weight = exp(scores[g * SPLIT + j] - top);
      scores[g * SPLIT + j] = weight;
      mass += weight;
    }
  }
  share[lane] = mass;
  workgroupBarrier();
  if (busy && lane % lanes == 0u && g < own.count) {
    mass = 0.0;
    for (var l = 0u; l < lanes; l++) { mass += share[g * lanes + l]; }
    let at = ((row * HEADS + own.first + g) * step.splits + group.z) * PARTIALS_STRIDE + HEAD_DIM;
    partials[at] = top;
    partials[at + 1u] = mass;
  }
  for (var d = lane; d < 2u * half; d += WG) {
    var sum = array<f32, GROUP>();
    for (var j = 0u; j < length; j++) {
      let v = value_at(kv_slot(pages, first + j) * KV_STRIDE + kv_at + d);
      for (var h = 0u; h < GROUP; h++) { sum[h] = fma(scores[h * SPLIT + j], v, sum[h]); }
    }
    for (var h = 0u; h < own.count; h++) {
      partials[((row * HEADS + own.first + h) * step.splits + group.z) * PARTIALS_STRIDE + d] = sum[h];
    }
  }
}
