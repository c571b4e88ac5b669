// gpu.ts — executes kernel records on a WebGPU device. It knows buffers and passes; it knows no model.

import { LlariatError } from "../error.ts";
import { BUFFER, Faults } from "./faults.ts";
import { awaitDevice } from "./handle.ts";
import { maxBindingBytes } from "./limits.ts";
import { type Dispatch, type StepShape, type DeviceFacts, type Tensor, tensorBytes } from "../../kernels/index.ts";
import { type Compiled, Pipelines, STEP_LAYOUT } from "./pipelines.ts";

// GPUBufferUsage and GPUMapMode as numbers (WebGPU, "Buffer Usages"): the globals exist in browsers only.
const USAGE = { MAP_READ: 0x1, COPY_SRC: 0x4, COPY_DST: 0x8, UNIFORM: 0x40, STORAGE: 0x80 };
const MAP_READ = 0x1;

/** A few elements of any type that a kernel binds. */
const WARM_BYTES = 256;

/** What a buffer is counted as in `memory`. */
export type MemoryKind = "weights" | "kv" | "activations";

/** A dispatch with its pipeline and bind group; replayed without touching anything else. */
interface Bound {
  readonly dispatch: Dispatch;
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
  /** Its workgroups in a step of `shape`, the last one: most tokens have the shape of the one before. */
  grid: readonly [number, number, number];
  shape?: StepShape;
}

/** A list of bound dispatches. Valid until one of its tensors is created anew or destroyed. */
export type Recording = readonly Bound[];

const sameShape = (a: StepShape, b: StepShape): boolean =>
  a.rows === b.rows &&
  a.outputs === b.outputs &&
  a.singles === b.singles &&
  a.tiles === b.tiles &&
  a.splits === b.splits &&
  a.fills === b.fills &&
  a.fillRows === b.fillRows;

/**
 * A device with named tensors, a pipeline cache and recordings. It does not own the device: `close()` destroys the
 * buffers made here and nothing else.
 */
export class Gpu {
  readonly device: GPUDevice;
  /** What bindings may ask of the device. */
  readonly facts: DeviceFacts;
  /** Bytes allocated, by kind. */
  readonly memory: Record<MemoryKind, number> = { weights: 0, kv: 0, activations: 0 };
  readonly #tensors = new Map<string, { buffer: GPUBuffer; bytes: number; kind: MemoryKind }>();
  readonly #pipelines: Pipelines;
  #stepBuffer: GPUBuffer | undefined;
  #stepGroup: GPUBindGroup | undefined;
  /** Shape of the last step. */
  #shape: StepShape | undefined;
  readonly #readers = new Map<string, GPUBuffer>();
  readonly #faults: Faults;

  constructor(device: GPUDevice, facts: DeviceFacts) {
    this.device = device;
    this.facts = facts;
    this.#pipelines = new Pipelines(device);
    this.#faults = new Faults(device);
  }

  /** Most bytes one tensor may have. */
  get maxBindingBytes(): number {
    return maxBindingBytes(this.device);
  }

  /** Throws the first error the device has reported. */
  check(): void {
    this.#faults.check();
  }

  /** Allocates a zeroed buffer for a tensor. Throws `device` if it does not fit a binding. */
  create(tensor: Tensor, kind: MemoryKind): void {
    if (this.#tensors.has(tensor.name)) throw new LlariatError("kernel", `tensor ${tensor.name} exists already`);
    const bytes = tensorBytes(tensor);
    this.#tensors.set(tensor.name, { buffer: this.#faults.own(() => this.#allocate(tensor), BUFFER), bytes, kind });
    this.memory[kind] += bytes;
  }

  #allocate(tensor: Tensor): GPUBuffer {
    const bytes = tensorBytes(tensor);
    const limit = this.maxBindingBytes;
    if (bytes > limit) {
      const got = `${tensor.name} [${tensor.shape}] needs ${bytes} bytes in one buffer`;
      throw new LlariatError(
        "device",
        `${got}, this device binds ${limit} at most; use a shorter context or another adapter`,
      );
    }
    const usage = USAGE.STORAGE | USAGE.COPY_DST | USAGE.COPY_SRC;
    return this.device.createBuffer({ label: tensor.name, size: Math.max(bytes, 16), usage });
  }

  /** Frees a tensor's buffer; recordings that bind it become invalid. */
  destroy(tensor: Tensor): void {
    const entry = this.#tensors.get(tensor.name);
    if (!entry) return;
    entry.buffer.destroy();
    this.memory[entry.kind] -= entry.bytes;
    this.#tensors.delete(tensor.name);
  }

  /**
   * Replaces tensors by others of the same names and other sizes that start with the old contents: all of them, or none.
   * Recordings that bind them become invalid. Where memory or a binding does not suffice nothing has changed, and the error
   * that says so is returned: to wait for memory may help. Throws what else the device has reported.
   */
  async resize(tensors: readonly Tensor[]): Promise<LlariatError | undefined> {
    this.check();
    const buffers: GPUBuffer[] = [];
    const giveUp = (error: LlariatError): LlariatError => {
      for (const buffer of buffers) buffer.destroy();
      return error;
    };
    // Pushed and popped in one go: a device has one stack of scopes for all who use it.
    this.device.pushErrorScope("out-of-memory");
    let popped: Promise<GPUError | null>;
    let unfit: LlariatError | undefined;
    try {
      for (const tensor of tensors) buffers.push(this.#allocate(tensor));
    } catch (error) {
      if (!(error instanceof LlariatError)) throw error;
      unfit = error;
    } finally {
      popped = this.device.popErrorScope();
    }
    const failure = await popped;
    try {
      this.check();
    } catch (error) {
      throw giveUp(error as LlariatError);
    }
    if (unfit) return giveUp(unfit);
    if (failure) {
      const bytes = tensors.reduce((sum, tensor) => sum + tensorBytes(tensor), 0);
      const names =
        tensors.length > 2 ? `${tensors[0].name} … ${tensors.at(-1)!.name}` : tensors.map(({ name }) => name);
      const advice = "ask for fewer new tokens or fewer requests at a time";
      return giveUp(new LlariatError("device", `the GPU is out of memory: ${names} need ${bytes} bytes; ${advice}`));
    }
    this.#submit((encoder) => {
      for (const [i, tensor] of tensors.entries()) {
        const old = this.#entry(tensor.name);
        const bytes = Math.min(old.bytes, tensorBytes(tensor));
        if (bytes > 0) encoder.copyBufferToBuffer(old.buffer, 0, buffers[i], 0, bytes);
      }
    });
    for (const [i, tensor] of tensors.entries()) {
      const { buffer, bytes: before, kind } = this.#entry(tensor.name);
      const bytes = tensorBytes(tensor);
      buffer.destroy();
      this.#tensors.set(tensor.name, { buffer: buffers[i], bytes, kind });
      this.memory[kind] += bytes - before;
    }
    return undefined;
  }

  /** Copies `bytes` bytes from one offset to another within each tensor; runs before whatever is submitted later. */
  copyWithin(tensors: readonly Tensor[], from: number, to: number, bytes: number): void {
    // WebGPU copies only between two buffers, so each range passes through one of its own.
    const passage = this.#reader("copies", bytes, USAGE.COPY_SRC | USAGE.COPY_DST);
    this.#submit((encoder) => {
      for (const { name } of tensors) {
        encoder.copyBufferToBuffer(this.#buffer(name), from, passage, 0, bytes);
        encoder.copyBufferToBuffer(passage, 0, this.#buffer(name), to, bytes);
      }
    });
  }

  /** Copies the first `bytes` bytes of a tensor of another Gpu of this device to `byteOffset`; both multiples of four. */
  copyFrom(other: Gpu, from: Tensor, to: Tensor, byteOffset: number, bytes: number): void {
    const [source, target] = [other.#buffer(from.name), this.#buffer(to.name)];
    this.#submit((encoder) => encoder.copyBufferToBuffer(source, 0, target, byteOffset, bytes));
  }

  /** Writes `data` (a multiple of four bytes) at `byteOffset`; the data may be reused at once. */
  write(tensor: Tensor, byteOffset: number, data: ArrayBufferView<ArrayBuffer>): void {
    const buffer = this.#buffer(tensor.name);
    this.#faults.own(() =>
      this.device.queue.writeBuffer(buffer, byteOffset, data.buffer, data.byteOffset, data.byteLength),
    );
  }

  /** Reads a range of a tensor back. Allocates a reader per distinct size the first time. */
  async read(tensor: Tensor, byteOffset = 0, byteLength = tensorBytes(tensor) - byteOffset): Promise<ArrayBuffer> {
    const reader = this.#reader(tensor.name, byteLength);
    this.#submit((encoder) => encoder.copyBufferToBuffer(this.#buffer(tensor.name), byteOffset, reader, 0, byteLength));
    return this.#map(reader, byteLength);
  }

  /** Allocates the step buffer, which every recording binds as group 0; `bytes` is its capacity. */
  createStep(bytes: number): void {
    this.#stepBuffer?.destroy();
    const usage = USAGE.STORAGE | USAGE.UNIFORM | USAGE.COPY_DST;
    this.#faults.own(() => {
      const buffer = this.device.createBuffer({ label: "step", size: bytes, usage });
      this.#stepBuffer = buffer;
      this.#stepGroup = this.device.createBindGroup({
        layout: this.#pipelines.layout(STEP_LAYOUT),
        entries: [
          { binding: 0, resource: { buffer, size: 16 } },
          { binding: 1, resource: { buffer } },
        ],
      });
    }, BUFFER);
  }

  /**
   * Compiles dispatches whose tensors need not be there yet, and starts one workgroup of each pipeline, as lavapipe and drivers of
   * GPUs translate some only then. `data`: a step of one token. They work on buffers of a few bytes that nobody looks at; WebGPU
   * keeps accesses inside. Resolves when all have been submitted. Throws `kernel` where WGSL does not compile.
   */
  async warm(dispatches: readonly Dispatch[], data: Uint32Array<ArrayBuffer>): Promise<void> {
    this.#faults.own(() =>
      this.device.queue.writeBuffer(this.#stepBuffer!, 0, data.buffer, data.byteOffset, data.byteLength),
    );
    const started = new Set<Compiled>();
    await Promise.all(
      dispatches.map(async (dispatch) => {
        const compiled = await this.#pipelines.compile(dispatch);
        this.check(); // it may have been closed meanwhile
        if (started.has(compiled)) return;
        started.add(compiled);
        this.#start(compiled);
      }),
    );
  }

  #start({ pipeline, bindings, layout }: Compiled): void {
    const make = () => this.device.createBuffer({ label: "warm", size: WARM_BYTES, usage: USAGE.STORAGE });
    const buffers = this.#faults.own(() => new Map(bindings.map((binding) => [binding, make()])), BUFFER);
    this.#submit((encoder) => {
      const pass = encoder.beginComputePass();
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, this.#stepGroup);
      const entries = bindings.map((each) => ({ binding: each.binding, resource: { buffer: buffers.get(each)! } }));
      pass.setBindGroup(1, this.device.createBindGroup({ layout, entries }));
      pass.dispatchWorkgroups(1);
      pass.end();
    });
    for (const buffer of buffers.values()) buffer.destroy();
  }

  /** Compiles (once) and binds a list of dispatches. Throws `kernel` with file and line where WGSL does not compile. */
  async record(dispatches: readonly Dispatch[]): Promise<Recording> {
    const compiled = await Promise.all(dispatches.map((dispatch) => this.#pipelines.compile(dispatch)));
    this.check(); // it may have been closed meanwhile
    return this.#faults.own(() => this.#bind(dispatches, compiled));
  }

  #bind(dispatches: readonly Dispatch[], compiled: readonly Compiled[]): Recording {
    return dispatches.map((dispatch, i) => {
      const { pipeline, bindings, layout } = compiled[i];
      const { kernel, bind } = dispatch;
      const unknown = Object.keys(bind).find((name) => !bindings.some((binding) => binding.name === name));
      if (unknown !== undefined) throw new LlariatError("kernel", `${kernel} declares no binding ${unknown}`);
      const bound = (name: string) => {
        if (!(name in bind)) throw new LlariatError("kernel", `${kernel}: no tensor is bound for ${name}`);
        return this.#buffer(bind[name].name);
      };
      const entries = bindings.map(({ binding, name }) => ({ binding, resource: { buffer: bound(name) } }));
      const group = this.device.createBindGroup({ layout, entries });
      return { dispatch, pipeline, group, grid: [0, 0, 0] };
    });
  }

  /**
   * One step: uploads its rows, runs the recording in one pass and, if asked, reads one tensor back; one submit.
   * `data` is the filled part of the step buffer. Resolves when the read has arrived, or at once without one.
   */
  async run(
    recording: Recording,
    shape: StepShape,
    data: Uint32Array<ArrayBuffer>,
    read?: { tensor: Tensor; bytes: number },
  ): Promise<ArrayBuffer | undefined> {
    this.check();
    const reader = read && this.#reader(read.tensor.name, read.bytes);
    this.#submit((encoder) => {
      this.device.queue.writeBuffer(this.#stepBuffer!, 0, data.buffer, data.byteOffset, data.byteLength);
      const pass = encoder.beginComputePass();
      pass.setBindGroup(0, this.#stepGroup);
      if (!this.#shape || !sameShape(this.#shape, shape)) this.#shape = shape;
      let current: GPUComputePipeline | undefined;
      for (const bound of recording) {
        if (bound.shape !== this.#shape) {
          bound.shape = this.#shape;
          bound.grid = bound.dispatch.workgroups(this.#shape);
        }
        const { pipeline, group, grid } = bound;
        const [x, y, z] = grid;
        if (x * y * z === 0) continue;
        if (pipeline !== current) pass.setPipeline((current = pipeline));
        pass.setBindGroup(1, group);
        pass.dispatchWorkgroups(x, y, z);
      }
      pass.end();
      if (reader) encoder.copyBufferToBuffer(this.#buffer(read.tensor.name), 0, reader, 0, read.bytes);
    });
    return reader && this.#map(reader, read.bytes);
  }

  /** Resolves when everything submitted so far has run; throws what went wrong meanwhile. */
  async idle(): Promise<void> {
    this.device.queue.submit([]); // writes wait for a submit
    await this.submitted();
  }

  /** Resolves when what was submitted until now is done. Rejects as `idle` does. */
  async submitted(): Promise<void> {
    await this.#delivered(this.device.queue.onSubmittedWorkDone());
  }

  /** Waits for what the device promises, and for what it says of it. */
  async #delivered(promise: Promise<unknown>): Promise<void> {
    try {
      await awaitDevice(promise);
    } catch (cause) {
      await this.#faults.judged;
      this.check();
      throw new LlariatError("device", "the GPU did not deliver a result; the device may be lost", { cause });
    }
    await this.#faults.judged;
    this.check();
  }

  #submit(encode: (encoder: GPUCommandEncoder) => void): void {
    this.#faults.own(() => {
      const encoder = this.device.createCommandEncoder();
      encode(encoder);
      this.device.queue.submit([encoder.finish()]);
    });
  }

  /** Destroys every buffer made here. The device stays the caller's. */
  close(): void {
    for (const { buffer } of this.#tensors.values()) buffer.destroy();
    for (const reader of this.#readers.values()) reader.destroy();
    this.#stepBuffer?.destroy();
    this.#tensors.clear();
    this.#readers.clear();
    for (const kind of Object.keys(this.memory) as MemoryKind[]) this.memory[kind] = 0;
    this.#faults.add(new LlariatError("closed", "this model is closed; load it again"));
  }

  #entry(name: string): { buffer: GPUBuffer; bytes: number; kind: MemoryKind } {
    const entry = this.#tensors.get(name);
    if (!entry) throw new LlariatError("kernel", `no tensor is bound for ${name}`);
    return entry;
  }

  #buffer(name: string): GPUBuffer {
    return this.#entry(name).buffer;
  }

  // One reader per tensor, as large as the largest read asked of it, so that decoding allocates nothing.
  #reader(name: string, bytes: number, usage = USAGE.MAP_READ | USAGE.COPY_DST): GPUBuffer {
    const size = Math.ceil(bytes / 4) * 4;
    const old = this.#readers.get(name);
    if (old && old.size >= size && old.mapState === "unmapped") return old;
    old?.destroy();
    const reader = this.#faults.own(() => this.device.createBuffer({ label: `read ${name}`, size, usage }), BUFFER);
    this.#readers.set(name, reader);
    return reader;
  }

  async #map(reader: GPUBuffer, bytes: number): Promise<ArrayBuffer> {
    const size = Math.ceil(bytes / 4) * 4;
    await this.#delivered(reader.mapAsync(MAP_READ, 0, size));
    const copy = reader.getMappedRange(0, size).slice(0, bytes);
    reader.unmap();
    return copy;
  }
}
