// A short run of the fuzzer of checkpoints (fuzz.ts); `npm run test:fuzz` is the long one.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";

const test = suite("checkpoint fuzz");
const script = fileURLToPath(new URL("fuzz.ts", import.meta.url));
/** Only a round that never ends takes so long. */
const HANG_MS = 300_000;

test("hostile checkpoints from a seed are refused in a sentence or open; none hangs", () => {
  const args = ["--import", "tsx", script, "--count", "150", "--seed", "1"];
  const { status, stdout, stderr, signal } = spawnSync(process.execPath, args, { encoding: "utf8", timeout: HANG_MS });
  assert.is(signal, null, "a round that never ends");
  assert.is(status, 0, stderr);
  const { refused, opened } = JSON.parse(stdout) as { refused: number; opened: number };
  assert.is(refused + opened, 150);
  assert.ok(refused > 50 && opened > 20, stdout);
});

test.run();
