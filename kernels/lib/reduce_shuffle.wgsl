// lib/reduce_shuffle.wgsl — sum and maximum over all lanes of a workgroup that is exactly one subgroup: no memory, no barrier.
// log2(WG) shuffles: lavapipe compiles subgroupAdd and subgroupMax to a branch per lane, and GPUs to these shuffles anyway.
// WG, a power of two, is declared by whoever links this. Needs `enable subgroups`.
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
