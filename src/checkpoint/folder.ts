// folder.ts — what a folder is that holds no checkpoint for us, for the sentence that refuses it: the cause and the way out.

import { LlariatError } from "../error.ts";
import type { ErrorCode } from "../error.ts";
import { isObject, parsePythonJson, show } from "../text/json.ts";
import { type FileSet, readText } from "./bytes.ts";
import { SAFETENSORS, SHARD, TORCH, isWeights } from "./names.ts";

/** What to do with a LoRA adapter, whatever it is known by. */
export const MERGE = "merge it into its model with PEFT (merge_and_unload, save_pretrained) and load the result";

/** What to do with a model in Meta's original form. */
export const CONVERT = "convert it with transformers (convert_llama_weights_to_hf.py)";

/** A kind of folder, known by one of its files. */
interface Kind {
  readonly file: RegExp;
  /** After "this is". */
  readonly is: string;
  readonly advice: string;
  /** It loads where a config.json is: of a folder without one it is not what is wrong. */
  readonly loads?: true;
}

const ORIGIN = "load the checkpoint it was made from";
const WRITER = "load it with what wrote it, and save it with transformers (save_pretrained)";
const ADAPTER = "adapter_config.json";

const TOKENIZER = /^(?:tokenizer.*|special_tokens_map\.json|vocab\.(?:json|txt)|merges\.txt|spiece\.model)$/;
/** An adapter's config lists its modules. */
const MAX_ADAPTER_BYTES = 2 ** 20;

/** The most telling first: a folder is of the first kind that it has a file of. */
const KINDS: readonly Kind[] = [
  {
    file: /^adapter_(?:config\.json|model\.(?:safetensors|bin))$/,
    is: "an adapter (LoRA)",
    advice: MERGE,
  },
  {
    file: /^(?:consolidated[.-].*|params\.json)$/,
    is: "a model in the original form of Meta or Mistral",
    advice: `${CONVERT}, or download it in the form of Hugging Face`,
  },
  { file: /^quantize_config\.json$/, is: "a model quantised with GPTQ", advice: ORIGIN },
  { file: /^quant_config\.json$/, is: "a model quantised with AWQ", advice: ORIGIN },
  { file: /\.gguf$/i, is: "a GGUF file", advice: `none is read here; ${ORIGIN}` },
  { file: /^ggml.*\.bin$|\.ggml$/i, is: "a GGML file", advice: `none is read here; ${ORIGIN}` },
  { file: /^model_index\.json$/, is: "a pipeline of diffusers", advice: "name the folder of a language model" },
  {
    file: SHARD,
    is: "a model in shards without the index that names them",
    advice: `download ${SAFETENSORS.index} (of .bin files ${TORCH.index})`,
  },
  { file: /\.safetensors$/, is: "a model in a file of another name", advice: "name that file instead of the folder", loads: true },
  { file: /^(?:tf_model.*\.h5|model\.ckpt.*|flax_model.*\.msgpack|rust_model\.ot)$/, is: "a model for TensorFlow, Flax or Rust", advice: WRITER },
  { file: /\.(?:pth?|ckpt|bin)$/, is: "a model in another form of torch", advice: WRITER },
  { file: /^weights.*\.npz$/, is: "a model for mlx, in its older form", advice: ORIGIN },
  { file: /\.(?:onnx|tflite|mlpackage|engine)$/, is: "a compiled model", advice: ORIGIN },
]; // prettier-ignore

/**
 * The error for a folder without what a checkpoint needs: "got `missing` among its files, needed `needed`", with the cause
 * and the way out where its files tell them.
 */
export async function otherFolder(
  files: FileSet,
  code: ErrorCode,
  missing: string,
  needed: string,
  signal?: AbortSignal,
): Promise<LlariatError> {
  const folders = ((await files.folders?.()) ?? []).toSorted();
  const names = (await files.list()).toSorted();
  const listed = [...names, ...folders.map((name) => `${name}/`)];
  const more = listed.length > 8 ? ` and ${listed.length - 8} more` : "";
  const among = listed.length ? ` among ${listed.slice(0, 8).join(", ")}${more}` : "";
  // A server does not list its files: the two that tell most are asked for.
  for (const name of files.listed ? [] : [ADAPTER, "params.json"])
    if (!names.includes(name) && (await files.open(name, signal))) names.push(name);
  const kinds = KINDS.filter(({ loads }) => !(loads && code === "config"));
  const advice = await adviceFor(files, kinds, names, folders, signal);
  return new LlariatError(code, `${files.describe}: got ${missing}${among}, needed ${needed}`, { advice });
}

async function adviceFor(
  files: FileSet,
  kinds: readonly Kind[],
  names: readonly string[],
  folders: readonly string[],
  signal?: AbortSignal,
): Promise<string | undefined> {
  const hasIndex = names.some((name) => name.endsWith(".index.json"));
  const rest = names.filter((name) => !isWeights(name) && !(hasIndex && SHARD.test(name)));
  for (const { file, is, advice } of kinds) {
    const found = rest.find((name) => file.test(name));
    if (found === undefined) continue;
    return `with ${found} this is ${is}${found === ADAPTER ? await baseOf(files, signal) : ""}; ${advice}`;
  }
  if (names.some((name) => isWeights(name) || name.endsWith(".safetensors")))
    return "download it from where the weights came from";
  if (folders.includes("snapshots")) return "this is a folder of Hugging Face's cache; name the one inside snapshots/";
  if (names.length === 0 && folders.length === 0) return undefined;
  const [config, tokenizer] = [/^config\.json$/, TOKENIZER].map((file) => names.some((name) => file.test(name)));
  if (config) return "this is a model without its weights; download them too";
  if (tokenizer) return "this is a tokenizer without its model; download the other files too";
  return folders.length > 0
    ? "this is a folder of folders; name the one that holds the model"
    : "download a model in the form of Hugging Face";
}

/** The model that an adapter was made for, as its config names it. */
async function baseOf(files: FileSet, signal?: AbortSignal): Promise<string> {
  const source = await files.open(ADAPTER, signal);
  if (!source) return "";
  try {
    const config = parsePythonJson(await readText(source, MAX_ADAPTER_BYTES, "config", signal), ADAPTER, "config");
    const base = isObject(config) ? config["base_model_name_or_path"] : undefined;
    return typeof base === "string" ? ` for ${show(base)}` : "";
  } catch (error) {
    // A note about the model that is damaged or too long changes nothing about what the folder is.
    if (error instanceof LlariatError && error.code === "config") return "";
    throw error;
  }
}
