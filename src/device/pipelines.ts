// pipelines.ts — WGSL and constants of a kernel record become a pipeline, once per Gpu and record.

import {
  type Binding,
  type Dispatch,
  type KernelName,
  type PartName,
  declarations,
  kernels,
  parts,
} from "../../kernels/index.ts";
import { LlariatError } from "../error.ts";
import { awaitDevice } from "./handle.ts";

// GPUShaderStage.COMPUTE as a number: the global exists in browsers only.
const COMPUTE_STAGE = 0x4;

/** A pipeline, and what it binds in group 1. */
export interface Compiled {
  readonly pipeline: GPUComputePipeline;
  readonly bindings: readonly Binding[];
  readonly layout: GPUBindGroupLayout;
}

/** Group 0 of every kernel: the step's shape as a uniform, and the whole step. */
export const STEP_LAYOUT: readonly Binding[] = [
  { group: 0, binding: 0, type: "uniform", name: "step" },
  { group: 0, binding: 1, type: "read-only-storage", name: "plan" },
];

/** WGSL of a dispatch: the kernel first, its enables on the same line, so that error lines are the file's; then parts and constants. */
export function linkShader({ kernel, parts: names, lengths, enables }: Dispatch): string {
  const body = [kernels[kernel], ...names.map((name) => parts[name])];
  for (const [name, value] of Object.entries(lengths ?? {})) body.push(`const ${name} = ${value}u;\n`);
  const code = body.join("");
  return (enables ?? []).map((enable) => `enable ${enable}; `).join("") + code;
}

/** `kernels/rope.wgsl:17` of a line in linked code: kernel and parts follow each other. */
function sourceLine(kernel: KernelName, names: readonly PartName[], line: number): string {
  let rest = line;
  for (const [file, text] of [[kernel, kernels[kernel]], ...names.map((name) => [name, parts[name]])]) {
    const lines = text.split("\n").length - 1;
    if (rest <= lines) return `kernels/${file}.wgsl:${rest}`;
    rest -= lines;
  }
  return `kernels/${kernel}.wgsl, appended constants`;
}

/** The pipelines of one Gpu. */
export class Pipelines {
  readonly #device: GPUDevice;
  readonly #compiled = new Map<string, Promise<Compiled>>();
  readonly #modules = new Map<string, GPUShaderModule>();
  readonly #layouts = new Map<string, GPUBindGroupLayout>();

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /** The bind group layout of these bindings, made once. */
  layout(bindings: readonly Binding[]): GPUBindGroupLayout {
    const key = bindings.map(({ binding, type }) => `${binding} ${type}`).join();
    let layout = this.#layouts.get(key);
    if (!layout) {
      layout = this.#device.createBindGroupLayout({
        entries: bindings.map(({ binding, type }) => ({ binding, visibility: COMPUTE_STAGE, buffer: { type } })),
      });
      this.#layouts.set(key, layout);
    }
    return layout;
  }

  /** The pipeline of a dispatch, compiled once. Throws `kernel` with file and line where WGSL does not compile. */
  compile(dispatch: Dispatch): Promise<Compiled> {
    const { kernel, parts: names, enables, lengths, constants } = dispatch;
    const key = JSON.stringify([kernel, names, enables, lengths, constants]);
    let compiled = this.#compiled.get(key);
    if (!compiled) {
      compiled = this.#createPipeline(dispatch);
      this.#compiled.set(key, compiled);
      compiled.catch(() => this.#compiled.delete(key)); // a device that was short of memory may not be the next time
    }
    return compiled;
  }

  async #createPipeline(dispatch: Dispatch): Promise<Compiled> {
    const { kernel, parts: names, constants } = dispatch;
    const code = linkShader(dispatch);
    let module = this.#modules.get(code);
    if (!module) {
      // What is wrong with it is thrown below, with file and line; the scope keeps it from being reported a second time.
      this.#device.pushErrorScope("validation");
      module = this.#device.createShaderModule({ label: kernel, code });
      this.#device.popErrorScope().catch(() => {}); // a lost device says so elsewhere
      this.#modules.set(code, module);
    }
    const declared = [kernel, ...names].map((name) => declarations[name]);
    const bindings = declared.flatMap((each) => each.bindings).filter(({ group }) => group === 1);
    const overrides = new Set(declared.flatMap((each) => each.overrides));
    const layout = this.layout(bindings);
    const what = `kernels/${kernel}.wgsl with ${names.join(", ")}`;
    const unknown = Object.keys(constants).filter((name) => !overrides.has(name));
    if (unknown.length) throw new LlariatError("kernel", `${what} has no override ${unknown.join(", ")}`);
    try {
      const pipeline = await awaitDevice(
        this.#device.createComputePipelineAsync({
          label: kernel,
          layout: this.#device.createPipelineLayout({ bindGroupLayouts: [this.layout(STEP_LAYOUT), layout] }),
          compute: { module, entryPoint: kernel, constants },
        }),
      );
      return { pipeline, bindings, layout };
    } catch (cause) {
      const info = await module.getCompilationInfo();
      const lines = info.messages
        .filter((message) => message.type === "error")
        .map((message) => `${sourceLine(kernel, names, message.lineNum)}:${message.linePos} ${message.message}`);
      const why = lines.length ? lines.join("; ") : (cause as Error).message;
      throw new LlariatError("kernel", `${what}: ${why} (constants ${JSON.stringify(constants)})`, { cause });
    }
  }
}
