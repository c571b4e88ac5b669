// pickle.ts — Python's pickle, as far as torch.save needs it for tensors: a stack machine that builds numbers, texts,
// tuples, lists and dicts, and asks `Objects` for the rest. Nothing is imported or called; what is not here is refused.
// Opcodes and their arguments: Lib/pickletools.py of CPython; protocols 2 (torch's default) to 5 (PEP 574).

import { LlariatError } from "../../error.ts";
import { show } from "../../text/json.ts";

/** Python's tuple; its list is an Array, its dict a Map, its None is null. */
export class Tuple {
  readonly items: readonly unknown[];
  constructor(items: readonly unknown[]) {
    this.items = items;
  }
}

/** An error at the opcode being read. */
export type Bad = (got: string, needed: string) => LlariatError;

/** What a pickle may name: the meaning of its globals. Each method may throw what `bad` makes. */
export interface Objects {
  /** The value of `module.name`, undefined if it is not allowed. */
  find(module: string, name: string): unknown;
  /** What a persistent id stands for. */
  persistent(id: unknown, bad: Bad): unknown;
  /** What a global makes of arguments. */
  call(callable: unknown, args: Tuple, bad: Bad): unknown;
  /** Gives an object the attributes `state`. */
  build(object: unknown, state: unknown, bad: Bad): void;
}

/** Every opcode: also those that are refused have a name. */
// prettier-ignore
const OP = {
  MARK: 0x28, EMPTY_TUPLE: 0x29, STOP: 0x2e, POP: 0x30, POP_MARK: 0x31, DUP: 0x32, BINBYTES: 0x42, SHORT_BINBYTES: 0x43,
  FLOAT: 0x46, BINFLOAT: 0x47, INT: 0x49, BININT: 0x4a, BININT1: 0x4b, LONG: 0x4c, BININT2: 0x4d, NONE: 0x4e,
  PERSID: 0x50, BINPERSID: 0x51, REDUCE: 0x52, STRING: 0x53, BINSTRING: 0x54, SHORT_BINSTRING: 0x55, UNICODE: 0x56,
  BINUNICODE: 0x58, EMPTY_LIST: 0x5d, APPEND: 0x61, BUILD: 0x62, GLOBAL: 0x63, DICT: 0x64, APPENDS: 0x65, GET: 0x67,
  BINGET: 0x68, INST: 0x69, LONG_BINGET: 0x6a, LIST: 0x6c, OBJ: 0x6f, PUT: 0x70, BINPUT: 0x71, LONG_BINPUT: 0x72,
  SETITEM: 0x73, TUPLE: 0x74, SETITEMS: 0x75, EMPTY_DICT: 0x7d, PROTO: 0x80, NEWOBJ: 0x81, EXT1: 0x82, EXT2: 0x83,
  EXT4: 0x84, TUPLE1: 0x85, TUPLE2: 0x86, TUPLE3: 0x87, NEWTRUE: 0x88, NEWFALSE: 0x89, LONG1: 0x8a, LONG4: 0x8b,
  SHORT_BINUNICODE: 0x8c, BINUNICODE8: 0x8d, BINBYTES8: 0x8e, EMPTY_SET: 0x8f, ADDITEMS: 0x90, FROZENSET: 0x91,
  NEWOBJ_EX: 0x92, STACK_GLOBAL: 0x93, MEMOIZE: 0x94, FRAME: 0x95, BYTEARRAY8: 0x96, NEXT_BUFFER: 0x97,
  READONLY_BUFFER: 0x98,
} as const;
const NAMES = new Map<number, string>(Object.entries(OP).map(([name, code]) => [code, name]));

/** torch writes about 35 opcodes a tensor, so these are 28,000 tensors in one file; each makes one object at most. */
const MAX_OPCODES = 1_000_000;
/** Module and name of a global are one line each. */
const MAX_LINE = 256;

/** What to do about a file that asks for more than this reader has. */
export const CONVERT = "load it with torch where you trust it, and save the weights as safetensors (save_pretrained)";

/**
 * The value of a pickle in protocol 2 to 5. `where` begins the sentences. Throws LlariatError "checkpoint" with the byte
 * for every opcode and global that is not one of a tensor's, for a damaged pickle, and above a million opcodes.
 */
export function readPickle(bytes: Uint8Array, where: string, objects: Objects): unknown {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const stack: unknown[] = [];
  const marks: number[] = []; // heights of the stack
  const memo = new Map<number, unknown>();
  let at = 0; // the next byte
  let opcodeAt = 0;

  const fail = (got: string, needed: string, advice: string): LlariatError =>
    new LlariatError("checkpoint", `${where}: byte ${opcodeAt}: got ${got}, needed ${needed}`, { advice });
  const bad: Bad = (got, needed) => fail(got, needed, `the file is damaged or holds more than tensors; ${CONVERT}`);
  const refused = (what: string): LlariatError =>
    fail(what, "only what torch.save writes for tensors: anything else could run code", CONVERT);

  /** The place of the next `count` bytes, which are then behind. */
  const take = (count: number): number => {
    if (count > bytes.length - at) throw bad("the end of the pickle", `${count} more bytes`);
    at += count;
    return at - count;
  };
  const byte = (): number => bytes[take(1)];
  const long = (): number => view.getUint32(take(4), true);
  const wide = (): number => Number(view.getBigUint64(take(8), true));
  const text = (length: number): string => {
    const start = take(length);
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes.subarray(start, at));
    } catch {
      throw bad("text that is not UTF-8", "UTF-8");
    }
  };
  const line = (): string => {
    const end = bytes.subarray(at, at + MAX_LINE).indexOf(0x0a);
    if (end < 0) throw bad("a name without an end", `at most ${MAX_LINE} bytes and a line feed`);
    const found = text(end);
    at++;
    return found;
  };
  /** Little-endian two's complement. */
  const integer = (length: number): number => {
    if (length > 8) throw bad(`an integer of ${length} bytes`, "at most 8");
    let value = 0n;
    const start = take(length);
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[start + i]);
    const signed = Number(BigInt.asIntN(8 * length, value));
    if (!Number.isSafeInteger(signed)) throw bad(`the integer ${signed}`, "one below 2⁵³");
    return signed;
  };

  const floor = (): number => marks.at(-1) ?? 0;
  const pop = (): unknown => {
    if (stack.length <= floor()) throw bad("an opcode with nothing before it", "a value");
    return stack.pop();
  };
  const top = (): unknown => {
    if (stack.length <= floor()) throw bad("an opcode with nothing before it", "a value");
    return stack.at(-1);
  };
  const popMark = (): unknown[] => {
    const height = marks.pop();
    if (height === undefined) throw bad("the end of a sequence", "its MARK before it");
    return stack.splice(height);
  };
  const tuple = (length: number): Tuple => {
    const items = Array.from({ length }, pop);
    return new Tuple(items.reverse());
  };
  const recall = (index: number): unknown => {
    if (!memo.has(index)) throw bad(`a reference to object ${index}`, "one that came before");
    return memo.get(index);
  };
  const global = (module: unknown, name: unknown): unknown => {
    if (typeof module !== "string" || typeof name !== "string") throw bad("a global without a name", "two texts");
    const found = objects.find(module, name);
    if (found === undefined) throw refused(`the global ${show(`${module}.${name}`)}`);
    return found;
  };
  const set = (items: readonly unknown[]): void => {
    const dict = top();
    if (!(dict instanceof Map)) throw bad("an item", "a dict to put it into");
    if (items.length % 2) throw bad("a key without a value", "both");
    for (let i = 0; i < items.length; i += 2) {
      const key = items[i];
      if (typeof key === "object" && key !== null) throw bad("a key that is an object", "a text or a number");
      if (dict.has(key)) throw bad(`the key ${show(key)} a second time`, "every key once in a dict");
      dict.set(key, items[i + 1]);
    }
  };
  const append = (items: readonly unknown[]): void => {
    const list = top();
    if (!Array.isArray(list)) throw bad("an item", "a list to put it into");
    for (const item of items) list.push(item);
  };

  for (let count = 0; ; count++) {
    opcodeAt = at;
    if (count === MAX_OPCODES) throw bad(`more than ${MAX_OPCODES} opcodes`, "fewer");
    const opcode = byte();
    if (count === 0 && opcode !== OP.PROTO) throw bad(`the opcode ${named(opcode)} first`, "PROTO with 2 to 5");
    switch (opcode) {
      case OP.PROTO: {
        const protocol = byte();
        if (count > 0 || protocol < 2 || protocol > 5)
          throw bad(`protocol ${protocol}${count > 0 ? " later on" : ""}`, "2 to 5, once and first");
        break;
      }
      case OP.FRAME: // how much the writer buffered; all bytes are here anyway
        if (wide() > bytes.length - at) throw bad("a frame beyond the end of the pickle", "one inside it");
        break;
      case OP.STOP: {
        const value = pop();
        if (stack.length || marks.length) throw bad("the end with values left over", "one value");
        if (at < bytes.length) throw bad(`${bytes.length - at} bytes after the end`, "none");
        return value;
      }
      case OP.MARK: marks.push(stack.length); break;
      case OP.NONE: stack.push(null); break;
      case OP.NEWTRUE: stack.push(true); break;
      case OP.NEWFALSE: stack.push(false); break;
      case OP.BININT: stack.push(view.getInt32(take(4), true)); break;
      case OP.BININT1: stack.push(byte()); break;
      case OP.BININT2: stack.push(view.getUint16(take(2), true)); break;
      case OP.LONG1: stack.push(integer(byte())); break;
      case OP.BINFLOAT: stack.push(view.getFloat64(take(8), false)); break;
      case OP.SHORT_BINUNICODE: stack.push(text(byte())); break;
      case OP.BINUNICODE: stack.push(text(long())); break;
      case OP.BINUNICODE8: stack.push(text(wide())); break;
      case OP.EMPTY_TUPLE: stack.push(new Tuple([])); break;
      case OP.TUPLE1: stack.push(tuple(1)); break;
      case OP.TUPLE2: stack.push(tuple(2)); break;
      case OP.TUPLE3: stack.push(tuple(3)); break;
      case OP.TUPLE: stack.push(new Tuple(popMark())); break;
      case OP.EMPTY_LIST: stack.push([]); break;
      case OP.APPEND: append([pop()]); break;
      case OP.APPENDS: append(popMark()); break;
      case OP.EMPTY_DICT: stack.push(new Map()); break;
      case OP.SETITEM: set(tuple(2).items); break;
      case OP.SETITEMS: set(popMark()); break;
      case OP.MEMOIZE: memo.set(memo.size, top()); break;
      case OP.BINPUT: memo.set(byte(), top()); break;
      case OP.LONG_BINPUT: memo.set(long(), top()); break;
      case OP.BINGET: stack.push(recall(byte())); break;
      case OP.LONG_BINGET: stack.push(recall(long())); break;
      case OP.GLOBAL: stack.push(global(line(), line())); break;
      case OP.STACK_GLOBAL: stack.push(global(...(tuple(2).items as [unknown, unknown]))); break;
      case OP.BINPERSID: stack.push(objects.persistent(pop(), bad)); break;
      case OP.REDUCE: {
        const args = pop();
        if (!(args instanceof Tuple)) throw bad("a call without a tuple of arguments", "one");
        stack.push(objects.call(pop(), args, bad));
        break;
      }
      case OP.BUILD: {
        const state = pop();
        objects.build(top(), state, bad);
        break;
      }
      default: throw refused(`the opcode ${named(opcode)}`);
    } // prettier-ignore
  }
}

const named = (opcode: number): string =>
  `${NAMES.get(opcode) ?? "unknown to pickle"} (0x${opcode.toString(16).padStart(2, "0")})`;
