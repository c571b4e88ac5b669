// lib/window.wgsl — the first key that a row of a position attends to: of a layer with a window the WINDOW keys up to its own
// (sliding window attention, Beltagy et al. 2020, arXiv 2004.05150, as in Mistral 7B, arXiv 2310.06825, section 2).
override WINDOW: u32; // 0: all keys, which compiles to the constant 0
fn first_key(position: u32) -> u32 {
  if (WINDOW == 0u) { return 0u; }
  return position + 1u - min(WINDOW, position + 1u);
}
