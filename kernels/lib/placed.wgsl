// lib/placed.wgsl — what a workgroup of matvec makes of the rows of q, k and v: four pairs (d, d + HALF) of a head. Queries and keys are
// turned as rope.wgsl turns them; queries are stored in y, keys and values in their slot of the cache, as append.wgsl does.
//   a = a · m·cos φ − b · m·sin φ, b = b · m·cos φ + a · m·sin φ         RoFormer, arXiv 2104.09864, eq. 34
// table [angle rows, TABLE_STRIDE] vec2f · keys, values [slots, KV_STRIDE] as kernels/cache has them, KV_BLOCK = 4 · HALF: a multiple of 4
// OUTPUTS (8) and `y` are declared by whoever links this. SCALE, ADD and COLUMN are not read: 1, false and 0.
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
