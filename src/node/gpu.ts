// gpu.ts — a WebGPU device in Node, through Dawn (npm `webgpu`), which is imported here and nowhere else.

import { isMainThread } from "node:worker_threads";
import { LlariatError } from "../error.ts";
import { type AdapterInfo, type DeviceHandle, SOFTWARE, isSoftware, useWait } from "../device/handle.ts";
import { deviceDescriptor } from "../device/limits.ts";
import { checkOptions } from "../text/options.ts";
import { fasterAdvice, noAdapterMessage } from "./advice.ts";
import { hasVulkanLoader, useSwiftShader } from "./software.ts";
import { napWhile } from "./waiting.ts";

useWait(napWhile);

/** How to choose and open an adapter. */
export interface DeviceOptions {
  /**
   * Part of an adapter's name, in any case, or one of: `software` (any CPU driver), `lavapipe`, `swiftshader`, `null`
   * (Dawn's backend that compiles shaders and computes nothing). Default: the environment's LLARIAT_ADAPTER, else the
   * fastest kind present: discrete GPU, integrated GPU, software.
   */
  readonly adapter?: string;
  /** Ask for timestamp queries, unrounded. Only when measuring: on some drivers their mere presence slows every pass. */
  readonly profiling?: boolean;
  /** Receives a sentence if the device is lost. Default: standard error. */
  readonly log?: (line: string) => void;
}

/** What a person or a benchmark wants to know about an adapter. */
export interface AdapterFacts extends AdapterInfo {
  readonly vendor: string;
  readonly architecture: string;
  /** Driver name and version, as the driver says it; may be empty. */
  readonly driver: string;
  readonly backend: "vulkan" | "metal" | "d3d12" | "null";
  /** Features enabled on the device. */
  readonly features: readonly string[];
  /** 0 where the device has no subgroups. */
  readonly subgroupMinSize: number;
  readonly subgroupMaxSize: number;
}

/** An open device. Whoever asked for it owns it and calls `release()`. */
export interface GpuHandle extends DeviceHandle {
  readonly adapter: AdapterFacts;
}

/**
 * One Dawn instance per set of flags and drivers, for the life of the process: an instance that is collected while a
 * device of it works, or while one of its promises is pending, takes the process down with it. It does not keep Node
 * from exiting. test/node/device.test.ts holds both.
 */
const instances = new Map<string, GPU>();

/**
 * Opens a device on the adapter asked for, or the best one there is; on Linux x64 without any Vulkan driver, SwiftShader
 * where the optional peer @sparticuz/chromium is installed.
 * @throws LlariatError("device") if npm `webgpu` is missing or cannot be loaded, if the adapter asked for does not exist,
 * or if there is none at all; the sentence says what to install.
 */
export async function requestDevice(given: DeviceOptions = {}): Promise<GpuHandle> {
  const options = checkOptions<DeviceOptions>(given, { adapter: "text", profiling: "flag", log: "callback" });
  const wanted = options.adapter ?? (process.env["LLARIAT_ADAPTER"] || undefined);
  const create = await loadDawn();
  const flags = options.profiling ? ["disable-dawn-features=timestamp_quantization"] : [];
  const { adapter, notes } = await chooseAdapter(create, flags, wanted);
  const descriptor = deviceDescriptor(adapter, options.profiling ? ["timestamp-query"] : []);
  const facts = describe(adapter, descriptor.requiredFeatures, wanted === "null");
  const device = await adapter.requestDevice(descriptor).catch((cause) => {
    throw new LlariatError("device", `${facts.name}: Dawn cannot open it: ${(cause as Error).message}`, { cause });
  });
  const log = options.log ?? ((line: string) => process.stderr.write(`${line}\n`));
  const told = device.lost.then(({ reason, message }) => {
    if (reason !== "destroyed") log(`the GPU device was lost (${facts.name}): ${message}; load the model again`);
  });
  told.catch(() => {}); // there is nobody whom a log that throws could be told
  if (facts.isSoftware) {
    const faster = fasterAdvice(process.platform, /swiftshader/i.test(facts.name));
    notes.push(`${facts.name} is a software adapter, the CPU computes; ${faster}`);
  }
  destroyAtExit(device);
  return { device, adapter: facts, notes, release: () => device.destroy() };
}

/** Devices that are open. */
const devices = new Set<GPUDevice>();

/**
 * Destroys a device when the process exits, however that comes about: a driver's threads that work on while the process is
 * taken apart take it down with them.
 */
function destroyAtExit(device: GPUDevice): void {
  if (devices.size === 0) process.on("exit", destroyAll);
  devices.add(device);
  void device.lost.then(() => {
    devices.delete(device);
    if (devices.size === 0) process.off("exit", destroyAll);
  });
}

function destroyAll(): void {
  for (const device of devices) device.destroy();
}

/** Names of the adapters that `--adapter` can choose from, best first, without SwiftShader from npm. */
export async function listAdapters(): Promise<string[]> {
  return list(await loadDawn());
}

type Create = (flags: string[]) => GPU;

async function loadDawn(): Promise<Create> {
  try {
    return (await import("webgpu")).create;
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === "ERR_MODULE_NOT_FOUND";
    const advice = missing
      ? "the npm package webgpu (Dawn) is not installed; run: npm install webgpu"
      : `the npm package webgpu (Dawn) cannot be loaded on ${process.platform} ${process.arch}: ${(cause as Error).message}; ` +
        "it supports linux x64/arm64 with glibc 2.34 or newer, macOS, and Windows x64/arm64";
    throw new LlariatError("device", advice, { cause });
  }
}

type Choice = { adapter: GPUAdapter; notes: string[] };

async function chooseAdapter(create: Create, flags: readonly string[], wanted: string | undefined): Promise<Choice> {
  if (wanted === "null") return { adapter: await must(open(create, [...flags, "backend=null"]), wanted), notes: [] };
  if (wanted === "swiftshader") return swiftShader(create, flags, []);
  const loader = process.platform !== "linux" || hasVulkanLoader();
  if (wanted === undefined || wanted === "software") {
    const tried: string[] = [];
    if (loader) {
      const name = wanted === undefined ? undefined : (await list(create)).find((each) => SOFTWARE.test(each));
      const usable = wanted === undefined || name !== undefined;
      const adapter = usable ? await open(create, name === undefined ? flags : [...flags, `adapter=${name}`]) : null;
      if (adapter) return { adapter, notes: [] };
      tried.push(noDriverSentence());
    } else tried.push("no Vulkan loader (libvulkan.so.1) is installed");
    return swiftShader(create, flags, tried);
  }
  const names = loader ? await list(create) : [];
  const key = plain(wanted === "lavapipe" ? "llvmpipe" : wanted);
  const name = names.find((each) => plain(each).includes(key));
  if (name === undefined) {
    const present = names.length ? names.map((each) => `"${each}"`).join(", ") : "none";
    const words = "software, lavapipe, swiftshader or null";
    throw new LlariatError("device", `adapter "${wanted}": no such adapter; present: ${present}; or say ${words}`);
  }
  return { adapter: await must(open(create, [...flags, `adapter=${name}`]), wanted), notes: [] };
}

// A worker's process.env is a copy that Dawn does not see, unless the worker was started to share it.
const IN_WORKER = isMainThread
  ? ""
  : "; in a worker thread it needs the environment of the process: new Worker(file, { env: SHARE_ENV })";

/** Last resort and explicit choice: SwiftShader from npm. `tried` is what failed before. */
async function swiftShader(create: Create, flags: readonly string[], tried: readonly string[]): Promise<Choice> {
  try {
    const driver = useSwiftShader();
    const adapter = await open(create, flags, driver.environment);
    if (!adapter)
      throw new LlariatError(
        "device",
        `swiftshader: Dawn finds no adapter with the driver in ${driver.folder}${IN_WORKER}`,
      );
    return { adapter, notes: tried.map((reason) => `${reason}: using SwiftShader from npm`) };
  } catch (error) {
    if (tried.length === 0 || !(error instanceof LlariatError)) throw error;
    throw new LlariatError("device", noAdapterMessage(process.platform, [...tried, error.message]), {
      lines: true,
      cause: error,
    });
  }
}

function noDriverSentence(): string {
  const { VK_DRIVER_FILES, VK_ICD_FILENAMES } = process.env;
  const files = VK_DRIVER_FILES ?? VK_ICD_FILENAMES;
  if (process.platform !== "linux") return "the system offers no GPU to Dawn";
  return files
    ? `VK_DRIVER_FILES=${files} names no driver that Dawn accepts`
    : "no Vulkan driver that Dawn accepts is installed";
}

/** Dawn tells the names of its adapters only in the message of a request that matches none. */
async function list(create: Create): Promise<string[]> {
  try {
    await open(create, ["adapter=\u0001"]);
  } catch (error) {
    return [...(error as Error).message.matchAll(/name: '(.*)'$/gm)].map((match) => match[1]);
  }
  return [];
}

/** The best adapter of a Dawn instance with these flags, started under `environment`; null if it has none. */
function open(
  create: Create,
  flags: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<GPUAdapter | null> {
  const key = JSON.stringify([flags, environment, process.env["VK_DRIVER_FILES"], process.env["VK_ICD_FILENAMES"]]);
  const before = Object.keys(environment).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, environment);
  try {
    let gpu = instances.get(key);
    if (!gpu) instances.set(key, (gpu = create([...flags])));
    // Dawn starts Vulkan inside this call, not after it, so the environment can be put back at once.
    return gpu.requestAdapter({ powerPreference: "high-performance" });
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
}

async function must(adapter: Promise<GPUAdapter | null>, wanted: string): Promise<GPUAdapter> {
  const found = await adapter;
  if (!found)
    throw new LlariatError("device", `adapter "${wanted}": listed, but Dawn cannot open it; update its driver`);
  return found;
}

/** Dawn writes "llvmpipe (LLVM 15.0.6, 256 bits)" in lists and "llvmpipe-llvm-15-0-6-256-bits-" in an adapter's info. */
const plain = (name: string): string =>
  name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "");

function describe(adapter: GPUAdapter, features: readonly string[], isNull: boolean): AdapterFacts {
  const { info } = adapter;
  const name = plain(info.device) || info.vendor || "unnamed adapter";
  const software = isSoftware(info);
  const backend = isNull
    ? "null"
    : process.platform === "darwin"
      ? "metal"
      : process.platform === "win32"
        ? "d3d12"
        : "vulkan";
  const driver = info.description;
  const subgroups = features.includes("subgroups");
  return {
    name,
    vendor: info.vendor,
    architecture: info.architecture,
    description: [name, driver, backend, software ? "software" : ""].filter(Boolean).join(" · "),
    driver,
    isSoftware: software,
    backend,
    features,
    subgroupMinSize: subgroups ? (info.subgroupMinSize ?? 0) : 0,
    subgroupMaxSize: subgroups ? (info.subgroupMaxSize ?? 0) : 0,
  };
}
