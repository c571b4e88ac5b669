// work.ts — bytes that a dispatch cannot do without and arithmetic it does, from its record: what rates are computed from.

import type { Dispatch, StepShape } from "../kernels/index.ts";
import { tensorBytes } from "../kernels/index.ts";
import type { Work } from "./harness.ts";

/** What is bound to a linear layer or an embedding besides the tensors of its weight. */
const BESIDE = new Set(["x", "y", "bias", "ahead", "norm", "table", "keys", "values"]);
const isWeight = (name: string): boolean => !BESIDE.has(name);

/** Bytes of what is joined to a matvec: the norm's weight, and the row it leaves; a row of angles. */
function beside({ bind, constants, parts }: Dispatch): number {
  if (parts.includes("lib/residual")) return 4 * 2 * bind.norm.shape[0];
  return parts.includes("lib/placed") ? 4 * 2 * constants.HALF : 0;
}

/**
 * Work of one dispatch. `lengths`: keys that each token row attends to (attention kernels only). Bytes count every input
 * and output once, however often a kernel reads them; matrix products and prefill attention are bound by arithmetic. Flops
 * are additions, multiplications and elementary functions of floats; a copy, a search and angles in whole numbers have none.
 */
export function work(dispatch: Dispatch, shape: StepShape, lengths: readonly number[] = []): Work {
  const { kernel, bind, constants } = dispatch;
  const { rows, outputs, fills, fillRows } = shape;
  const keys = lengths.reduce((sum, n) => sum + n, 0);
  const columns = (name: string) => bind[name].shape.at(-1)!;
  /** Of the tensors that a weight's format is made of: what is bound besides activations and bias. */
  const weightBytes = () =>
    Object.entries(bind).reduce((sum, [name, tensor]) => sum + (isWeight(name) ? tensorBytes(tensor) : 0), 0);
  const bytes = (n: number, flops = 0): Work => ({ bytes: n, flops, bound: "bytes" });
  switch (kernel) {
    case "matvec":
    case "matvec_shuffle":
    case "matvec_rows":
    case "matmul_tiled":
    case "matmul_shuffle": {
      const used = dispatch.ofOutputs ? outputs : rows;
      const n = constants.N;
      const k = columns("x");
      return {
        bytes: weightBytes() + beside(dispatch) + 4 * used * (k + n * (constants.ADD ? 2 : 1)),
        flops: 2 * used * n * k,
        bound: kernel === "matvec" || kernel === "matvec_shuffle" ? "bytes" : "flops",
      };
    }
    case "attention_prefill_tiled":
    case "attention_prefill_shuffle":
    case "attention_decode_tiled":
    case "attention_decode_shuffle": {
      const width = constants.HEADS * 2 * constants.HALF;
      const longest = lengths.reduce((a, b) => Math.max(a, b), 0);
      const decode = kernel.startsWith("attention_decode_");
      const read = decode ? keys : longest; // a prefill's rows share their keys
      const perKey = (2 * tensorBytes(bind.keys)) / bind.keys.shape[0] + (constants.RAW_KEYS ? 8 * constants.HALF : 0);
      return {
        bytes: read * perKey + 8 * rows * width,
        flops: 4 * width * keys,
        bound: decode ? "bytes" : "flops",
      };
    }
    case "attention_merge":
      return bytes(4 * rows * columns("y") * (1 + shape.splits), 2 * rows * columns("y") * shape.splits);
    case "rmsnorm": {
      const used = dispatch.ofOutputs ? outputs : rows;
      return bytes(4 * columns("x") * (2 * used + 1), 4 * columns("x") * used); // squares, their sum, two products
    }
    case "headnorm":
      // Queries and keys are read and written: of a row's elements all but the values, twice.
      return bytes(
        4 * (columns("weight") + rows * (columns("qkv") + constants.HEADS * constants.HEAD_DIM)),
        2 * rows * (columns("qkv") + constants.HEADS * constants.HEAD_DIM),
      );
    case "embed":
      return bytes((rows * weightBytes()) / constants.ROWS + 4 * rows * columns("y"), rows * columns("y"));
    case "rope": {
      const turned = constants.HEADS + constants.KV_HEADS;
      // A pair takes four products and two sums.
      return bytes(4 * rows * 2 * constants.HALF * (2 * turned + 1), 6 * rows * constants.HALF * turned);
    }
    case "append":
      return bytes(4 * rows * 4 * constants.KV_DIM);
    case "angles":
      return bytes(4 * fills * fillRows * columns("table"));
    case "swiglu":
      return bytes(4 * rows * 3 * columns("y"), 5 * rows * columns("y")); // up · gate / (1 + exp(−gate))
    case "gather":
      return bytes(4 * outputs * 2 * columns("y"));
    case "pool":
      return bytes(4 * (rows + outputs) * columns("y"), rows * columns("y"));
    case "quantize":
      return bytes(Object.values(bind).reduce((sum, tensor) => sum + tensorBytes(tensor), 0));
    case "topk":
      return bytes(4 * outputs * columns("logits"), 2 * outputs * columns("logits")); // Σ exp
  }
}
