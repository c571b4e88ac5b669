// cache/f32.wgsl — keys and values as they are computed: four elements are a word.
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
