// topk.wgsl — the k largest logits of each output row with all that tie with the k-th, and the logarithm of Σ e^logit.
//   radix select: four passes of eight bits over order-preserving integers find the k-th largest value exactly; for k = 1
//   (greedy decoding) the largest is known after the first
// logits [outputs, LOGITS_STRIDE] f32 · candidates [outputs, 4 + 2·CAPACITY] u32: count, logit bits of the largest,
// bits of log Σ e^logit, 0, then (id, logit bits) pairs in no order. A count above CAPACITY says that some are missing.
// one workgroup of WG lanes per row · topk.ts · test/kernels/topk.test.ts
override VOCAB: u32;
override LOGITS_STRIDE: u32;
override CAPACITY: u32;
override WG: u32;
@group(1) @binding(0) var<storage, read> logits: array<f32>;
@group(1) @binding(1) var<storage, read_write> candidates: array<u32>;

var<workgroup> histogram: array<atomic<u32>, 256>;
var<workgroup> chosen: u32; // the digit found in this pass
var<workgroup> remaining: u32; // how many are still wanted among the values that share the prefix
var<workgroup> found: atomic<u32>;
var<workgroup> largest: atomic<u32>;

// Larger float, larger integer: negative values are complemented, others get the top bit. Minus zero equals zero.
fn ordered(value: f32) -> u32 {
  let bits = select(bitcast<u32>(value), 0u, value == 0.0);
  return select(bits | 0x80000000u, ~bits, (bits & 0x80000000u) != 0u);
}
fn unordered(key: u32) -> f32 { return bitcast<f32>(select(~key, key & 0x7fffffffu, (key & 0x80000000u) != 0u)); }

@compute @workgroup_size(WG)
fn topk(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let output = group.x;
  let first = output * LOGITS_STRIDE;
  let base = output * (4u + 2u * CAPACITY);
  let k = output_k(output);
  if (lane == 0u) { remaining = min(k, VOCAB); }
  var prefix = 0u; // the digits of the k-th largest value found so far
  for (var shift = i32(at_run_time(24u)); shift >= 0i; shift -= 8i) {
    for (var i = lane; i < 256u; i += WG) { atomicStore(&histogram[i], 0u); }
    workgroupBarrier();
    let known = select(0xffffffffu << u32(shift + 8i), 0u, shift == 24i); // bits above this digit
    var most = 0u;
    for (var i = lane; i < VOCAB; i += WG) {
      let key = ordered(logits[first + i]);
      most = max(most, key);
      if (k > 1u && (key & known) == prefix) { atomicAdd(&histogram[(key >> u32(shift)) & 255u], 1u); }
    }
    atomicMax(&largest, most);
    workgroupBarrier();
    if (k == 1u) {
      prefix = atomicLoad(&largest);
      break;
    }
    if (lane == 0u) {
      var digit = 255u;
      var wanted = remaining;
      loop {
        let count = atomicLoad(&histogram[digit]);
        if (count >= wanted || digit == 0u) { break; }
        wanted -= count;
        digit--;
      }
      chosen = digit;
      remaining = wanted;
    }
    prefix |= workgroupUniformLoad(&chosen) << u32(shift);
    workgroupBarrier();
  }
  let top = unordered(atomicLoad(&largest));
  var mass = 0.0;
  for (var i = lane; i < VOCAB; i += WG) {
    let value = logits[first + i];
    mass += exp(value - top);
    if (ordered(value) >= prefix) {
      let slot = atomicAdd(&found, 1u);
      if (slot < CAPACITY) {
        candidates[base + 4u + 2u * slot] = i;
        candidates[base + 5u + 2u * slot] = bitcast<u32>(value);
      }
    }
  }
  let total = reduce_add(vec4f(mass, 0.0, 0.0, 0.0), lane).x;
  if (lane == 0u) {
    candidates[base] = atomicLoad(&found);
    candidates[base + 1u] = bitcast<u32>(top);
    candidates[base + 2u] = bitcast<u32>(top + log(total));
    candidates[base + 3u] = 0u;
  }
}
