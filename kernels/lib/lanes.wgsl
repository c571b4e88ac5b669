// lib/lanes.wgsl — the largest and the sum of a value over all lanes of a workgroup that is exactly one subgroup, WG lanes.
// log2(WG) shuffles: lavapipe compiles subgroupMax and subgroupAdd to a branch per lane, and GPUs to these shuffles anyway.
fn lanes_max(value: f32) -> f32 {
  var all = value;
  for (var away = 1u; away < WG; away *= 2u) { all = max(all, subgroupShuffleXor(all, away)); }
  return all;
}
fn lanes_add(value: f32) -> f32 {
  var all = value;
  for (var away = 1u; away < WG; away *= 2u) { all += subgroupShuffleXor(all, away); }
  return all;
}
