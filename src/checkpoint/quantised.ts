// quantised.ts — with what weights were quantised, told from config.json or from the names of tensors, for the sentence that
// refuses them. Every program has its own way to say it, and some say nothing.

import { isObject, show } from "../text/json.ts";
import { short } from "../text/wording.ts";
import type { StoredTensor } from "./safetensors.ts";

const NEEDED = "needed F32, F16 or BF16; load the checkpoint it was made from";

/**
 * What a parsed config.json says about quantised weights, as the rest of a sentence; undefined if it says nothing: no such
 * key, an empty one, or one of bitsandbytes that is switched off.
 */
export function quantisedConfig(config: Readonly<Record<string, unknown>>): string | undefined {
  for (const key of ["quantization_config", "compression_config", "quantization"]) {
    const value = Object.hasOwn(config, key) ? config[key] : undefined;
    if (value === undefined || value === null) continue;
    if (!isObject(value)) return say(key, show(value));
    if (Object.keys(value).length > 0 && !switchedOff(value)) return say(key, methodOf(value));
  }
  return undefined;
}

const say = (where: string, method: string): string =>
  `${where}: got weights quantised with ${method}, ${NEEDED}${method.startsWith("mlx") ? MLX : ""}`;
const MLX = ", or undo it with mlx (mlx_lm.convert --dequantize)";

/** Transformers reads these two flags before the method: bitsandbytes wrote no method at first. */
const flags = (settings: Readonly<Record<string, unknown>>) => [
  settings["load_in_8bit"] ?? settings["_load_in_8bit"],
  settings["load_in_4bit"] ?? settings["_load_in_4bit"],
];

const switchedOff = (settings: Readonly<Record<string, unknown>>): boolean => {
  const method = settings["quant_method"] ?? "bitsandbytes";
  const [eight, four] = flags(settings);
  return method === "bitsandbytes" && (eight === false || four === false) && eight !== true && four !== true;
};

function methodOf(settings: Readonly<Record<string, unknown>>): string {
  const { quant_method: method, quantization_status: status, bits, w_bit: wBit, group_size: group } = settings;
  const [eight, four] = flags(settings);
  const size = bits ?? wBit ?? (four === true ? 4 : eight === true ? 8 : undefined);
  const width = typeof size === "number" ? ` to ${size} bits` : "";
  if (method !== undefined && method !== null) return `${show(method)}${width}`;
  if (eight === true || four === true) return `bitsandbytes${width}`;
  if (status !== undefined || settings["config_groups"] !== undefined) return "compressed-tensors";
  if (settings["desc_act"] !== undefined || settings["damp_percent"] !== undefined) return `GPTQ${width}`;
  if (settings["zero_point"] !== undefined || settings["q_group_size"] !== undefined) return `AWQ${width}`;
  // mlx writes its numbers alone, once under its own key and later also under the one of transformers.
  if (typeof bits === "number" && group !== undefined) return `mlx${width} in groups of ${show(group)}`;
  return `a method that it does not name (${Object.keys(settings).slice(0, 4).map(short).join(", ")})`;
}

/** Endings of names that only one method uses, besides those of GPTQ and AWQ, which share theirs. */
const ENDINGS: readonly (readonly [ending: string, method: string])[] = [
  [".weight.absmax", "bitsandbytes to 4 bits"],
  [".SCB", "bitsandbytes to 8 bits"],
  [".weight_packed", "compressed-tensors"],
  [".weight_scale_inv", "FP8"],
  [".weight_scale", "FP8 or compressed-tensors"],
  [".codebooks", "AQLM"],
  [".W_q", "HQQ"],
];

/**
 * With what the tensors of a file were quantised, as the rest of a sentence; undefined if their names do not tell. For
 * checkpoints whose config.json says nothing: early GPTQ and AWQ keep it in a file of their own, mlx under another key.
 */
export function quantisedTensors(stored: ReadonlyMap<string, StoredTensor>): string | undefined {
  for (const [name, { shape, dtype }] of stored) {
    const at = name.lastIndexOf(".");
    const [before, ending] = [name.slice(0, at), name.slice(at)];
    const scales = stored.get(`${before}.scales`);
    if (ending === ".qweight") {
      // A column of qweight is a column of the matrix in GPTQ, and several in AWQ.
      return say(short(name), scales && scales.shape[1] !== shape[1] ? "AWQ" : "GPTQ");
    }
    if (ending === ".weight" && scales && stored.has(`${before}.biases`) && dtype === "U32")
      return say(short(name), "mlx");
    const known = ENDINGS.find(([each]) => name.endsWith(each));
    if (known) return say(short(name), known[1]);
  }
  return undefined;
}
