// placement.ts — where a model is: a device, and the engine on it. A device that is lost is opened again and gets the model
// again, in bounded tries; who computed on it goes on from its tokens (scheduler.ts).

import type { AdapterInfo, DeviceHandle } from "../device/handle.ts";
import { LlariatError, checkAborted, printable } from "../error.ts";
import { onAbort } from "../text/abort.ts";
import { messageOf } from "../text/wording.ts";

/** A try to go on after a device was lost. */
export interface Reload {
  /** Why: what was said when the device was lost, or what the try before failed of. */
  readonly reason: string;
  /** The number of the try, from 1; it begins anew once something has been computed to its end. */
  readonly attempt: number;
}

/** An engine on a device, and sentences on that device that a person should see. */
export interface Placed<E> {
  readonly engine: E;
  readonly notes: readonly string[];
}

/** A device of this model; of the caller's, the adapter is not known. */
export type PlacedHandle = Omit<DeviceHandle, "adapter"> & { readonly adapter?: AdapterInfo };

/** How a model comes to a device. */
export interface PlacementWay<E> {
  /** Opens a device; the placement releases it. */
  readonly open: () => Promise<PlacedHandle>;
  /** Puts the model on it. What it has made there when it throws is freed with the device. */
  readonly load: (device: GPUDevice, signal?: AbortSignal) => Promise<Placed<E>>;
  /** Called before each try after a loss; what it throws ends the tries. Without it a loss is the end. */
  readonly onReload?: (reload: Reload) => void;
  /** Milliseconds before each try after a loss; as many tries as there are. */
  readonly pauses?: readonly number[];
}

/** What the scheduler asks of a placement whose lost device is opened again. */
export type Recovery<E> = Pick<Placement<E & Closable>, "lost" | "causes" | "progressed"> & {
  replace(): Promise<E>;
};

/** An engine, as far as it is freed here. */
interface Closable {
  readonly gpu: { close(): void };
}

/** Devices whose driver starts anew are back at once or after about two seconds (the reset of a hung GPU in Windows). */
const PAUSES: readonly number[] = [0, 250, 1000, 2000];

/** What a loss breaks may be heard of before the loss itself; so long an error waits for it where the device turns out to work. */
const HEARD_MS = 250;

/** A device, what is on it once it is loaded, and how it was lost. */
interface Place<E> {
  readonly handle: PlacedHandle;
  placed?: Placed<E>;
  lost?: string;
  released?: boolean;
}

/** What is aborted by a signal, for its sentence. */
const AGAIN = "opening the device again";

/** The device and the engine of one model, for as long as the device lives; then the next. */
export class Placement<E extends Closable> {
  readonly #way: PlacementWay<E>;
  readonly #pauses: readonly number[];
  readonly #closing = new AbortController();
  #place: Place<E> | undefined;
  /** Why the last try was made. */
  #reason = "";
  #attempts = 0;

  constructor(way: PlacementWay<E>) {
    this.#way = way;
    this.#pauses = way.onReload ? (way.pauses ?? PAUSES) : [];
  }

  /**
   * The first device and engine. A device that is lost meanwhile is opened again as later ones are; what else fails is thrown as
   * it is. Nothing stays open then.
   */
  open(signal?: AbortSignal): Promise<E> {
    return this.#put(undefined, signal);
  }

  /**
   * Another device and engine for those that are lost.
   * @throws LlariatError("device") when every try has failed, with the last failure as its cause; the next call tries again.
   * "aborted" after `close`; what `onReload` throws.
   */
  replace(): Promise<E> {
    return this.#put(this.#place?.lost ?? this.#reason, this.#closing.signal);
  }

  /** Whether the device is known to be lost, and no other has taken its place. */
  get lost(): boolean {
    return this.#place?.placed === undefined || this.#place.lost !== undefined;
  }

  /** Whether what was thrown came of the loss of the device, which may be heard of a moment later. */
  async causes(thrown: unknown): Promise<boolean> {
    const place = this.#place;
    const { signal } = this.#closing;
    const heard = new AbortController();
    const other = thrown instanceof LlariatError && thrown.code !== "device" && thrown.code !== "kernel";
    if (!place || other || signal.aborted || this.#pauses.length === 0) return false;
    const { lost } = place.handle.device;
    if (place.lost === undefined) await Promise.race([lost, pause(HEARD_MS, heard.signal)]);
    heard.abort();
    return place.lost !== undefined && !signal.aborted;
  }

  /** Something was computed to its end: a later loss has all tries again. */
  progressed(): void {
    this.#attempts = 0;
  }

  /** The adapter of the device; undefined for one of the caller's. */
  get adapter(): AdapterInfo | undefined {
    return this.#place?.handle.adapter;
  }

  /** Sentences on the device that a person should see. */
  get notes(): readonly string[] {
    return [...(this.#place?.handle.notes ?? []), ...(this.#place?.placed?.notes ?? [])];
  }

  /** Frees what is on the device, and releases it; a try under way ends. */
  close(): void {
    this.#closing.abort();
    this.#release();
  }

  #release(): void {
    const place = this.#place;
    if (!place) return;
    place.placed?.engine.gpu.close();
    if (!place.released) place.handle.release();
    place.released = true;
  }

  /** `reason`: why there must be another; undefined for the first. */
  async #put(reason: string | undefined, signal?: AbortSignal): Promise<E> {
    for (let cause: unknown; ;) {
      if (reason !== undefined) await this.#next(reason, cause, signal);
      try {
        return await this.#try(signal);
      } catch (error) {
        const lost = await this.causes(error);
        this.#release();
        if (signal?.aborted || (reason === undefined && !lost)) throw error;
        reason = lost ? this.#place!.lost! : messageOf(error);
        cause = error;
      }
    }
  }

  /** Announces the next try and waits for its time. Throws when there was the last. */
  async #next(reason: string, cause: unknown, signal?: AbortSignal): Promise<void> {
    if (this.#attempts === this.#pauses.length) {
      this.#attempts = 0;
      const problem = `the GPU device was lost and did not come back in ${this.#pauses.length} tries: ${reason}`;
      throw new LlariatError("device", problem, {
        advice: "try again later, or load the model on another adapter",
        cause,
      });
    }
    const attempt = ++this.#attempts;
    this.#reason = reason;
    this.#way.onReload?.({ reason: printable(reason), attempt });
    await pause(this.#pauses[attempt - 1], signal);
    checkAborted(signal, AGAIN);
  }

  async #try(signal?: AbortSignal): Promise<E> {
    this.#release();
    this.#place = undefined;
    const handle = await this.#way.open();
    const place: Place<E> = { handle };
    this.#place = place;
    void handle.device.lost.then(({ message, reason }) => (place.lost = message || reason));
    checkAborted(signal, AGAIN);
    place.placed = await this.#way.load(handle.device, signal);
    checkAborted(signal, AGAIN);
    return place.placed.engine;
  }
}

/** Resolves after `ms` milliseconds, or at once when the signal fires. */
function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const over = (): void => {
      clearTimeout(timer);
      unheard();
      resolve();
    };
    const timer = setTimeout(over, signal?.aborted ? 0 : ms);
    const unheard = onAbort(signal, over);
  });
}
