// cache/f32.wgsl — keys and values as they are computed: an element is a word.
alias KvWord = f32;
const KV_BLOCK = 1u;
const KV_WORDS = 1u;
fn kv_encode(block: array<f32, KV_BLOCK>) -> array<KvWord, KV_WORDS> { return block; }
fn key_at(i: u32) -> f32 { return keys[i]; }
fn value_at(i: u32) -> f32 { return values[i]; }
