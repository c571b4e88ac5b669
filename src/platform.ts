// platform.ts — what the engine asks of the place it runs in. src/node and src/browser fill it in; nothing else knows them.

import type { FileSet } from "./bytes.ts";
import { LlariatError } from "./error.ts";

/** An adapter, as a person wants to see it. */
export interface AdapterInfo {
  readonly name: string;
  /** One line: name, driver, backend, and `software` where it is. */
  readonly description: string;
  readonly isSoftware: boolean;
}

/** A device and what is to be said about it. Whoever asked for it releases it. */
export interface DeviceHandle {
  readonly device: GPUDevice;
  readonly adapter: AdapterInfo;
  /** Sentences that a person should see, such as that the adapter is software. */
  readonly notes: readonly string[];
  release(): void;
}

/** The two things that differ between Node and a browser. */
export interface Platform {
  /** A checkpoint from whatever names one here: a folder in Node, File objects or a URL in a browser. */
  files(source: unknown): Promise<FileSet>;
  requestDevice(options: { adapter?: string }): Promise<DeviceHandle>;
}

let current: Platform | undefined;

/** Called once by the entry point of each platform. */
export function usePlatform(platform: Platform): void {
  current = platform;
}

/** The platform. Throws `device` if the core was imported without an entry point. */
export function platform(): Platform {
  if (current) return current;
  throw new LlariatError(
    "device",
    'no platform is set: import "llariat" (Node) or "llariat/browser", not its inner files',
  );
}

/** How to wait for a promise of a device. */
export type Wait = <T>(promise: Promise<T>) => Promise<T>;

let wait: Wait = (promise) => promise;

/** Set by a platform where a device that is awaited keeps a core busy; a browser's does not. */
export function useWait(platformWait: Wait): void {
  wait = platformWait;
}

/** The promise of a device, waited for as is best here: every wait of the engine goes through this. */
export const awaitDevice: Wait = (promise) => wait(promise);
