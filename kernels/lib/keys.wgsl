// lib/keys.wgsl — two elements (d, d + HALF) of a cached key. Where a sequence caches raw keys they are rotated here, as they
// are read, so that the angles may change while the sequence lives. RAW_KEYS false compiles that away. The rotation pairs are
// (i, i + TURNING), i < TURNING: those very elements, but where only a part of a head turns (TURNING < HALF).
// HALF is declared by whoever links this.
override RAW_KEYS: bool;
override TURNING: u32;
override TABLE_STRIDE: u32; // in pairs
@group(1) @binding(0) var<storage, read> keys: array<KvWord>;
@group(1) @binding(1) var<storage, read> table: array<vec2f>;

// `at`: first element of the key's head · `angle`: the key's row of the rotary table
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
