// Adapters in Node: what a device handle says, how one is chosen, what happens where there is none, and how processes end.
import { spawnSync } from "node:child_process";
import { mkdtempSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { fasterAdvice, noAdapterMessage } from "../../src/node/advice.ts";
import { listAdapters, requestDevice } from "../../src/node/gpu.ts";
import { hasVulkanLoader } from "../../src/node/software.ts";
import { refused } from "../tools/refused.ts";
import { read, root } from "../tools/source.ts";

const test = suite("device");
const linux = process.platform === "linux" && process.arch === "x64";

/** A child's program: opens a device, multiplies 256 numbers on it, prints one of them. */
const WORK = `
  import { requestDevice } from "./src/node/gpu.ts";
  const STORAGE = 0x80, COPY_SRC = 4, COPY_DST = 8, MAP_READ = 1;
  const turn = () => new Promise((resolve) => setTimeout(resolve, 10));
  export const collect = async () => { for (let i = 0; i < 5; i++) { globalThis.gc(); await turn(); } };
  export async function triple(device) {
    const module = device.createShaderModule({ code: "@group(0) @binding(0) var<storage, read_write> x: array<u32>;" +
      "@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) g: vec3u) { x[g.x] = g.x * 3u; }" });
    const pipeline = await device.createComputePipelineAsync({ layout: "auto", compute: { module } });
    const x = device.createBuffer({ size: 1024, usage: STORAGE | COPY_SRC });
    const back = device.createBuffer({ size: 1024, usage: COPY_DST | MAP_READ });
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries: [{ binding: 0, resource: { buffer: x } }] }));
    pass.dispatchWorkgroups(4);
    pass.end();
    encoder.copyBufferToBuffer(x, 0, back, 0, 1024);
    device.queue.submit([encoder.finish()]);
    await back.mapAsync(1);
    return new Uint32Array(back.getMappedRange())[100];
  }
`;

type Ended = { status: number | null; signal: string | null; stdout: string; stderr: string };

/** Runs a module in a process of its own that may collect garbage at will. A minute is no speed limit: it means a hang. */
function child(body: string, environment: Record<string, string | undefined> = {}): Ended {
  const { status, signal, stdout, stderr } = spawnSync(
    process.execPath,
    ["--expose-gc", "--import", "tsx", "--input-type=module", "--eval", WORK + body],
    { cwd: root, encoding: "utf8", timeout: 60_000, env: { ...process.env, ...environment } },
  );
  return { status, signal, stdout, stderr };
}

function exits(ended: Ended, stdout: string): void {
  assert.is(ended.signal, null, ended.stderr);
  assert.is(ended.status, 0, ended.stderr);
  assert.is(ended.stdout.trim(), stdout);
}

test("a handle says which adapter it is and has the adapter's limits", async () => {
  const gpu = await requestDevice();
  const { adapter, device } = gpu;
  console.log(`note: ${adapter.description} · ${adapter.features.join(" ")}`);
  assert.not(device.features.has("shader-f16"), "arithmetic is f32");
  assert.ok(adapter.name.length > 0);
  assert.ok(adapter.description.startsWith(adapter.name));
  assert.equal(
    adapter.features.filter((feature) => !device.features.has(feature as GPUFeatureName)),
    [],
  );
  assert.not.ok(device.features.has("timestamp-query"), "only when profiling");
  assert.is(adapter.subgroupMinSize > 0, device.features.has("subgroups"));
  assert.ok(adapter.subgroupMinSize <= adapter.subgroupMaxSize);
  assert.ok(device.limits.maxStorageBufferBindingSize >= 128 * 1024 ** 2);
  assert.ok(device.limits.maxComputeInvocationsPerWorkgroup >= 256);
  const told = gpu.notes.some((note) => note.includes("software") && note.includes("faster"));
  assert.is(told, adapter.isSoftware, "software is said, and how to get a faster one; a GPU is not called software");
  assert.not.ok((globalThis as { navigator?: { gpu?: unknown } }).navigator?.gpu, "globalThis stays as it was");
  assert.not.ok("GPUBufferUsage" in globalThis);
  gpu.release();
  gpu.release();
  assert.is((await device.lost).reason, "destroyed");
});

test("profiling adds timestamps", async () => {
  const gpu = await requestDevice({ profiling: true });
  assert.ok(gpu.device.features.has("timestamp-query"));
  gpu.release();
});

test("an adapter is chosen by any part of its name, in any case, as listed or as printed", async () => {
  const names = hasVulkanLoader() || !linux ? await listAdapters() : [];
  for (const name of names) {
    const gpu = await requestDevice({ adapter: name.toUpperCase() });
    const again = await requestDevice({ adapter: gpu.adapter.name });
    assert.is(again.adapter.description, gpu.adapter.description);
    gpu.release();
    again.release();
  }
  const { message } = await refused(requestDevice({ adapter: "no such thing" }), "device");
  assert.match(message, /^adapter "no such thing": no such adapter; present: /);
  for (const name of [...names, "swiftshader", "null"]) assert.ok(message.includes(name), message);
});

test("the null backend compiles and computes nothing", async () => {
  const gpu = await requestDevice({ adapter: "null" });
  assert.is(gpu.adapter.backend, "null");
  const bad = gpu.device.createShaderModule({ code: "fn f() -> u32 { return 1.5; }" });
  const { messages } = await bad.getCompilationInfo();
  assert.is(messages.filter((each) => each.type === "error").length, 1);
  gpu.release();
});

test("the environment's LLARIAT_ADAPTER is the default, the option comes first", () => {
  const body = `
    const say = async (options) => { const gpu = await requestDevice(options); console.log(gpu.adapter.name); gpu.release(); };
    await say(); await say({ adapter: "null" });`;
  exits(child(body, { LLARIAT_ADAPTER: "null" }), "null-backend\nnull-backend");
  const { status, stderr } = child("await requestDevice()", { LLARIAT_ADAPTER: "no such thing" });
  assert.is(status, 1);
  assert.match(stderr, /no such adapter/);
});

test("a process that opens, uses and releases a device ends by itself", () => {
  exits(child("const gpu = await requestDevice(); console.log(await triple(gpu.device)); gpu.release();"), "300");
});

test("a process that forgets to release its device ends by itself", () => {
  exits(
    child("const gpu = await requestDevice(); console.log(await triple(gpu.device)); globalThis.kept = gpu;"),
    "300",
  );
});

test("garbage collection takes nothing away that a device needs", () => {
  const kept =
    "const { device } = await requestDevice(); await collect(); console.log(await triple(device)); await collect();";
  exits(child(kept), "300");
  const many = `
    for (let i = 0; i < 4; i++) { const gpu = await requestDevice(); await triple(gpu.device); gpu.release(); await collect(); }
    console.log("done");`;
  exits(child(many), "done");
});

test("a device may be released while work is pending: the promise is settled, the process lives", () => {
  const map = `
    const gpu = await requestDevice();
    const back = gpu.device.createBuffer({ size: 16, usage: COPY_DST | MAP_READ });
    gpu.device.queue.writeBuffer(back, 0, new Uint8Array(16));
    const pending = back.mapAsync(MAP_READ).then(() => "settled", () => "settled");
    gpu.release();
    await collect();
    console.log(await pending);`;
  exits(child(map), "settled");
  const compile = `
    const gpu = await requestDevice();
    const module = gpu.device.createShaderModule({ code: "@compute @workgroup_size(1) fn main() {}" });
    const pending = gpu.device.createComputePipelineAsync({ layout: "auto", compute: { module } }).then(() => "settled", () => "settled");
    gpu.release();
    await collect();
    console.log(await pending);`;
  exits(child(compile), "settled");
});

test("a released device is not reported as lost", () => {
  const body = `
    const gpu = await requestDevice({ log: (line) => console.log(line) });
    gpu.release();
    await gpu.device.lost; await collect();
    console.log("quiet");`;
  exits(child(body), "quiet");
});

if (!linux)
  console.log("note: not tried here: SwiftShader from npm, and what is said where nothing works (Linux on x64)");
else {
  const noDriver = { VK_DRIVER_FILES: "/dev/null", VK_ICD_FILENAMES: "/dev/null", LLARIAT_ADAPTER: undefined };

  test("without a Vulkan driver SwiftShader from npm computes, and says so", () => {
    const cache = mkdtempSync(join(tmpdir(), "llariat-test-"));
    try {
      const body = `
        const gpu = await requestDevice();
        console.log(gpu.adapter.architecture, gpu.adapter.isSoftware, await triple(gpu.device));
        console.log(gpu.notes.join("\\n"));
        console.log(process.env.VK_DRIVER_FILES, process.env.VK_ICD_FILENAMES);
        gpu.release();`;
      const ended = child(body, { ...noDriver, XDG_CACHE_HOME: cache });
      assert.is(ended.status, 0, ended.stderr);
      assert.match(ended.stdout, /^swiftshader true 300\n/);
      assert.match(
        ended.stdout,
        /(names no driver that Dawn accepts|\(libvulkan\.so\.1\) is installed): using SwiftShader from npm/,
      );
      assert.match(ended.stdout, /lavapipe is several times faster.*apt install/);
      assert.match(ended.stdout, /\n\/dev\/null \/dev\/null\n$/, "the environment is put back");
      const [folder] = readdirSync(join(cache, "llariat"));
      const unpacked = readdirSync(join(cache, "llariat", folder)).sort();
      assert.equal(unpacked, ["libvk_swiftshader.so", "libvulkan.so.1", "vk_swiftshader_icd.json"]);
      // A second process uses what is there, and mends what is missing.
      const file = join(cache, "llariat", folder, "libvk_swiftshader.so");
      const { mtimeMs } = statSync(file);
      rmSync(join(cache, "llariat", folder, "vk_swiftshader_icd.json"));
      assert.is(child(body, { ...noDriver, XDG_CACHE_HOME: cache }).status, 0);
      assert.ok(statSync(file).mtimeMs > mtimeMs);
      const mended = statSync(file).mtimeMs;
      assert.is(child(body, { ...noDriver, XDG_CACHE_HOME: cache }).status, 0);
      assert.is(statSync(file).mtimeMs, mended);
    } finally {
      rmSync(cache, { recursive: true, force: true });
    }
  });

  test("SwiftShader is unpacked by several processes at once, and where no cache can be written", async () => {
    const cache = mkdtempSync(join(tmpdir(), "llariat-test-"));
    try {
      const body = `
        import { spawn } from "node:child_process";
        const program = 'import("./src/node/gpu.ts").then(async (m) => { (await m.requestDevice({ adapter: "swiftshader" })).release(); })';
        const codes = await Promise.all(Array.from({ length: 4 }, () => new Promise((resolve) =>
          spawn(process.execPath, ["--import", "tsx", "--eval", program], { stdio: "inherit" }).on("close", resolve))));
        console.log(codes.join(" "));`;
      const ended = child(body, { XDG_CACHE_HOME: cache });
      assert.is(ended.stdout.trim(), "0 0 0 0", ended.stderr);
      // A file where the folder should be: nobody can write there, not even root.
      const blocked = join(cache, "blocked");
      writeFileSync(blocked, "");
      const temporary = join(cache, "tmp");
      mkdirSync(temporary);
      const one = `const gpu = await requestDevice({ adapter: "swiftshader" }); console.log(await triple(gpu.device)); gpu.release();`;
      exits(child(one, { XDG_CACHE_HOME: blocked, TMPDIR: temporary }), "300");
      assert.equal(
        readdirSync(temporary).filter((name) => name.startsWith("llariat-")),
        [],
        "and cleaned up",
      );
    } finally {
      rmSync(cache, { recursive: true, force: true });
    }
  });

  test("where nothing works the error says what was tried and what to install", () => {
    // Hiding the package from resolution stands for an install of llariat as users have it, without the peer.
    const body = `
      import Module from "node:module";
      const resolve = Module._resolveFilename;
      Module._resolveFilename = (request, ...rest) => {
        if (request.startsWith("@sparticuz/")) throw Object.assign(new Error("hidden"), { code: "MODULE_NOT_FOUND" });
        return resolve(request, ...rest);
      };
      const say = (adapter) => requestDevice({ adapter }).then(() => console.log("opened"), (error) => console.log(error.name, error.code, error.message));
      await say();
      await say("swiftshader");`;
    const ended = child(body, noDriver);
    assert.is(ended.status, 0, ended.stderr);
    assert.match(ended.stdout, /^LlariatError device no WebGPU adapter was found on this linux machine\n/);
    assert.match(
      ended.stdout,
      /- (VK_DRIVER_FILES=\/dev\/null names no driver that Dawn accepts|no Vulkan loader \(libvulkan\.so\.1\) is installed)\n/,
    );
    const { devDependencies, peerDependencies, peerDependenciesMeta } = JSON.parse(read("package.json"));
    const peer = "@sparticuz/chromium";
    assert.ok(peerDependencies[peer] && peerDependenciesMeta[peer].optional, "nobody gets a Chromium unasked");
    const missing = `swiftshader: the npm package ${peer} is not installed; run: npm install ${peer}@${devDependencies[peer]}\n`;
    assert.ok(ended.stdout.includes(`  - ${missing}`), ended.stdout);
    assert.ok(ended.stdout.endsWith(`\nLlariatError device ${missing}`), "asked for by name, one line says it all");
    assert.match(ended.stdout, /no GPU is needed: .* Mesa's lavapipe/);
    for (const word of ["apt install", "dnf install", "pacman -S", "macOS", "Windows", "bookworm-backports"]) {
      assert.ok(ended.stdout.includes(word), word);
    }
  });
}

test("advice begins with the platform at hand and names all three", () => {
  const first = { linux: "Debian", darwin: "macOS", win32: "Windows" };
  for (const [platform, word] of Object.entries(first)) {
    const message = noAdapterMessage(platform, ["one thing failed", "another too"]);
    const lines = message.split("\n");
    assert.is(lines[0], `no WebGPU adapter was found on this ${platform} machine`);
    assert.equal(lines.slice(1, 3), ["  - one thing failed", "  - another too"]);
    assert.ok(lines[4].includes(word), lines[4]);
    for (const each of Object.values(first)) assert.ok(message.includes(each), each);
  }
  assert.match(fasterAdvice("linux", true), /lavapipe is several times faster/);
  assert.not.match(fasterAdvice("linux", false), /lavapipe/);
  assert.match(fasterAdvice("win32", false), /Direct3D 12/);
});

test("npm webgpu is asked for by name where it is missing", () => {
  const hook = `data:text/javascript,${encodeURIComponent(
    'export const resolve = (s, c, next) => { if (s === "webgpu") throw Object.assign(new Error("gone"), { code: "ERR_MODULE_NOT_FOUND" }); return next(s, c); };',
  )}`;
  const body = `
    import { register } from "node:module";
    register(${JSON.stringify(hook)});
    await requestDevice().then(() => console.log("opened"), (error) => console.log(error.code, error.message));`;
  exits(child(body), "device the npm package webgpu (Dawn) is not installed; run: npm install webgpu");
});

test("a device is destroyed when the process exits, however that comes about", () => {
  const watch = `
    import { writeSync } from "node:fs";
    const gpu = await requestDevice({ log: () => {} });
    const destroy = gpu.device.destroy.bind(gpu.device);
    gpu.device.destroy = () => { writeSync(1, "destroyed"); destroy(); };
    void triple(gpu.device);
  `;
  for (const [end, code] of [
    ["process.exit(3);", 3],
    ["await triple(gpu.device); process.exit(3);", 3],
    ["throw new Error('uncaught');", 1],
    ["setImmediate(() => { throw new Error('uncaught'); }); await new Promise(() => setInterval(() => {}, 1000));", 1],
  ] as const) {
    const { status, signal, stdout } = child(watch + end);
    assert.equal([status, signal, stdout], [code, null, "destroyed"], end);
  }
  const released = child(`${watch} gpu.release(); await gpu.device.lost; console.log(" once");`);
  assert.is(released.stdout, "destroyed once\n");
});

test.run();
