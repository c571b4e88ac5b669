// lib/heads.wgsl — which query heads a workgroup of decode attention takes: GROUP at a time of those that read one key/value head
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
