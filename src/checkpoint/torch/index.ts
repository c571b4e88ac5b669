// index.ts — pytorch_model.bin: the tensors of a state_dict that torch.save wrote (zip form, torch 1.6 and later).
//   NAME/data.pkl: the pickle · NAME/data/0, NAME/data/1, …: the numbers · NAME/byteorder: "little" or "big"
// Only the zip directory, the pickle and the headers before the numbers are read; the weights stream later, as those of
// safetensors do. torch/serialization.py (_save, _load).

import { LlariatError } from "../../error.ts";
import { others, short } from "../../text/wording.ts";
import { checkPointer } from "../bytes.ts";
import type { ByteSource } from "../bytes.ts";
import { type StoredTensor, BITS } from "../safetensors.ts";
import { CONVERT, readPickle } from "./pickle.ts";
import { TorchObjects, View } from "./tensors.ts";
import type { Storage } from "./tensors.ts";
import { type ZipEntry, dataRanges, readDirectory } from "./zip.ts";

/** The pickle has about 200 bytes a tensor, and the reader takes at most a million opcodes. */
const MAX_PICKLE_BYTES = 2 ** 26;
const ZIP = [0x50, 0x4b]; // "PK"
/** The first object of the older form, the number 0x1950a86a20f9469cfc6c, as protocol 2 writes it. */
const LEGACY = [0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e];

/**
 * The tensors of one file by name, in its order; tied ones share their bytes. Values that are no tensors are left out.
 * Throws LlariatError "checkpoint" for a file that is not of this form, for a pickle that asks for anything but tensors,
 * and for numbers that are not where it says; "source" and "aborted" as reading does.
 */
export async function readTorch(source: ByteSource, signal?: AbortSignal): Promise<Map<string, StoredTensor>> {
  const bad = (rest: string): LlariatError => new LlariatError("checkpoint", `${source.name}: ${rest}`);
  await checkForm(source, signal);
  const entries = await readDirectory(source, signal);
  const pickles = [...entries.keys()].filter((name) => /^[^/]+\/data\.pkl$/.test(name));
  if (pickles.length !== 1)
    throw bad(`got a zip archive with ${pickles.length} entries NAME/data.pkl, needed one, as torch.save writes it`);
  const folder = pickles[0].slice(0, -"data.pkl".length);
  if (entries.has(`${folder}constants.pkl`))
    throw bad(`got a TorchScript program (torch.jit.save), needed the weights alone; save its state_dict`);
  const read = async (name: string, most: number): Promise<Uint8Array> => {
    const entry = entries.get(name)!;
    if (entry.size > most) throw bad(`${short(name)}: got ${entry.size} bytes, needed at most ${most}`);
    const { start, end } = (await dataRanges(source, [entry], signal)).get(name)!;
    return source.read(start, end, signal);
  };
  if (entries.has(`${folder}byteorder`)) {
    const order = new TextDecoder().decode(await read(`${folder}byteorder`, 16));
    if (order !== "little")
      throw bad(
        `got numbers in byte order ${JSON.stringify(order)}, needed "little"; save it on a machine of that order`,
      );
  }
  const pickle = await read(pickles[0], MAX_PICKLE_BYTES);
  const state = readPickle(pickle, `${source.name}: data.pkl`, new TorchObjects());
  const views = viewsOf(state, bad);

  const used = new Map<string, ZipEntry>();
  for (const { storage } of views.values()) {
    const name = `${folder}data/${storage.key}`;
    const entry = entries.get(name);
    if (!entry) throw bad(`got no zip entry ${short(name)}, needed it for the numbers of a tensor`);
    if (entry.problem === undefined && entry.size !== storage.bytes)
      throw bad(`${short(name)}: got ${entry.size} bytes, needed the ${storage.bytes} that data.pkl says`);
    used.set(name, entry);
  }
  const ranges = await dataRanges(source, [...used.values()], signal);
  const startOf = ({ key }: Storage): number => ranges.get(`${folder}data/${key}`)!.start;
  return new Map([...views].map(([name, view]) => [name, stored(name, view, startOf(view.storage), source)]));
}

/** Says by its first bytes what a file is that is not in zip form. */
async function checkForm(source: ByteSource, signal?: AbortSignal): Promise<void> {
  const first = await source.read(0, Math.min(source.size, LEGACY.length), signal);
  const starts = (bytes: readonly number[]): boolean => bytes.every((byte, i) => byte === first[i]);
  if (starts(ZIP)) return;
  checkPointer(source.name, first);
  const [got, advice] = starts(LEGACY)
    ? [
        "got the form that torch wrote before 1.6",
        "load it with torch and save it again, best as safetensors (save_pretrained)",
      ]
    : [`got a file of ${source.size} bytes that is no zip archive`, "download it again"];
  throw new LlariatError("checkpoint", `${source.name}: ${got}, needed the zip form that torch.save writes since 1.6`, {
    advice,
  });
}

/** The tensors of the state_dict that a pickle holds. */
function viewsOf(state: unknown, bad: (rest: string) => LlariatError): Map<string, View> {
  if (!(state instanceof Map)) throw bad(`got something else than a dict, needed a state_dict; ${CONVERT}`);
  const views = new Map<string, View>();
  for (const [name, value] of state) if (typeof name === "string" && value instanceof View) views.set(name, value);
  if (views.size > 0) return views;
  const nested = [...state].find(
    ([, value]) => value instanceof Map && [...value.values()].some((v) => v instanceof View),
  );
  if (!nested) throw bad("got a dict without tensors, needed a state_dict");
  throw bad(
    `got the tensors inside ${JSON.stringify(short(String(nested[0])))}${others(state.size)}, needed them at the top; save that dict itself`,
  );
}

/** A view as bytes of the file; `start` is where its storage starts. */
function stored(name: string, view: View, start: number, source: ByteSource): StoredTensor {
  const { dtype, shape, strides, offset } = view;
  const width = BITS[dtype] / 8;
  // Of none, however large the others are: their product may be infinite.
  const count = shape.includes(0) ? 0 : shape.reduce((product, size) => product * size, 1);
  // Row-major: along an axis of one element, and where there are none, the stride says nothing.
  let next = 1;
  const plain = shape.every((_, i) => {
    const axis = shape.length - 1 - i;
    const fits = shape[axis] === 1 || strides[axis] === next;
    next *= shape[axis];
    return fits;
  });
  const last = shape.reduce((sum, size, i) => sum + (size - 1) * strides[i], 0);
  const from = start + offset * width;
  if (plain || count === 0) return { name, dtype, shape, start: from, end: from + count * width, source };
  return { name, dtype, shape, strides, start: from, end: from + (last + 1) * width, source };
}
