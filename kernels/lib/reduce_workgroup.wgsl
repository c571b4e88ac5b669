// lib/reduce_workgroup.wgsl — sums over all lanes of a workgroup through workgroup memory. WG, a multiple of 8,
// is declared by whoever links this.
// Every lane gets the result. Call in uniform control flow. Two rounds of eight instead of halving: three barriers, not
// log2(WG) + 2 of them, which also take software adapters seconds to compile.
var<workgroup> reduce_scratch: array<vec4f, WG>;

fn reduce_add(value: vec4f, lane: u32) -> vec4f {
  reduce_scratch[lane] = value;
  workgroupBarrier();
  if (lane < 8u) {
    var sum = reduce_scratch[lane];
    for (var i = lane + 8u; i < WG; i += 8u) { sum += reduce_scratch[i]; }
    reduce_scratch[lane] = sum;
  }
  workgroupBarrier();
  var total = reduce_scratch[0];
  for (var i = 1u; i < 8u; i++) { total += reduce_scratch[i]; }
  workgroupBarrier(); // the next call must not overwrite what a slow lane has still to read
  return total;
}
