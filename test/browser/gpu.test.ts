// A browser that has WebGPU and opens no device: every failure is a sentence.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { requestDevice } from "../../src/browser/gpu.ts";
import { refused } from "../tools/refused.ts";

const test = suite("browser gpu");

/** Runs with a navigator that has this gpu. */
async function beside(gpu: unknown, work: () => Promise<unknown>): Promise<void> {
  const before = Object.getOwnPropertyDescriptor(globalThis, "navigator");
  Object.defineProperty(globalThis, "navigator", { value: { gpu }, configurable: true });
  try {
    await work();
  } finally {
    if (before) Object.defineProperty(globalThis, "navigator", before);
    else Reflect.deleteProperty(globalThis, "navigator");
  }
}

test("no WebGPU, no adapter, and an adapter that gives no device", async () => {
  await beside(undefined, () => refused(requestDevice, "device", /^navigator\.gpu is missing: needs a browser/));
  await beside({ requestAdapter: async () => null }, () =>
    refused(requestDevice, "device", /offers no WebGPU adapter/),
  );
  const cause = new DOMException("out of memory", "OperationError");
  const adapter = {
    features: new Set(),
    limits: {},
    info: { vendor: "v", architecture: "a", device: "", description: "d" },
    requestDevice: () => Promise.reject(cause),
  };
  await beside({ requestAdapter: async () => adapter }, async () => {
    const error = await refused(requestDevice, "device", "a: the browser cannot open it: out of memory");
    assert.is(error.cause, cause);
  });
});

test("of an adapter that has everything subgroups are asked for, and nothing else: arithmetic is f32", async () => {
  const asked: GPUDeviceDescriptor[] = [];
  const device = { destroy: () => {} };
  const adapter = {
    features: new Set(["shader-f16", "subgroups", "timestamp-query", "bgra8unorm-storage"]),
    limits: { maxBufferSize: 3, maxStorageBufferBindingSize: 2, maxComputeWorkgroupStorageSize: 1 },
    info: { vendor: "v", architecture: "a", device: "", description: "d" },
    requestDevice: async (descriptor: GPUDeviceDescriptor) => (asked.push(descriptor), device),
  };
  await beside({ requestAdapter: async () => adapter }, async () => {
    assert.is((await requestDevice()).device, device);
  });
  assert.equal(asked, [{ label: "llariat", requiredFeatures: ["subgroups"], requiredLimits: adapter.limits }]);
});

test.run();
