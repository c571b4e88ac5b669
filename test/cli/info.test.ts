// `llariat info`: a checkpoint, what it needs, and what each RoPE scaling would give.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { EffectiveRope } from "../../src/index.ts";
import { Llama } from "../../src/node/index.ts";
import { formatBytes } from "../../src/cli/progress.ts";
import { describeRope, frequencies, parseRope, parseRopeOption, parseRopeScaling } from "../../src/rope/index.ts";
import { root } from "../tools/source.ts";
import { llariat } from "../tools/cli.ts";

const test = suite("cli info");
const MODELS = join(root, "test/fixtures/goldens/models");
const MODEL = join(MODELS, "gqa-bf16");

type Row = EffectiveRope & { scaling: string; kvBytes: number; wavelengths: (number | null)[] };
interface Facts {
  ropeScalings: Row[];
  rope: object;
  gpuBytes: { kvPerToken: number; kvWindow?: number };
}

test("config, tensors, needs, adapter and limits; as JSON the same", async () => {
  const [text, json, noDevice] = await Promise.all([
    llariat(["info", "--model", MODEL]),
    llariat(["info", "--model", MODEL, "--json"]),
    llariat(["info", "--model", MODEL, "--adapter", "no such thing"]),
  ]);
  assert.is(text.code, 0, text.stderr);
  for (const word of [
    "kvHeads",
    "maxContext",
    "model.embed_tokens.weight",
    "BF16",
    "parameters",
    "bytes per token",
    "maxStorageBufferBindingSize",
  ]) {
    assert.ok(text.stdout.includes(word), word);
  }
  const facts = JSON.parse(json.stdout) as Record<string, unknown> & {
    tensors: { bytes: number }[];
    fileBytes: number;
  };
  assert.is(
    facts.tensors.reduce((sum, { bytes }) => sum + bytes, 0),
    facts.fileBytes,
  );
  assert.is(noDevice.code, 1);
  assert.ok(noDevice.stdout.includes("model.embed_tokens.weight"), "the checkpoint is described all the same");
  assert.match(noDevice.stderr, /no such adapter/);
});

test("what ends a text is what ends it while generating, whichever file says so", async () => {
  const folder = mkdtempSync(join(tmpdir(), "llariat-"));
  try {
    const own = (name: string) => join(root, "models/kv-llama", name);
    const config = { ...(JSON.parse(readFileSync(own("config.json"), "utf8")) as object), eos_token_id: 5 };
    writeFileSync(join(folder, "config.json"), JSON.stringify(config));
    writeFileSync(join(folder, "generation_config.json"), JSON.stringify({ eos_token_id: -1 }));
    const files = [join(folder, "config.json"), join(folder, "generation_config.json"), own("model.safetensors")];
    const ends = async (...more: string[]): Promise<unknown> => {
      const { stdout, stderr } = await llariat(["info", "--adapter", "null", "--json", "--model", ...files, ...more]);
      assert.ok(stdout, stderr);
      return (JSON.parse(stdout) as { eosIds: number[] }).eosIds;
    };
    assert.equal(await ends(), [5]);
    assert.equal(await ends(own("tokenizer.json"), own("tokenizer_config.json")), [5, 2], "and the tokenizer's own");
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("what each RoPE scaling would give", async () => {
  const run = async (...more: string[]) => {
    const start = ["info", "--model", join(root, "models/kv-llama"), "--adapter", "null"];
    const [text, json] = await Promise.all([llariat([...start, ...more]), llariat([...start, "--json", ...more])]);
    assert.equal([text.code, json.code], [0, 0], text.stderr);
    const { ropeScalings: rows, rope, gpuBytes } = JSON.parse(json.stdout) as Facts;
    const part = /^rope scalings: .*\n([\s\S]*?)\n\n/m.exec(text.stdout)![1];
    return { rows, rope, gpuBytes, lines: part.split("\n") };
  };
  const usual = await run();
  assert.equal(
    usual.rows.map(({ scaling, maxContext, n }) => [scaling, maxContext, n]),
    [
      ["own", 512, 512],
      ["none", 512, 512],
      ...["linear:4", "ntk:4", "dynamic:4", "yarn:4", "llama3:4,low_freq_factor=1,high_freq_factor=4"].map((name) => [name, 2048, 2048]), // prettier-ignore
    ],
  );
  for (const { wavelengths, scaling, n, kvBytes, maxContext, ...rope } of usual.rows) {
    const own = parseRope({ head_dim: 64, max_position_embeddings: 512 });
    const asked = scaling === "own" ? own : parseRopeScaling(parseRopeOption(scaling), own);
    assert.equal({ ...rope, maxContext }, describeRope(asked));
    assert.is(kvBytes, maxContext * usual.gpuBytes.kvPerToken);
    assert.is(wavelengths.length, 32);
    frequencies(asked, n).omega.forEach((omega, i) => assert.is(wavelengths[i], (2 * Math.PI) / omega));
  }
  assert.equal(describeRope(parseRope({ head_dim: 64, max_position_embeddings: 512 })), usual.rope);
  // The table shows the same, to four digits, of some pairs.
  assert.is(usual.lines.length, 1 + usual.rows.length);
  const shown = [...usual.lines[0].matchAll(/λ(\d+)/g)].map(([, pair]) => Number(pair));
  assert.equal([shown[0], shown.at(-1)], [0, 31]);
  assert.ok(usual.lines.every((line) => line.length <= 120));
  usual.rows.forEach(({ wavelengths, maxContext, kvBytes }, i) => {
    const cells = usual.lines[i + 1].trim().split(/ {2,}/);
    assert.equal(cells.slice(1, 3), [maxContext.toLocaleString("en-US"), formatBytes(kvBytes)]);
    shown.forEach((pair, column) => {
      const value = Number(cells[4 + column].replaceAll(",", ""));
      assert.ok(Math.abs(value / wavelengths[pair]! - 1) <= 5e-4, `${cells[0]} λ${pair}: ${value}`); // half a fourth digit
    });
  });

  const asked = await run(
    "--rope-scaling",
    'yarn:4,beta_fast=16,none,{"type": "longrope", "factor": 2, "short_factor": [1], "long_factor": [1]}'.replaceAll(
      "[1]",
      JSON.stringify(Array.from({ length: 32 }, (_, i) => 1 + i)),
    ),
    "--rope-scaling",
    "proportional:partial_rotary_factor=0.5",
    "--rope-length",
    "700",
  );
  assert.equal(
    asked.rows.map(({ type, n }) => [type, n]),
    ["default", "yarn", "default", "longrope", "proportional"].map((type) => [type, 700]),
  );
  assert.is(asked.rows[4].wavelengths[16], null, "a pair that does not turn");
  assert.match(asked.lines[5], /∞$/);
});

test("with a window in every layer, keys and values are those that it reaches", async () => {
  const folder = join(root, "test/fixtures/families/mistral-window");
  const json = JSON.parse((await llariat(["info", "--model", folder, "--json", "--adapter", "null"])).stdout) as Facts;
  assert.is(json.gpuBytes.kvWindow, 16);
  assert.is(json.ropeScalings[0].kvBytes, 16 * json.gpuBytes.kvPerToken);
  const { stdout } = await llariat(["info", "--model", folder, "--adapter", "null"]);
  assert.match(stdout, /keys and values .* bytes per token, .* for the window of 16 tokens, and those of a step/);
});

test("what it says of the GPU is what loading takes", async () => {
  for (const name of ["odd-everything-bf16", "attn-bias-bf16", "mlp-bias-f16", "tied-f32", "legacy-dynamic-f16"]) {
    const folder = join(MODELS, name);
    const { stdout } = await llariat(["info", "--model", folder, "--json", "--adapter", "null"]);
    const { gpuBytes } = JSON.parse(stdout) as { gpuBytes: { weights: number; kvPerToken: number } };
    const llama = await Llama.load(folder);
    assert.is(gpuBytes.weights, llama.memory.weights, name);
    assert.is(gpuBytes.kvPerToken, llama.kvBytes(1024) / 1024, name);
    llama.close();
  }
});

test("keys and values in another format", async () => {
  const folder = join(MODELS, "odd-everything-bf16"); // slots that are no whole blocks
  for (const kvCache of ["f16", "q8"] as const) {
    const { stdout } = await llariat(["info", "--model", folder, "--json", "--adapter", "null", "--kv-cache", kvCache]);
    const { gpuBytes } = JSON.parse(stdout) as { gpuBytes: { kvPerToken: number; kvCache: string } };
    using llama = await Llama.load(folder, { kvCache });
    assert.equal([gpuBytes.kvCache, gpuBytes.kvPerToken], [kvCache, llama.kvBytes(1024) / 1024]);
  }
  const { code, stderr } = await llariat(["info", "--model", folder, "--kv-cache", "f8"]);
  assert.is(code, 2);
  assert.match(stderr, /^llariat: --kv-cache: got "f8", needed f32, f16, q8\n/);
});

test.run();
