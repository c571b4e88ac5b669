// embed.wgsl — the embedding of each row's token.
//   y[row] = SCALE · weight[token(row)]
// weight [ROWS, DIM] (a piece of the table that starts at FIRST) · y [rows, DIM] f32
// one workgroup per row, WG lanes stride over DIM / 4 · embed.ts · test/kernels/embed.test.ts
override DIM4: u32;
override ROW4: u32; // a weight row: DIM4 up to a whole block of its format
override FIRST: u32;
override ROWS: u32;
override SCALE: f32;
override WG: u32;
@group(1) @binding(0) var<storage, read_write> y: array<vec4f>;

@compute @workgroup_size(WG)
fn embed(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = group.x;
  let token = row_token(row);
  if (token < FIRST || token >= FIRST + ROWS) { return; } // another piece of the table holds it
  for (var i = lane; i < DIM4; i += WG) {
    var value = weight4((token - FIRST) * ROW4 + i);
    if (SCALE != 1.0) { value *= SCALE; } // in f32, whatever the table is stored in
    y[row * DIM4 + i] = value;
  }
}
