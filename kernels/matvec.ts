import { type Ahead, squareSums } from "./ahead.ts";
import { type KvLayer, kvStride } from "./cache/cache.ts";
import { type Dispatch, type StepShape, type Tensor, MAX_WORKGROUPS, stride } from "./dispatch.ts";
import { LlariatError } from "../src/error.ts";
import { type LinearArguments, linearPieces } from "./linear.ts";
import { matvecLanes, reduction } from "./workgroup.ts";

/** Arguments of a linear layer for one row. With `norm`, whose tensor `x` then is, x is normed while it is summed over. */
export interface MatvecArguments extends LinearArguments {
  readonly norm?: Ahead;
}

/** A linear layer for one row, or few: every row reads the whole weight once. See linear.ts for the arguments. */
export function matvec(args: MatvecArguments): Dispatch[] {
  return linearPieces(args, (n) => matvecKernel(args, n, "lib/columns"));
}

/**
 * Gate and up projection and their gated unit in one: `y` = silu(gate) · up [rows, hidden] f32 of `x` [rows, k] f32 and `weight`
 * [2·hidden, k], the rows of gate, then of up, in one piece, and `bias` [2·hidden] f32. Throws `kernel` for a weight in several pieces.
 */
export function matvecGated(args: Omit<MatvecArguments, "add" | "scale">): Dispatch[] {
  whole("gate and up", args);
  return linearPieces(args, (n) => matvecKernel(args, n, "lib/gated"), args.weight.rows / 2);
}

/**
 * Adds a linear layer to the residual stream and does the half of the norm that follows: `y` [rows, dim] f32 as `matvec` with `add`,
 * and of it, by `weight` [dim] f32 of the norm, what `next.ahead` says. Throws `kernel` for a weight in several pieces.
 */
export function matvecResidual(
  args: Omit<MatvecArguments, "add"> & { readonly next: { readonly weight: Tensor; readonly ahead: Ahead } },
): Dispatch[] {
  const { weight, ahead } = args.next;
  whole("the residual stream", args);
  if (ahead.columns !== args.weight.format.matvecColumns) {
    const got = `sums of squares of ${ahead.columns} columns, and ${args.weight.format.matvecColumns} in a workgroup`;
    throw new LlariatError("kernel", `matvec of the residual stream, ${args.weight.name}: got ${got}`);
  }
  return linearPieces({ ...args, add: true }, (n) => ({
    ...matvecKernel(args, n, "lib/residual"),
    bind: { ahead: ahead.tensor, norm: weight },
  }));
}

/** Arguments of `matvecPlaced`. */
export interface PlacedArguments extends Omit<MatvecArguments, "add" | "scale"> {
  readonly table: Tensor;
  readonly kv: KvLayer;
  readonly heads: number;
  readonly kvHeads: number;
  /** Whether this layer turns its queries and keys. */
  readonly turned: boolean;
}

/**
 * Queries, keys and values in one with all that happens to them before attention: the queries among `y` [rows, (heads + 2·kvHeads)
 * · headDim] f32, turned by `table`, as `rope` would leave them; keys, turned, and values in their slots of `kv`, as `append` would.
 * What else `y` has is not written. Throws `kernel` where `canPlace` does not hold.
 */
export function matvecPlaced(args: PlacedArguments): Dispatch[] {
  const { weight, table, kv, heads, kvHeads, turned, step } = args;
  whole("queries, keys and values", args);
  if (!canPlace(args)) {
    const got = `heads of ${step.capacity.headDim}, of which ${step.rotaryDim} turn, weights in ${weight.format.name}, cache in ${kv.format.name}`;
    throw new LlariatError("kernel", `matvec of queries, keys and values, ${weight.name}: got ${got}`);
  }
  return linearPieces(args, (n) => {
    const made = matvecKernel(args, n, "lib/placed");
    const own = {
      HALF: step.rotaryDim / 2,
      HEADS: heads,
      KV_HEADS: kvHeads,
      TURNS: Number(turned),
      TABLE_STRIDE: stride(step.rotaryDim) / 2,
      KV_STRIDE: kvStride(kv.format, kv.kvDim),
    };
    return {
      ...made,
      parts: ["lib/step", kv.format.part, ...made.parts],
      constants: { ...step.constants, ...made.constants, ...own },
      bind: { table, keys: kv.keys, values: kv.values },
    };
  });
}

/** Storage buffers that every device of WebGPU binds to a kernel (maxStorageBuffersPerShaderStage). */
const STORAGE_BUFFERS = 8;

/**
 * Whether `matvecPlaced` can make these: four pairs of a head in a workgroup, which are two blocks of the cache; a head that turns as a
 * whole; and no more buffers than every device binds.
 */
export function canPlace({
  weight,
  bias,
  kv,
  step,
}: Pick<PlacedArguments, "weight" | "bias" | "kv" | "step">): boolean {
  const { headDim } = step.capacity;
  const [{ tensors }] = weight.pieces;
  const buffers = ["plan", "x", "y", "table", "keys", "values", ...Object.keys(tensors), ...(bias ? ["bias"] : [])];
  return (
    weight.pieces.length === 1 &&
    weight.format.matvecColumns === 8 &&
    kv.format.block === 4 &&
    headDim === step.rotaryDim &&
    headDim % 8 === 0 &&
    weight.rows / 8 <= MAX_WORKGROUPS && // else the last workgroups would be of no head
    buffers.length <= STORAGE_BUFFERS
  );
}

function whole(what: string, { weight }: Pick<LinearArguments, "weight">): void {
  const { name, pieces } = weight;
  if (pieces.length === 1) return;
  throw new LlariatError("kernel", `matvec of ${what}, ${name}: got ${pieces.length} pieces, needed one`);
}

type Store = "lib/columns" | "lib/gated" | "lib/residual" | "lib/placed";

function matvecKernel({ weight, norm, device, ofOutputs }: MatvecArguments, n: number, store: Store) {
  // Enough to share the reads of x, few enough to fill the device at small n. A loop with more than about 20 reads leaves
  // lavapipe's instruction caches, so it is the format that says how many.
  const sums = weight.format.matvecColumns;
  const groups = Math.ceil(n / sums);
  const gridX = Math.min(groups, MAX_WORKGROUPS);
  const { WG, part, enables } = reduction("matvec", matvecLanes(groups, weight.columns / weight.format.block), device);
  return {
    kernel: "matvec" as const,
    enables,
    parts: [store, part],
    constants: {
      K: weight.columns,
      SQUARES: norm ? squareSums(norm) : 0,
      EPS: norm?.eps ?? 0,
      GRID_X: gridX,
      WG,
    },
    lengths: { OUTPUTS: sums },
    workgroups: ({ rows, outputs }: StepShape) =>
      [gridX, Math.ceil(groups / gridX), ofOutputs ? outputs : rows] as const,
  };
}
