// advice.ts — what to tell a person whose machine has no GPU driver, or only a slow one.

import { SWIFTSHADER_COMMAND } from "./software.ts";

/** How a machine gets a Vulkan driver on Linux, by distribution family. Debian 12's own Mesa 22.3 is refused by Dawn. */
const LINUX = `  Debian, Ubuntu   apt install libvulkan1 mesa-vulkan-drivers
                   (Debian 12: apt install -t bookworm-backports libvulkan1 mesa-vulkan-drivers; its own Mesa is too old)
  Fedora           dnf install vulkan-loader mesa-vulkan-drivers
  Arch             pacman -S vulkan-icd-loader, and vulkan-radeon, vulkan-intel or (no GPU) vulkan-swrast
                   (no GPU is needed: these bring Mesa's lavapipe, a driver that computes on the CPU)
  NVIDIA           the vendor's driver: nvidia-driver (Debian), nvidia-driver-NNN (Ubuntu), akmod-nvidia (RPM Fusion),
                   nvidia-utils (Arch); in a container also NVIDIA_DRIVER_CAPABILITIES=all
  no root          ${SWIFTSHADER_COMMAND}
                   (x64 only, 66 MB: its SwiftShader computes on the CPU, several times slower than lavapipe)`;

const MACOS = `  macOS            nothing to install: Metal is part of the system. A virtual machine or a remote build machine
                   without a GPU has no Metal device; run on the Mac itself`;

const WINDOWS = `  Windows          the graphics driver of the vendor (Intel, AMD, NVIDIA) with Direct3D 12, through Windows Update or
                   the vendor's site; Windows 10 1809 or newer. Inside WSL follow the Linux lines`;

/**
 * The whole message for a machine on which no adapter was found: what was tried, then what to install, the platform at
 * hand first.
 * @param platform as in process.platform. @param tried one sentence per route that failed.
 */
export function noAdapterMessage(platform: string, tried: readonly string[]): string {
  const all =
    platform === "darwin"
      ? [MACOS, LINUX, WINDOWS]
      : platform === "win32"
        ? [WINDOWS, LINUX, MACOS]
        : [LINUX, MACOS, WINDOWS];
  const reasons = tried.map((reason) => `  - ${reason}\n`).join("");
  return `no WebGPU adapter was found on this ${platform} machine\n${reasons}To get one:\n${all.join("\n")}`;
}

/** One sentence for a person whose model runs on the CPU though a driver was found: how to go faster. */
export function fasterAdvice(platform: string, swiftShader: boolean): string {
  if (platform === "win32") return "a GPU with its vendor's Direct3D 12 driver is many times faster";
  if (platform === "darwin") return "a Mac with its GPU is many times faster";
  const gpu = "a GPU with its Vulkan driver is many times faster";
  if (!swiftShader) return gpu;
  return `Mesa's lavapipe is several times faster (Debian 12: apt install -t bookworm-backports mesa-vulkan-drivers; newer Debian, Ubuntu: apt install mesa-vulkan-drivers; Fedora: dnf install mesa-vulkan-drivers; Arch: pacman -S vulkan-swrast), ${gpu}`;
}
