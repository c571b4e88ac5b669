// kernels.ts — mutations of the kernels that are neither attention nor a linear layer, of what they share, and of their grids.
import { type Mutation, of } from "./mutation.ts";

/** What must not pass in the small kernels; the grids stand for all that forget rows, outputs or columns. */
export const kernels: readonly Mutation[] = [
  ...of(
    "kernels/rmsnorm.wgsl",
    ["kernels/rmsnorm"],
    [
      ["rmsnorm: ε outside the root", "/ f32(DIM) + EPS);", "/ f32(DIM)) + EPS;"],
      ["rmsnorm: the mean counts the padding", "f32(DIM)", "f32(max(DIM, 4u * DIM4))"],
      ["rmsnorm: no weight", "weight[i] * (x[first + i] * scale)", "x[first + i] * scale"],
    ],
  ),
  ...of("kernels/rmsnorm.ts", ["kernels/rmsnorm"], [["rmsnorm: rows for outputs", "[ofOutputs ? outputs : rows, 1, 1]", "[ofOutputs ? rows : rows + 0 * outputs, 1, 1]"]]),
  ...of(
    "kernels/headnorm.wgsl",
    ["kernels/headnorm"],
    [
      ["headnorm: keys by the weight of queries", "select(0u, HEAD_DIM, group.x >= HEADS)", "select(0u, HEAD_DIM, group.x >= 9u * HEADS)"],
      ["headnorm: ε outside the root", "/ f32(HEAD_DIM) + EPS);", "/ f32(HEAD_DIM)) + EPS;"],
      ["headnorm: the mean of two heads", "f32(HEAD_DIM)", "f32(2u * HEAD_DIM)"],
    ],
  ),
  ...of("kernels/headnorm.ts", ["kernels/headnorm", "kernels/grid"], [["headnorm: queries only", "[heads + kvHeads, rows, 1]", "[heads, rows, 1]"]]),
  ...of("kernels/lib/reduce_workgroup.wgsl", ["kernels/rmsnorm"], [["reduce: a part left out", "for (var i = 1u; i < 8u; i++) { total", "for (var i = 1u; i < 7u; i++) { total"]]),
  ...of("kernels/lib/reduce_shuffle.wgsl", ["kernels/rmsnorm"], [["reduce: half of a subgroup", "away < WG; away *= 2u) { all += ", "away < WG / 2u; away *= 2u) { all += "]]),
  ...of(
    "kernels/swiglu.wgsl",
    ["kernels/swiglu"],
    [
      ["swiglu: gate and up swapped", "exp(min(-gate, 87.0))", "exp(min(-up, 87.0))"],
      ["swiglu: the exponent held back too early", "min(-gate, 87.0)", "min(-gate, 10.0)"],
      ["swiglu: writes into the padding", "min((group.x + 1u) * SPAN, HIDDEN)", "min((group.x + 1u) * SPAN, Y_STRIDE)"],
    ],
  ),
  ...of(
    "kernels/pool.wgsl",
    ["kernels/pool"],
    [
      ["pool: the last row left out", "j < count; j++", "j + 1u < count; j++"],
      ["pool: from the first row of the step", "x[(first + j) * STRIDE + i]", "x[j * STRIDE + i]"],
      ["pool: writes into the padding", "min((group.x + 1u) * SPAN, DIM)", "min((group.x + 1u) * SPAN, STRIDE)"],
    ],
  ),
  ...of("kernels/pool.ts", ["kernels/pool", "kernels/grid"], [["pool: one output only", "[Math.ceil(dim / SPAN), outputs, 1]", "[Math.ceil(dim / SPAN), Math.min(outputs, 1), 1]"]]),
  ...of("kernels/swiglu.ts", ["kernels/swiglu"], [["swiglu: one row only", "[Math.ceil(hidden / SPAN), rows, 1]", "[Math.ceil(hidden / SPAN), Math.min(rows, 1), 1]"]]),
  ...of(
    "kernels/embed.wgsl",
    ["kernels/embed"],
    [
      ["embed: one token of the next piece", "token >= FIRST + ROWS", "token > FIRST + ROWS"],
      ["embed: no factor", "value *= SCALE;", "value *= 1.0;"],
      ["embed: a piece starts at 0", "(token - FIRST) * ROW4", "token * ROW4"],
    ],
  ),
  ...of("kernels/embed.ts", ["kernels/embed"], [["embed: one row fewer", "workgroups: ({ rows }) => [rows, 1, 1]", "workgroups: ({ rows }) => [rows - 1, 1, 1]"]]),
  ...of("kernels/formats/bf16.wgsl", ["kernels/embed"], [["bf16: halves swapped", "pairs.x << 16u, pairs.x & 0xffff0000u", "pairs.x & 0xffff0000u, pairs.x << 16u"]]),
  ...of("kernels/formats/f16.wgsl", ["kernels/embed"], [["f16: pairs swapped", "unpack2x16float(pairs.x), unpack2x16float(pairs.y)", "unpack2x16float(pairs.y), unpack2x16float(pairs.x)"]]),
  ...of("kernels/formats/q4_0.wgsl", ["kernels/embed"], [["q4_0: halves swapped", "(4u - 4u * high)", "(4u * high)"]]),
  ...of("kernels/formats/q8_0.wgsl", ["kernels/linear"], [["q8_0: the second half with the first numbers", "dot(v[4u + j],", "dot(v[j],"]]),
  ...of(
    "kernels/formats/blocks.ts",
    ["kernels/formats"],
    [
      ["blocks: the last of equals is the largest", "if (Math.abs(row[i]) > Math.abs(largest))", "if (Math.abs(row[i]) >= Math.abs(largest))"],
      ["blocks: the scale as f16 holds it divides", "Math.fround(1 / d)", "Math.fround(1 / (widenF16(Uint16Array.of(narrowF16(d)), one), one[0]))"],
    ],
  ),
  ...of(
    "kernels/quantize.wgsl",
    ["kernels/quantize"],
    [
      ["quantize: quotients cut off", "quotient + u32(2u * rest > x.mantissa)", "quotient"],
      ["quantize: small scales as large ones", "clamp(-14 - leading, 0, 18)", "0"],
      ["quantize: the next row behind the end of one", "select(0u, pair.y, column + 1u < COLUMNS)", "pair.y"],
    ],
  ),
  ...of("kernels/lib/pack_q4_0.wgsl", ["kernels/quantize"], [["quantize: the sum with 8.5 is exact", "(sum + ((1u << dropped) >> 1u))", "sum"]]),
  ...of("kernels/lib/stored_f16.wgsl", ["kernels/quantize"], [["quantize: odd rows of f16 from the word before", "if (i % 2u == 1u)", "if (i % 2u == 2u)"]]),
  ...of("src/model/weights.ts", ["model/quantize"], [["quantize: a tied head as its embedding", "tied && held.output === held.embedding", "tied"]]),
  ...of("src/model/stream.ts", ["model/quantize"], [["quantize: numbers that no f16 holds", "if (beyond >= 0) throw", "if (beyond > 1e9) throw"]]),
  ...of("kernels/formats/f32.wgsl", ["kernels/linear"], [["f32: the dot of another block", "dot(v[0], weight4(i))", "dot(v[0], weight4(i - i % 2u))"]]),
  ...of(
    "kernels/formats/floats.ts",
    ["kernels/formats", "kernels/linear"],
    [
      ["floats: every row packed over the first", "weight.subarray(at * row.length * ELEMENT_BYTES[name])", "weight.subarray(0 * at * row.length * ELEMENT_BYTES[name])"],
      ["floats: rows of 16 bits as long as those of 32", "weight: stride(columns) * ELEMENT_BYTES[name]", "weight: stride(columns) * 4"],
    ],
  ),
  ...of("kernels/formats/format.ts", ["kernels/formats", "kernels/compile"], [["format: pieces that all start at the first row", "firstRow: i * tall,", "firstRow: 0 * i * tall,"]]),
  ...of("kernels/cache/f32.wgsl", ["kernels/attention"], [["cache: keys read as values", "return values[i / 4u][i % 4u];", "return keys[i / 4u][i % 4u];"], ["cache: four keys for values", "return values[i / 4u]; }", "return keys[i / 4u]; }"]]),
  ...of("kernels/cache/cache.ts", ["kernels/append"], [["cache: slots that are no whole blocks", "Math.ceil(kvDim / block) * block;", "kvDim + 0 * block;"]]),
  ...of(
    "kernels/cache/f16.wgsl",
    ["kernels/append"],
    [
      ["f16 cache: ties away from zero", "(size + 0xfffu + ((size >> 13u) & 1u) - 0x38000000u)", "(size + 0x1000u - 0x38000000u)"],
      ["f16 cache: beyond the range is infinite", "clamp(value, -65504.0, 65504.0)", "value"],
      ["f16 cache: small numbers as if they were normal", "select(subnormal, normal, size >= 0x38800000u)", "normal"],
      ["f16 cache: two elements swapped", "bits.xz | (bits.yw << vec2u(16u))", "bits.yw | (bits.xz << vec2u(16u))"],
    ],
  ),
  ...of(
    "kernels/cache/q8.wgsl",
    ["kernels/append"],
    [
      ["q8 cache: a step that does not reach the largest", "let step = largest / 127.0;", "let step = largest / 128.0;"],
      ["q8 cache: the largest, not its absolute value", "largest = max(largest, abs(block[i]))", "largest = max(largest, block[i])"],
      ["q8 cache: codes rounded towards zero", "i32(round(block[i] * inverse))", "i32(block[i] * inverse)"],
    ],
  ),
  ...of("kernels/cache/q8.wgsl", ["kernels/attention"], [["q8 cache: codes without a sign", "f32(i32(word << (24u - 8u * (i % 4u))) >> 24u)", "f32((word << (24u - 8u * (i % 4u))) >> 24u)"]]),
  ...of("kernels/lib/window.wgsl", ["kernels/attention"], [["window: a key more", "min(WINDOW, position + 1u)", "min(WINDOW + 1u, position + 1u)"]]),
  ...of(
    "kernels/lib/keys.wgsl",
    ["kernels/attention"],
    [
      ["keys: four raw keys turn the other way", "low * c - high * s, high * c + low * s", "low * c + high * s, high * c - low * s"],
      ["keys: heads of any size are read four at a time", "if (HALF % 4u == 0u) { return key4(i); }", "if (HALF > 0u) { return key4(i); }"],
    ],
  ),
  ...of("kernels/attention_merge.wgsl", ["kernels/attention"], [["merge: parts before the window", "let since = first_key(row_position(row)) / SPLIT;", "let since = 0u;"]]),
  ...of("kernels/attention_prefill_tiled.wgsl", ["kernels/attention"], [["prefill: the window of a tile's first row for all", "key >= first_key(position + row)", "key >= first_key(position)"]]),
  ...of("kernels/attention_decode_tiled.wgsl", ["kernels/attention"], [["decode: a part is wholly within the window", "let first = max(begin, first_key(position));", "let first = begin;"]]),
  ...of(
    "kernels/lib/keys.wgsl",
    ["kernels/attention"],
    [
      ["keys: a raw key turns as a whole", "if (TURNING < HALF) { return vec2f(", "if (TURNING > HALF) { return vec2f("],
      ["keys: four of a raw key turn as a whole", "if (TURNING < HALF) { return KeyQuads(", "if (TURNING > HALF) { return KeyQuads("],
      ["keys: what does not turn has a partner", "if (d >= 2u * TURNING) { return own; }", ""],
    ],
  ),
  ...of("kernels/rope.wgsl", ["kernels/rope"], [["rope: heads as wide as what turns", "(pair / HALF) * HEAD_DIM", "(pair / HALF) * 2u * HALF"]]),
  ...of("kernels/gather.wgsl", ["kernels/gather"], [["gather: the first rows", "let row = output_row(group.x);", "let row = min(group.x, output_row(group.x) + group.x);"]]),
  ...of("kernels/gather.ts", ["kernels/gather"], [["gather: one output only", "workgroups: ({ outputs }) => [outputs, 1, 1]", "workgroups: ({ outputs }) => [Math.min(outputs, 1), 1, 1]"]]),
  ...of(
    "kernels/append.wgsl",
    ["kernels/append"],
    [
      ["append: keys for values", "qkv[source + KV_DIM + at]", "qkv[source + at]"],
      ["append: a block in another's place", "keys[(slot + b) * KV_WORDS + i]", "keys[(slot + b / 2u) * KV_WORDS + i]"],
      ["append: the page table of the first sequence", "sequence_pages(row_sequence(row))", "sequence_pages(0u * row_sequence(row))"],
    ],
  ),
  ...of("kernels/append.ts", ["kernels/append"], [["append: one column of workgroups", "[Math.ceil(kvDim / format.block / SPAN), rows, 1]", "[Math.min(1, kvDim), rows, 1]"]]),
  ...of(
    "kernels/lib/step.wgsl",
    ["kernels/append", "kernels/topk"],
    [
      ["slot: the place within a page ignored", "* PAGE + position % PAGE; }", "* PAGE; }"],
      ["output: k is the row", "plan[OUTPUT_AT + 2u * output + 1u]", "plan[OUTPUT_AT + 2u * output]"],
    ],
  ),
  ...of(
    "kernels/topk.wgsl",
    ["kernels/topk"],
    [
      ["topk: what ties with the k-th is lost", "if (ordered(value) >= prefix)", "if (ordered(value) > prefix)"],
      ["topk: minus zero below zero", "select(bitcast<u32>(value), 0u, value == 0.0)", "bitcast<u32>(value)"],
      ["topk: negative logits upside down", "select(bits | 0x80000000u, ~bits,", "select(bits | 0x80000000u, bits,"],
      ["topk: candidates beyond the capacity", "if (slot < CAPACITY)", "if (slot <= CAPACITY)"],
      ["topk: log Σ without the largest", "bitcast<u32>(top + log(total))", "bitcast<u32>(log(total))"],
      ["topk: greedy also for k = 2", "if (k == 1u) {", "if (k <= 2u) {"],
      ["topk: the digit before is forgotten", "wanted -= count;", ""],
    ],
  ),
]; // prettier-ignore
