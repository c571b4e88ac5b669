// lib/reduce_shuffle.wgsl — sums over all lanes of a workgroup that is exactly one subgroup: no memory, no barrier.
// log2(WG) shuffles: lavapipe compiles subgroupAdd to a branch per lane, and GPUs to these shuffles anyway.
fn reduce_add(value: vec4f, lane: u32) -> vec4f {
  var all = value;
  for (var away = 1u; away < WG; away *= 2u) { all += subgroupShuffleXor(all, away); }
  return all;
}
