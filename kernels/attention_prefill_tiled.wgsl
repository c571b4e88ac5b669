// attention_prefill_tiled.wgsl — causal softmax attention of a tile of neighbouring rows, tiled through workgroup memory.
//   y[r] = Σ_j softmax_j(q[r] · k[j] · SCALE) v[j],  first_key(position(r)) ≤ j ≤ position(r)
//   online softmax: Milakov & Gimelshein 2018 (arXiv 1805.02867), alg. 3; tiling: FlashAttention-2 (arXiv 2307.08691), alg. 1
// qkv [rows, QKV_STRIDE] f32, rotated queries first · keys, values [slots, KV_STRIDE] as kernels/cache has them · y [rows, Y_STRIDE] f32
// a workgroup of 64 lanes takes one tile (at most TILE_ROWS rows of one sequence) and one head, 32 keys at a time:
// scores with a lane per key, then the weighted sum with a lane per element of the head
// attention_prefill_tiled.ts · test/kernels/attention.test.ts
override HALF: u32;
override HEADS: u32;
override KV_HEADS: u32;
override QKV_STRIDE: u32;
override KV_STRIDE: u32;
override Y_STRIDE: u32;
override SCALE: f32;
const KEYS = 32u;
const NEVER = -1e30; // a masked score: far below any real one, yet finite, so that differences stay numbers
@group(1) @binding(2) var<storage, read> qkv: array<f32>;
@group(1) @binding(3) var<storage, read> values: array<KvWord>;
@group(1) @binding(4) var<storage, read_write> y: array<f32>;

var<workgroup> scores: array<f32, TILE_ROWS * KEYS>; // [row][key], then the weights
var<workgroup> queries: array<f32, TILE_ROWS * HEAD_DIM>;
var<workgroup> top: array<f32, TILE_ROWS>; // largest score so far
var<workgroup> total: array<f32, TILE_ROWS>; // Σ e^(score − top)
var<workgroup> shrink: array<f32, TILE_ROWS>; // e^(old top − new top) of this block

@compute @workgroup_size(64)
fn attention_prefill_tiled(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let half = at_run_time(HALF);
  let keys_per_block = at_run_time(KEYS);
  let rows = tile_rows(group.x);
  let first_row = tile_row(group.x);
  let sequence = tile_sequence(group.x);
  let pages = sequence_pages(sequence);
  let raw = sequence_raw(sequence);
  let angle = sequence_angle(sequence);
  let position = row_position(first_row);
  let head = group.y;
  let kv_at = head / (HEADS / KV_HEADS) * HEAD_DIM;
  for (var i = lane; i < TILE_ROWS * HEAD_DIM; i += 64u) {
    let row = first_row + min(i / HEAD_DIM, rows - 1u);
    queries[i] = qkv[row * QKV_STRIDE + head * HEAD_DIM + i % HEAD_DIM];
  }
  if (lane < TILE_ROWS) {
    top[lane] = NEVER;
    total[lane] = 0.0;
  }
  var sum = array<array<f32, TILE_ROWS>, CHUNKS>(); // lane's elements lane, lane + 64, … of every row
  let length = position + rows;
  for (var block = first_key(position); block < length; block += KEYS) {
    workgroupBarrier();
    {
      // Half of the lanes take the even rows, half the odd ones, each with its own key.
      let key = block + lane % KEYS;
      let at = kv_slot(pages, min(key, length - 1u)) * KV_STRIDE + kv_at;
      var score = array<f32, TILE_ROWS / 2u>();
      for (var d = 0u; d < half; d++) {
        let k = key_pair(at, d, raw, angle + key);
        for (var r = 0u; r < TILE_ROWS / 2u; r++) {
          let q = (2u * r + lane / KEYS) * HEAD_DIM + d;
          score[r] = fma(queries[q], k.x, fma(queries[q + HALF], k.y, score[r]));
        }
      }
      for (var r = 0u; r < TILE_ROWS / 2u; r++) {
        let row = 2u * r + lane / KEYS;
        let seen = key <= position + row && key >= first_key(position + row) && key < length;
        scores[row * KEYS + lane % KEYS] = select(NEVER, score[r] * SCALE, seen);
      }
    }
    workgroupBarrier();
    if (lane < TILE_ROWS) {
      var largest = top[lane];
      for (var j = 0u; j < keys_per_block; j++) { largest = max(largest, scores[lane * KEYS + j]); }
      let factor = exp(top[lane] - largest);
      var mass = total[lane] * factor;
      for (var j = 0u; j < keys_per_block; j++) {
        let weight = exp(scores[lane * KEYS + j] - largest);
        scores[lane * KEYS + j] = weight;
        mass += weight;
      }
      top[lane] = largest;
      total[lane] = mass;
      shrink[lane] = factor;
    }
    workgroupBarrier();
    for (var c = 0u; c < CHUNKS; c++) {
      for (var r = 0u; r < TILE_ROWS; r++) { sum[c][r] *= shrink[r]; }
    }
    for (var j = 0u; j < min(keys_per_block, length - block); j++) {
      let at = kv_slot(pages, block + j) * KV_STRIDE + kv_at;
      for (var c = 0u; c < CHUNKS; c++) {
        let v = value_at(at + min(lane + 64u * c, HEAD_DIM - 1u));
        for (var r = 0u; r < TILE_ROWS; r++) { sum[c][r] = fma(scores[r * KEYS + j], v, sum[c][r]); }
      }
    }
  }
  workgroupBarrier();
  for (var c = 0u; c < CHUNKS; c++) {
    let d = lane + 64u * c;
    if (d >= HEAD_DIM) { break; }
    for (var r = 0u; r < rows; r++) {
      y[(first_row + r) * Y_STRIDE + head * HEAD_DIM + d] = sum[c][r] / total[r];
    }
  }
}
