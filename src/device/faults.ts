// faults.ts — what went wrong on a device, as far as it is ours: others may use the same one.

import { LlariatError } from "../error.ts";

/** Errors that may come of work. */
const WORK = ["validation", "internal"] as const;
/** Errors that may come of making a buffer. */
export const BUFFER = [...WORK, "out-of-memory"] as const;
const ignore = (): void => {}; // a lost device says so itself

/** The first error of what its owner asks of a device; its loss is one. */
export class Faults {
  readonly #device: GPUDevice;
  #first: LlariatError | undefined;
  #judged: Promise<unknown> = Promise.resolve();

  constructor(device: GPUDevice) {
    this.#device = device;
    // A device may outlive many models: it must not hold them.
    const self = new WeakRef(this);
    void device.lost.then((info) => {
      const problem =
        info.reason === "destroyed"
          ? "the GPU device was destroyed by its owner; load the model again, on another"
          : `the GPU device was lost (${info.message}); load the model again`;
      self.deref()?.add(new LlariatError("device", problem));
    });
  }

  /** Remembers an error, unless another came before it. */
  add(error: LlariatError): void {
    this.#first ??= error;
  }

  /** Throws the first error. */
  check(): void {
    if (this.#first) throw this.#first;
  }

  /** Resolves when what has been asked of the device so far has been judged. */
  get judged(): Promise<unknown> {
    return this.#judged;
  }

  /**
   * Does what asks something of the device. Errors that come of it, now or on the GPU's side, are those of this object, and
   * of nobody else who uses the device. Scopes are pushed and popped in one go: a device has one stack of them for all.
   */
  own<T>(work: () => T, kinds: readonly GPUErrorFilter[] = WORK): T {
    for (const kind of kinds) this.#device.pushErrorScope(kind);
    try {
      return work();
    } finally {
      const popped = kinds.map(() => this.#device.popErrorScope().then(this.#judge, ignore));
      // Without its result: that of the one before would be in it, and so on to the first.
      this.#judged = Promise.all([this.#judged, ...popped]).then(ignore);
    }
  }

  readonly #judge = (error: GPUError | null): void => {
    if (error) this.add(new LlariatError("device", `GPU error: ${error.message}`));
  };
}
