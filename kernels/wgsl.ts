// wgsl.ts — written by embed.mjs from the .wgsl files beside it; change those, then `node kernels/embed.mjs`.

/** A kernel: the name of a .wgsl file in kernels/, its entry point and its GPU label. */
export type KernelName = never;

/** A part that kernels are linked with: a .wgsl file in kernels/formats or kernels/lib, by folder and name. */
export type PartName = never;

/** WGSL text of each kernel, without its parts. */
export const kernels: Readonly<Record<KernelName, string>> = {
};

/** WGSL text of each part; it is appended after the kernel's own. */
export const parts: Readonly<Record<PartName, string>> = {
};
