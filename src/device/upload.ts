// upload.ts — weights on their way into a device's buffers.

import type { WeightSink } from "../model/weights.ts";
import type { Gpu } from "./gpu.ts";

/** Bytes handed to the queue before waiting for the GPU: what is not copied yet occupies host memory. */
const UPLOAD_BYTES = 64 << 20;

/** The sink of a device: tensors are its own, and no more than UPLOAD_BYTES wait in its queue. */
export function weightSink(gpu: Gpu): WeightSink {
  let pending = 0;
  return {
    maxBindingBytes: gpu.maxBindingBytes,
    create: (tensor) => gpu.create(tensor, "weights"),
    async write(tensor, byteOffset, data) {
      gpu.write(tensor, byteOffset, data);
      pending += data.byteLength;
      if (pending < UPLOAD_BYTES) return;
      pending = 0;
      await gpu.idle();
    },
  };
}
