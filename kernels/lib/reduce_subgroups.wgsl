// lib/reduce_subgroups.wgsl — sums over all lanes of a workgroup of subgroups: each adds up its own, then all of them meet once.
// Right for subgroups of any size, also different ones in one workgroup, also with idle lanes, and however lanes are dealt to
// them: nothing here is an index into a subgroup that WGSL does not promise. Every lane gets the result. Call in uniform
// control flow. WG is declared by whoever links this. Needs `enable subgroups`.
var<workgroup> reduce_scratch: array<vec4f, WG>;

fn reduce_add(value: vec4f, lane: u32) -> vec4f {
  let own = subgroupAdd(value);
  reduce_scratch[lane] = select(vec4f(), own, subgroupElect()); // one lane speaks for its subgroup, in a place of its own
  workgroupBarrier();
  // Every subgroup adds up the whole of it: its first lane takes entries 0, lanes, 2 · lanes …, the next one 1, lanes + 1 …
  let lanes = subgroupAdd(1u);
  var sum = vec4f();
  for (var i = subgroupExclusiveAdd(1u); i < WG; i += lanes) { sum += reduce_scratch[i]; }
  let total = subgroupAdd(sum);
  workgroupBarrier(); // the next call must not overwrite what a slow lane has still to read
  return total;
}
