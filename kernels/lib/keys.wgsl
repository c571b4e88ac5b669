// lib/keys.wgsl — elements d and d + HALF of a cached key, one of each or four. Where a sequence caches raw keys they are rotated here, as they
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

struct KeyQuads {
  low: vec4f, // elements d … d + 3
  high: vec4f, // and those HALF further on
}

// As `key_pair`, of four pairs, d a multiple of four. Where HALF is none, the last ones reach beyond the head: multiply them by 0.
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
