// lib/keys.wgsl — one rotation pair (d, d + HALF) of a cached key. Where a sequence caches raw keys they are rotated here,
// as they are read, so that the angles may change while the sequence lives. RAW_KEYS false compiles that away.
// HALF is declared by whoever links this.
override RAW_KEYS: bool;
override TABLE_STRIDE: u32; // in pairs
@group(1) @binding(0) var<storage, read> keys: array<KvWord>;
@group(1) @binding(1) var<storage, read> table: array<vec2f>;

// `at`: first element of the key's head · `angle`: the key's row of the rotary table
fn key_pair(at: u32, d: u32, raw: bool, angle: u32) -> vec2f {
  let pair = vec2f(key_at(at + d), key_at(at + d + HALF));
  if (RAW_KEYS) {
    if (raw) {
      let turn = table[angle * TABLE_STRIDE + d];
      return vec2f(pair.x * turn.x - pair.y * turn.y, pair.y * turn.x + pair.x * turn.y);
    }
  }
  return pair;
}
