// The pickle reader: what torch.save writes becomes values; every other opcode and global is refused by its name, and
// damaged or hostile pickles end in bounded time and memory.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { readPickle, Tuple } from "../../../src/checkpoint/torch/pickle.ts";
import { TorchObjects, View } from "../../../src/checkpoint/torch/tensors.ts";
import { refusedSync } from "../../tools/refused.ts";
import { P, pickleBytes } from "../../tools/torch.ts";

const tests = suite("pickle");
const read = (bytes: Uint8Array): unknown => readPickle(bytes, "x: data.pkl", new TorchObjects());
const c = (letter: string): number => letter.charCodeAt(0);
const chars = (text: string): number[] => [...new TextEncoder().encode(text)];

tests("numbers, texts, tuples, lists and dicts of every form", () => {
  const cases: [number[], unknown][] = [
    [P.none, null],
    [P.yes, true],
    [P.no, false],
    [P.int(-5), -5],
    [[c("K"), 255], 255],
    [[c("M"), 1, 2], 513],
    [[0x8a, 0], 0],
    [[0x8a, 1, 0xff], -1],
    [P.long(2n ** 40n), 2 ** 40],
    [P.long(-(2n ** 52n)), -(2 ** 52)],
    [[c("G"), 0x3f, 0xf8, 0, 0, 0, 0, 0, 0], 1.5],
    [P.text("é😀"), "é😀"],
    [[0x8c, 2, 0xc3, 0xa9], "é"],
    [[0x8d, 1, 0, 0, 0, 0, 0, 0, 0, c("a")], "a"],
    [[c(")")], new Tuple([])],
    [[...P.int(1), 0x85], new Tuple([1])],
    [[...P.int(1), ...P.int(2), 0x86], new Tuple([1, 2])],
    [[...P.int(1), ...P.int(2), ...P.none, 0x87], new Tuple([1, 2, null])],
    [P.tuple(P.int(1), P.tuple(P.text("a"))), new Tuple([1, new Tuple(["a"])])],
    [P.list(P.int(1), P.text("a")), [1, "a"]],
    [[...chars("]K\x01a")], [1]],
    [P.dict(P.text("a"), P.int(1), P.int(2), P.none), new Map<unknown, unknown>([["a", 1], [2, null]])],
    [[...chars("}"), ...P.text("a"), ...P.int(1), c("s")], new Map([["a", 1]])],
    [[...P.text("a"), c("q"), 9, c("h"), 9, 0x86], new Tuple(["a", "a"])],
    [[...P.text("a"), c("r"), 0, 0, 0, 255, c("j"), 0, 0, 0, 255, 0x86], new Tuple(["a", "a"])],
    [[...P.text("a"), 0x94, ...P.text("b"), 0x94, c("h"), 0, 0x87], new Tuple(["a", "b", "a"])],
  ]; // prettier-ignore
  for (const [opcodes, want] of cases) {
    for (const protocol of [2, 3, 4, 5]) {
      const bytes = pickleBytes(opcodes);
      bytes[1] = protocol;
      assert.equal(read(bytes), want, opcodes.join());
    }
  }
  assert.equal(read(Uint8Array.from([0x80, 4, 0x95, 2, 0, 0, 0, 0, 0, 0, 0, c("N"), c(".")])), null);
});

tests("every opcode is either known or refused by its name", () => {
  const KNOWN = "( ) . G J K M N Q R X ] a b c e h j q r s t u }";
  const known = new Set([
    ...KNOWN.split(" ").map(c),
    0x80,
    0x85,
    0x86,
    0x87,
    0x88,
    0x89,
    0x8a,
    0x8c,
    0x8d,
    0x93,
    0x94,
    0x95,
  ]);
  // pickletools of CPython 3.14 has 68 opcodes.
  const REST =
    "POP:0 POP_MARK:1 DUP:2 BINBYTES:B SHORT_BINBYTES:C FLOAT:F INT:I LONG:L PERSID:P STRING:S BINSTRING:T SHORT_BINSTRING:U UNICODE:V DICT:d GET:g INST:i LIST:l OBJ:o PUT:p";
  const HIGH = "NEWOBJ EXT1 EXT2 EXT4".split(" ").map((name, i) => [name, 0x81 + i] as const);
  const names = new Map<number, string>([
    ...REST.split(" ").map((each) => [c(each.split(":")[1]), each.split(":")[0]] as const),
    ...HIGH.map(([name, code]) => [code, name] as const),
    [0x8b, "LONG4"], [0x8e, "BINBYTES8"], [0x8f, "EMPTY_SET"], [0x90, "ADDITEMS"], [0x91, "FROZENSET"], [0x92, "NEWOBJ_EX"],
    [0x96, "BYTEARRAY8"], [0x97, "NEXT_BUFFER"], [0x98, "READONLY_BUFFER"],
  ]); // prettier-ignore
  assert.is(known.size + names.size, 68);
  for (let opcode = 0; opcode < 256; opcode++) {
    if (known.has(opcode)) continue;
    const hex = `0x${opcode.toString(16).padStart(2, "0")}`;
    const error = refusedSync(
      () => read(pickleBytes(P.none, P.none, [opcode, 0, 0, 0, 0])),
      "checkpoint",
      /^x: data\.pkl: byte 4: got the opcode .*, needed only what torch\.save writes for tensors: .*; load it with torch/,
    );
    assert.ok(error.message.includes(`the opcode ${names.get(opcode) ?? "unknown to pickle"} (${hex})`), error.message);
  }
});

tests("every global but those of tensors is refused by its name, in both forms", () => {
  const NAMES = [
    "os.system", "posix.system", "builtins.eval", "builtins.getattr", "__builtin__.exec", "subprocess.Popen",
    "torch._utils._rebuild_sparse_tensor", "torch._utils._rebuild_qtensor", "torch._utils._rebuild_parameter_with_state",
    "torch.Size", "torch.load", "torch.Tensor", "torch.float32", "torch.FloatStorage.__class__", "torch.storage._load_from_bytes",
    "torch.storage.FloatStorage", "collections.Counter", "collections.OrderedDict.__init__", "torch._utils.__dict__",
    "numpy.core.multiarray._reconstruct", "__main__.Config", "torch.ComplexDoubleStorage", "torch.", ".system", "toString.constructor",
  ]; // prettier-ignore
  for (const name of NAMES) {
    const at = name.lastIndexOf(".");
    for (const opcodes of [P.global(name), [...P.text(name.slice(0, at)), ...P.text(name.slice(at + 1)), 0x93]]) {
      const error = refusedSync(() => read(pickleBytes(opcodes)), "checkpoint", /got the global/);
      assert.ok(error.message.includes(`got the global ${JSON.stringify(name)}, needed only`), error.message);
    }
  }
});

tests("tensors, parameters and dicts with metadata; hooks, metadata and other arguments are refused", () => {
  const storage = P.storage("0", 6);
  const tensor = P.tensor(storage, 1, [1, 2], [2, 1]);
  const view = read(pickleBytes(tensor)) as View;
  assert.ok(view instanceof View);
  assert.equal([view.dtype, view.shape, view.strides, view.offset], ["F32", [1, 2], [2, 1], 1]);
  assert.equal([view.storage.key, view.storage.bytes], ["0", 24]);
  const parameter = (...args: number[][]) => read(pickleBytes(P.call("torch._utils._rebuild_parameter", ...args)));
  assert.equal(parameter(tensor, P.yes, P.ordered()), view);
  const withMetadata = read(pickleBytes(P.ordered(), P.dict(P.text("_metadata"), P.ordered()), [c("b")]));
  assert.equal([...(withMetadata as Map<unknown, unknown>)], []);
  const V3 = "torch._utils._rebuild_tensor_v3";
  const raw = P.storage("1", 3, "torch.storage.UntypedStorage");
  const typed = (dtype: number[], from = raw) =>
    read(pickleBytes(P.call(V3, from, P.int(0), P.tuple(P.int(1)), P.tuple(P.int(1)), P.no, P.ordered(), dtype)));
  assert.is((typed(P.global("torch.uint16")) as View).dtype, "U16");

  const wrong: Record<string, [() => unknown, RegExp]> = {
    "hooks": [() => read(pickleBytes(P.tensor(storage, 0, [1], [1], P.no, P.dict(P.int(0), P.none)))), /a tensor with hooks, needed none/],
    "requires_grad a number": [() => read(pickleBytes(P.tensor(storage, 0, [1], [1], P.int(1), P.ordered()))), /requires_grad true or false/],
    "metadata": [() => read(pickleBytes(P.tensor(storage, 0, [1], [1], P.no, P.ordered(), P.dict(P.text("conj"), P.yes)))), /a tensor with metadata/],
    "too few arguments": [() => read(pickleBytes(P.call("torch._utils._rebuild_tensor_v2", storage))), /got a tensor at nothing/],
    "no arguments": [() => read(pickleBytes(P.call("torch._utils._rebuild_tensor_v2"))), /a tensor without a storage/],
    "a shape that is a list": [() => read(pickleBytes(P.call("torch._utils._rebuild_tensor_v2", storage, P.int(0), P.list(P.int(1)), P.tuple(P.int(1)), P.no, P.ordered()))), /a shape or strides of another form/],
    "a negative size": [() => read(pickleBytes(P.tensor(storage, 0, [-1], [1]))), /a shape or strides of another form/],
    "65 axes": [() => read(pickleBytes(P.tensor(storage, 0, Array.from({ length: 65 }, () => 1), Array.from({ length: 65 }, () => 1)))), /at most 64/],
    "fewer strides than axes": [() => read(pickleBytes(P.tensor(storage, 0, [1, 1], [1]))), /got 1 strides, needed 2/],
    "more than its storage": [() => read(pickleBytes(P.tensor(storage, 0, [7], [1]))), /that ends at element 7, needed one inside the 6/],
    "an offset beyond": [() => read(pickleBytes(P.tensor(storage, 6, [1], [1]))), /ends at element 7/],
    "an offset beyond, empty": [() => read(pickleBytes(P.tensor(storage, 7, [0], [1]))), /ends at element/],
    "a negative offset": [() => read(pickleBytes(P.tensor(storage, -1, [1], [1]))), /a tensor at -1/],
    "sizes whose product overflows": [() => read(pickleBytes(P.tensor(storage, 0, [2 ** 31 - 1, 2 ** 31 - 1, 2 ** 31 - 1], [2 ** 31 - 1, 2 ** 31 - 1, 1]))), /ends at element \d{15,}/],
    "a parameter of a number": [() => parameter(P.int(1), P.yes, P.ordered()), /a parameter of another form/],
    "an OrderedDict of pairs": [() => read(pickleBytes(P.call("collections.OrderedDict", P.list()))), /an OrderedDict with arguments/],
    "a call of a storage class": [() => read(pickleBytes(P.call("torch.FloatStorage", P.int(1)))), /a call of something else than a function/],
    "a call of a text": [() => read(pickleBytes(P.text("os.system"), P.tuple(), [c("R")])), /a call of something else/],
    "a call with a list": [() => read(pickleBytes(P.global("collections.OrderedDict"), P.list(), [c("R")])), /a call without a tuple/],
    "attributes of a tensor": [() => read(pickleBytes(tensor, P.dict(), [c("b")])), /got attributes, needed none, except on an OrderedDict/],
    "attributes of a plain dict": [() => read(pickleBytes(P.dict(), P.dict(), [c("b")])), /got attributes/],
    "a storage without a dtype": [() => read(pickleBytes(P.tensor(raw, 0, [1], [1]))), /a tensor without a dtype/],
    "a dtype that is a class": [() => typed(P.global("torch.FloatStorage")), /a tensor without a dtype/],
    "a storage of two types": [() => read(pickleBytes(P.tuple(storage, P.storage("0", 6, "torch.IntStorage")))), /storage "0" a second time with another class/],
    "a storage of two lengths": [() => read(pickleBytes(P.tuple(storage, P.storage("0", 7)))), /storage "0" a second time/],
    "a negative storage": [() => read(pickleBytes(P.storage("0", -1))), /a persistent id of another form/],
    "a persistent id of text": [() => read(pickleBytes(P.text("0"), [c("Q")])), /a persistent id of another form/],
    "a storage of a function": [() => read(pickleBytes(P.storage("0", 1, "torch._utils._rebuild_tensor_v2"))), /a persistent id/],
  }; // prettier-ignore
  for (const [name, [call, message]] of Object.entries(wrong)) {
    try {
      refusedSync(call, "checkpoint", message);
    } catch (cause) {
      throw new Error(name, { cause });
    }
  }
});

tests("damage is named with its byte", () => {
  const wrong: Record<string, [Uint8Array, RegExp]> = {
    "nothing": [new Uint8Array(0), /byte 0: got the end of the pickle, needed 1 more bytes/],
    "no PROTO": [Uint8Array.of(c("N"), c(".")), /byte 0: got the opcode NONE \(0x4e\) first, needed PROTO with 2 to 5/],
    "protocol 1": [Uint8Array.of(0x80, 1, c("N"), c(".")), /got protocol 1, needed 2 to 5/],
    "protocol 6": [Uint8Array.of(0x80, 6, c("N"), c(".")), /got protocol 6/],
    "PROTO again": [pickleBytes([0x80, 2], P.none), /byte 2: got protocol 2 later on/],
    "no STOP": [Uint8Array.of(0x80, 2, c("N")), /byte 3: got the end of the pickle/],
    "bytes after STOP": [pickleBytes(P.none, [c("."), 1, 2]), /got 3 bytes after the end/],
    "nothing to answer": [pickleBytes(), /got an opcode with nothing before it/],
    "two answers": [pickleBytes(P.none, P.none), /got the end with values left over/],
    "a MARK left": [pickleBytes([c("(")], P.none), /got the end with values left over/],
    "a tuple without MARK": [pickleBytes(P.none, [c("t")]), /got the end of a sequence, needed its MARK/],
    "a pop below a MARK": [pickleBytes(P.none, [c("("), 0x85]), /got an opcode with nothing before it/],
    "a text longer than the rest": [pickleBytes([c("X"), 255, 255, 255, 255]), /needed 4294967295 more bytes/],
    "a text of 2⁶⁴ bytes": [pickleBytes([0x8d, 255, 255, 255, 255, 255, 255, 255, 255]), /got the end of the pickle/],
    "text that is not UTF-8": [pickleBytes([0x8c, 1, 0xff]), /got text that is not UTF-8/],
    "an integer of 9 bytes": [pickleBytes([0x8a, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0]), /got an integer of 9 bytes, needed at most 8/],
    "an integer above 2⁵³": [pickleBytes(P.long(2n ** 60n)), /got the integer 115292150460684\d+, needed one below 2⁵³/],
    "an unknown reference": [pickleBytes([c("h"), 3]), /got a reference to object 3, needed one that came before/],
    "a frame too long": [pickleBytes([0x95, 99, 0, 0, 0, 0, 0, 0, 0], P.none), /got a frame beyond the end/],
    "a name without an end": [pickleBytes(chars(`c${"a".repeat(300)}\nb\n`)), /got a name without an end/],
    "a global of numbers": [pickleBytes(P.int(1), P.int(2), [0x93]), /got a global without a name/],
    "a key twice": [pickleBytes(P.dict(P.text("a"), P.int(1), P.text("a"), P.int(1))), /got the key "a" a second time/],
    "a key without a value": [pickleBytes(P.dict(P.text("a"))), /got a key without a value/],
    "a key that is a tuple": [pickleBytes(P.dict(P.tuple(), P.int(1))), /got a key that is an object/],
    "an item for a tuple": [pickleBytes(P.tuple(), P.int(1), P.int(1), [c("s")]), /got an item, needed a dict/],
    "an item for a dict": [pickleBytes(P.dict(), P.int(1), [c("a")]), /got an item, needed a list/],
  }; // prettier-ignore
  for (const [name, [bytes, message]] of Object.entries(wrong)) {
    try {
      refusedSync(() => read(bytes), "checkpoint", message);
    } catch (cause) {
      throw new Error(name, { cause });
    }
  }
});

tests("circles, deep nesting and doubling end at once; more than a million opcodes are refused", () => {
  // A list in itself, 100,000 tuples in each other, and a value that doubles at each step: never walked.
  assert.ok(Array.isArray(read(pickleBytes([...chars("]q\x00h\x00a")]))));
  assert.ok(read(pickleBytes(P.none, Array.from({ length: 100_000 }, () => 0x85))) instanceof Tuple);
  const doubling = Array.from({ length: 1000 }, () => [c("q"), 0, c("h"), 0, 0x86]).flat();
  assert.ok(read(pickleBytes(P.none, doubling)) instanceof Tuple);
  // Nor where a tensor has one for its offset, or ends outside its storage.
  const at = (...offset: number[]): unknown => {
    const rest = [P.tuple(P.int(7)), P.tuple(P.int(1)), P.no, P.ordered()];
    return read(pickleBytes(P.call("torch._utils._rebuild_tensor_v2", P.storage("0", 6), offset, ...rest)));
  };
  const list = [c("]"), c("q"), 0];
  refusedSync(() => at(...list, c("h"), 0, c("a")), "checkpoint", /got a tensor at an object, needed a number/);
  // Each list twice in the one before it; the last "a" takes it off the stack, into the first.
  const twice = Array.from({ length: 60 }, (_, i) => [c("h"), i, c("]"), c("q"), i + 1, c("a"), c("h"), i + 1, c("a"), c("a")]);
  refusedSync(() => at(...list, ...twice.flat()), "checkpoint", /got a tensor at an object, needed a number/);
  refusedSync(() => at(c("K"), 0), "checkpoint", /got a tensor \[7\] that ends at element 7, needed one inside the 6/);
  const started = performance.now();
  refusedSync(() => read(new Uint8Array(2 ** 21).fill(c("]")).fill(0x80, 0, 1).fill(2, 1, 2)), "checkpoint", /more than 1000000 opcodes/);
  refusedSync(() => read(new Uint8Array(2 ** 21).fill(c("(")).fill(0x80, 0, 1).fill(2, 1, 2)), "checkpoint", /more than 1000000 opcodes/);
  assert.ok(performance.now() - started < 5_000, `${performance.now() - started} ms`);
}); // prettier-ignore

tests.run();
