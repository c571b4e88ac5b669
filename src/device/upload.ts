// upload.ts — weights on their way into a device's buffers.

import type { WeightSink } from "../model/weights.ts";
import type { Gpu } from "./gpu.ts";
import { Packer } from "./packer.ts";

/** Bytes handed to the queue before waiting for the GPU: what is not copied yet occupies host memory. */
const UPLOAD_BYTES = 64 << 20;

/** A sink that holds memory of its own until it is closed. */
export interface DeviceSink extends WeightSink {
  /** Sentences that a person should see. */
  readonly notes: readonly string[];
  /** Frees what is not the model's; the weights stay. */
  close(): void;
}

/** The sink of a device: tensors are its own, and no more than UPLOAD_BYTES wait in its queue. */
export function weightSink(gpu: Gpu): DeviceSink {
  let pending = 0;
  let packer: Packer | undefined;
  const queued = async (bytes: number): Promise<void> => {
    pending += bytes;
    if (pending < UPLOAD_BYTES) return;
    pending = 0;
    await gpu.idle();
  };
  return {
    maxBindingBytes: gpu.maxBindingBytes,
    create: (tensor) => gpu.create(tensor, "weights"),
    async write(tensor, byteOffset, data) {
      gpu.write(tensor, byteOffset, data);
      await queued(data.byteLength);
    },
    async pack(run, data) {
      packer ??= new Packer(gpu);
      const done = await packer.pack(run, data);
      await queued(data.byteLength);
      return done;
    },
    get notes() {
      return packer?.notes ?? [];
    },
    close: () => packer?.close(),
  };
}
