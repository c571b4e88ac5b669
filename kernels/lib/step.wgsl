// lib/step.wgsl — the rows of one step, uploaded once and read by every kernel of group 0; step.ts lays it out.
// Words 4 … 15 are zero.
//   row {token, position, sequence, angle row} · tile {first row, rows, sequence, -} · fill {angle row, position, count, setting}
//   output {row, top-k} · sequence {first entry in the page table, first angle row, raw keys, -}
// The *_AT offsets are in u32 from the start of the buffer. A key/value slot is page · PAGE + position % PAGE.
struct Step {
  rows: u32, // token rows
  outputs: u32, // rows whose logits are wanted
  tiles: u32, // prefill attention: runs of neighbouring rows
  splits: u32, // decode attention: parts that the longest key/value sequence of a row that stands alone is cut into
}
@group(0) @binding(0) var<uniform> step: Step;
@group(0) @binding(1) var<storage, read> plan: array<u32>;

override ROW_AT: u32;
override TILE_AT: u32;
override FILL_AT: u32;
override OUTPUT_AT: u32;
override SEQUENCE_AT: u32;
override TURNS_AT: u32;
override TURNS_STRIDE: u32;
override PAGE_AT: u32;
override PAGE: u32;

fn row_token(row: u32) -> u32 { return plan[ROW_AT + 4u * row]; }
fn row_position(row: u32) -> u32 { return plan[ROW_AT + 4u * row + 1u]; }
fn row_sequence(row: u32) -> u32 { return plan[ROW_AT + 4u * row + 2u]; }
fn row_angle(row: u32) -> u32 { return plan[ROW_AT + 4u * row + 3u]; }

fn tile_row(tile: u32) -> u32 { return plan[TILE_AT + 4u * tile]; }
fn tile_rows(tile: u32) -> u32 { return plan[TILE_AT + 4u * tile + 1u]; }
fn tile_sequence(tile: u32) -> u32 { return plan[TILE_AT + 4u * tile + 2u]; }

fn output_row(output: u32) -> u32 { return plan[OUTPUT_AT + 2u * output]; }
fn output_k(output: u32) -> u32 { return plan[OUTPUT_AT + 2u * output + 1u]; }

fn sequence_pages(sequence: u32) -> u32 { return PAGE_AT + plan[SEQUENCE_AT + 4u * sequence]; }
fn sequence_angle(sequence: u32) -> u32 { return plan[SEQUENCE_AT + 4u * sequence + 1u]; }
fn sequence_raw(sequence: u32) -> bool { return plan[SEQUENCE_AT + 4u * sequence + 2u] != 0u; }

// Row of the key/value pool that holds `position` of the sequence whose page table starts at `pages`.
fn kv_slot(pages: u32, position: u32) -> u32 { return plan[pages + position / PAGE] * PAGE + position % PAGE; }

// `value`, plus a zero of the step buffer that compilers cannot see: a loop bounded by it is not unrolled. A loop over lanes
// or head elements that lavapipe unrolls takes seconds to minutes to compile, and runs no faster.
fn at_run_time(value: u32) -> u32 { return value + plan[4]; }
