// gpu.ts — a WebGPU device in a browser.

import { LlariatError } from "../error.ts";
import { type DeviceHandle, isSoftware } from "../device/handle.ts";
import { deviceDescriptor } from "../device/limits.ts";
import { checkOptions } from "../text/options.ts";

/**
 * Opens a device: `adapter` "low-power" or "high-performance" (default). The caller releases it.
 * @throws LlariatError("device") where the browser has no WebGPU or no adapter; the sentence says what to do.
 */
export async function requestDevice(options: { adapter?: string } = {}): Promise<DeviceHandle> {
  const { adapter: wanted } = checkOptions<{ adapter?: string; log?: unknown }>(options, {
    adapter: "text",
    log: "callback",
  });
  const gpu = (globalThis as { navigator?: { gpu?: GPU } }).navigator?.gpu;
  if (!gpu) {
    const needs = "a browser with WebGPU (Chrome or Edge 113, Safari 26, Firefox 141) and a page served over https";
    throw new LlariatError("device", `navigator.gpu is missing: needs ${needs}`);
  }
  const powerPreference = wanted === "low-power" ? "low-power" : "high-performance";
  const adapter = await gpu.requestAdapter({ powerPreference });
  if (!adapter) {
    throw new LlariatError(
      "device",
      "the browser offers no WebGPU adapter; enable hardware acceleration, or see chrome://gpu",
    );
  }
  const { vendor, architecture, device: name, description } = adapter.info;
  const software = isSoftware(adapter.info);
  const words = [name || architecture || vendor || "unnamed adapter", description, software ? "software" : ""];
  const device = await adapter.requestDevice(deviceDescriptor(adapter)).catch((cause) => {
    throw new LlariatError("device", `${words[0]}: the browser cannot open it: ${(cause as Error).message}`, { cause });
  });
  return {
    device,
    adapter: { name: words[0], description: words.filter(Boolean).join(" · "), isSoftware: software },
    notes: software ? [`${words[0]} is a software adapter, the CPU computes; enable hardware acceleration`] : [],
    release: () => device.destroy(),
  };
}
