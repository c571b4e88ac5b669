// angles.wgsl — the rotary table: (m·cos φ, m·sin φ) for each position and frequency, φ = 2π · frac(position · turns).
//   RoFormer, Su et al. 2021 (arXiv 2104.09864), eq. 15; every scaling type is only another vector of frequencies.
// table [angle rows, TABLE_STRIDE] vec2f · frequencies: plan, per setting HALF × 64-bit fixed-point turns per token, then m
// A phase is an integer: position · turns modulo 2^64 is exact at any position, so nothing is lost far from 0. WGSL bounds
// its own sin and cos only to 2^-11; these polynomials on [-π/4, π/4] are good to 1e-7.
// a workgroup makes FILL_ROWS table rows of one fill · angles.ts · test/kernels/angles.test.ts
override HALF: u32;
override TABLE_STRIDE: u32; // in pairs
override FILL_ROWS: u32;
override WG: u32;
@group(1) @binding(0) var<storage, read_write> table: array<vec2f>;

// Upper 32 bits of a · b.
fn multiply_high(a: u32, b: u32) -> u32 {
  let low = (a & 0xffffu) * (b & 0xffffu);
  let middle = (a >> 16u) * (b & 0xffffu) + (low >> 16u);
  let other = (a & 0xffffu) * (b >> 16u) + (middle & 0xffffu);
  return (a >> 16u) * (b >> 16u) + (middle >> 16u) + (other >> 16u);
}

// cos and sin of phase / 2^32 turns.
fn cos_sin(phase: u32) -> vec2f {
  let quadrant = (phase + 0x20000000u) >> 30u; // nearest quarter turn, 4 wraps to 0
  let rest = bitcast<i32>(phase - (quadrant << 30u)); // within ±2^29, an eighth of a turn
  let a = f32(rest) * 1.4629180792671596e-9; // 2π / 2^32
  let b = a * a;
  // Taylor's terms: at π/4 the first one left out is 3e-9 (sin) and 3e-10 (cos), below the rounding of f32.
  let sine = fma(a * b, fma(b, fma(b, fma(b, 2.7557319e-6, -1.9841270e-4), 8.3333333e-3), -1.6666667e-1), a);
  let cosine = fma(b, fma(b, fma(b, fma(b, fma(b, -2.7557319e-7, 2.4801587e-5), -1.3888889e-3), 4.1666667e-2), -0.5), 1.0);
  let swap = (quadrant & 1u) == 1u;
  var result = select(vec2f(cosine, sine), vec2f(-sine, cosine), swap);
  if ((quadrant & 2u) == 2u) { result = -result; }
  return result;
}

@compute @workgroup_size(WG)
fn angles(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let fill = FILL_AT + 4u * group.x;
  let rows = plan[fill + 2u];
  let first = group.y * FILL_ROWS;
  if (first >= rows) { return; }
  let setting = TURNS_AT + TURNS_STRIDE * plan[fill + 3u];
  let scale = bitcast<f32>(plan[setting + 2u * HALF]);
  for (var i = lane; i < min(FILL_ROWS, rows - first) * HALF; i += WG) {
    let row = first + i / HALF;
    let frequency = i % HALF;
    let position = plan[fill + 1u] + row;
    let turns_low = plan[setting + 2u * frequency];
    let turns_high = plan[setting + 2u * frequency + 1u];
    let phase = position * turns_high + multiply_high(position, turns_low);
    table[(plan[fill] + row) * TABLE_STRIDE + frequency] = scale * cos_sin(phase);
  }
}
