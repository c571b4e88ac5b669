// software.ts — SwiftShader, the Vulkan driver that computes on the CPU, for a Linux machine that has none.
// The npm package @sparticuz/chromium carries it as a brotli-compressed tar, together with a Vulkan loader. Both are
// unpacked into the user's cache folder; nothing is installed and no privilege is needed. The package is a whole
// Chromium, so it is an optional peer: who needs it installs it, and SWIFTSHADER_COMMAND says how.

import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { constants, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { brotliDecompressSync } from "node:zlib";
import { LlariatError } from "../error.ts";
import { cacheFolder } from "./cache.ts";

const PACKAGE = "@sparticuz/chromium";
/** Last release that runs on Node 20. Later ones carry the driver in the same place. */
const VERSION = "147.0.0";
const LOADER = "libvulkan.so.1";
const MANIFEST = "vk_swiftshader_icd.json";
const FILES = [LOADER, "libvk_swiftshader.so", MANIFEST];

/** What brings SwiftShader to a project, without root: 66 MB, of which the driver is three and a half. */
export const SWIFTSHADER_COMMAND = `npm install ${PACKAGE}@${VERSION}`;

/** dlopen(3)'s flag for a library that stays loaded after dlclose; Node's own constants leave it out. */
const RTLD_NODELETE = 0x1000;

/** What `useSwiftShader` did: the environment to start Vulkan with, and where the driver lies. */
export interface SoftwareDriver {
  readonly environment: Readonly<Record<string, string>>;
  readonly folder: string;
}

let loaderInstalled: boolean | undefined;

/**
 * Is a Vulkan loader installed? Asked of the dynamic linker itself, as Dawn will, and once only: `useSwiftShader` may
 * load one of its own later. Linux only.
 */
export function hasVulkanLoader(): boolean {
  return (loaderInstalled ??= tryLoad(LOADER, constants.dlopen.RTLD_NOW) === undefined);
}

/**
 * Makes SwiftShader available to this process: unpacks it where needed and loads a Vulkan loader if there is none.
 * @returns the environment variables that must be set while Dawn starts Vulkan.
 * @throws LlariatError("device") off Linux x64, without the npm package, or if the driver cannot be unpacked or loaded.
 */
export function useSwiftShader(): SoftwareDriver {
  if (process.platform !== "linux" || process.arch !== "x64") {
    const here = `${process.platform} ${process.arch}`;
    throw new LlariatError(
      "device",
      `swiftshader: packaged for linux x64, this is ${here}; use the system's own driver`,
    );
  }
  const { archive, version } = findArchive();
  const folder = unpack(archive, version);
  if (!hasVulkanLoader()) {
    // Dawn asks for the loader by its bare name; the linker answers with a library already loaded under that name.
    const problem = tryLoad(join(folder, LOADER), constants.dlopen.RTLD_NOW | RTLD_NODELETE);
    if (problem !== undefined)
      throw new LlariatError("device", `swiftshader: its Vulkan loader cannot be used: ${problem}`);
  }
  const manifest = join(folder, MANIFEST);
  // The second name is the one that Vulkan loaders before 1.3.207 know.
  return { environment: { VK_DRIVER_FILES: manifest, VK_ICD_FILENAMES: manifest }, folder };
}

/** The packed driver inside node_modules, and the version it belongs to. */
function findArchive(): { archive: string; version: string } {
  let entry: string;
  try {
    entry = createRequire(import.meta.url).resolve(PACKAGE);
  } catch (cause) {
    throw new LlariatError(
      "device",
      `swiftshader: the npm package ${PACKAGE} is not installed; run: ${SWIFTSHADER_COMMAND}`,
      {
        cause,
      },
    );
  }
  for (let folder = dirname(entry); folder !== dirname(folder); folder = dirname(folder)) {
    const archive = join(folder, "bin", "swiftshader.tar.br");
    if (!existsSync(archive)) continue;
    const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { version: string };
    return { archive, version };
  }
  throw new LlariatError(
    "device",
    `swiftshader: ${PACKAGE} at ${dirname(entry)} has no bin/swiftshader.tar.br; run: ${SWIFTSHADER_COMMAND}`,
  );
}

/** Unpacks the driver once per user and version; processes that race write the same bytes and rename them into place. */
function unpack(archive: string, version: string): string {
  const cached = join(cacheFolder(), `swiftshader-${version}`);
  if (FILES.every((file) => existsSync(join(cached, file)))) return cached;
  try {
    mkdirSync(cached, { recursive: true, mode: 0o700 });
    writeDriver(archive, cached);
    return cached;
  } catch (error) {
    if (error instanceof LlariatError) throw error;
    // No writable home, as in many containers: a folder of this process's own, gone with it.
    const own = mkdtempSync(join(tmpdir(), "llariat-"));
    process.once("exit", () => rmSync(own, { recursive: true, force: true }));
    writeDriver(archive, own);
    return own;
  }
}

function writeDriver(archive: string, folder: string): void {
  const tar = brotliDecompressSync(readFileSync(archive));
  for (const file of FILES) {
    const draft = join(folder, `${file}.${process.pid}`);
    writeFileSync(draft, fileInTar(tar, file), { mode: 0o755 });
    renameSync(draft, join(folder, file));
  }
}

/** One file of a tar archive. Header fields: POSIX.1-1988 ustar; name at 0, size in octal at 124, blocks of 512 bytes. */
function fileInTar(tar: Buffer, wanted: string): Buffer {
  for (let at = 0; at + 512 <= tar.length;) {
    const name = tar.toString("latin1", at, at + 100).replace(/\0.*$/s, "");
    const size = Number.parseInt(tar.toString("latin1", at + 124, at + 136), 8) || 0;
    if (name.replace(/^\.\//, "") === wanted && at + 512 + size <= tar.length) {
      return tar.subarray(at + 512, at + 512 + size);
    }
    at += 512 + Math.ceil(size / 512) * 512;
  }
  throw new LlariatError(
    "device",
    `swiftshader: ${wanted} is missing from the archive of ${PACKAGE}; run: ${SWIFTSHADER_COMMAND}`,
  );
}

/** Loads a shared library that is no Node addon; undefined if it loads, else the linker's sentence. */
function tryLoad(library: string, flags: number): string | undefined {
  try {
    process.dlopen({ exports: {} }, library, flags);
  } catch (error) {
    const { message } = error as Error;
    // Node's complaint about every library that loads but does not speak its addon interface: it did load.
    if (!/self-register/.test(message)) return message;
  }
  return undefined;
}
