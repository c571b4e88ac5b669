import { LlariatError } from "../src/error.ts";
import type { Dispatch, DType, Tensor } from "./dispatch.ts";
import type { Format } from "./formats/format.ts";
import type { PartName } from "./wgsl.ts";

/** Elements that a lane packs: two blocks. */
const PAIR = 64;

const STORED: Readonly<Partial<Record<DType, PartName>>> = {
  f32: "lib/stored_f32",
  f16: "lib/stored_f16",
  bf16: "lib/stored_bf16",
};

/**
 * Packs rows into a format that has `packing`, to the bits that its `pack` makes. `source` [rows · columns] u32 words holds
 * elements of type `kind` without gaps; `into` are the format's tensors for at least as many rows as the step has, from the first on.
 * Throws `kernel` where the format or the type cannot be packed on a device.
 */
export function quantize(args: {
  source: Tensor;
  kind: DType;
  columns: number;
  format: Format;
  into: Readonly<Record<string, Tensor>>;
}): Dispatch {
  const { source, kind, columns, format, into } = args;
  const stored = STORED[kind];
  if (!format.packing || !stored) {
    throw new LlariatError("kernel", `quantize: ${kind} cannot be packed as ${format.name} on a device`);
  }
  return {
    kernel: "quantize",
    parts: ["lib/step", stored, format.packing],
    constants: { COLUMNS: columns },
    bind: { source, ...into },
    workgroups: ({ rows }) => [Math.ceil((rows * Math.ceil(columns / PAIR)) / 64), 1, 1],
  };
}
