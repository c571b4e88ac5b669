// variants.ts — mutations of the variants of matrix product and attention, of the choice between variants, and of the trials
// that a device has to pass.
import { type Mutation, of } from "./mutation.ts";

/** What must not pass where kernels differ by device. */
export const variants: readonly Mutation[] = [
  ...of(
    "kernels/choose.ts",
    ["kernels/choose"],
    [
      ["choose: one row too many for matvec", "rows === 1,\n      why: \"bound", "rows <= 2,\n      why: \"bound"],
      ["choose: what was refused is chosen all the same", "!device.refused?.has(variantName(kernel, variant)) && ", ""],
      ["choose: shuffles on every device with subgroups of one size", 'variants === "shuffle"', 'variants !== "none"'],
      ["choose: shuffles where subgroups vary", "(device: DeviceFacts): boolean => lanesOf(device) > 0", "(device: DeviceFacts): boolean => device.subgroupMax > 0"],
      ["choose: what was measured is not taken", "rows.find(({ variant }) => variant === named) ??", ""],
      ["choose: a measurement is of every size", "device.choices?.get(choiceKey(kernel, size)) ??", "[...(device.choices?.values() ?? [])][0] ??"],
      ["choose: low tiles for many rows", "const LOW_ROWS = 64;", "const LOW_ROWS = 65;"],
      ["choose: a part is refused for all kernels", "variant.startsWith(\"lib/\") ? `${kernel} with ${variant}` : variant", "variant"],
    ],
  ),
  ...of("kernels/device.ts", ["kernels/choose"], [["device: two lanes are enough", "const LEAST_LANES = 4;", "const LEAST_LANES = 2;"]]),
  ...of(
    "kernels/lib/reduce_subgroups.wgsl",
    ["kernels/rmsnorm", "kernels/linear"],
    [
      ["reduce: every lane speaks for its subgroup", "select(vec4f(), own, subgroupElect())", "own"],
      ["reduce: each subgroup has its own sum only", "let total = subgroupAdd(sum);", "let total = own;"],
      ["reduce: the first entry is left out", "var i = subgroupExclusiveAdd(1u);", "var i = subgroupExclusiveAdd(1u) + 1u;"],
    ],
  ),
  ...of(
    "kernels/lib/heads.wgsl",
    ["kernels/attention"],
    [
      ["heads: the last group of a key head takes a neighbour's", "min(GROUP, (kv + 1u) * per_kv - first)", "GROUP"],
      ["heads: every group starts with the first head", "kv * per_kv + (index % groups) * GROUP", "kv * per_kv"],
    ],
  ),
  ...of(
    "kernels/matmul_shuffle.wgsl",
    ["kernels/linear"],
    [
      ["shuffle: a neighbour's row", "subgroupShuffle(own[r / WG], r % WG)", "subgroupShuffle(own[r / WG], (r + 1u) % WG)"],
      ["shuffle: the factor also of what was there", "if (SCALE != 1.0) { value *= SCALE; }\n      if (ADD) { value += y[at]; }", "if (ADD) { value += y[at]; }\n      value *= SCALE;"],
      ["shuffle: a column beyond the last", "if (n >= N) { continue; }", "if (n > N) { continue; }"],
    ],
  ),
  ...of(
    "kernels/matvec_rows.wgsl",
    ["kernels/linear"],
    [
      ["matvec_rows: no factor", "value *= SCALE;", "value *= 1.0;"],
      ["matvec_rows: the first rows for all", "x[min(first_row + r, rows - 1u) * K4 + k]", "x[min(r, rows - 1u) * K4 + k]"],
      ["matvec_rows: rows beyond the step's", "if (row >= rows) { break; }", ""],
      ["matvec_rows: outputs are rows", "select(step.rows, step.outputs, OF_OUTPUTS)", "select(step.rows, step.rows, OF_OUTPUTS)"],
    ],
  ),
  ...of("kernels/matvec_rows.ts", ["kernels/linear", "kernels/grid"], [["matvec_rows: one workgroup of rows", "(args.ofOutputs ? outputs : rows) / tall", "Math.min(1, args.ofOutputs ? outputs : rows)"]]),
  ...of(
    "kernels/matvec_shuffle.wgsl",
    ["kernels/matvec_shuffle"],
    [
      ["matvec_shuffle: a neighbour's share of x", "subgroupShuffle(own[j / WG], j % WG)", "subgroupShuffle(own[j / WG], (j + 1u) % WG)"],
      ["matvec_shuffle: the scale of another column", "block_scale(start.y + b)", "block_scale(start.x + b)"],
      ["matvec_shuffle: the scale of the first block", "fma(whole, d, sum)", "fma(whole, vec2f(block_scale(start.x), block_scale(start.y)), sum)"],
      ["matvec_shuffle: columns beyond the last", "if (n >= N) { break; }", "if (n > N) { break; }"],
      ["matvec_shuffle: the factor also of what was there", "if (SCALE != 1.0) { value *= SCALE; }\n    if (ADD) { value += y[at]; }", "if (ADD) { value += y[at]; }\n    value *= SCALE;"],
      ["matvec_shuffle: gates beyond the last", "if (column.x < N / 2u)", "if (column.x <= N / 2u)"],
      ["matvec_shuffle: the exponent held back too early", "min(-both.x, 87.0)", "min(-both.x, 2.0)"],
    ],
  ),
  ...of("kernels/matmul_shuffle.ts", ["kernels/linear"], [["shuffle: rows of a class that is too small", "rowClass(args.rows ?? Infinity) ?? Infinity", "args.rows ?? 4"]]),
  ...of("kernels/lib/columns.wgsl", ["kernels/linear"], [["matvec: no factor", "value *= SCALE;", "value *= 1.0;"]]),
  ...of(
    "kernels/matvec.wgsl",
    ["kernels/linear"],
    [
      ["matvec: the root without its ε", " / f32(K) + EPS)", " / f32(K))"],
      ["matvec: the mean of a padded row", " / f32(K) + EPS)", " / f32(4u * K4) + EPS)"],
      ["matvec: sums of squares of the first row for all", "squares += x[x_row(row) + K4 + i]", "squares += x[K4 + i]"],
      ["matvec: rows one by one where each has sums of squares", "select(row, 2u * row, SQUARES > 0u)", "row"],
    ],
  ),
  ...of(
    "kernels/lib/residual.wgsl",
    ["kernels/linear"],
    [
      ["residual: the stream is forgotten", "value += y[at];", ""],
      ["residual: the norm's weight is left out", "norm[n] * value", "value"],
      ["residual: squares before the stream is added", "squares = fma(value, value, squares);", "squares = fma(total[lane], total[lane], squares);"],
      ["residual: squares of the last four columns alone", "squares = fma(value, value, squares);", "squares = value * value;"],
    ],
  ),
  ...of(
    "kernels/lib/placed.wgsl",
    ["kernels/linear"],
    [
      ["placed: values turned too", "TURNS && !is_value && ", "TURNS && "],
      ["placed: raw keys turned", "(is_query || !sequence_raw(sequence))", "true"],
      ["placed: the other way round", "low = a * cosine - high * sine;", "low = a * cosine + high * sine;"],
      ["placed: the second half is turned by what the first has become", "high = high * cosine + a * sine;", "high = high * cosine + low * sine;"],
      ["placed: values in the place of the keys of another head", "select(HEADS, HEADS + KV_HEADS, is_value)", "HEADS"],
      ["placed: angles of the first pairs", "row_angle(row) * TABLE_STRIDE + d", "row_angle(row) * TABLE_STRIDE"],
      ["placed: the bias of the first half for both", "biases(n + HALF)", "biases(n)"],
    ],
  ),
  ...of(
    "kernels/rmsnorm.wgsl",
    ["kernels/linear"],
    [
      ["rmsnorm: squares beyond the row", "if (at < DIM4) { sums[j]", "if (at <= DIM4) { sums[j]"],
      ["rmsnorm: sums of squares out of order", "y[2u * first + DIM4 + i] = sums;", "y[2u * first + DIM4 + i] = sums.yxzw;"],
    ],
  ),
  ...of(
    "kernels/lib/gated.wgsl",
    ["kernels/linear"],
    [
      ["gated: a column's up is its neighbour's", "index * half + i % half", "index * half + select(i % half, (i + 1u) % half, i >= half)"],
      ["gated: the bias of gate for up", "bias_at(hidden + n)", "bias_at(n)"],
      ["gated: columns beyond the last", "if (lane < half && n < hidden)", "if (lane < half)"],
      ["gated: the exponent held back too early", "min(-gate, 87.0)", "min(-gate, 2.0)"],
    ],
  ),
  ...of("kernels/matmul_tiled.wgsl", ["kernels/linear"], [["tiled: no factor", "value *= SCALE;", "value *= 1.0;"], ["tiled: the last k of every tile left out", "k < 4u * TILE_K4; k++", "k < 4u * TILE_K4 - 1u; k++"], ["tiled: read where it was not written", "place(lane_row, k / 4u)", "place(lane_row, k / 8u)"], ["tiled: the tile is written while it is read", "    workgroupBarrier(); // the tile before has been read\n", ""], ["tiled: the second four rows are the first", "x_tile[x_from + X_WIDE / 2u]", "x_tile[x_from]"], ["tiled: beyond the columns of x", "if (row >= rows || k >= K4)", "if (row >= rows || k > K4)"]]),
  ...of("kernels/attention_decode_shuffle.wgsl", ["kernels/attention"], [
    ["decode: a key less in the mass", "total[g] += score[g][i];", "total[g] += select(score[g][i], 0.0, i == 1u);"],
    ["decode: a score is the neighbour's", "key % PAGE == lane + i * WG", "key % PAGE == (lane ^ 1u) + i * WG"],
    ["decode: a page reaches beyond the last key", "let end = min(last + 1u, page * PAGE + PAGE);", "let end = page * PAGE + PAGE;"],
  ]),
  ...of("kernels/attention_prefill_shuffle.wgsl", ["kernels/attention"], [["prefill: a row sees the key after its own", "let until = position + min(r, rows - 1u);", "let until = position + min(r, rows - 1u) + 1u;"]]),
  ...of(
    "src/device/trust.ts",
    ["device/trust"],
    [
      ["trust: what takes a refused one's place is not tried", "suspects = [...wrong.keys()];", "suspects = [];"],
      ["trust: decoding is not tried", '  "attention_decode",\n', ''],
    ],
  ),
  ...of(
    "src/device/gpu.ts",
    ["device/replay"],
    [
      ["gpu: the workgroups of a step with fewer parts of attention", "  a.splits === b.splits &&\n", ""],
      ["gpu: workgroups are counted once for all", "if (bound.shape !== this.#shape) {", "if (!bound.shape) {"],
    ],
  ),
  ...of(
    "src/device/trial.ts",
    ["device/trust"],
    [
      ["trial: everything passes", "if (!right) return", "if (!right && row < 0) return"],
      ["trial: half of a product is allowed", "const ALLOWED = 2 ** -10;", "const ALLOWED = 2 ** 10;"],
      ["trial: rows beyond are not looked at", "some((value) => value !== 1)", "some((value) => value === 7)"],
      ["trial: of several results the first alone is looked at", "if (other !== undefined) return other;", ""],
    ],
  ),
  ...of(
    "src/device/facts.ts",
    ["device/trust", "device/tune", "index"],
    [
      ["facts: what failed is used", "refused: new Set(wrong.map(({ variant }) => variant))", "refused: new Set<string>(wrong.slice(wrong.length).map(({ variant }) => variant))"],
      ["facts: checked at every load", "own.set(key, facts);", ""],
    ],
  ),
  ...of(
    "src/device/tune.ts",
    ["device/tune"],
    [
      ["tune: the wait counts", "(await time(repeats)) - nothing", "(await time(repeats)) - 0 * nothing"],
      ["tune: CPUs are measured at every load", "if (!again && isSoftware(device.adapterInfo))", "if (!again && sizes.length === 0)"],
      ["tune: what is known is measured again", "!known.has(choiceKey(\"linear\", size)) && ", ""],
      ["tune: variants are timed before they are tried", "if (missing.length > 0) now = await tried(device, facts, missing);", ""],
      ["tune: nothing is kept", "if (found.length > 0) await store?.write", "if (found.length < 0) await store?.write"],
    ],
  ),
  ...of(
    "src/device/choices.ts",
    ["device/tune"],
    [
      ["choices: the slowest is taken", "b[1] < a[1] ? b : a", "b[1] > a[1] ? b : a"],
      ["choices: another device's", 'if (held?.key !== key) throw new Error("it is of another device");', ""],
    ],
  ),
]; // prettier-ignore
