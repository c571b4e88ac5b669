// choose.ts — which variant of a kernel runs: one table, a reason per row. The first row that holds and was not refused is
// taken, unless another was measured on the device (src/device/tune.ts) or asked for; the last row of a kernel always holds and
// needs nothing of the device, so it is what is left when others are refused.

import { type DeviceFacts, lanesOf } from "./device.ts";
import { isOfBlocks } from "./formats/index.ts";

/** How a kernel adds up over the lanes of a workgroup: the part it is linked with. */
export type Reduction = "lib/reduce_shuffle" | "lib/reduce_subgroups" | "lib/reduce_workgroup";

/** What is chosen between, by kernel: another kernel, another part, or another way over a row. */
export interface Choices {
  readonly linear:
    | "matvec"
    | "matvec_rows"
    | "matmul_shuffle"
    | "matmul_tiled_low"
    | "matmul_tiled_tall"
    | "matmul_tiled";
  readonly attention_prefill: "attention_prefill_shuffle" | "attention_prefill_tiled";
  readonly attention_decode: "attention_decode_shuffle" | "attention_decode_tiled";
  readonly matvec: Reduction;
  /** One row of a linear layer whose weight is in a format of whole numbers. */
  readonly blocks: "matvec_shuffle" | "matvec";
  /** The gated unit: where matvec has made gate and up, or in a dispatch of its own. */
  readonly swiglu: "lib/gated" | "swiglu";
  /** The norms within a layer: half of each where the residual stream is added to, or in dispatches of their own. */
  readonly norm: "lib/residual" | "rmsnorm";
  /** Turning queries and keys, and caching: where matvec has made them, or in dispatches of their own. */
  readonly rope: "lib/placed" | "rope";
  readonly rmsnorm: Reduction;
  readonly topk: Reduction;
  /** append, embed, gather, pool, rope, swiglu, attention_merge: each element of a row on its own. */
  readonly elementwise: "walk" | "spread";
}

/** What is to be computed: rows of the step, and of a linear layer the columns made (n) and summed over (k). */
export interface Size {
  readonly rows: number;
  readonly n: number;
  readonly k: number;
  /** Format of a linear layer's weight. */
  readonly format?: string;
}

interface Row<Variant> {
  readonly variant: Variant;
  /** What it needs of device and size. Default: nothing. */
  readonly can?: (device: DeviceFacts, size: Size) => boolean;
  /** Where it can run: whether it is taken unless something was measured or asked for. Default: always. */
  readonly when?: (device: DeviceFacts, size: Size) => boolean;
  readonly why: string;
}

/**
 * How many rows share the reads of a weight is compiled into a kernel. A step of few rows takes the least of these that holds
 * them, so that a batch that grows to 16 compiles three times and not fifteen.
 */
export const ROW_CLASSES = [1, 4, 8, 16] as const;

/** Rows that a step has room for, of ROW_CLASSES; undefined for more than the last, which are many. */
export const rowClass = (rows: number): number | undefined => ROW_CLASSES.find((each) => rows <= each);

/** Rows up to which tiles of 32 leave fewer of their rows empty than tiles of 64, or make twice as many workgroups of them. */
export const LOW_ROWS = 64;

const ofOneSize = (device: DeviceFacts): boolean => lanesOf(device) > 0;
const known = ({ variants }: DeviceFacts): boolean => variants === "shuffle";
const shuffles = (device: DeviceFacts): boolean => ofOneSize(device) && known(device);
const hasSubgroups = ({ subgroupMax }: DeviceFacts): boolean => subgroupMax > 0;

const TABLE: { readonly [K in keyof Choices]: readonly Row<Choices[K]>[] } = {
  linear: [
    {
      variant: "matvec",
      can: (_, { rows }) => rows === 1,
      why: "bound by reading the weight, which a row does with all lanes side by side; a tile of rows would be empty",
    },
    {
      variant: "matmul_shuffle",
      can: ofOneSize,
      when: known,
      why:
        "no barrier and the fewest reads per multiply-add, known to be faster where the CPU computes. " +
        "A tile of as few rows as the step has beats matvec_rows too: see kernels/README.md",
    },
    {
      variant: "matvec_rows",
      can: (_, { rows }) => rowClass(rows) !== undefined,
      why: "bound by reading the weight, which all rows of the step then share; matmul_tiled would leave half of its tile empty",
    },
    {
      variant: "matmul_tiled_low",
      when: (_, { rows }) => rows <= LOW_ROWS,
      why: "tiles of 32 rows: of few rows they leave fewer empty, and make twice as many workgroups",
    },
    {
      variant: "matmul_tiled_tall",
      when: () => false,
      why: "tiles of 128 rows read a weight half as often; whether they still fill the device only a measurement tells",
    },
    { variant: "matmul_tiled", why: "every GPU has workgroup memory, and 4 reads of 16 bytes feed 64 multiply-adds" },
  ],
  attention_prefill: [
    {
      variant: "attention_prefill_shuffle",
      can: ofOneSize,
      when: known,
      why:
        "three barriers per 32 keys are what attention_prefill_tiled waits for where barriers are dear, and matmul_tiled " +
        "waits for the same: its measurement stands for both",
    },
    {
      variant: "attention_prefill_tiled",
      why: "queries and weights are read from workgroup memory by all lanes at once",
    },
  ],
  attention_decode: [
    {
      variant: "attention_decode_shuffle",
      can: ofOneSize,
      when: known,
      why: "one subgroup per part starts sooner than 64 lanes that meet at five barriers, where those are dear",
    },
    { variant: "attention_decode_tiled", why: "a lane per key of a part: 64 lanes hide each other's wait for memory" },
  ],
  matvec: [
    {
      variant: "lib/reduce_shuffle",
      can: ofOneSize,
      when: known,
      why: "a workgroup that is one subgroup needs no barrier; where lanes take turns on one core, more of them only cost",
    },
    {
      variant: "lib/reduce_subgroups",
      can: hasSubgroups,
      why:
        "a subgroup for each 8 columns leaves a GPU idle where a layer has few columns: several share a sum over k, as many as " +
        "fill it (matvecLanes), and one round through memory joins them",
    },
    { variant: "lib/reduce_workgroup", why: "needs no subgroups" },
  ],
  blocks: [
    {
      variant: "matvec_shuffle",
      can: (device, { rows, format }) => ofOneSize(device) && rows === 1 && isOfBlocks(format),
      when: (device) => known(device) && lanesOf(device) >= 8,
      why:
        "the lanes of matvec read x besides the weights, each for itself, and where a read is dear that is as much again as four bits " +
        "of a weight; lanes that own columns read it once for all of them. Four lanes are too few to gain by it",
    },
    {
      variant: "matvec",
      why: "neighbouring lanes read neighbouring blocks, which is how a GPU's memory wants to be read",
    },
  ],
  swiglu: [
    {
      variant: "lib/gated",
      can: (_, { rows }) => rows === 1,
      why:
        "a workgroup of matvec makes a column of gate and the same of up just as well as two that follow each other: a dispatch " +
        "and the way of 2 · hidden numbers through memory are saved",
    },
    {
      variant: "swiglu",
      why: "the tiles of the other kernels hold neighbouring columns; their gates are not beside their ups",
    },
  ],
  norm: [
    {
      variant: "lib/residual",
      can: (_, { rows }) => rows === 1,
      why:
        "a norm of one row is a dispatch of one workgroup that everything waits for; scaling by its weight and squaring go with the sums " +
        "that wrote the row, and the root goes with those that read it",
    },
    {
      variant: "rmsnorm",
      why: "of several rows each workgroup of a matrix product would add up the squares of all of them again",
    },
  ],
  rope: [
    {
      variant: "lib/placed",
      can: (_, { rows }) => rows === 1,
      why:
        "a workgroup of matvec makes four pairs of a head just as well as eight columns that follow each other: two dispatches are saved, " +
        "and the way of keys and values through memory",
    },
    { variant: "rope", why: "the tiles of the other kernels hold neighbouring columns; a pair is half a head apart" },
  ],
  rmsnorm: [
    {
      variant: "lib/reduce_shuffle",
      can: ofOneSize,
      when: known,
      why: "where lanes of a workgroup take turns on one core, more of them than a subgroup only cost barriers",
    },
    {
      variant: "lib/reduce_subgroups",
      can: hasSubgroups,
      why: "128 lanes read the row together, since a workgroup has nothing else to do, and one round through memory joins them",
    },
    { variant: "lib/reduce_workgroup", why: "needs no subgroups" },
  ],
  topk: [
    {
      variant: "lib/reduce_workgroup",
      when: shuffles,
      why: "256 lanes that are not one subgroup; on lavapipe subgroupAdd is a branch per lane, and this sum is one of a step",
    },
    {
      variant: "lib/reduce_subgroups",
      can: hasSubgroups,
      why: "256 lanes add up inside their subgroups first: one round through memory, not two",
    },
    { variant: "lib/reduce_workgroup", why: "needs no subgroups" },
  ],
  elementwise: [
    {
      variant: "walk",
      can: ofOneSize,
      when: known,
      why: "on a CPU starting a workgroup costs as much as 60 elements: one subgroup walks along the row",
    },
    { variant: "spread", why: "a lane per element fills a GPU" },
  ],
};

/** The rows that can run: not refused, and given what they need. The last always is among them. */
function able<K extends keyof Choices>(kernel: K, size: Size, device: DeviceFacts): readonly Row<Choices[K]>[] {
  const rows = TABLE[kernel];
  return rows.filter(
    ({ variant, can = () => true }, i) =>
      i === rows.length - 1 || (!device.refused?.has(variantName(kernel, variant)) && can(device, size)),
  );
}

function taken<K extends keyof Choices>(kernel: K, size: Size, device: DeviceFacts): Row<Choices[K]> {
  const rows = able(kernel, size, device);
  const named = device.choices?.get(choiceKey(kernel, size)) ?? device.choices?.get(kernel);
  return (
    rows.find(({ variant }) => variant === named) ??
    rows.find(
      ({ variant, when = () => true }) => when(device, size) && !device.refused?.has(variantName(kernel, variant)),
    ) ??
    rows[rows.length - 1]
  );
}

/** The variant of a kernel for this size on this device: what was measured or asked for, else the first of the table. */
export const choose = <K extends keyof Choices>(kernel: K, size: Size, device: DeviceFacts): Choices[K] =>
  taken(kernel, size, device).variant;

/** Why `choose` takes what it takes, as the table has it. */
export const reason = (kernel: keyof Choices, size: Size, device: DeviceFacts): string =>
  taken(kernel, size, device).why;

/** The variants of a kernel that this device can run at this size. */
export const candidates = <K extends keyof Choices>(kernel: K, size: Size, device: DeviceFacts): Choices[K][] =>
  able(kernel, size, device).map(({ variant }) => variant);

/** Kernels whose variants are chosen, and all variants of each. */
export const variantsByKernel = Object.fromEntries(
  Object.entries(TABLE).map(([kernel, rows]) => [kernel, rows.map(({ variant }) => variant)]),
) as unknown as { readonly [K in keyof Choices]: readonly Choices[K][] };

/** What a choice for one size is called in `DeviceFacts.choices`. */
export const choiceKey = (kernel: keyof Choices, { rows, n, k, format = "" }: Size): string =>
  [kernel, rows, n, k, format].join(" ").trimEnd();

/** The variant of a kernel that needs nothing of the device. */
export const plainVariant = <K extends keyof Choices>(kernel: K): Choices[K] => TABLE[kernel].at(-1)!.variant;

/** What a variant is called in notes and in `DeviceFacts.refused`. */
export const variantName = <K extends keyof Choices>(kernel: K, variant: Choices[K]): string =>
  variant.startsWith("lib/") ? `${kernel} with ${variant}` : variant;

/**
 * Token rows per step: a prompt is computed in chunks of this size, so that it can be cancelled and activations stay small.
 * 256 rows are 16 tiles of matmul_shuffle; a CPU works on them for seconds, long enough to wait for a cancel (135M on
 * lavapipe, two cores: 5 s). 512 are 16 tiles of matmul_tiled.
 */
export const stepRows = (device: DeviceFacts): number => (shuffles(device) ? 256 : 512);
