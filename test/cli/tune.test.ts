// tune.test.ts — `llariat tune`: the table of what runs and why, what is measured and remembered, what is asked for.
// Opens a device: as a process.
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { tune } from "../../src/cli/tune.ts";
import { llariat, usageSentence } from "../tools/cli.ts";
import { folder } from "../tools/models.ts";

const test = suite("cli tune");
const MODEL = folder("goldens/rope_sweep");
const cache = mkdtempSync(join(tmpdir(), "llariat-tune-"));
test.after(() => rmSync(cache, { recursive: true, force: true }));
process.env["XDG_CACHE_HOME"] = cache;

test("every kernel with its shape, variant and reason; measurements are kept where the user's caches are", async () => {
  const measured = await llariat(["tune", "--model", MODEL, "--measure", "--json"]);
  assert.is(measured.code, 0, measured.stderr);
  const { choices } = JSON.parse(measured.stdout) as {
    choices: { kernel: string; shape: string; variant: string; why: string; ms?: Record<string, number> }[];
  };
  const linear = choices.filter(({ kernel }) => kernel === "linear");
  assert.ok(linear.length > 1);
  for (const { shape, variant, why, ms } of linear) {
    assert.match(shape, /^\d+ × \d+ × \d+ \w+$/);
    assert.is(why, "measured to be the fastest here");
    assert.is(ms![variant], Math.min(...Object.values(ms!)));
  }
  for (const kernel of ["attention_prefill", "attention_decode", "matvec", "rmsnorm", "topk", "elementwise"]) {
    assert.ok(
      choices.some((each) => each.kernel === kernel && each.why.length > 10),
      kernel,
    );
  }
  // Beside it SwiftShader may have been unpacked.
  const kept = readdirSync(join(cache, "llariat")).filter((name) => name.startsWith("choices"));
  assert.match(kept.join(), /^choices-[0-9a-f]{16}\.json$/);

  const asked = await llariat(["tune", "--model", MODEL, "--variants", "linear=matmul_tiled"]);
  assert.is(asked.code, 0, asked.stderr);
  assert.match(asked.stdout, /^linear .* matmul_tiled\n {4}asked for$/m);
});

test("what cannot be is refused before anything is opened", async () => {
  assert.match(await usageSentence(tune, []), /needs --model/);
  assert.match(await usageSentence(tune, ["--model", MODEL, "--measure", "--variants", "tiled"]), /give one of them/);
  const wrong = await llariat(["tune", "--model", MODEL, "--variants", "linear=fast"]);
  assert.is(wrong.code, 2);
  assert.match(wrong.stderr, /--variants\.linear|variants\.linear/);
});

test.run();
