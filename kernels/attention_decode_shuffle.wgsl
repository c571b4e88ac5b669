// attention_decode_shuffle.wgsl — attention of single rows in parts of SPLIT keys, without workgroup memory.
//   partials[row, head, part] = (Σ_j e^(s_j − top) v_j,  top,  Σ_j e^(s_j − top)),  s_j = q · k[j] · SCALE
//   Flash-Decoding, Dao et al. 2023; attention_merge.wgsl joins the parts
// qkv [rows, QKV_STRIDE] f32, rotated queries first · keys, values [slots, KV_STRIDE] as kernels/cache has them
// partials [rows · HEADS · step.splits, PARTIALS_STRIDE] f32, HEAD_DIM + 2 of a row in use
// a workgroup is one subgroup of WG lanes; it takes one row, one part and GROUP query heads that share a key/value head, and
// 2·WG keys at a time: a lane owns two keys for the scores, the query of one head, and CHUNKS elements of the head for the
// sum; queries and weights travel by shuffles, so that keys and values are read once for all of the heads
// attention_decode_shuffle.ts · test/kernels/attention.test.ts
override HALF: u32;
override HEADS: u32;
override KV_HEADS: u32;
override QKV_STRIDE: u32;
override KV_STRIDE: u32;
override PARTIALS_STRIDE: u32;
override SCALE: f32;
override SPLIT: u32;
override WG: u32;
const NEVER = -1e30; // a masked score: far below any real one, yet finite, so that differences stay numbers
@group(1) @binding(2) var<storage, read> qkv: array<f32>;
@group(1) @binding(3) var<storage, read> values: array<KvWord>;
@group(1) @binding(4) var<storage, read_write> partials: array<f32>;

@compute @workgroup_size(WG)
fn attention_decode_shuffle(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let half = at_run_time(HALF);
  let lanes = at_run_time(WG);
  let part = group.x;
  let row = group.z;
  let begin = part * SPLIT;
  let position = row_position(row);
  if (begin > position || begin + SPLIT <= first_key(position)) { return; }
  let first = max(begin, first_key(position));
  let last = min(begin + SPLIT - 1u, position);
  let sequence = row_sequence(row);
  let pages = sequence_pages(sequence);
  let raw = sequence_raw(sequence);
  let angle = sequence_angle(sequence);
  let own = head_group(group.y);
  let heads = at_run_time(own.count);
  let kv_at = own.kv * HEAD_DIM;

  let query = row * QKV_STRIDE + (own.first + min(lane, heads - 1u)) * HEAD_DIM; // lane l reads the query of head l
  var sum = array<array<f32, CHUNKS>, GROUP>();
  var top = array<f32, GROUP>();
  var total = array<f32, GROUP>(); // this lane's keys only; added up at the end
  for (var g = 0u; g < GROUP; g++) { top[g] = NEVER; }
  for (var block = first; block <= last; block += 2u * WG) {
    let key = vec2u(block + lane, block + WG + lane);
    let at = vec2u(kv_slot(pages, min(key.x, last)), kv_slot(pages, min(key.y, last))) * KV_STRIDE + kv_at;
    var score = array<vec2f, GROUP>();
    for (var d = 0u; d < half; d++) {
      let low = qkv[query + d];
      let high = qkv[query + d + HALF];
      let a = key_pair(at.x, d, raw, angle + key.x);
      let b = key_pair(at.y, d, raw, angle + key.y);
      for (var g = 0u; g < GROUP; g++) {
        score[g] = fma(vec2f(subgroupShuffle(low, g)), vec2f(a.x, b.x), score[g]);
        score[g] = fma(vec2f(subgroupShuffle(high, g)), vec2f(a.y, b.y), score[g]);
      }
    }
    for (var g = 0u; g < GROUP; g++) {
      let masked = select(vec2f(NEVER), score[g] * SCALE, key <= vec2u(last));
      let largest = max(top[g], reduce_max(max(masked.x, masked.y)));
      let shrink = exp(top[g] - largest);
      score[g] = exp(masked - largest);
      total[g] = total[g] * shrink + score[g].x + score[g].y;
      top[g] = largest;
      for (var c = 0u; c < CHUNKS; c++) { sum[g][c] *= shrink; }
    }
    for (var t = 0u; t < min(2u * lanes, last + 1u - block); t++) {
      let owner = t % WG;
      let second = t >= WG;
      let slot = select(subgroupShuffle(at.x, owner), subgroupShuffle(at.y, owner), second) + lane;
      var v = array<f32, CHUNKS>(); // past the head's end these are a neighbour's values, and not stored
      for (var c = 0u; c < CHUNKS; c++) { v[c] = value_at(slot + c * WG); }
      for (var g = 0u; g < GROUP; g++) {
        let weight = select(subgroupShuffle(score[g].x, owner), subgroupShuffle(score[g].y, owner), second);
        for (var c = 0u; c < CHUNKS; c++) { sum[g][c] = fma(weight, v[c], sum[g][c]); }
      }
    }
  }
  for (var g = 0u; g < GROUP; g++) { total[g] = reduce_add(vec4f(total[g], 0.0, 0.0, 0.0), lane).x; }
  // Not unrolled on purpose: on lavapipe a store is long code. The sums stay below 256 bytes, so that indexing them is cheap.
  let chunks = at_run_time(CHUNKS);
  for (var g = 0u; g < heads; g++) {
    let at = ((row * HEADS + own.first + g) * step.splits + part) * PARTIALS_STRIDE;
    for (var c = 0u; c < chunks; c++) {
      let d = c * WG + lane;
      if (d < HEAD_DIM) { partials[at + d] = sum[g][c]; }
    }
    if (lane < 2u) { partials[at + HEAD_DIM + lane] = select(top[g], total[g], lane == 1u); }
  }
}
