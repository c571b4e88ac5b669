// --via asks a server that runs the model, so of --model only tokenizer and RoPE setting are read.
import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Arguments, type Terminal } from "../../src/cli/command.ts";
import { openEngine } from "../../src/cli/measure.ts";
import { refused } from "../tools/refused.ts";

const test = suite("via");
const MODEL = fileURLToPath(new URL("../../models/kv-llama/", import.meta.url));
const folder = await mkdtemp(join(tmpdir(), "llariat-via-"));
const terminal = { signal: new AbortController().signal } as Terminal;
const open = () =>
  openEngine(
    new Arguments(
      new Map([
        ["via", ["http://host"]],
        ["model", [folder]],
      ]),
      [],
    ),
    terminal,
    () => {},
  );

test("quantised weights and other architectures are the server's business", async () => {
  await copyFile(join(MODEL, "tokenizer.json"), join(folder, "tokenizer.json"));
  const config = JSON.parse(await readFile(join(MODEL, "config.json"), "utf8")) as object;
  const awq = { quantization_config: { quant_method: "awq", bits: 4 } };
  for (const more of [{}, awq, { model_type: "gemma2", architectures: ["Gemma2ForCausalLM"] }]) {
    await writeFile(join(folder, "config.json"), JSON.stringify({ ...config, ...more }));
    const { engine, close } = await open();
    assert.is(engine.rope!.originalMaxPositions, 512);
    close();
  }
});

test("a folder without a config is named for what it is", async () => {
  await rm(join(folder, "config.json"));
  await refused(open, "config", /got no config\.json among tokenizer\.json, .*this is a tokenizer without its model/);
});

test.after(() => rm(folder, { recursive: true }));
test.run();
