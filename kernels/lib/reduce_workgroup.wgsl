// lib/reduce_workgroup.wgsl — sums over all lanes of a workgroup through workgroup memory; WG is a power of two.
// Every lane gets the result. Call in uniform control flow.
var<workgroup> reduce_scratch: array<vec4f, WG>;

fn reduce_add(value: vec4f, lane: u32) -> vec4f {
  reduce_scratch[lane] = value;
  for (var half = WG / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { reduce_scratch[lane] += reduce_scratch[lane + half]; }
  }
  workgroupBarrier();
  let sum = reduce_scratch[0];
  workgroupBarrier(); // the next call must not overwrite what a slow lane has still to read
  return sum;
}
