// lib/reduce_subgroup.wgsl — sums over all lanes of a workgroup that is exactly one subgroup: no memory, no barrier.
fn reduce_add(value: vec4f, lane: u32) -> vec4f { return subgroupAdd(value); }
