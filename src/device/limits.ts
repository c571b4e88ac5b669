// limits.ts — what is asked of an adapter beyond what every WebGPU device has, each with its reason.

/**
 * Limits asked for at what the adapter has. `GPUSupportedLimits` in the WebGPU specification lists the defaults, which suffice
 * for all others: workgroups have 256 lanes at most (topk), and a kernel binds 8 storage buffers at most, the default, the
 * step's among them (test/kernels/compile.test.ts).
 */
export const LIMITS = [
  "maxBufferSize", // a weight, keys or values of a layer, beyond 256 MiB
  "maxStorageBufferBindingSize", // the same as one binding, beyond 128 MiB; weights larger than it are split by rows
  // attention_decode_tiled keeps the queries of up to 8 heads, their scores for 64 keys and 64 shares: 10,496 bytes for heads of
  // 256 elements, and more than the default 16 KiB beyond 440
  "maxComputeWorkgroupStorageSize",
] as const satisfies readonly (keyof GPUSupportedLimits)[];

/** Features enabled where the adapter has them; every kernel has a variant that needs none (kernels/choose.ts). */
const FEATURES = ["subgroups"] as const satisfies readonly GPUFeatureName[];

/** What is asked of an adapter: the limits and features above, and `features` besides, where it has them. */
export const deviceDescriptor = (adapter: GPUAdapter, features: readonly GPUFeatureName[] = []) => ({
  label: "llariat",
  requiredFeatures: [...FEATURES, ...features].filter((feature) => adapter.features.has(feature)),
  requiredLimits: Object.fromEntries(LIMITS.map((limit) => [limit, adapter.limits[limit]])),
});

/** Most bytes that one tensor may have on a device. */
export const maxBindingBytes = ({ limits }: GPUDevice): number =>
  Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize);
