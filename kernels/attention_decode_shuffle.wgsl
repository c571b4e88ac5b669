// attention_decode_shuffle.wgsl — attention of single rows in parts of SPLIT keys, without workgroup memory.
//   partials[row, head, part] = (Σ_j e^(s_j − top) v_j,  top,  Σ_j e^(s_j − top)),  s_j = q · k[j] · SCALE
//   Flash-Decoding, Dao et al. 2023; attention_merge.wgsl joins the parts
// qkv [rows, QKV_STRIDE] f32, rotated queries first · keys, values [slots, KV_STRIDE] as kernels/cache has them
// partials [rows · HEADS · step.splits, PARTIALS_STRIDE] f32, HEAD_DIM + 2 of a row in use
// a workgroup is one subgroup of WG lanes; it takes one row, one part and GROUP query heads that share a key/value head, a page of
// keys at a time. A key is read by all lanes together, each lane CHUNKS times four of its pairs (d, d + HALF), whose queries it keeps; a score is
// the lanes' sum and belongs to lane key % WG. Values are read likewise, VALUE_CHUNKS times four elements per lane, and the
// weights travel by shuffles. So what is read is keys and values alone, once for all of the heads, and neighbours by neighbours.
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

  var low = array<array<vec4f, CHUNKS>, GROUP>(); // this lane's queries: zero where the head has no such element
  var high = array<array<vec4f, CHUNKS>, GROUP>();
  for (var g = 0u; g < GROUP; g++) {
    for (var c = 0u; c < CHUNKS; c++) {
      let d = 4u * (lane + c * WG);
      let at = row * QKV_STRIDE + (own.first + min(g, heads - 1u)) * HEAD_DIM + d;
      for (var i = 0u; i < 4u; i++) {
        low[g][c][i] = select(0.0, qkv[at + i], d + i < HALF);
        high[g][c][i] = select(0.0, qkv[at + HALF + i], d + i < HALF);
      }
    }
  }
  var sum = array<array<vec4f, VALUE_CHUNKS>, GROUP>();
  var top = array<f32, GROUP>();
  var total = array<f32, GROUP>(); // this lane's keys only; added up at the end
  for (var g = 0u; g < GROUP; g++) { top[g] = NEVER; }
  for (var page = first / PAGE; page <= last / PAGE; page++) {
    let begin = max(first, page * PAGE);
    let end = min(last + 1u, page * PAGE + PAGE);
    let slots = (plan[pages + page] - page) * PAGE; // plus a key: its slot; the difference may wrap, and wraps back
    var score = array<array<f32, KEYS>, GROUP>(); // keys lane, lane + WG … of the page
    for (var g = 0u; g < GROUP; g++) {
      for (var i = 0u; i < KEYS; i++) { score[g][i] = NEVER; }
    }
    for (var key = begin; key < end; key++) {
      let at = (slots + key) * KV_STRIDE + kv_at;
      var own_share = array<f32, GROUP>();
      for (var c = 0u; c < CHUNKS; c++) {
        let k = key_quads(at, min(4u * (lane + c * WG), (HALF - 1u) / 4u * 4u), raw, angle + key);
        for (var g = 0u; g < GROUP; g++) { own_share[g] += dot(low[g][c], k.low) + dot(high[g][c], k.high); }
      }
      for (var g = 0u; g < GROUP; g++) {
        let whole = reduce_add(vec4f(own_share[g], 0.0, 0.0, 0.0), lane).x * SCALE;
        for (var i = 0u; i < KEYS; i++) { score[g][i] = select(score[g][i], whole, key % PAGE == lane + i * WG); }
      }
    }
    for (var g = 0u; g < GROUP; g++) {
      var largest = top[g];
      for (var i = 0u; i < KEYS; i++) { largest = max(largest, score[g][i]); }
      largest = reduce_max(largest);
      let shrink = exp(top[g] - largest);
      total[g] *= shrink;
      for (var i = 0u; i < KEYS; i++) {
        score[g][i] = exp(score[g][i] - largest);
        total[g] += score[g][i];
      }
      top[g] = largest;
      for (var c = 0u; c < VALUE_CHUNKS; c++) { sum[g][c] *= shrink; }
    }
    for (var key = begin; key < end; key++) {
      let at = (slots + key) * KV_STRIDE + kv_at;
      var v = array<vec4f, VALUE_CHUNKS>(); // past the head's end these are a neighbour's values, and not stored
      for (var c = 0u; c < VALUE_CHUNKS; c++) { v[c] = value_quad(at + 4u * (lane + c * WG)); }
      for (var g = 0u; g < GROUP; g++) {
        var weight = score[g][0];
        for (var i = 1u; i < KEYS; i++) { weight = select(weight, score[g][i], key % PAGE / WG == i); }
        weight = subgroupShuffle(weight, key % WG);
        for (var c = 0u; c < VALUE_CHUNKS; c++) { sum[g][c] = fma(vec4f(weight), v[c], sum[g][c]); }
      }
    }
  }
  for (var g = 0u; g < GROUP; g++) { total[g] = reduce_add(vec4f(total[g], 0.0, 0.0, 0.0), lane).x; }
  // Not unrolled on purpose: on lavapipe a store is long code. The sums stay below 256 bytes, so that indexing them is cheap.
  let chunks = at_run_time(VALUE_CHUNKS);
  let four = at_run_time(4u);
  for (var g = 0u; g < heads; g++) {
    let at = ((row * HEADS + own.first + g) * step.splits + part) * PARTIALS_STRIDE;
    for (var c = 0u; c < chunks; c++) {
      for (var i = 0u; i < four; i++) {
        let d = 4u * (lane + c * WG) + i;
        if (d < HEAD_DIM) { partials[at + d] = sum[g][c][i]; }
      }
    }
    if (lane < 2u) { partials[at + HEAD_DIM + lane] = select(top[g], total[g], lane == 1u); }
  }
}
