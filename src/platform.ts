// platform.ts — what the engine asks of the place it runs in. src/node and src/browser fill it in; nothing else knows them.

import type { FileSet } from "./checkpoint/bytes.ts";
import type { AskedVariants } from "./device/asked.ts";
import type { ChoiceStore } from "./device/choices.ts";
import type { DeviceHandle } from "./device/handle.ts";
import { LlariatError } from "./error.ts";

/** What differs between Node and a browser. */
export interface Platform {
  /** A checkpoint from whatever names one here: a URL; in Node a path, in a browser File objects. */
  files(source: unknown): Promise<FileSet>;
  /** `log` receives a sentence if the device is lost, where the platform says so by itself. */
  requestDevice(options: { adapter?: string; log?: (line: string) => void }): Promise<DeviceHandle>;
  /** Where measurements of a device are kept. Default: nowhere. */
  readonly store?: ChoiceStore;
  /** Variants of kernels that whoever runs the program asks for. Throws `request` for what cannot be read. */
  variants?(): AskedVariants | undefined;
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
