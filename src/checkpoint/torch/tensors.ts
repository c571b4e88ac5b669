// tensors.ts — what the globals in a pickle of torch.save mean: storages of numbers, and tensors that are views of them.
// torch/_utils.py (_rebuild_tensor_v2, _rebuild_tensor_v3, _rebuild_parameter), torch/serialization.py (persistent_id).

import { show } from "../../text/json.ts";
import { type StoredDType, BITS, MAX_DIMENSIONS, isSize } from "../safetensors.ts";
import { type Bad, type Objects, Tuple } from "./pickle.ts";

/** The numbers behind one or several tensors: the entry data/KEY of the archive. */
export class Storage {
  readonly key: string;
  /** Length of the entry. */
  readonly bytes: number;
  /** What its elements are; undefined where the tensors say it. */
  readonly dtype: StoredDType | undefined;

  constructor(key: string, bytes: number, dtype: StoredDType | undefined) {
    this.key = key;
    this.bytes = bytes;
    this.dtype = dtype;
  }
}

/** A tensor: element (i, j, …) is number offset + i·strides[0] + j·strides[1] + … of its storage. */
export class View {
  readonly storage: Storage;
  readonly dtype: StoredDType;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  /** Elements of the storage before the first. */
  readonly offset: number;

  constructor(storage: Storage, dtype: StoredDType, offset: number, shape: number[], strides: number[]) {
    this.storage = storage;
    this.dtype = dtype;
    this.offset = offset;
    this.shape = shape;
    this.strides = strides;
  }
}

/** An allowed global. */
class Global {
  readonly is: "storage" | "dtype" | "tensor" | "typed tensor" | "parameter" | "dict";
  readonly dtype: StoredDType | undefined;

  constructor(is: Global["is"], dtype?: StoredDType) {
    this.is = is;
    this.dtype = dtype;
  }
}

/** The dict that may be given attributes. */
class OrderedDict extends Map<unknown, unknown> {}

// prettier-ignore
const STORAGES = {
  FloatStorage: "F32", HalfStorage: "F16", BFloat16Storage: "BF16", DoubleStorage: "F64", LongStorage: "I64",
  IntStorage: "I32", ShortStorage: "I16", CharStorage: "I8", ByteStorage: "U8", BoolStorage: "BOOL",
  ComplexFloatStorage: "C64",
} as const;
/** dtypes without a storage class of their own. */
// prettier-ignore
const DTYPES = {
  float8_e4m3fn: "F8_E4M3", float8_e5m2: "F8_E5M2", float8_e8m0fnu: "F8_E8M0", uint16: "U16", uint32: "U32", uint64: "U64",
} as const;

const GLOBALS = new Map<string, Global>([
  ["collections.OrderedDict", new Global("dict")],
  ["torch._utils._rebuild_tensor_v2", new Global("tensor")],
  ["torch._utils._rebuild_tensor_v3", new Global("typed tensor")],
  ["torch._utils._rebuild_parameter", new Global("parameter")],
  ["torch.storage.UntypedStorage", new Global("storage")],
]);
for (const [name, dtype] of Object.entries(STORAGES)) GLOBALS.set(`torch.${name}`, new Global("storage", dtype));
for (const [name, dtype] of Object.entries(DTYPES)) GLOBALS.set(`torch.${name}`, new Global("dtype", dtype));

/** What torch.save writes for tensors, and nothing else. A new one for each file. */
export class TorchObjects implements Objects {
  readonly #storages = new Map<string, Storage>();

  /** As Objects says. */
  find(module: string, name: string): Global | undefined {
    return GLOBALS.get(`${module}.${name}`);
  }

  /** A storage: ("storage", its class, its key, the device it was on, its elements, or bytes where it has no dtype). */
  persistent(id: unknown, bad: Bad): Storage {
    const [tag, type, key, device, count] = id instanceof Tuple && id.items.length === 5 ? id.items : [];
    const storage = tag === "storage" && type instanceof Global && type.is === "storage" && typeof device === "string";
    if (!storage || typeof key !== "string" || !isSize(count))
      throw bad("a persistent id of another form", '("storage", class, key, device, elements)');
    const bytes = count * (BITS[type.dtype ?? "U8"] / 8);
    const known = this.#storages.get(key) ?? new Storage(key, bytes, type.dtype);
    if (known.bytes !== bytes || known.dtype !== type.dtype)
      throw bad(`storage ${show(key)} a second time with another class or length`, "it as before");
    this.#storages.set(key, known);
    return known;
  }

  /** A tensor, a parameter (the tensor inside it), or an empty OrderedDict. */
  call(callable: unknown, { items }: Tuple, bad: Bad): unknown {
    switch (callable instanceof Global ? callable.is : undefined) {
      case "dict":
        if (items.length) throw bad("an OrderedDict with arguments", "an empty one");
        return new OrderedDict();
      case "parameter": {
        const [data, grad, hooks] = items;
        if (!(data instanceof View) || items.length !== 3)
          throw bad("a parameter of another form", "(tensor, flag, hooks)");
        checkGradient(grad, hooks, bad);
        return data;
      }
      case "tensor":
        return view(items.slice(0, 6), undefined, items.slice(6), bad);
      case "typed tensor":
        return view(items.slice(0, 6), items[6], items.slice(7), bad);
      default:
        throw bad("a call of something else than a function", "one of those that make tensors");
    }
  }

  /** Attributes of a dict, as `_metadata` of a state_dict: they say nothing about the numbers. */
  build(object: unknown, state: unknown, bad: Bad): void {
    if (!(object instanceof OrderedDict && state instanceof Map))
      throw bad("attributes", "none, except on an OrderedDict");
  }
}

function view(parts: readonly unknown[], type: unknown, metadata: readonly unknown[], bad: Bad): View {
  const [storage, offset, shape, strides, grad, hooks] = parts;
  if (!(storage instanceof Storage)) throw bad("a tensor without a storage", "one");
  if (!isSize(offset))
    throw bad(`a tensor at ${typeof offset === "object" ? "an object" : show(offset)}`, "a number of elements");
  checkGradient(grad, hooks, bad);
  // It marks views whose numbers are to be conjugated or negated.
  if (metadata.length > 1 || (metadata[0] ?? null) !== null) throw bad("a tensor with metadata", "one without");
  const dtype = type instanceof Global ? type.dtype : storage.dtype;
  if (dtype === undefined || (type !== undefined && !(type instanceof Global && type.is === "dtype")))
    throw bad("a tensor without a dtype", "one");
  const made = new View(storage, dtype, offset, sizes(shape, bad), sizes(strides, bad));
  if (made.shape.length !== made.strides.length) throw bad(`${made.strides.length} strides`, `${made.shape.length}`);
  // BigInt: sizes from a file may multiply to anything. The last element is the farthest: no stride is negative.
  const last = made.shape.reduce((sum, size, i) => sum + BigInt(size - 1) * BigInt(made.strides[i]), BigInt(offset));
  const count = BigInt(Math.floor(storage.bytes / (BITS[dtype] / 8)));
  if (made.shape.includes(0) ? BigInt(offset) > count : last >= count)
    throw bad(
      `a tensor ${show(made.shape)} that ends at element ${last + 1n}`,
      `one inside the ${count} of its storage`,
    );
  return made;
}

/** requires_grad and the hooks of its backward pass: an empty OrderedDict, since hooks are functions. */
function checkGradient(grad: unknown, hooks: unknown, bad: Bad): void {
  if (typeof grad !== "boolean") throw bad("a tensor of another form", "requires_grad true or false");
  if (!(hooks === null || (hooks instanceof Map && hooks.size === 0))) throw bad("a tensor with hooks", "none");
}

function sizes(value: unknown, bad: Bad): number[] {
  const items = value instanceof Tuple ? value.items : undefined;
  if (items === undefined || items.length > MAX_DIMENSIONS || !items.every(isSize))
    throw bad("a shape or strides of another form", `a tuple of at most ${MAX_DIMENSIONS} non-negative integers`);
  return [...items];
}
