// handle.ts — an open device as a platform hands it over, and how to wait for what a device promises.

/** An adapter, as a person wants to see it. */
export interface AdapterInfo {
  readonly name: string;
  /** One line: name, driver, backend, and `software` where it is. */
  readonly description: string;
  /** Computes on the CPU. */
  readonly isSoftware: boolean;
}

/** Names of drivers that compute on the CPU, in lists of adapters as in what an adapter says of itself. */
export const SOFTWARE = /llvmpipe|lavapipe|swiftshader|softpipe|basic render/i;

/** Whether an adapter computes on the CPU: it says so, or has the name of a driver that does. */
export const isSoftware = ({ isFallbackAdapter, device, architecture, description }: GPUAdapterInfo): boolean =>
  isFallbackAdapter || SOFTWARE.test(`${device} ${architecture} ${description}`);

/** A device and what is to be said about it. Whoever asked for it releases it. */
export interface DeviceHandle {
  readonly device: GPUDevice;
  readonly adapter: AdapterInfo;
  /** Sentences that a person should see, such as that the adapter is software. */
  readonly notes: readonly string[];
  /** Destroys the device and every buffer of it. May be called again. */
  readonly release: () => void;
}

/** How to wait for a promise of a device. */
export type Wait = <T>(promise: Promise<T>) => Promise<T>;

let wait: Wait = (promise) => promise;

/** Set by a platform where a device that is awaited keeps a core busy; a browser's does not. */
export function useWait(platformWait: Wait): void {
  wait = platformWait;
}

/** The promise of a device, waited for as is best here: whoever waits for computing or compiling goes through this. */
export const awaitDevice: Wait = (promise) => wait(promise);
