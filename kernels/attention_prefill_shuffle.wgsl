// attention_prefill_shuffle.wgsl — causal softmax attention of a tile of neighbouring rows without workgroup memory.
//   y[r] = Σ_j softmax_j(q[r] · k[j] · SCALE) v[j],  first_key(position(r)) ≤ j ≤ position(r); online softmax as in attention_prefill_tiled.wgsl
// qkv [rows, QKV_STRIDE] f32, rotated queries first · keys, values [slots, KV_STRIDE] as kernels/cache has them · y [rows, Y_STRIDE] f32
// a workgroup is one subgroup of WG lanes; it takes one tile (at most TILE_ROWS rows of one sequence) and one head, and
// 2·WG keys at a time: a lane owns two keys for the scores, QUERIES rows whose queries it reads, and CHUNKS elements of the
// head for the sum; queries and weights travel by shuffles, so that one memory read serves TILE_ROWS multiply-adds
// attention_prefill_shuffle.ts · test/kernels/attention.test.ts
override HALF: u32;
override HEADS: u32;
override KV_HEADS: u32;
override QKV_STRIDE: u32;
override KV_STRIDE: u32;
override Y_STRIDE: u32;
override SCALE: f32;
override WG: u32;
const NEVER = -1e30; // a masked score: far below any real one, yet finite, so that differences stay numbers
@group(1) @binding(2) var<storage, read> qkv: array<f32>;
@group(1) @binding(3) var<storage, read> values: array<KvWord>;
@group(1) @binding(4) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn attention_prefill_shuffle(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let half = at_run_time(HALF);
  let lanes = at_run_time(WG);
  let turns = at_run_time(2u);
  let rows = tile_rows(group.x);
  let first_row = tile_row(group.x);
  let sequence = tile_sequence(group.x);
  let pages = sequence_pages(sequence);
  let raw = sequence_raw(sequence);
  let angle = sequence_angle(sequence);
  let position = row_position(first_row);
  let head = group.y;
  let kv_at = head / (HEADS / KV_HEADS) * HEAD_DIM;
  var query = array<u32, QUERIES>(); // this lane's rows: lane, lane + WG, …
  for (var i = 0u; i < QUERIES; i++) {
    query[i] = (first_row + min(lane + i * WG, rows - 1u)) * QKV_STRIDE + head * HEAD_DIM;
  }
  var sum = array<array<f32, CHUNKS>, TILE_ROWS>();
  var top = array<f32, TILE_ROWS>();
  var total = array<f32, TILE_ROWS>(); // this lane's keys only; added up at the end
  for (var r = 0u; r < TILE_ROWS; r++) { top[r] = NEVER; }
  let length = position + rows;
  for (var block = first_key(position); block < length; block += 2u * WG) {
    let key = vec2u(block + lane, block + WG + lane);
    let last = length - 1u;
    var at = vec2u(kv_slot(pages, min(key.x, last)), kv_slot(pages, min(key.y, last))) * KV_STRIDE + kv_at;
    var score = array<vec2f, TILE_ROWS>();
    for (var d = 0u; d < half; d++) {
      var low = array<f32, QUERIES>();
      var high = array<f32, QUERIES>();
      for (var i = 0u; i < QUERIES; i++) {
        low[i] = qkv[query[i] + d];
        high[i] = qkv[query[i] + d + HALF];
      }
      let a = key_pair(at.x, d, raw, angle + key.x);
      let b = key_pair(at.y, d, raw, angle + key.y);
      for (var r = 0u; r < TILE_ROWS; r++) {
        score[r] = fma(vec2f(subgroupShuffle(low[r / WG], r % WG)), vec2f(a.x, b.x), score[r]);
        score[r] = fma(vec2f(subgroupShuffle(high[r / WG], r % WG)), vec2f(a.y, b.y), score[r]);
      }
    }
    for (var r = 0u; r < TILE_ROWS; r++) {
      let until = position + min(r, rows - 1u);
      let seen = (key <= vec2u(until)) & (key >= vec2u(first_key(until)));
      let masked = select(vec2f(NEVER), score[r] * SCALE, seen);
      let largest = max(top[r], reduce_max(max(masked.x, masked.y)));
      let shrink = exp(top[r] - largest);
      score[r] = exp(masked - largest);
      total[r] = total[r] * shrink + score[r].x + score[r].y;
      top[r] = largest;
      for (var c = 0u; c < CHUNKS; c++) { sum[r][c] *= shrink; }
    }
    for (var turn = 0u; turn < turns; turn++) { // each lane's first key, then its second
      for (var t = 0u; t < lanes; t++) {
        let slot = subgroupShuffle(at.x, t) + lane;
        var v = array<f32, CHUNKS>(); // past the head's end these are a neighbour's values, and not stored
        for (var c = 0u; c < CHUNKS; c++) { v[c] = value_at(slot + c * WG); }
        for (var r = 0u; r < TILE_ROWS; r++) {
          let weight = subgroupShuffle(score[r].x, t);
          for (var c = 0u; c < CHUNKS; c++) { sum[r][c] = fma(weight, v[c], sum[r][c]); }
        }
      }
      at = at.yx;
      for (var r = 0u; r < TILE_ROWS; r++) { score[r] = score[r].yx; }
    }
  }
  // One copy of the store per row, not one per element: on lavapipe a store is long code.
  let chunks = at_run_time(CHUNKS);
  for (var r = 0u; r < TILE_ROWS; r++) {
    let mass = reduce_add(vec4f(total[r], 0.0, 0.0, 0.0), lane).x;
    if (r < rows) {
      let row = sum[r];
      for (var c = 0u; c < chunks; c++) {
        let d = c * WG + lane;
        if (d < HEAD_DIM) { y[(first_row + r) * Y_STRIDE + head * HEAD_DIM + d] = row[c] / mass; }
      }
    }
  }
}
