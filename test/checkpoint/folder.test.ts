// What people name instead of a checkpoint: every kind of folder is refused with its true cause and a way out, in a folder,
// over HTTP and among picked files.
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { blobFiles } from "../../src/browser/files.ts";
import { urlFiles } from "../../src/checkpoint/http.ts";
import type { FileSet } from "../../src/checkpoint/bytes.ts";
import { memoryFiles } from "../../src/checkpoint/memory.ts";
import { openCheckpoint } from "../../src/model/checkpoint.ts";
import { folderFiles } from "../../src/node/files.ts";
import { randomFiles, SHAPES } from "../tools/checkpoint.ts";
import { collect } from "../tools/damage.ts";
import { refused } from "../tools/refused.ts";

const tests = suite("folder");
const whole = await collect(randomFiles({ shape: SHAPES.tiny }));
const config = new TextDecoder().decode(whole["config.json"]);
const adapter = JSON.stringify({ base_model_name_or_path: "meta-llama/Llama-2-7b-hf", peft_type: "LORA", r: 8 });

/** Names and contents of a folder, the beginning of the sentence, and its end: cause and way out. */
const KINDS: Record<string, [Record<string, string>, "config" | "checkpoint", RegExp]> = {
  "a LoRA adapter": [
    { "README.md": "", "adapter_config.json": adapter, "adapter_model.safetensors": "x" },
    "config",
    /got no config\.json among .*; with adapter_config\.json this is an adapter \(LoRA\) for "meta-llama\/Llama-2-7b-hf"; merge it into its model with PEFT/,
  ],
  "a LoRA adapter with a config": [
    { "config.json": config, "adapter_config.json": adapter, "adapter_model.bin": "x", "tokenizer.json": "{}" },
    "checkpoint",
    /got neither model\.safetensors nor .* this is an adapter \(LoRA\) for "meta-llama\/Llama-2-7b-hf"; merge it/,
  ],
  "an adapter whose config is damaged": [
    { "adapter_config.json": "{" },
    "config",
    /with adapter_config\.json this is an adapter \(LoRA\); merge it/,
  ],
  "Meta's original folder": [
    { "checklist.chk": "", "consolidated.00.pth": "x", "consolidated.01.pth": "x", "params.json": "{}", "tokenizer.model": "" },
    "config",
    /with consolidated\.00\.pth this is a model in the original form of Meta or Mistral; convert it with transformers \(convert_llama_weights_to_hf\.py\)/,
  ],
  "Mistral's original folder": [
    { "consolidated.safetensors": "x", "params.json": "{}", "tokenizer.model.v3": "" },
    "config",
    /with consolidated\.safetensors this is a model in the original form of Meta or Mistral/,
  ],
  "GGUF files": [{ "llama-Q4_K_M.gguf": "GGUF" }, "config", /with llama-Q4_K_M\.gguf this is a GGUF file; none is read here; load the checkpoint it was made from/],
  "GGUF files beside a config": [{ "config.json": config, "a.gguf": "" }, "checkpoint", /with a\.gguf this is a GGUF file/],
  "GGML files": [{ "ggml-model-q4_0.bin": "" }, "config", /this is a GGML file/],
  "early GPTQ": [{ "config.json": config, "gptq_model-4bit-128g.safetensors": "x", "quantize_config.json": "{}" }, "checkpoint", /with quantize_config\.json this is a model quantised with GPTQ; load the checkpoint it was made from/],
  "early AWQ": [{ "config.json": config, "llama-w4-g128.pt": "x", "quant_config.json": "{}" }, "checkpoint", /with quant_config\.json this is a model quantised with AWQ/],
  "only a tokenizer": [{ "tokenizer.json": "{}", "tokenizer_config.json": "{}", "special_tokens_map.json": "{}" }, "config", /this is a tokenizer without its model; download the other files too/],
  "a config and a tokenizer": [{ "config.json": config, "tokenizer.json": "{}" }, "checkpoint", /this is a model without its weights; download them too/],
  "weights without a config": [{ "model.safetensors": "x", "tokenizer.json": "{}" }, "config", /got no config\.json among model\.safetensors.*; download it from where the weights came from/],
  "shards without a config": [{ "model-00001-of-00002.safetensors": "x", "model.safetensors.index.json": "{}" }, "config", /download it from where the weights came from/],
  "shards without their index": [{ "config.json": config, "model-00001-of-00002.safetensors": "x" }, "checkpoint", /this is a model in shards without the index that names them; download model\.safetensors\.index\.json/],
  "weights of another name": [{ "config.json": config, "llama.safetensors": "x" }, "checkpoint", /with llama\.safetensors this is a model in a file of another name; name that file instead of the folder/],
  "weights of another name without a config": [{ "llama.safetensors": "x" }, "config", /download it from where the weights came from/],
  "TensorFlow": [{ "config.json": config, "tf_model.h5": "x" }, "checkpoint", /this is a model for TensorFlow, Flax or Rust; load it with what wrote it, and save it with transformers/],
  "a training checkpoint": [{ "config.json": config, "model.pt": "x" }, "checkpoint", /with model\.pt this is a model in another form of torch/],
  "mlx, older form": [{ "config.json": config, "weights.00.npz": "x" }, "checkpoint", /this is a model for mlx/],
  "ONNX": [{ "config.json": config, "model.onnx": "x" }, "checkpoint", /this is a compiled model/],
  "diffusers": [{ "model_index.json": "{}", "unet/config.json": "{}" }, "config", /this is a pipeline of diffusers/],
  "a folder of folders": [{ "a/config.json": config, "b/config.json": config, "notes.txt": "" }, "config", /got no config\.json among notes\.txt, a\/, b\/, needed .*; this is a folder of folders; name the one that holds the model/],
  "a cache of Hugging Face": [{ "refs/main": "x", "snapshots/abc/config.json": config, "blobs/x": "" }, "config", /name the one inside snapshots\//],
  "something else": [{ "photo.jpg": "" }, "config", /got no config\.json among photo\.jpg, needed a Hugging Face checkpoint; download a model in the form of Hugging Face/],
}; // prettier-ignore

for (const [name, [contents, code, sentence]] of Object.entries(KINDS)) {
  tests(name, async () => {
    const base = await mkdtemp(join(tmpdir(), "llariat-"));
    try {
      for (const [path, text] of Object.entries(contents)) {
        await mkdir(dirname(join(base, path)), { recursive: true });
        await writeFile(join(base, path), text);
      }
      const files = await folderFiles(base);
      const error = await refused(() => openCheckpoint(files), code, sentence);
      await files.close();
      assert.ok(error.message.length < 500, error.message);
      const picked = Object.entries(contents).map(([path, text]) =>
        Object.assign(new Blob([text]), { name: path.split("/").at(-1)!, webkitRelativePath: `picked/${path}` }),
      );
      await refused(() => openCheckpoint(blobFiles(picked)), code, sentence);
      if (Object.keys(contents).some((path) => path.includes("/"))) return;
      await refused(() => openCheckpoint(memoryFiles(contents)), code, sentence);
    } finally {
      await rm(base, { recursive: true });
    }
  });
}

tests("an empty folder", async () => {
  await refused(
    () => openCheckpoint(memoryFiles({}, "here")),
    "config",
    "here: got no config.json, needed a Hugging Face checkpoint",
  );
});

tests("a server, which lists nothing, is asked for what tells most", async () => {
  const serve = (contents: Record<string, string>) =>
    urlFiles("http://host/model", {
      fetch: async (url, init) => {
        const text = contents[(url as URL).pathname.split("/").at(-1)!];
        if (text === undefined) return new Response(null, { status: 404 });
        const [from, to] = /bytes=(\d+)-(\d+)/.exec(new Headers(init?.headers).get("range")!)!.slice(1).map(Number);
        const headers = { "content-range": `bytes ${from}-${to}/${text.length}` };
        return new Response(text.slice(from, to + 1), { status: 206, headers });
      },
    });
  await refused(() => openCheckpoint(serve({ "adapter_config.json": adapter })), "config", /this is an adapter \(LoRA\) for/);
  await refused(() => openCheckpoint(serve({ "params.json": "{}" })), "config", /the original form of Meta/);
  await refused(() => openCheckpoint(serve({ "config.json": config })), "checkpoint", /this is a model without its weights/);
  await refused(() => openCheckpoint(serve({})), "config", /http:\/\/host\/model\/: got no config\.json, needed a Hugging/);
}); // prettier-ignore

tests("a place that lists its files is not asked for others", async () => {
  const asked = async (files: FileSet): Promise<readonly string[]> => {
    const names: string[] = [];
    const open: FileSet["open"] = (name, signal) => {
      names.push(name);
      return files.open(name, signal);
    };
    await refused(() => openCheckpoint({ ...files, open }), "config", /got no config\.json/);
    return names;
  };
  const fetch = async () => new Response(null, { status: 404 });
  assert.equal(await asked(memoryFiles({ "a.txt": "" })), ["config.json"]);
  assert.equal(await asked(blobFiles([{ name: "a.txt", blob: new Blob([""]) }])), ["config.json"]);
  assert.equal(await asked(urlFiles("http://host/", { fetch, names: ["a.txt"] })), ["config.json"]);
  assert.equal(await asked(urlFiles("http://host/", { fetch })), ["config.json", "adapter_config.json", "params.json"]);
});

tests.run();
