// wgsl.ts — written by embed.mjs from the .wgsl files beside it; change those, then `node kernels/embed.mjs`.

/** A kernel: the name of a .wgsl file in kernels/, its entry point and its GPU label. */
export type KernelName = "angles" | "append" | "attention_decode_shuffle" | "attention_decode_tiled" | "attention_merge" | "attention_prefill_shuffle" | "attention_prefill_tiled" | "embed" | "gather" | "headnorm" | "matmul_shuffle" | "matmul_tiled" | "matvec" | "matvec_rows" | "matvec_shuffle" | "pool" | "quantize" | "rmsnorm" | "rope" | "swiglu" | "topk";

/** A part that kernels are linked with: a .wgsl file in kernels/formats, kernels/cache or kernels/lib, by folder and name. */
export type PartName = "formats/bf16" | "formats/f16" | "formats/f32" | "formats/q4_0" | "formats/q8_0" | "cache/f16" | "cache/f32" | "cache/q8" | "lib/bias" | "lib/columns" | "lib/gated" | "lib/heads" | "lib/keys" | "lib/no_bias" | "lib/pack_q4_0" | "lib/pack_q8_0" | "lib/placed" | "lib/reduce_shuffle" | "lib/reduce_subgroups" | "lib/reduce_workgroup" | "lib/residual" | "lib/step" | "lib/stored_bf16" | "lib/stored_f16" | "lib/stored_f32" | "lib/window";

/** WGSL text of each kernel, without its parts. */
export const kernels: Readonly<Record<KernelName, string>> = {
  "angles": `// angles.wgsl — the rotary table: (m·cos φ, m·sin φ) for each position and frequency, φ = 2π · frac(position · turns).
//   RoFormer, Su et al. 2021 (arXiv 2104.09864), eq. 15; every scaling type is only another vector of frequencies.
// table [angle rows, TABLE_STRIDE] vec2f · frequencies: plan, per setting HALF × 64-bit fixed-point turns per token, then m
// A phase is an integer: position · turns modulo 2^64 is exact at any position, so nothing is lost far from 0. WGSL bounds
// its own sin and cos only to 2^-11; these polynomials on [-π/4, π/4] are good to 1e-7.
// a workgroup makes FILL_ROWS table rows of one fill · angles.ts · test/kernels/angles.test.ts
override HALF: u32;
override TABLE_STRIDE: u32; // in pairs
override FILL_ROWS: u32;
override WG: u32;
@group(1) @binding(0) var<storage, read_write> table: array<vec2f>;

// Upper 32 bits of a · b.
fn multiply_high(a: u32, b: u32) -> u32 {
  let low = (a & 0xffffu) * (b & 0xffffu);
  let middle = (a >> 16u) * (b & 0xffffu) + (low >> 16u);
  let other = (a & 0xffffu) * (b >> 16u) + (middle & 0xffffu);
  return (a >> 16u) * (b >> 16u) + (middle >> 16u) + (other >> 16u);
}

// cos and sin of phase / 2^32 turns.
fn cos_sin(phase: u32) -> vec2f {
  let quadrant = (phase + 0x20000000u) >> 30u; // nearest quarter turn, 4 wraps to 0
  let rest = bitcast<i32>(phase - (quadrant << 30u)); // within ±2^29, an eighth of a turn
  let a = f32(rest) * 1.4629180792671596e-9; // 2π / 2^32
  let b = a * a;
  // Taylor's terms: at π/4 the first one left out is 3e-9 (sin) and 3e-10 (cos), below the rounding of f32.
  let sine = fma(a * b, fma(b, fma(b, fma(b, 2.7557319e-6, -1.9841270e-4), 8.3333333e-3), -1.6666667e-1), a);
  let cosine = fma(b, fma(b, fma(b, fma(b, fma(b, -2.7557319e-7, 2.4801587e-5), -1.3888889e-3), 4.1666667e-2), -0.5), 1.0);
  let swap = (quadrant & 1u) == 1u;
  var result = select(vec2f(cosine, sine), vec2f(-sine, cosine), swap);
  if ((quadrant & 2u) == 2u) { result = -result; }
  return result;
}

@compute @workgroup_size(WG)
fn angles(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let fill = FILL_AT + 4u * group.x;
  let rows = plan[fill + 2u];
  let first = group.y * FILL_ROWS;
  if (first >= rows) { return; }
  let setting = TURNS_AT + TURNS_STRIDE * plan[fill + 3u];
  let scale = bitcast<f32>(plan[setting + 2u * HALF]);
  for (var i = lane; i < min(FILL_ROWS, rows - first) * HALF; i += WG) {
    let row = first + i / HALF;
    let frequency = i % HALF;
    let position = plan[fill + 1u] + row;
    let turns_low = plan[setting + 2u * frequency];
    let turns_high = plan[setting + 2u * frequency + 1u];
    let phase = position * turns_high + multiply_high(position, turns_low);
    table[(plan[fill] + row) * TABLE_STRIDE + frequency] = scale * cos_sin(phase);
  }
}
`,
  "append": `// append.wgsl — writes each row's keys and values into its slot of the paged cache.
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
`,
  "attention_decode_shuffle": `// attention_decode_shuffle.wgsl — attention of single rows in parts of SPLIT keys, without workgroup memory.
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
`,
  "attention_decode_tiled": `// attention_decode_tiled.wgsl — attention of single rows, the key/value length cut into parts of SPLIT keys that run side by side.
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
`,
  "attention_merge": `// attention_merge.wgsl — joins the parts of attention_decode_tiled.wgsl and attention_decode_shuffle.wgsl.
//   y = Σ_p e^(top_p − top) sum_p / Σ_p e^(top_p − top) mass_p,  top = max_p top_p
// partials [rows · HEADS · step.splits, PARTIALS_STRIDE] f32 · y [rows, Y_STRIDE] f32
// one workgroup per row and head, WG lanes stride over the head · attention_merge.ts · test/kernels/attention.test.ts
override HEAD_DIM: u32;
override HEADS: u32;
override PARTIALS_STRIDE: u32;
override Y_STRIDE: u32;
override SPLIT: u32;
override WG: u32;
@group(1) @binding(0) var<storage, read> partials: array<f32>;
@group(1) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn attention_merge(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = group.x;
  let head = group.y;
  let parts = row_position(row) / SPLIT + 1u; // a short sequence has fewer parts than the step's longest
  let first = (row * HEADS + head) * step.splits * PARTIALS_STRIDE;
  var top = -1e30;
  let since = first_key(row_position(row)) / SPLIT; // parts before a window were not made
  for (var p = since; p < parts; p++) { top = max(top, partials[first + p * PARTIALS_STRIDE + HEAD_DIM]); }
  for (var d = lane; d < HEAD_DIM; d += WG) {
    var sum = 0.0;
    var mass = 0.0;
    for (var p = since; p < parts; p++) {
      let at = first + p * PARTIALS_STRIDE;
      let weight = exp(partials[at + HEAD_DIM] - top);
      sum = fma(weight, partials[at + d], sum);
      mass = fma(weight, partials[at + HEAD_DIM + 1u], mass);
    }
    y[row * Y_STRIDE + head * HEAD_DIM + d] = sum / mass;
  }
}
`,
  "attention_prefill_shuffle": `// attention_prefill_shuffle.wgsl — causal softmax attention of a tile of neighbouring rows without workgroup memory.
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
`,
  "attention_prefill_tiled": `// attention_prefill_tiled.wgsl — causal softmax attention of a tile of neighbouring rows, tiled through workgroup memory.
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
`,
  "embed": `// embed.wgsl — the embedding of each row's token.
//   y[row] = SCALE · weight[token(row)]
// weight [ROWS, DIM] (a piece of the table that starts at FIRST) · y [rows, DIM] f32
// one workgroup per row, WG lanes stride over DIM / 4 · embed.ts · test/kernels/embed.test.ts
override DIM4: u32;
override ROW4: u32; // a weight row: DIM4 up to a whole block of its format
override FIRST: u32;
override ROWS: u32;
override SCALE: f32;
override WG: u32;
@group(1) @binding(0) var<storage, read_write> y: array<vec4f>;

@compute @workgroup_size(WG)
fn embed(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = group.x;
  let token = row_token(row);
  if (token < FIRST || token >= FIRST + ROWS) { return; } // another piece of the table holds it
  for (var i = lane; i < DIM4; i += WG) {
    var value = weight4((token - FIRST) * ROW4 + i);
    if (SCALE != 1.0) { value *= SCALE; } // in f32, whatever the table is stored in
    y[row * DIM4 + i] = value;
  }
}
`,
  "gather": `// gather.wgsl — picks the rows whose logits are wanted, so that the output matrix sees only those.
//   y[i] = x[row of output i]
// x [rows, DIM] f32 · y [outputs, DIM] f32
// one workgroup per output, WG lanes stride over DIM / 4 · gather.ts · test/kernels/gather.test.ts
override DIM4: u32;
override WG: u32;
@group(1) @binding(0) var<storage, read> x: array<vec4f>;
@group(1) @binding(1) var<storage, read_write> y: array<vec4f>;

@compute @workgroup_size(WG)
fn gather(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = output_row(group.x);
  for (var i = lane; i < DIM4; i += WG) {
    y[group.x * DIM4 + i] = x[row * DIM4 + i];
  }
}
`,
  "headnorm": `// headnorm.wgsl — scales each query and key head to unit root mean square, then by a learned weight, in place.
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
`,
  "matmul_shuffle": `// matmul_shuffle.wgsl — a linear layer for many rows without workgroup memory: lanes hand activations round by shuffles.
//   y[row, n] = SCALE · (Σ_k x[row, k] · weight[n, k]  (+ bias[n]))  (+ y[row, n] if ADD)
// x [rows, 4·K4] f32 · weight [N, 4·ROW4] · y [rows, Y_STRIDE] f32, columns COLUMN …
// a workgroup is one subgroup of WG lanes and makes TILE_ROWS × (WG · TILE_COLUMNS) outputs: a lane owns TILE_COLUMNS columns
// and reads HELD rows of x, which it hands to the others. On adapters where a read costs much more than arithmetic, as
// on lavapipe, reads per multiply-add are what counts; matmul_tiled.wgsl is for GPUs.
// matmul_shuffle.ts · test/kernels/linear.test.ts
override N: u32;
override K4: u32;
override ROW4: u32; // a weight row: K4 up to a whole block of its format
override Y_STRIDE: u32;
override COLUMN: u32;
override ADD: bool;
override SCALE: f32;
override OF_OUTPUTS: bool; // rows are the step's outputs, not its token rows
override WG: u32;
@group(1) @binding(0) var<storage, read> x: array<vec4f>;
@group(1) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn matmul_shuffle(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let rows = select(step.rows, step.outputs, OF_OUTPUTS);
  let first_row = group.y * TILE_ROWS;
  let first = group.x * WG * TILE_COLUMNS + lane;
  var start = array<u32, TILE_COLUMNS>();
  for (var j = 0u; j < TILE_COLUMNS; j++) { start[j] = min(first + j * WG, N - 1u) * ROW4; }
  var sum = array<array<f32, TILE_COLUMNS>, TILE_ROWS>();
  let k4 = at_run_time(K4);
  for (var k = 0u; k < k4; k++) {
    var own = array<vec4f, HELD>(); // lane l holds rows l, l + WG, …
    for (var i = 0u; i < HELD; i++) { own[i] = x[(first_row + lane + i * WG) * K4 + k]; }
    var w = array<vec4f, TILE_COLUMNS>();
    for (var j = 0u; j < TILE_COLUMNS; j++) { w[j] = weight4(start[j] + k); }
    for (var r = 0u; r < TILE_ROWS; r++) {
      let a = subgroupShuffle(own[r / WG], r % WG);
      for (var j = 0u; j < TILE_COLUMNS; j++) {
        sum[r][j] = fma(a.w, w[j].w, fma(a.z, w[j].z, fma(a.y, w[j].y, fma(a.x, w[j].x, sum[r][j]))));
      }
    }
  }
  // Not unrolled on purpose: on lavapipe a store is long code, and compiling 64 of them took longer than all the rest.
  let tall = at_run_time(TILE_ROWS);
  for (var r = 0u; r < min(tall, rows - first_row); r++) {
    for (var j = 0u; j < TILE_COLUMNS; j++) {
      let n = first + j * WG;
      if (n >= N) { continue; }
      let at = (first_row + r) * Y_STRIDE + COLUMN + n;
      var value = sum[r][j] + bias_at(COLUMN + n);
      if (SCALE != 1.0) { value *= SCALE; }
      if (ADD) { value += y[at]; }
      y[at] = value;
    }
  }
}
`,
  "matmul_tiled": `// matmul_tiled.wgsl — a linear layer for many rows, tiled through workgroup memory.
//   y[row, n] = SCALE · (Σ_k x[row, k] · weight[n, k]  (+ bias[n]))  (+ y[row, n] if ADD)
// x [rows, 4·K4] f32 · weight [N, 4·ROW4] · y [rows, Y_STRIDE] f32, columns COLUMN …
// a workgroup of 8 × LANES_Y lanes makes TILE_ROWS × 64 outputs, a lane 4·QUADS × 8 of them in registers, from tiles of
// 16 elements of k. A tile lies k-major in vec4 of four rows (or columns): a lane transposes blocks of 4 × 4 on the way in, and
// holds those of the next tile while this one is multiplied. README.md counts what that costs.
// matmul_tiled.ts · test/kernels/linear.test.ts
override N: u32;
override K4: u32;
override ROW4: u32; // a weight row: K4 up to a whole block of its format
override Y_STRIDE: u32;
override COLUMN: u32;
override ADD: bool;
override SCALE: f32;
override OF_OUTPUTS: bool; // rows are the step's outputs, not its token rows
const TILE_K4 = 4u;
const TILE_COLUMNS = 64u;
const LANES = 8u * LANES_Y;
const TILE_ROWS = 4u * QUADS * LANES_Y;
const X_WIDE = TILE_ROWS / 4u; // vec4 of the tile per k
const W_WIDE = TILE_COLUMNS / 4u;
const X_BLOCKS = X_WIDE * TILE_K4;
const W_BLOCKS = W_WIDE * TILE_K4;
const_assert QUADS == 1u || QUADS == 2u;
const_assert X_BLOCKS <= LANES && W_BLOCKS <= LANES && X_WIDE % 8u == 0u; // a block of each per lane; \`place\` mixes eight vec4
@group(1) @binding(0) var<storage, read> x: array<vec4f>;
@group(1) @binding(1) var<storage, read_write> y: array<f32>;

var<workgroup> x_tile: array<vec4f, 4u * TILE_K4 * X_WIDE>; // [k][four rows]
var<workgroup> w_tile: array<vec4f, 4u * TILE_K4 * W_WIDE>; // [k][four columns]

// Where vec4 \`quad\` of the four k of \`k4\` lies: eight lanes that write side by side (two quads, four k4), and eight that read
// (eight quads, one k4), meet eight different groups of four banks.
fn place(quad: u32, k4: u32) -> u32 { return quad ^ (2u * k4); }

fn x_at(row: u32, k: u32, rows: u32) -> vec4f {
  if (row >= rows || k >= K4) { return vec4f(); }
  return x[row * K4 + k];
}

fn w_at(column: u32, k: u32) -> vec4f {
  if (column >= N || k >= K4) { return vec4f(); }
  return weight4(column * ROW4 + k);
}

// Four elements of k of four rows from \`row\` on: column i of the result is element i of each.
fn x_block(row: u32, k: u32, rows: u32) -> mat4x4f {
  return transpose(mat4x4f(x_at(row, k, rows), x_at(row + 1u, k, rows), x_at(row + 2u, k, rows), x_at(row + 3u, k, rows)));
}

fn w_block(column: u32, k: u32) -> mat4x4f {
  return transpose(mat4x4f(w_at(column, k), w_at(column + 1u, k), w_at(column + 2u, k), w_at(column + 3u, k)));
}

// sum + a bᵀ: column i of a sum belongs to row i of four. Named matrices and constant indices, so that all stay in registers.
fn outer(sum: mat4x4f, a: vec4f, b: vec4f) -> mat4x4f {
  return mat4x4f(
    fma(vec4f(a.x), b, sum[0]), fma(vec4f(a.y), b, sum[1]), fma(vec4f(a.z), b, sum[2]), fma(vec4f(a.w), b, sum[3]));
}

fn store(sums: mat4x4f, row: u32, column: u32, rows: u32) {
  var sum = sums;
  let tall = at_run_time(4u); // one copy of the store, not sixteen: on lavapipe it is long code
  for (var r = 0u; r < tall; r++) {
    for (var c = 0u; c < tall; c++) {
      let n = column + c;
      if (row + r >= rows || n >= N) { continue; }
      let at = (row + r) * Y_STRIDE + COLUMN + n;
      var value = sum[r][c] + bias_at(COLUMN + n);
      if (SCALE != 1.0) { value *= SCALE; }
      if (ADD) { value += y[at]; }
      y[at] = value;
    }
  }
}

@compute @workgroup_size(LANES)
fn matmul_tiled(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let rows = select(step.rows, step.outputs, OF_OUTPUTS);
  let first_row = group.y * TILE_ROWS;
  let first = group.x * TILE_COLUMNS;
  // The block of x that this lane brings, and of the weight, which the last lanes bring: with more lanes than blocks they are
  // others. Four neighbours bring the four k4 of a quad, 64 bytes in a row of x.
  let quad = lane / TILE_K4;
  let own_k = lane % TILE_K4;
  let brings_x = lane < X_BLOCKS;
  let brings_w = lane >= LANES - W_BLOCKS;
  let w_quad = quad - (LANES - W_BLOCKS) / TILE_K4;
  let lane_row = lane / 8u;
  let lane_column = lane % 8u;
  var sum_00 = mat4x4f(); // the first four rows and columns of the lane
  var sum_01 = mat4x4f(); // the first four rows, the second four columns
  var sum_10 = mat4x4f();
  var sum_11 = mat4x4f();
  var x_next = mat4x4f();
  var w_next = mat4x4f();
  if (brings_x) { x_next = x_block(first_row + 4u * quad, own_k, rows); }
  if (brings_w) { w_next = w_block(first + 4u * w_quad, own_k); }
  for (var k4 = 0u; k4 < K4; k4 += TILE_K4) {
    workgroupBarrier(); // the tile before has been read
    if (brings_x) {
      let at = 4u * own_k * X_WIDE + place(quad, own_k);
      x_tile[at] = x_next[0];
      x_tile[at + X_WIDE] = x_next[1];
      x_tile[at + 2u * X_WIDE] = x_next[2];
      x_tile[at + 3u * X_WIDE] = x_next[3];
    }
    if (brings_w) {
      let at = 4u * own_k * W_WIDE + place(w_quad, own_k);
      w_tile[at] = w_next[0];
      w_tile[at + W_WIDE] = w_next[1];
      w_tile[at + 2u * W_WIDE] = w_next[2];
      w_tile[at + 3u * W_WIDE] = w_next[3];
    }
    workgroupBarrier();
    let next = k4 + TILE_K4 + own_k; // under way while this tile is multiplied; zeros beyond the last
    if (brings_x) { x_next = x_block(first_row + 4u * quad, next, rows); }
    if (brings_w) { w_next = w_block(first + 4u * w_quad, next); }
    for (var k = 0u; k < 4u * TILE_K4; k++) {
      let x_from = k * X_WIDE + place(lane_row, k / 4u);
      let w_from = k * W_WIDE + place(lane_column, k / 4u);
      let a = x_tile[x_from];
      let b = w_tile[w_from];
      let c = w_tile[w_from + 8u];
      sum_00 = outer(sum_00, a, b);
      sum_01 = outer(sum_01, a, c);
      if (QUADS == 2u) {
        let d = x_tile[x_from + X_WIDE / 2u];
        sum_10 = outer(sum_10, d, b);
        sum_11 = outer(sum_11, d, c);
      }
    }
  }
  let row = first_row + 4u * lane_row;
  let column = first + 4u * lane_column;
  store(sum_00, row, column, rows);
  store(sum_01, row, column + 32u, rows);
  if (QUADS == 2u) {
    store(sum_10, row + TILE_ROWS / 2u, column, rows);
    store(sum_11, row + TILE_ROWS / 2u, column + 32u, rows);
  }
}
`,
  "matvec": `// matvec.wgsl — a linear layer for few rows: reads every weight once, coalesced along k.
//   y[row, n] = SCALE · (Σ_k x[row, k] · weight[n, k]  (+ bias[n]))  (+ y[row, n] if ADD)         with lib/columns
//   y[row, n] = silu(gate) · up, which are columns n and n + N / 2 of that sum                   with lib/gated
//   y[row, n] += …, and what the next norm needs of it                                            with lib/residual
//   queries, turned, into y; keys, turned, and values into the cache                              with lib/placed
// x [rows, 4·K4] f32, or with SQUARES [2·rows, 4·K4]: of a row w ∘ x, then sums of squares (ahead.ts) · weight [N, 4·ROW4]
// y [rows, Y_STRIDE] f32, columns COLUMN …
// a workgroup makes OUTPUTS (4 or 8) sums of one row; WG lanes stride over the blocks of a weight row, then one reduction
// matvec.ts · test/kernels/linear.test.ts
override N: u32;
override K: u32;
override K4: u32;
override ROW4: u32; // a weight row: K4 up to a whole block of BLOCK4, the rest zero
override SQUARES: u32; // vec4 of sums of squares that are beside each row of x; 0: none
override EPS: f32;
override Y_STRIDE: u32;
override COLUMN: u32;
override GRID_X: u32;
override ADD: bool;
override SCALE: f32;
override WG: u32;
@group(1) @binding(0) var<storage, read> x: array<vec4f>;
@group(1) @binding(1) var<storage, read_write> y: array<f32>;

// Where row \`row\` of x starts.
fn x_row(row: u32) -> u32 { return select(row, 2u * row, SQUARES > 0u) * K4; }

// What the sums of a row are multiplied by: 1 / √(mean(x²) + ε), the half of RMSNorm that whoever wrote w ∘ x has left.
fn root(row: u32, lane: u32) -> f32 {
  if (SQUARES == 0u) { return 1.0; }
  var squares = vec4f();
  for (var i = lane; i < SQUARES; i += WG) { squares += x[x_row(row) + K4 + i]; }
  return inverseSqrt(dot(reduce_add(squares, lane), vec4f(1.0)) / f32(K) + EPS);
}

@compute @workgroup_size(WG)
fn matvec(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = group.y * GRID_X + group.x;
  let row = group.z;
  let first = x_row(row);
  let blocks = ROW4 / BLOCK4;
  var start = array<u32, OUTPUTS>();
  for (var i = 0u; i < OUTPUTS; i++) { start[i] = weight_row(index, i) * blocks; }
  var sum = array<f32, OUTPUTS>();
  for (var b = lane; b < blocks; b += WG) {
    var v = array<vec4f, BLOCK4>();
    for (var j = 0u; j < BLOCK4; j++) {
      var k = b * BLOCK4 + j;
      if (ROW4 > K4) { k = min(k, K4 - 1u); } // times zero
      v[j] = x[first + k];
    }
    for (var i = 0u; i < OUTPUTS; i++) { sum[i] += dot_block(start[i] + b, v); }
  }
  store(row, index, sum, lane);
}
`,
  "matvec_rows": `// matvec_rows.wgsl — a linear layer for a few rows that stand side by side: reads every weight once for ROWS of them.
//   y[row, n] = SCALE · (Σ_k x[row, k] · weight[n, k]  (+ bias[n]))  (+ y[row, n] if ADD)
// x [rows, 4·K4] f32 · weight [N, 4·ROW4] · y [rows, Y_STRIDE] f32, columns COLUMN …
// a workgroup makes OUTPUTS (4 or 8) columns of ROWS rows; WG lanes stride over the blocks of a weight row, a lane keeps
// ROWS × OUTPUTS sums in registers, then one reduction per row · matvec_rows.ts · test/kernels/linear.test.ts
override N: u32;
override K4: u32;
override ROW4: u32; // a weight row: K4 up to a whole block of BLOCK4, the rest zero
override Y_STRIDE: u32;
override COLUMN: u32;
override GRID_X: u32;
override ADD: bool;
override SCALE: f32;
override OF_OUTPUTS: bool; // rows are the step's outputs, not its token rows
override WG: u32;
@group(1) @binding(0) var<storage, read> x: array<vec4f>;
@group(1) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn matvec_rows(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let rows = select(step.rows, step.outputs, OF_OUTPUTS);
  let first = (group.y * GRID_X + group.x) * OUTPUTS;
  let first_row = group.z * ROWS;
  let blocks = ROW4 / BLOCK4;
  // Columns beyond N and rows beyond the last repeat it and are not stored: cheaper than a branch around every read.
  var start = array<u32, OUTPUTS>();
  for (var i = 0u; i < OUTPUTS; i++) { start[i] = min(first + i, N - 1u) * ROW4; }
  var sum = array<array<f32, OUTPUTS>, ROWS>();
  for (var b = lane; b < blocks; b += WG) {
    for (var j = 0u; j < BLOCK4; j++) {
      let at = b * BLOCK4 + j;
      var k = at;
      if (ROW4 > K4) { k = min(k, K4 - 1u); } // times zero
      var w = array<vec4f, OUTPUTS>();
      for (var i = 0u; i < OUTPUTS; i++) { w[i] = weight4(start[i] + at); }
      for (var r = 0u; r < ROWS; r++) {
        let v = x[min(first_row + r, rows - 1u) * K4 + k];
        for (var i = 0u; i < OUTPUTS; i++) { sum[r][i] += dot(v, w[i]); }
      }
    }
  }
  // All of ROWS, so that the sums are never indexed by what is known only at run time: they would leave the registers.
  for (var r = 0u; r < ROWS; r++) {
    let row = first_row + r;
    if (row >= rows) { break; }
    for (var i = 0u; i < OUTPUTS; i += 4u) {
      let total = reduce_add(vec4f(sum[r][i], sum[r][i + 1u], sum[r][i + 2u], sum[r][i + 3u]), lane);
      let n = first + i + lane;
      if (lane < 4u && n < N) {
        let at = row * Y_STRIDE + COLUMN + n;
        var value = total[lane] + bias_at(COLUMN + n);
        if (SCALE != 1.0) { value *= SCALE; }
        if (ADD) { value += y[at]; }
        y[at] = value;
      }
    }
  }
}
`,
  "matvec_shuffle": `// matvec_shuffle.wgsl — a linear layer for one row whose weight lies in blocks of whole numbers: lanes own columns, and hand x round.
//   y[row, n] = SCALE · (Σ_k x[row, k] · weight[n, k]  (+ bias[n]))  (+ y[row, n] if ADD)
//   y[row, n] = silu(gate) · up, which are columns n and n + N / 2 of that sum                   if GATED
// x [rows, 4·K4] f32 · weight [N, 4·ROW4] · y [rows, Y_STRIDE] f32, columns COLUMN …
// a workgroup is one subgroup of WG lanes; a lane owns two columns of one row, reads a block of each at a time, and of x what is its
// share of a block's. matvec.wgsl reads x for every lane, which costs as much as the weights do where those are of few bits and a read
// is dear, as on lavapipe · matvec_shuffle.ts · test/kernels/matvec_shuffle.test.ts
override N: u32;
override K4: u32;
override ROW4: u32; // a weight row: K4 up to whole blocks, the rest zero
override Y_STRIDE: u32;
override COLUMN: u32;
override GRID_X: u32;
override ADD: bool;
override SCALE: f32;
override GATED: bool;
override WG: u32;
@group(1) @binding(0) var<storage, read> x: array<vec4f>;
@group(1) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn matvec_shuffle(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let index = group.y * GRID_X + group.x;
  let row = group.z;
  let blocks = at_run_time(ROW4 / BLOCK4);
  var column = vec2u(2u * index * WG + lane, (2u * index + 1u) * WG + lane);
  if (GATED) { column = vec2u(index * WG + lane) + vec2u(0u, N / 2u); }
  let start = min(column, vec2u(N - 1u)) * blocks; // columns beyond N repeat the last one and are not stored
  var sum = vec2f();
  for (var b = 0u; b < blocks; b++) {
    var own = array<vec4f, HELD>(); // vec4 lane, lane + WG, … of the block's BLOCK4
    for (var i = 0u; i < HELD; i++) { own[i] = x[row * K4 + min(b * BLOCK4 + i * WG + lane, K4 - 1u)]; } // beyond K4: times zero
    let left = read_block(start.x + b);
    let right = read_block(start.y + b);
    let d = vec2f(block_scale(start.x + b), block_scale(start.y + b));
    var whole = vec2f();
    for (var j = 0u; j < BLOCK4; j++) {
      let v = subgroupShuffle(own[j / WG], j % WG);
      let l = block4(left, j);
      let r = block4(right, j);
      whole = fma(v.xx, vec2f(l.x, r.x), fma(v.yy, vec2f(l.y, r.y), fma(v.zz, vec2f(l.z, r.z), fma(v.ww, vec2f(l.w, r.w), whole))));
    }
    sum = fma(whole, d, sum);
  }
  if (GATED) {
    if (column.x < N / 2u) {
      let both = sum + vec2f(bias_at(column.x), bias_at(column.y));
      y[row * Y_STRIDE + column.x] = both.x / (1.0 + exp(min(-both.x, 87.0))) * both.y; // 87 as in swiglu.wgsl
    }
    return;
  }
  for (var i = 0u; i < 2u; i++) {
    let n = column[i];
    if (n >= N) { break; }
    let at = row * Y_STRIDE + COLUMN + n;
    var value = sum[i] + bias_at(COLUMN + n);
    if (SCALE != 1.0) { value *= SCALE; }
    if (ADD) { value += y[at]; }
    y[at] = value;
  }
}
`,
  "pool": `// pool.wgsl — adds up neighbouring rows: what the mean of a text's hidden states is made of, step by step.
//   y[i] = Σ x[row of output i + j], j < k of output i
// x [rows, DIM] f32 · y [outputs, DIM] f32; an output's k is the number of its rows
// WG lanes take SPAN columns of one output · pool.ts · test/kernels/pool.test.ts
override DIM: u32;
override STRIDE: u32;
override WG: u32;
override SPAN: u32;
@group(1) @binding(0) var<storage, read> x: array<f32>;
@group(1) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn pool(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let first = output_row(group.y);
  let count = output_k(group.y);
  let end = min((group.x + 1u) * SPAN, DIM);
  for (var i = group.x * SPAN + lane; i < end; i += WG) {
    var sum = 0.0;
    for (var j = 0u; j < count; j++) {
      sum += x[(first + j) * STRIDE + i];
    }
    y[group.y * STRIDE + i] = sum;
  }
}
`,
  "quantize": `// quantize.wgsl — packs rows of a matrix, as a file stores them, into blocks of 32 whole numbers that share a scale in f16.
//   d = the block's largest element / reach, q = round(x / d)   as kernels/formats/blocks.ts says
// source [rows, COLUMNS] f32, f16 or bf16, without gaps · weight, scale: tensors of the format for these rows
// a lane packs two blocks, whose scales share a word. It computes in whole numbers alone: WGSL lets a quotient be off by
// 2.5 units in the last place, a sum be fused with a product and a small number become zero, and what is packed must be, to
// the bit, what the host packs. quantize.ts · test/kernels/quantize.test.ts
override COLUMNS: u32;
@group(1) @binding(0) var<storage, read> source: array<u32>;
@group(1) @binding(1) var<storage, read_write> weight: array<u32>;
@group(1) @binding(2) var<storage, read_write> scale: array<u32>;

const SIGN = 0x80000000u;
const TOP = 0x00800000u; // 2^23, the leading bit of a mantissa

// mantissa · 2^exponent, without sign; the mantissa is zero, or from TOP to 2 · TOP.
struct Number { mantissa: u32, exponent: i32 }

@compute @workgroup_size(64)
fn quantize(@builtin(global_invocation_id) id: vec3u) {
  let pairs = (COLUMNS + 63u) / 64u;
  let row = id.x / pairs;
  if (row >= step.rows) { return; }
  let first = (id.x % pairs) * 64u;
  let low = pack_block(row, first, 2u * id.x);
  scale[id.x] = low | (pack_block(row, first + 32u, 2u * id.x + 1u) << 16u);
}

// Packs elements first … first + 31 of a row into a block; gives its scale's bits.
fn pack_block(row: u32, first: u32, block: u32) -> u32 {
  let length = at_run_time(32u);
  var largest = 0u;
  for (var i = 0u; i < length; i += 2u) {
    let pair = elements(row, first + i);
    if ((pair.x & ~SIGN) > (largest & ~SIGN)) { largest = pair.x; }
    if ((pair.y & ~SIGN) > (largest & ~SIGN)) { largest = pair.y; }
  }
  let d = scale_size(number(largest));
  let sign = scale_sign(largest);
  let half = narrow(d);
  var inverse = Number(0u, 0); // where f16 has no scale so small every weight is zero
  if (half != 0u) { inverse = reciprocal(d); }
  for (var at = 0u; at < length; at += NUMBERS) {
    var word = 0u;
    for (var i = 0u; i < NUMBERS; i += 2u) {
      let pair = elements(row, first + at + i);
      word |= whole(product(number(pair.x), inverse), (pair.x & SIGN) != sign) << place(i);
      word |= whole(product(number(pair.y), inverse), (pair.y & SIGN) != sign) << place(i + 1u);
    }
    weight[(block * length + at) / NUMBERS] = word;
  }
  return half | (sign >> 16u);
}

// Elements \`column\` and the next of a row, as bits of f32; zero past its end.
fn elements(row: u32, column: u32) -> vec2<u32> {
  if (column >= COLUMNS) { return vec2<u32>(); }
  let pair = stored_pair(row * COLUMNS + column);
  return vec2<u32>(pair.x, select(0u, pair.y, column + 1u < COLUMNS));
}

// Without its sign; what lies below the normal numbers of f32 is zero to every scale that f16 has.
fn number(bits: u32) -> Number {
  let size = bits & ~SIGN;
  if (size < TOP) { return Number(0u, 0); }
  return Number((size & (TOP - 1u)) | TOP, i32(size >> 23u) - 150);
}

// Bits of the f16 nearest to x, ties to even; below 2^-14 its steps stay 2^-24 wide.
fn narrow(x: Number) -> u32 {
  let leading = x.exponent + 23;
  let drop = u32(13 + clamp(-14 - leading, 0, 18));
  let steps = (x.mantissa + (1u << (drop - 1u)) - 1u + ((x.mantissa >> drop) & 1u)) >> drop;
  return steps + select(0u, u32(leading + 14) << 10u, leading >= -14 && x.mantissa != 0u);
}

// 1 / x rounded to 24 bits: 2^47 / mantissa, bit by bit. It is never halfway between two.
fn reciprocal(x: Number) -> Number {
  var quotient = u32(x.mantissa == TOP);
  var rest = TOP - quotient * TOP;
  for (var i = 0u; i < 24u; i++) {
    rest <<= 1u;
    let fits = rest >= x.mantissa;
    quotient = (quotient << 1u) | u32(fits);
    if (fits) { rest -= x.mantissa; }
  }
  return Number(quotient + u32(2u * rest > x.mantissa), -47 - x.exponent);
}

// x · y rounded to 24 bits, ties to even.
fn product(x: Number, y: Number) -> Number {
  let a = vec2<u32>(x.mantissa >> 12u, x.mantissa & 0xfffu);
  let b = vec2<u32>(y.mantissa >> 12u, y.mantissa & 0xfffu);
  let middle = a.x * b.y + a.y * b.x;
  let low = a.y * b.y + ((middle & 0xfffu) << 12u);
  let high = a.x * b.x + (middle >> 12u) + (low >> 24u); // the product is high · 2^24 + the lower 24 bits of low
  let more = u32(high < TOP); // its leading bit is one lower: one more bit of low counts
  let kept = (high << more) | (((low & 0xffffffu) >> 23u) & more);
  let rest = (low << more) & 0xffffffu;
  return Number(kept + u32(rest + (kept & 1u) > TOP), x.exponent + y.exponent + 24 - i32(more));
}
`,
  "rmsnorm": `// rmsnorm.wgsl — scale each row to unit root mean square, then by a learned weight.
//   y = w · x / √(mean(x²) + ε)                 RMSNorm, Zhang & Sennrich 2019 (arXiv 1910.07467), eq. 4
//   with SQUARES, the half of it that a sum over columns may begin with (ahead.ts): y[2·row] = w · x, y[2·row + 1] = sums of x² over
//   EACH4 vec4 that follow each other, in SQUARES vec4
// x [rows, DIM] f32 · weight [DIM] f32 · y [rows, DIM] f32, or [2·rows, DIM]; must not alias x. Padding elements of x are zero.
// one workgroup per row, WG lanes stride over DIM / 4 · rmsnorm.ts · test/kernels/rmsnorm.test.ts
override DIM: u32;
override DIM4: u32;
override EPS: f32;
override SQUARES: u32; // 0: the whole norm
override EACH4: u32;
override WG: u32;
@group(1) @binding(0) var<storage, read> x: array<vec4f>;
@group(1) @binding(1) var<storage, read_write> y: array<vec4f>;
@group(1) @binding(8) var<storage, read> weight: array<vec4f>;

@compute @workgroup_size(WG)
fn rmsnorm(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let first = group.x * DIM4;
  if (SQUARES > 0u) {
    for (var i = lane; i < DIM4; i += WG) { y[2u * first + i] = weight[i] * x[first + i]; }
    for (var i = lane; i < SQUARES; i += WG) {
      var sums = vec4f();
      for (var j = 0u; j < 4u; j++) {
        for (var k = 0u; k < EACH4; k++) {
          let at = (4u * i + j) * EACH4 + k;
          if (at < DIM4) { sums[j] += dot(x[first + at], x[first + at]); }
        }
      }
      y[2u * first + DIM4 + i] = sums;
    }
    return;
  }
  var squares = vec4f();
  for (var i = lane; i < DIM4; i += WG) {
    let v = x[first + i];
    squares = fma(v, v, squares);
  }
  let scale = inverseSqrt(dot(reduce_add(squares, lane), vec4f(1.0)) / f32(DIM) + EPS);
  for (var i = lane; i < DIM4; i += WG) {
    y[first + i] = weight[i] * (x[first + i] * scale);
  }
}
`,
  "rope": `// rope.wgsl — rotates each query and key head, or its first 2·HALF elements, by its position's angles, in place.
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
`,
  "swiglu": `// swiglu.wgsl — the gated unit of the feed-forward layer.
//   y = silu(gate) · up,  silu(v) = v / (1 + e^-v)          SwiGLU, Shazeer 2020 (arXiv 2002.05202), eq. 6 with β = 1
// x [rows, 2·HIDDEN] f32, gate first, then up · y [rows, HIDDEN] f32
// a workgroup makes SPAN elements of a row, WG lanes stride over them · swiglu.ts · test/kernels/swiglu.test.ts
override HIDDEN: u32;
override X_STRIDE: u32;
override Y_STRIDE: u32;
override SPAN: u32;
override WG: u32;
@group(1) @binding(0) var<storage, read> x: array<f32>;
@group(1) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn swiglu(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = group.y;
  let end = min((group.x + 1u) * SPAN, HIDDEN);
  for (var column = group.x * SPAN + lane; column < end; column += WG) {
    let gate = x[row * X_STRIDE + column];
    let up = x[row * X_STRIDE + HIDDEN + column];
    // e^-v overflows to infinity below -88: v / infinity is 0, which is silu's limit, but WGSL does not promise infinities.
    // e^-87 is the least that an f32 holds in full.
    let sigmoid = 1.0 / (1.0 + exp(min(-gate, 87.0)));
    y[row * Y_STRIDE + column] = gate * sigmoid * up;
  }
}
`,
  "topk": `// topk.wgsl — the k largest logits of each output row with all that tie with the k-th, and the logarithm of Σ e^logit.
//   radix select: four passes of eight bits over order-preserving integers find the k-th largest value exactly; for k = 1
//   (greedy decoding) the largest is known after the first
// logits [outputs, LOGITS_STRIDE] f32 · candidates [outputs, 4 + 2·CAPACITY] u32: count, logit bits of the largest,
// bits of log Σ e^logit, 0, then (id, logit bits) pairs in no order. A count above CAPACITY says that some are missing.
// one workgroup of WG lanes per row · topk.ts · test/kernels/topk.test.ts
override VOCAB: u32;
override LOGITS_STRIDE: u32;
override CAPACITY: u32;
override WG: u32;
@group(1) @binding(0) var<storage, read> logits: array<f32>;
@group(1) @binding(1) var<storage, read_write> candidates: array<u32>;

var<workgroup> histogram: array<atomic<u32>, 256>;
var<workgroup> chosen: u32; // the digit found in this pass
var<workgroup> remaining: u32; // how many are still wanted among the values that share the prefix
var<workgroup> found: atomic<u32>;
var<workgroup> largest: atomic<u32>;

// Larger float, larger integer: negative values are complemented, others get the top bit. Minus zero equals zero.
fn ordered(value: f32) -> u32 {
  let bits = select(bitcast<u32>(value), 0u, value == 0.0);
  return select(bits | 0x80000000u, ~bits, (bits & 0x80000000u) != 0u);
}
fn unordered(key: u32) -> f32 { return bitcast<f32>(select(~key, key & 0x7fffffffu, (key & 0x80000000u) != 0u)); }

@compute @workgroup_size(WG)
fn topk(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let output = group.x;
  let first = output * LOGITS_STRIDE;
  let base = output * (4u + 2u * CAPACITY);
  let k = output_k(output);
  if (lane == 0u) { remaining = min(k, VOCAB); }
  var prefix = 0u; // the digits of the k-th largest value found so far
  for (var shift = i32(at_run_time(24u)); shift >= 0i; shift -= 8i) {
    for (var i = lane; i < 256u; i += WG) { atomicStore(&histogram[i], 0u); }
    workgroupBarrier();
    let known = select(0xffffffffu << u32(shift + 8i), 0u, shift == 24i); // bits above this digit
    var most = 0u;
    for (var i = lane; i < VOCAB; i += WG) {
      let key = ordered(logits[first + i]);
      most = max(most, key);
      if (k > 1u && (key & known) == prefix) { atomicAdd(&histogram[(key >> u32(shift)) & 255u], 1u); }
    }
    atomicMax(&largest, most);
    workgroupBarrier();
    if (k == 1u) {
      prefix = atomicLoad(&largest);
      break;
    }
    if (lane == 0u) {
      var digit = 255u;
      var wanted = remaining;
      loop {
        let count = atomicLoad(&histogram[digit]);
        if (count >= wanted || digit == 0u) { break; }
        wanted -= count;
        digit--;
      }
      chosen = digit;
      remaining = wanted;
    }
    prefix |= workgroupUniformLoad(&chosen) << u32(shift);
    workgroupBarrier();
  }
  let top = unordered(atomicLoad(&largest));
  var mass = 0.0;
  for (var i = lane; i < VOCAB; i += WG) {
    let value = logits[first + i];
    mass += exp(value - top);
    if (ordered(value) >= prefix) {
      let slot = atomicAdd(&found, 1u);
      if (slot < CAPACITY) {
        candidates[base + 4u + 2u * slot] = i;
        candidates[base + 5u + 2u * slot] = bitcast<u32>(value);
      }
    }
  }
  let total = reduce_add(vec4f(mass, 0.0, 0.0, 0.0), lane).x;
  if (lane == 0u) {
    candidates[base] = atomicLoad(&found);
    candidates[base + 1u] = bitcast<u32>(top);
    candidates[base + 2u] = bitcast<u32>(top + log(total));
    candidates[base + 3u] = 0u;
  }
}
`,
};

/** WGSL text of each part; it is appended after the kernel's own. */
export const parts: Readonly<Record<PartName, string>> = {
  "formats/bf16": `// formats/bf16.wgsl — four bfloat16 in two u32, low half first. A bfloat16 is the upper half of an f32.
@group(1) @binding(8) var<storage, read> weight: array<vec2<u32>>;
const BLOCK4 = 1u;
fn weight4(i: u32) -> vec4f {
  let pairs = weight[i];
  return bitcast<vec4f>(vec4<u32>(pairs.x << 16u, pairs.x & 0xffff0000u, pairs.y << 16u, pairs.y & 0xffff0000u));
}
fn dot_block(i: u32, v: array<vec4f, BLOCK4>) -> f32 { return dot(v[0], weight4(i)); }
`,
  "formats/f16": `// formats/f16.wgsl — four IEEE half floats in two u32, low half first. unpack2x16float is exact and core WGSL,
// so no shader-f16 is needed to read them.
@group(1) @binding(8) var<storage, read> weight: array<vec2<u32>>;
const BLOCK4 = 1u;
fn weight4(i: u32) -> vec4f {
  let pairs = weight[i];
  return vec4f(unpack2x16float(pairs.x), unpack2x16float(pairs.y));
}
fn dot_block(i: u32, v: array<vec4f, BLOCK4>) -> f32 { return dot(v[0], weight4(i)); }
`,
  "formats/f32": `// formats/f32.wgsl — weights as they are: four f32 in a vec4.
@group(1) @binding(8) var<storage, read> weight: array<vec4f>;
const BLOCK4 = 1u;
fn weight4(i: u32) -> vec4f { return weight[i]; }
fn dot_block(i: u32, v: array<vec4f, BLOCK4>) -> f32 { return dot(v[0], weight4(i)); }
`,
  "formats/q4_0": `// formats/q4_0.wgsl — 32 whole numbers of four bits share a scale in f16: 4 words of eight numbers, the first four in the low
// halves of the bytes, the others in the high ones. q4_0.ts
@group(1) @binding(8) var<storage, read> weight: array<vec4<u32>>; // of a block
@group(1) @binding(10) var<storage, read> scale: array<u32>; // of two blocks
const BLOCK4 = 8u;
fn block_scale(i: u32) -> f32 { return unpack2x16float(scale[i / 2u])[i % 2u]; }
// Numbers 4·high … 4·high + 3 of a word. One shift is of a count that varies: constant ones are cheaper on CPUs.
fn numbers4(word: u32, high: u32) -> vec4f {
  return vec4f(vec4<i32>(vec4<u32>(word << (4u - 4u * high)) << vec4<u32>(24u, 16u, 8u, 0u)) >> vec4<u32>(28u));
}
fn read_block(i: u32) -> vec4<u32> { return weight[i]; }
fn block4(block: vec4<u32>, j: u32) -> vec4f { return numbers4(block[j / 2u], j % 2u); }
fn weight4(i: u32) -> vec4f { return block_scale(i / 8u) * numbers4(weight[i / 8u][i / 2u % 4u], i % 2u); }
fn dot_block(i: u32, v: array<vec4f, BLOCK4>) -> f32 {
  let block = read_block(i);
  var sum = 0.0;
  for (var j = 0u; j < BLOCK4; j++) { sum += dot(v[j], block4(block, j)); }
  return block_scale(i) * sum;
}
`,
  "formats/q8_0": `// formats/q8_0.wgsl — 32 whole numbers of a byte share a scale in f16: 8 words, four numbers each, low byte first. q8_0.ts
@group(1) @binding(8) var<storage, read> weight: array<vec4<u32>>; // half a block
@group(1) @binding(10) var<storage, read> scale: array<u32>; // of two blocks
const BLOCK4 = 8u;
fn block_scale(i: u32) -> f32 { return unpack2x16float(scale[i / 2u])[i % 2u]; }
fn numbers4(word: u32) -> vec4f {
  return vec4f(vec4<i32>(vec4<u32>(word) << vec4<u32>(24u, 16u, 8u, 0u)) >> vec4<u32>(24u));
}
fn read_block(i: u32) -> array<vec4<u32>, 2> { return array<vec4<u32>, 2>(weight[2u * i], weight[2u * i + 1u]); }
fn block4(block: array<vec4<u32>, 2>, j: u32) -> vec4f { return numbers4(block[j / 4u][j % 4u]); }
fn weight4(i: u32) -> vec4f { return block_scale(i / 8u) * numbers4(weight[i / 4u][i % 4u]); }
fn dot_block(i: u32, v: array<vec4f, BLOCK4>) -> f32 {
  let low = weight[2u * i];
  let high = weight[2u * i + 1u];
  var sum = 0.0;
  for (var j = 0u; j < 4u; j++) { sum += dot(v[j], numbers4(low[j])); }
  for (var j = 0u; j < 4u; j++) { sum += dot(v[4u + j], numbers4(high[j])); }
  return block_scale(i) * sum;
}
`,
  "cache/f16": `// cache/f16.wgsl — keys and values as 16-bit floats, IEEE 754 binary16: four elements are a word of eight bytes.
// What is beyond ±65504 becomes ±65504: an infinity would make NaN of a whole softmax. Models whose keys come near that cannot
// run in f16 at all; none is known.
alias KvWord = vec2u;
const KV_BLOCK = 4u;
const KV_WORDS = 1u;
fn kv_encode(block: array<f32, KV_BLOCK>) -> array<KvWord, KV_WORDS> {
  let bits = vec4u(half_bits(block[0]), half_bits(block[1]), half_bits(block[2]), half_bits(block[3]));
  return array<KvWord, KV_WORDS>(bits.xz | (bits.yw << vec2u(16u)));
}
// To nearest, ties to even. pack2x16float may round either way, and lavapipe rounds towards zero: every key a little too short.
fn half_bits(value: f32) -> u32 {
  let bits = bitcast<u32>(clamp(value, -65504.0, 65504.0));
  let size = bits & 0x7fffffffu;
  // 13 of 23 bits go and the exponent's bias falls by 112; a carry into the exponent is right. Below 2^-14 the spacing is 2^-24.
  let normal = (size + 0xfffu + ((size >> 13u) & 1u) - 0x38000000u) >> 13u;
  let subnormal = u32(round(bitcast<f32>(size) * 16777216.0));
  return ((bits >> 16u) & 0x8000u) | select(subnormal, normal, size >= 0x38800000u);
}
fn halves(word: KvWord) -> vec4f { return vec4f(unpack2x16float(word.x), unpack2x16float(word.y)); }
fn key_at(i: u32) -> f32 { return unpack2x16float(keys[i / 4u][i / 2u % 2u])[i % 2u]; }
fn value_at(i: u32) -> f32 { return unpack2x16float(values[i / 4u][i / 2u % 2u])[i % 2u]; }
fn key4(i: u32) -> vec4f { return halves(keys[i / 4u]); }
fn value4(i: u32) -> vec4f { return halves(values[i / 4u]); }
`,
  "cache/f32": `// cache/f32.wgsl — keys and values as they are computed: four elements are a word.
alias KvWord = vec4f;
const KV_BLOCK = 4u;
const KV_WORDS = 1u;
fn kv_encode(block: array<f32, KV_BLOCK>) -> array<KvWord, KV_WORDS> {
  return array<KvWord, KV_WORDS>(vec4f(block[0], block[1], block[2], block[3]));
}
fn key_at(i: u32) -> f32 { return keys[i / 4u][i % 4u]; }
fn value_at(i: u32) -> f32 { return values[i / 4u][i % 4u]; }
fn key4(i: u32) -> vec4f { return keys[i / 4u]; }
fn value4(i: u32) -> vec4f { return values[i / 4u]; }
`,
  "cache/q8": `// cache/q8.wgsl — keys and values as 8-bit codes: 32 elements are a block of nine words, eight of codes and their step, an f32.
//   element = code · step,  step = largest |element| of the block / 127,  code = round(element / step), -127 … 127
// The step is an f32: blocks stay whole words, and it has the range of what was computed. As an f16 it would save 2 of 36 bytes.
alias KvWord = u32;
const KV_BLOCK = 32u;
const KV_WORDS = 9u;
fn kv_encode(block: array<f32, KV_BLOCK>) -> array<KvWord, KV_WORDS> {
  var largest = 0.0;
  for (var i = 0u; i < KV_BLOCK; i++) { largest = max(largest, abs(block[i])); }
  let step = largest / 127.0;
  let inverse = select(0.0, 1.0 / step, step >= 0x1p-126f); // below is zero, or what devices may take for it
  var words = array<KvWord, KV_WORDS>();
  for (var i = 0u; i < KV_BLOCK; i++) {
    words[i / 4u] |= (u32(i32(round(block[i] * inverse))) & 0xffu) << (8u * (i % 4u));
  }
  words[8] = bitcast<u32>(step);
  return words;
}
fn code(word: u32, i: u32) -> f32 { return f32(i32(word << (24u - 8u * (i % 4u))) >> 24u); }
fn key_at(i: u32) -> f32 {
  let block = i / KV_BLOCK * KV_WORDS;
  return code(keys[block + i % KV_BLOCK / 4u], i) * bitcast<f32>(keys[block + 8u]);
}
fn value_at(i: u32) -> f32 {
  let block = i / KV_BLOCK * KV_WORDS;
  return code(values[block + i % KV_BLOCK / 4u], i) * bitcast<f32>(values[block + 8u]);
}
fn key4(i: u32) -> vec4f {
  let block = i / KV_BLOCK * KV_WORDS;
  let codes = vec4i(vec4u(keys[block + i % KV_BLOCK / 4u]) << vec4u(24u, 16u, 8u, 0u)) >> vec4u(24u);
  return vec4f(codes) * bitcast<f32>(keys[block + 8u]);
}
fn value4(i: u32) -> vec4f {
  let block = i / KV_BLOCK * KV_WORDS;
  let codes = vec4i(vec4u(values[block + i % KV_BLOCK / 4u]) << vec4u(24u, 16u, 8u, 0u)) >> vec4u(24u);
  return vec4f(codes) * bitcast<f32>(values[block + 8u]);
}
`,
  "lib/bias": `// lib/bias.wgsl — a linear layer's bias, f32 [N].
@group(1) @binding(9) var<storage, read> bias: array<f32>;
fn bias_at(column: u32) -> f32 { return bias[column]; }
`,
  "lib/columns": `// lib/columns.wgsl — what a workgroup of matvec makes: OUTPUTS columns that follow each other. Columns beyond N repeat the last
// one and are not stored: cheaper than a branch around every read. N, OUTPUTS, SCALE, ADD and \`y\` are declared by whoever links this.
fn weight_row(index: u32, i: u32) -> u32 { return min(index * OUTPUTS + i, N - 1u); }

fn store(row: u32, index: u32, sum: array<f32, OUTPUTS>, lane: u32) {
  let scale = root(row, lane);
  for (var i = 0u; i < OUTPUTS; i += 4u) {
    let total = scale * reduce_add(vec4f(sum[i], sum[i + 1u], sum[i + 2u], sum[i + 3u]), lane);
    let n = index * OUTPUTS + i + lane;
    if (lane < 4u && n < N) {
      let at = row * Y_STRIDE + COLUMN + n;
      var value = total[lane] + bias_at(COLUMN + n);
      if (SCALE != 1.0) { value *= SCALE; }
      if (ADD) { value += y[at]; }
      y[at] = value;
    }
  }
}
`,
  "lib/gated": `// lib/gated.wgsl — what a workgroup of matvec makes of gate and up, whose rows lie one above the other: half of its OUTPUTS are
// gates, the others the ups of the same columns, and what is stored is their gated unit.
//   y = silu(gate) · up,  silu(v) = v / (1 + e^-v)          SwiGLU, Shazeer 2020 (arXiv 2002.05202), eq. 6 with β = 1
// N, OUTPUTS (4 or 8) and \`y\` are declared by whoever links this. SCALE, ADD and COLUMN are not read: 1, false and 0.
fn weight_row(index: u32, i: u32) -> u32 {
  let half = OUTPUTS / 2u;
  return min(index * half + i % half, N / 2u - 1u) + select(0u, N / 2u, i >= half);
}

fn store(row: u32, index: u32, sum: array<f32, OUTPUTS>, lane: u32) {
  let half = OUTPUTS / 2u;
  let hidden = N / 2u;
  let scale = root(row, lane);
  let gates = scale * reduce_add(vec4f(sum[0], sum[1], sum[2], sum[3]), lane);
  var ups = vec4f(gates.zw, 0.0, 0.0); // of four sums the first two are gates
  if (OUTPUTS == 8u) {
    ups = scale * reduce_add(vec4f(sum[OUTPUTS - 4u], sum[OUTPUTS - 3u], sum[OUTPUTS - 2u], sum[OUTPUTS - 1u]), lane);
  }
  let n = index * half + lane;
  if (lane < half && n < hidden) {
    let gate = gates[lane] + bias_at(n);
    let up = ups[lane] + bias_at(hidden + n);
    y[row * Y_STRIDE + n] = gate / (1.0 + exp(min(-gate, 87.0))) * up; // 87 as in swiglu.wgsl
  }
}
`,
  "lib/heads": `// lib/heads.wgsl — which query heads a workgroup of decode attention takes: GROUP at a time of those that read one key/value head
// (grouped-query attention, Ainslie et al. 2023, arXiv 2305.13245). The last group of a key/value head may be smaller.
// HEADS, KV_HEADS and GROUP are declared by whoever links this.
struct HeadGroup {
  kv: u32, // the key/value head
  first: u32, // the first query head
  count: u32, // query heads, GROUP at most
}

fn head_group(index: u32) -> HeadGroup {
  let per_kv = HEADS / KV_HEADS;
  let groups = (per_kv + GROUP - 1u) / GROUP;
  let kv = index / groups;
  let first = kv * per_kv + (index % groups) * GROUP;
  return HeadGroup(kv, first, min(GROUP, (kv + 1u) * per_kv - first));
}
`,
  "lib/keys": `// lib/keys.wgsl — elements d and d + HALF of a cached key, one of each or four. Where a sequence caches raw keys they are rotated here, as they
// are read, so that the angles may change while the sequence lives. RAW_KEYS false compiles that away. The rotation pairs are
// (i, i + TURNING), i < TURNING: those very elements, but where only a part of a head turns (TURNING < HALF).
// HALF is declared by whoever links this.
override RAW_KEYS: bool;
override TURNING: u32;
override TABLE_STRIDE: u32; // in pairs
@group(1) @binding(0) var<storage, read> keys: array<KvWord>;
@group(1) @binding(1) var<storage, read> table: array<vec2f>;

// \`at\`: first element of the key's head · \`angle\`: the key's row of the rotary table
fn key_pair(at: u32, d: u32, raw: bool, angle: u32) -> vec2f {
  let pair = vec2f(key_at(at + d), key_at(at + d + HALF));
  if (RAW_KEYS) {
    if (raw) {
      if (TURNING < HALF) { return vec2f(turned(at, d, pair.x, angle), turned(at, d + HALF, pair.y, angle)); }
      let turn = table[angle * TABLE_STRIDE + d];
      return vec2f(pair.x * turn.x - pair.y * turn.y, pair.y * turn.x + pair.x * turn.y);
    }
  }
  return pair;
}

// Element d of a key, rotated with its partner if it turns.
fn turned(at: u32, d: u32, own: f32, angle: u32) -> f32 {
  if (d >= 2u * TURNING) { return own; }
  let first = d < TURNING;
  let partner = key_at(at + select(d - TURNING, d + TURNING, first));
  let turn = table[angle * TABLE_STRIDE + d % TURNING];
  return own * turn.x + select(partner, -partner, first) * turn.y;
}

struct KeyQuads {
  low: vec4f, // elements d … d + 3
  high: vec4f, // and those HALF further on
}

// As \`key_pair\`, of four pairs, d a multiple of four. Where HALF is none, the last ones reach beyond the head: multiply them by 0.
fn key_quads(at: u32, d: u32, raw: bool, angle: u32) -> KeyQuads {
  let low = key_quad(at + d);
  let high = key_quad(at + d + HALF);
  if (RAW_KEYS) {
    if (raw) {
      if (TURNING < HALF) { return KeyQuads(turned4(at, d, low, angle), turned4(at, d + HALF, high, angle)); }
      let turn = angle * TABLE_STRIDE + d;
      let c = vec4f(table[turn].x, table[turn + 1u].x, table[turn + 2u].x, table[turn + 3u].x);
      let s = vec4f(table[turn].y, table[turn + 1u].y, table[turn + 2u].y, table[turn + 3u].y);
      return KeyQuads(low * c - high * s, high * c + low * s);
    }
  }
  return KeyQuads(low, high);
}

fn turned4(at: u32, d: u32, own: vec4f, angle: u32) -> vec4f {
  let first = vec2f(turned(at, d, own.x, angle), turned(at, d + 1u, own.y, angle));
  return vec4f(first, turned(at, d + 2u, own.z, angle), turned(at, d + 3u, own.w, angle));
}

// Four neighbours. Heads start on multiples of four where HALF is even, their second halves where it is one itself.
fn key_quad(i: u32) -> vec4f {
  if (HALF % 4u == 0u) { return key4(i); }
  return vec4f(key_at(i), key_at(i + 1u), key_at(i + 2u), key_at(i + 3u));
}
fn value_quad(i: u32) -> vec4f {
  if (HALF % 2u == 0u) { return value4(i); }
  return vec4f(value_at(i), value_at(i + 1u), value_at(i + 2u), value_at(i + 3u));
}
`,
  "lib/no_bias": `// lib/no_bias.wgsl — a linear layer without bias.
fn bias_at(column: u32) -> f32 { return 0.0; }
`,
  "lib/pack_q4_0": `// lib/pack_q4_0.wgsl — what quantize.wgsl packs for formats/q4_0: d = largest / -8, q = trunc(x / d + 8.5) - 8, at most 7.
const NUMBERS = 8u; // in a word
fn place(i: u32) -> u32 { return 8u * (i % 4u) + 4u * (i / 4u); }
fn scale_sign(largest: u32) -> u32 { return ~largest & SIGN; }
fn scale_size(largest: Number) -> Number { return Number(largest.mantissa, largest.exponent - 3); }
// Four bits of the whole number for a quotient of at most 8, in two's complement.
fn whole(quotient: Number, negative: bool) -> u32 {
  // In units of 2^-25. What lies below them changes nothing: the sum is then far from the next whole number.
  let up = quotient.exponent + 25;
  let size = select(quotient.mantissa >> u32(min(-up, 31)), quotient.mantissa << u32(up), up >= 0);
  let sum = select(0x11000000u + size, 0x11000000u - size, negative); // 8.5 and the quotient
  // The sum is rounded to the 24 bits of f32, which may lift it to the next whole number; a tie does, for that is even.
  let dropped = max(firstLeadingBit(sum), 23u) - 23u;
  return min(15u, (sum + ((1u << dropped) >> 1u)) >> 25u) ^ 8u;
}
`,
  "lib/pack_q8_0": `// lib/pack_q8_0.wgsl — what quantize.wgsl packs for formats/q8_0: d = |largest| / 127, q = x / d rounded, halves away from zero.
const NUMBERS = 4u; // in a word
fn place(i: u32) -> u32 { return 8u * i; }
fn scale_sign(largest: u32) -> u32 { return 0u; }
// The quotient rounded to 24 bits. It is never halfway between two: 127 is odd.
fn scale_size(largest: Number) -> Number {
  var up = 7u;
  if ((largest.mantissa << up) / 127u >= 2u * TOP) { up = 6u; }
  let dividend = largest.mantissa << up;
  let quotient = dividend / 127u + u32(2u * (dividend % 127u) > 127u);
  let over = quotient >> 24u; // it was rounded up to the next power of two
  return Number(quotient >> over, largest.exponent - i32(up) + i32(over));
}
// A byte of the whole number for a quotient of at most 127, in two's complement.
fn whole(quotient: Number, negative: bool) -> u32 {
  let drop = u32(clamp(-quotient.exponent, 1, 31));
  let size = (quotient.mantissa + (1u << (drop - 1u))) >> drop;
  return select(size, (256u - size) & 255u, negative);
}
`,
  "lib/placed": `// lib/placed.wgsl — what a workgroup of matvec makes of the rows of q, k and v: four pairs (d, d + HALF) of a head. Queries and keys are
// turned as rope.wgsl turns them; queries are stored in y, keys and values in their slot of the cache, as append.wgsl does.
//   a = a · m·cos φ − b · m·sin φ, b = b · m·cos φ + a · m·sin φ         RoFormer, arXiv 2104.09864, eq. 34
// table [angle rows, TABLE_STRIDE] vec2f · keys, values [slots, KV_STRIDE] as kernels/cache has them, KV_BLOCK = 4 · HALF: a multiple of 4
// OUTPUTS (8) and \`y\` are declared by whoever links this. SCALE, ADD and COLUMN are not read: 1, false and 0.
override HALF: u32;
override HEADS: u32;
override KV_HEADS: u32;
override TURNS: bool; // whether this layer turns queries and keys
override TABLE_STRIDE: u32; // in pairs
override KV_STRIDE: u32;
@group(1) @binding(2) var<storage, read> table: array<vec2f>;
@group(1) @binding(3) var<storage, read_write> keys: array<KvWord>;
@group(1) @binding(4) var<storage, read_write> values: array<KvWord>;

// The first pair of a workgroup: its head, and its place in there.
fn head_of(index: u32) -> vec2u { return vec2u(index / (HALF / 4u), index % (HALF / 4u) * 4u); }

fn weight_row(index: u32, i: u32) -> u32 {
  let at = head_of(index);
  return at.x * 2u * HALF + at.y + i % 4u + select(0u, HALF, i >= 4u);
}

fn biases(n: u32) -> vec4f { return vec4f(bias_at(n), bias_at(n + 1u), bias_at(n + 2u), bias_at(n + 3u)); }

fn store(row: u32, index: u32, sum: array<f32, OUTPUTS>, lane: u32) {
  let scale = root(row, lane);
  let head = head_of(index).x;
  let d = head_of(index).y;
  let n = head * 2u * HALF + d;
  var low = scale * reduce_add(vec4f(sum[0], sum[1], sum[2], sum[3]), lane) + biases(n);
  var high = scale * reduce_add(vec4f(sum[4], sum[5], sum[6], sum[7]), lane) + biases(n + HALF);
  let sequence = row_sequence(row);
  let is_query = head < HEADS;
  let is_value = head >= HEADS + KV_HEADS;
  if (TURNS && !is_value && (is_query || !sequence_raw(sequence))) {
    let at = row_angle(row) * TABLE_STRIDE + d;
    let turns = array<vec2f, 4>(table[at], table[at + 1u], table[at + 2u], table[at + 3u]);
    let cosine = vec4f(turns[0].x, turns[1].x, turns[2].x, turns[3].x);
    let sine = vec4f(turns[0].y, turns[1].y, turns[2].y, turns[3].y);
    let a = low;
    low = a * cosine - high * sine;
    high = high * cosine + a * sine;
  }
  if (is_query) {
    if (lane < 4u) {
      y[row * Y_STRIDE + n + lane] = low[lane];
      y[row * Y_STRIDE + n + HALF + lane] = high[lane];
    }
  } else if (lane == 0u) {
    let first = (head - select(HEADS, HEADS + KV_HEADS, is_value)) * 2u * HALF + d;
    let slot = (kv_slot(sequence_pages(sequence), row_position(row)) * KV_STRIDE + first) / KV_BLOCK;
    let a = kv_encode(array<f32, KV_BLOCK>(low.x, low.y, low.z, low.w))[0];
    let b = kv_encode(array<f32, KV_BLOCK>(high.x, high.y, high.z, high.w))[0];
    if (is_value) {
      values[slot] = a;
      values[slot + HALF / KV_BLOCK] = b;
    } else {
      keys[slot] = a;
      keys[slot + HALF / KV_BLOCK] = b;
    }
  }
}
`,
  "lib/reduce_shuffle": `// lib/reduce_shuffle.wgsl — sum and maximum over all lanes of a workgroup that is exactly one subgroup: no memory, no barrier.
// log2(WG) shuffles: lavapipe compiles subgroupAdd and subgroupMax to a branch per lane, and GPUs to these shuffles anyway.
// WG, a power of two, is declared by whoever links this. Needs \`enable subgroups\`.
fn reduce_add(value: vec4f, lane: u32) -> vec4f {
  var all = value;
  for (var away = 1u; away < WG; away *= 2u) { all += subgroupShuffleXor(all, away); }
  return all;
}
fn reduce_max(value: f32) -> f32 {
  var all = value;
  for (var away = 1u; away < WG; away *= 2u) { all = max(all, subgroupShuffleXor(all, away)); }
  return all;
}
`,
  "lib/reduce_subgroups": `// lib/reduce_subgroups.wgsl — sums over all lanes of a workgroup of subgroups: each adds up its own, then all of them meet once.
// Right for subgroups of any size, also different ones in one workgroup, also with idle lanes, and however lanes are dealt to
// them: nothing here is an index into a subgroup that WGSL does not promise. Every lane gets the result. Call in uniform
// control flow. WG is declared by whoever links this. Needs \`enable subgroups\`.
var<workgroup> reduce_scratch: array<vec4f, WG>;

fn reduce_add(value: vec4f, lane: u32) -> vec4f {
  let own = subgroupAdd(value);
  reduce_scratch[lane] = select(vec4f(), own, subgroupElect()); // one lane speaks for its subgroup, in a place of its own
  workgroupBarrier();
  // Every subgroup adds up the whole of it: its first lane takes entries 0, lanes, 2 · lanes …, the next one 1, lanes + 1 …
  let lanes = subgroupAdd(1u);
  var sum = vec4f();
  for (var i = subgroupExclusiveAdd(1u); i < WG; i += lanes) { sum += reduce_scratch[i]; }
  let total = subgroupAdd(sum);
  workgroupBarrier(); // the next call must not overwrite what a slow lane has still to read
  return total;
}
`,
  "lib/reduce_workgroup": `// lib/reduce_workgroup.wgsl — sums over all lanes of a workgroup through workgroup memory. WG, a multiple of 8,
// is declared by whoever links this.
// Every lane gets the result. Call in uniform control flow. Two rounds of eight instead of halving: three barriers, not
// log2(WG) + 2 of them, which also take software adapters seconds to compile.
var<workgroup> reduce_scratch: array<vec4f, WG>;

fn reduce_add(value: vec4f, lane: u32) -> vec4f {
  reduce_scratch[lane] = value;
  workgroupBarrier();
  if (lane < 8u) {
    var sum = reduce_scratch[lane];
    for (var i = lane + 8u; i < WG; i += 8u) { sum += reduce_scratch[i]; }
    reduce_scratch[lane] = sum;
  }
  workgroupBarrier();
  var total = reduce_scratch[0];
  for (var i = 1u; i < 8u; i++) { total += reduce_scratch[i]; }
  workgroupBarrier(); // the next call must not overwrite what a slow lane has still to read
  return total;
}
`,
  "lib/residual": `// lib/residual.wgsl — what a workgroup of matvec makes: OUTPUTS columns that it adds to the residual stream, and of them the half of
// the next norm that needs no other workgroup: w ∘ y, and the sum of their squares.
//   y[n] += SCALE · (Σ (+ bias[n])) · ahead[2·row, n] = w[n] · y[n] · ahead[2·row + 1, index] = Σ y[n]²
// N, OUTPUTS, SCALE and \`y\` are declared by whoever links this. COLUMN is not read: 0.
@group(1) @binding(2) var<storage, read_write> ahead: array<f32>;
@group(1) @binding(11) var<storage, read> norm: array<f32>;

fn weight_row(index: u32, i: u32) -> u32 { return min(index * OUTPUTS + i, N - 1u); }

fn store(row: u32, index: u32, sum: array<f32, OUTPUTS>, lane: u32) {
  let scale = root(row, lane);
  var squares = 0.0;
  for (var i = 0u; i < OUTPUTS; i += 4u) {
    let total = scale * reduce_add(vec4f(sum[i], sum[i + 1u], sum[i + 2u], sum[i + 3u]), lane);
    let n = index * OUTPUTS + i + lane;
    if (lane < 4u && n < N) {
      let at = row * Y_STRIDE + n;
      var value = total[lane] + bias_at(n);
      if (SCALE != 1.0) { value *= SCALE; }
      value += y[at];
      y[at] = value;
      ahead[at + row * Y_STRIDE] = norm[n] * value;
      squares = fma(value, value, squares);
    }
  }
  let all = reduce_add(vec4f(squares, 0.0, 0.0, 0.0), lane).x;
  if (lane == 0u) { ahead[(2u * row + 1u) * Y_STRIDE + index] = all; }
}
`,
  "lib/step": `// lib/step.wgsl — the rows of one step, uploaded once and read by every kernel of group 0; step.ts lays it out.
// Words 4 … 15 are zero.
//   row {token, position, sequence, angle row} · tile {first row, rows, sequence, -} · fill {angle row, position, count, setting}
//   output {row, top-k} · sequence {first entry in the page table, first angle row, raw keys, -}
// The *_AT offsets are in u32 from the start of the buffer. A key/value slot is page · PAGE + position % PAGE.
struct Step {
  rows: u32, // token rows
  outputs: u32, // rows whose logits are wanted
  tiles: u32, // prefill attention: runs of neighbouring rows
  splits: u32, // decode attention: parts that the longest key/value sequence of a row that stands alone is cut into
}
@group(0) @binding(0) var<uniform> step: Step;
@group(0) @binding(1) var<storage, read> plan: array<u32>;

override ROW_AT: u32;
override TILE_AT: u32;
override FILL_AT: u32;
override OUTPUT_AT: u32;
override SEQUENCE_AT: u32;
override TURNS_AT: u32;
override TURNS_STRIDE: u32;
override PAGE_AT: u32;
override PAGE: u32;

fn row_token(row: u32) -> u32 { return plan[ROW_AT + 4u * row]; }
fn row_position(row: u32) -> u32 { return plan[ROW_AT + 4u * row + 1u]; }
fn row_sequence(row: u32) -> u32 { return plan[ROW_AT + 4u * row + 2u]; }
fn row_angle(row: u32) -> u32 { return plan[ROW_AT + 4u * row + 3u]; }

fn tile_row(tile: u32) -> u32 { return plan[TILE_AT + 4u * tile]; }
fn tile_rows(tile: u32) -> u32 { return plan[TILE_AT + 4u * tile + 1u]; }
fn tile_sequence(tile: u32) -> u32 { return plan[TILE_AT + 4u * tile + 2u]; }

fn output_row(output: u32) -> u32 { return plan[OUTPUT_AT + 2u * output]; }
fn output_k(output: u32) -> u32 { return plan[OUTPUT_AT + 2u * output + 1u]; }

fn sequence_pages(sequence: u32) -> u32 { return PAGE_AT + plan[SEQUENCE_AT + 4u * sequence]; }
fn sequence_angle(sequence: u32) -> u32 { return plan[SEQUENCE_AT + 4u * sequence + 1u]; }
fn sequence_raw(sequence: u32) -> bool { return plan[SEQUENCE_AT + 4u * sequence + 2u] != 0u; }

// Row of the key/value pool that holds \`position\` of the sequence whose page table starts at \`pages\`.
fn kv_slot(pages: u32, position: u32) -> u32 { return plan[pages + position / PAGE] * PAGE + position % PAGE; }

// \`value\`, plus a zero of the step buffer that compilers cannot see: a loop bounded by it is not unrolled. A loop over lanes
// or head elements that lavapipe unrolls takes seconds to minutes to compile, and runs no faster.
fn at_run_time(value: u32) -> u32 { return value + plan[4]; }
`,
  "lib/stored_bf16": `// lib/stored_bf16.wgsl — elements i and i + 1 of quantize.wgsl's source, as bits of f32: bfloat16, two to a word.
fn stored_pair(i: u32) -> vec2<u32> {
  var words = source[i / 2u];
  if (i % 2u == 1u) { words = (words >> 16u) | (source[i / 2u + 1u] << 16u); } // in a row of odd length
  return vec2<u32>(words << 16u, words & 0xffff0000u);
}
`,
  "lib/stored_f16": `// lib/stored_f16.wgsl — elements i and i + 1 of quantize.wgsl's source, as bits of f32: IEEE half floats, two to a word.
fn stored_pair(i: u32) -> vec2<u32> {
  var words = source[i / 2u];
  if (i % 2u == 1u) { words = (words >> 16u) | (source[i / 2u + 1u] << 16u); } // in a row of odd length
  return vec2<u32>(widened(words & 0xffffu), widened(words >> 16u));
}
// Not by unpack2x16float, which may take what lies below 2^-14 for zero.
fn widened(bits: u32) -> u32 {
  let sign = (bits & 0x8000u) << 16u;
  let size = bits & 0x7fffu;
  if (size >= 0x0400u) { return sign | ((size << 13u) + (112u << 23u)); } // the exponent's bias is 127, no longer 15
  if (size == 0u) { return sign; }
  let leading = firstLeadingBit(size); // of size · 2^-24
  return sign | ((leading + 103u) << 23u) | ((size << (23u - leading)) & 0x007fffffu);
}
`,
  "lib/stored_f32": `// lib/stored_f32.wgsl — elements i and i + 1 of quantize.wgsl's source, as bits of f32.
fn stored_pair(i: u32) -> vec2<u32> { return vec2<u32>(source[i], source[i + 1u]); }
`,
  "lib/window": `// lib/window.wgsl — the first key that a row of a position attends to: of a layer with a window the WINDOW keys up to its own
// (sliding window attention, Beltagy et al. 2020, arXiv 2004.05150, as in Mistral 7B, arXiv 2310.06825, section 2).
override WINDOW: u32; // 0: all keys, which compiles to the constant 0
fn first_key(position: u32) -> u32 {
  if (WINDOW == 0u) { return 0u; }
  return position + 1u - min(WINDOW, position + 1u);
}
`,
};

/** One buffer as a WGSL text declares it: `@group(group) @binding(binding) var<…> name`. */
export interface Binding {
  readonly group: number;
  readonly binding: number;
  readonly type: "uniform" | "read-only-storage" | "storage";
  readonly name: string;
}

/** What each text declares. */
export const declarations: Readonly<
  Record<KernelName | PartName, { readonly bindings: readonly Binding[]; readonly overrides: readonly string[] }>
> = {
  "angles": {"bindings":[{"group":1,"binding":0,"type":"storage","name":"table"}],"overrides":["HALF","TABLE_STRIDE","FILL_ROWS","WG"]},
  "append": {"bindings":[{"group":1,"binding":0,"type":"read-only-storage","name":"qkv"},{"group":1,"binding":1,"type":"storage","name":"keys"},{"group":1,"binding":2,"type":"storage","name":"values"}],"overrides":["K_AT","KV_DIM","KV_STRIDE","QKV_STRIDE","SPAN","WG"]},
  "attention_decode_shuffle": {"bindings":[{"group":1,"binding":2,"type":"read-only-storage","name":"qkv"},{"group":1,"binding":3,"type":"read-only-storage","name":"values"},{"group":1,"binding":4,"type":"storage","name":"partials"}],"overrides":["HALF","HEADS","KV_HEADS","QKV_STRIDE","KV_STRIDE","PARTIALS_STRIDE","SCALE","SPLIT","WG"]},
  "attention_decode_tiled": {"bindings":[{"group":1,"binding":2,"type":"read-only-storage","name":"qkv"},{"group":1,"binding":3,"type":"read-only-storage","name":"values"},{"group":1,"binding":4,"type":"storage","name":"partials"}],"overrides":["HALF","HEADS","KV_HEADS","QKV_STRIDE","KV_STRIDE","PARTIALS_STRIDE","SCALE","WG"]},
  "attention_merge": {"bindings":[{"group":1,"binding":0,"type":"read-only-storage","name":"partials"},{"group":1,"binding":1,"type":"storage","name":"y"}],"overrides":["HEAD_DIM","HEADS","PARTIALS_STRIDE","Y_STRIDE","SPLIT","WG"]},
  "attention_prefill_shuffle": {"bindings":[{"group":1,"binding":2,"type":"read-only-storage","name":"qkv"},{"group":1,"binding":3,"type":"read-only-storage","name":"values"},{"group":1,"binding":4,"type":"storage","name":"y"}],"overrides":["HALF","HEADS","KV_HEADS","QKV_STRIDE","KV_STRIDE","Y_STRIDE","SCALE","WG"]},
  "attention_prefill_tiled": {"bindings":[{"group":1,"binding":2,"type":"read-only-storage","name":"qkv"},{"group":1,"binding":3,"type":"read-only-storage","name":"values"},{"group":1,"binding":4,"type":"storage","name":"y"}],"overrides":["HALF","HEADS","KV_HEADS","QKV_STRIDE","KV_STRIDE","Y_STRIDE","SCALE"]},
  "embed": {"bindings":[{"group":1,"binding":0,"type":"storage","name":"y"}],"overrides":["DIM4","ROW4","FIRST","ROWS","SCALE","WG"]},
  "gather": {"bindings":[{"group":1,"binding":0,"type":"read-only-storage","name":"x"},{"group":1,"binding":1,"type":"storage","name":"y"}],"overrides":["DIM4","WG"]},
  "headnorm": {"bindings":[{"group":1,"binding":0,"type":"storage","name":"qkv"},{"group":1,"binding":8,"type":"read-only-storage","name":"weight"}],"overrides":["HEAD_DIM","HEADS","QKV_STRIDE","EPS","WG"]},
  "matmul_shuffle": {"bindings":[{"group":1,"binding":0,"type":"read-only-storage","name":"x"},{"group":1,"binding":1,"type":"storage","name":"y"}],"overrides":["N","K4","ROW4","Y_STRIDE","COLUMN","ADD","SCALE","OF_OUTPUTS","WG"]},
  "matmul_tiled": {"bindings":[{"group":1,"binding":0,"type":"read-only-storage","name":"x"},{"group":1,"binding":1,"type":"storage","name":"y"}],"overrides":["N","K4","ROW4","Y_STRIDE","COLUMN","ADD","SCALE","OF_OUTPUTS"]},
  "matvec": {"bindings":[{"group":1,"binding":0,"type":"read-only-storage","name":"x"},{"group":1,"binding":1,"type":"storage","name":"y"}],"overrides":["N","K","K4","ROW4","SQUARES","EPS","Y_STRIDE","COLUMN","GRID_X","ADD","SCALE","WG"]},
  "matvec_rows": {"bindings":[{"group":1,"binding":0,"type":"read-only-storage","name":"x"},{"group":1,"binding":1,"type":"storage","name":"y"}],"overrides":["N","K4","ROW4","Y_STRIDE","COLUMN","GRID_X","ADD","SCALE","OF_OUTPUTS","WG"]},
  "matvec_shuffle": {"bindings":[{"group":1,"binding":0,"type":"read-only-storage","name":"x"},{"group":1,"binding":1,"type":"storage","name":"y"}],"overrides":["N","K4","ROW4","Y_STRIDE","COLUMN","GRID_X","ADD","SCALE","GATED","WG"]},
  "pool": {"bindings":[{"group":1,"binding":0,"type":"read-only-storage","name":"x"},{"group":1,"binding":1,"type":"storage","name":"y"}],"overrides":["DIM","STRIDE","WG","SPAN"]},
  "quantize": {"bindings":[{"group":1,"binding":0,"type":"read-only-storage","name":"source"},{"group":1,"binding":1,"type":"storage","name":"weight"},{"group":1,"binding":2,"type":"storage","name":"scale"}],"overrides":["COLUMNS"]},
  "rmsnorm": {"bindings":[{"group":1,"binding":0,"type":"read-only-storage","name":"x"},{"group":1,"binding":1,"type":"storage","name":"y"},{"group":1,"binding":8,"type":"read-only-storage","name":"weight"}],"overrides":["DIM","DIM4","EPS","SQUARES","EACH4","WG"]},
  "rope": {"bindings":[{"group":1,"binding":0,"type":"read-only-storage","name":"table"},{"group":1,"binding":1,"type":"storage","name":"qkv"}],"overrides":["HALF","HEAD_DIM","HEADS","KV_HEADS","QKV_STRIDE","TABLE_STRIDE","SPAN","WG"]},
  "swiglu": {"bindings":[{"group":1,"binding":0,"type":"read-only-storage","name":"x"},{"group":1,"binding":1,"type":"storage","name":"y"}],"overrides":["HIDDEN","X_STRIDE","Y_STRIDE","SPAN","WG"]},
  "topk": {"bindings":[{"group":1,"binding":0,"type":"read-only-storage","name":"logits"},{"group":1,"binding":1,"type":"storage","name":"candidates"}],"overrides":["VOCAB","LOGITS_STRIDE","CAPACITY","WG"]},
  "formats/bf16": {"bindings":[{"group":1,"binding":8,"type":"read-only-storage","name":"weight"}],"overrides":[]},
  "formats/f16": {"bindings":[{"group":1,"binding":8,"type":"read-only-storage","name":"weight"}],"overrides":[]},
  "formats/f32": {"bindings":[{"group":1,"binding":8,"type":"read-only-storage","name":"weight"}],"overrides":[]},
  "formats/q4_0": {"bindings":[{"group":1,"binding":8,"type":"read-only-storage","name":"weight"},{"group":1,"binding":10,"type":"read-only-storage","name":"scale"}],"overrides":[]},
  "formats/q8_0": {"bindings":[{"group":1,"binding":8,"type":"read-only-storage","name":"weight"},{"group":1,"binding":10,"type":"read-only-storage","name":"scale"}],"overrides":[]},
  "cache/f16": {"bindings":[],"overrides":[]},
  "cache/f32": {"bindings":[],"overrides":[]},
  "cache/q8": {"bindings":[],"overrides":[]},
  "lib/bias": {"bindings":[{"group":1,"binding":9,"type":"read-only-storage","name":"bias"}],"overrides":[]},
  "lib/columns": {"bindings":[],"overrides":[]},
  "lib/gated": {"bindings":[],"overrides":[]},
  "lib/heads": {"bindings":[],"overrides":[]},
  "lib/keys": {"bindings":[{"group":1,"binding":0,"type":"read-only-storage","name":"keys"},{"group":1,"binding":1,"type":"read-only-storage","name":"table"}],"overrides":["RAW_KEYS","TURNING","TABLE_STRIDE"]},
  "lib/no_bias": {"bindings":[],"overrides":[]},
  "lib/pack_q4_0": {"bindings":[],"overrides":[]},
  "lib/pack_q8_0": {"bindings":[],"overrides":[]},
  "lib/placed": {"bindings":[{"group":1,"binding":2,"type":"read-only-storage","name":"table"},{"group":1,"binding":3,"type":"storage","name":"keys"},{"group":1,"binding":4,"type":"storage","name":"values"}],"overrides":["HALF","HEADS","KV_HEADS","TURNS","TABLE_STRIDE","KV_STRIDE"]},
  "lib/reduce_shuffle": {"bindings":[],"overrides":[]},
  "lib/reduce_subgroups": {"bindings":[],"overrides":[]},
  "lib/reduce_workgroup": {"bindings":[],"overrides":[]},
  "lib/residual": {"bindings":[{"group":1,"binding":2,"type":"storage","name":"ahead"},{"group":1,"binding":11,"type":"read-only-storage","name":"norm"}],"overrides":[]},
  "lib/step": {"bindings":[{"group":0,"binding":0,"type":"uniform","name":"step"},{"group":0,"binding":1,"type":"read-only-storage","name":"plan"}],"overrides":["ROW_AT","TILE_AT","FILL_AT","OUTPUT_AT","SEQUENCE_AT","TURNS_AT","TURNS_STRIDE","PAGE_AT","PAGE"]},
  "lib/stored_bf16": {"bindings":[],"overrides":[]},
  "lib/stored_f16": {"bindings":[],"overrides":[]},
  "lib/stored_f32": {"bindings":[],"overrides":[]},
  "lib/window": {"bindings":[],"overrides":["WINDOW"]},
};
