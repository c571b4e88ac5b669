// A FileSet of the caller's that throws, rejects, answers nonsense or nothing at all: an error of ours with the name of
// the file, at every call and for every file. Opens a device.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { LlariatError } from "../../src/error.ts";
import { type ByteSource, type FileSet, Llama, folderFiles } from "../../src/node/index.ts";
import { folder, openDevice } from "../tools/models.ts";
import { thenable } from "../tools/misuse.ts";
import { refused } from "../tools/refused.ts";

const tests = suite("callers");
const handle = await openDevice();
const { device } = handle;
const path = folder("goldens/models/mqa-f16");
const unhandled: unknown[] = [];
process.on("unhandledRejection", (reason) => unhandled.push(reason));

/** What a call of the caller's may do instead of what it should. */
const FAILURES: Readonly<Record<string, () => unknown>> = {
  "throws a TypeError": () => {
    throw new TypeError("\u001b[2J boom");
  },
  "throws a text": () => {
    throw "boom"; // oxlint-disable-line no-throw-literal
  },
  "throws nothing": () => {
    throw undefined; // oxlint-disable-line no-throw-literal
  },
  "rejects with a symbol": () => Promise.reject(Symbol("boom")),
  "rejects with what cannot be read": () => Promise.reject(new Proxy({}, { get: () => { throw new Error("get"); }, getPrototypeOf: () => { throw new Error("proto"); } })), // prettier-ignore
  "answers a number": () => 5,
  "answers a text": async () => "boom",
  "answers an empty object": async () => ({}),
  "answers a list of numbers": async () => [1],
  "answers what throws when it is read": async () => ({ get name() { throw new Error("name"); }, get size() { throw new Error("size"); } }), // prettier-ignore
  "answers what throws when it is waited for": () => thenable(() => { throw new Error("then"); }), // prettier-ignore
};
/** Of `read` alone: of the right kind and wrong. */
const READ_FAILURES: typeof FAILURES = {
  ...FAILURES,
  "answers null": async () => null,
  "answers nothing": async () => undefined,
  "answers too little": async () => new Uint8Array(3),
  "answers too much": async () => new Uint8Array(2 ** 22),
};

/** The files of a real checkpoint, with one call replaced. */
async function altered(change: {
  readonly open?: (name: string, real: () => Promise<ByteSource | undefined>, signal?: AbortSignal) => unknown;
  readonly read?: (name: string, real: () => Promise<Uint8Array>, signal?: AbortSignal) => unknown;
  readonly source?: (source: ByteSource) => unknown;
  readonly rest?: object;
}): Promise<FileSet> {
  const files = await folderFiles(path);
  const open = async (name: string, signal?: AbortSignal): Promise<ByteSource | undefined> => {
    const source = await files.open(name, signal);
    if (!source) return undefined;
    const read = (start: number, end: number, stop?: AbortSignal, into?: Uint8Array): unknown => {
      const real = () => source.read(start, end, stop, into);
      return change.read ? change.read(name, real, stop) : real();
    };
    const own = { name: source.name, size: source.size, read } as ByteSource;
    return (change.source ? change.source(own) : own) as ByteSource;
  };
  return {
    describe: path,
    list: () => files.list(),
    open: (name, signal) =>
      (change.open ? change.open(name, () => open(name, signal), signal) : open(name, signal)) as ReturnType<
        FileSet["open"]
      >,
    close: () => files.close(),
    ...change.rest,
  };
}

async function loadFails(files: FileSet, code: LlariatError["code"], sentence: RegExp, signal?: AbortSignal) {
  try {
    const error = await refused(Llama.load(files, { device, ...(signal && { signal }) }), code, sentence);
    assert.not.match(error.message, /\p{Cc}/u);
    return error;
  } finally {
    await files.close().catch(() => {});
  }
}

/** Every file that is read whatever else there is. */
const NAMES = ["config.json", "model.safetensors", "generation_config.json"];

tests("open that fails names the file", async () => {
  for (const [how, fail] of Object.entries(FAILURES)) {
    for (const name of NAMES) {
      const files = await altered({ open: (asked, real) => (asked === name ? fail() : real()) });
      const error = await loadFails(files, "source", new RegExp(`^${name}: (?:cannot be read: |needs )`));
      assert.ok(error, how);
    }
  }
});

tests("read that fails names the file, at its first call and at a later one", async () => {
  for (const [how, fail] of Object.entries(READ_FAILURES)) {
    for (const [name, after] of [...NAMES.map((each) => [each, 0] as const), ["model.safetensors", 4] as const]) {
      let reads = 0;
      const files = await altered({ read: (asked, real) => (asked === name && ++reads > after ? fail() : real()) });
      await loadFails(files, "source", new RegExp(`^${name}: (?:cannot be read: |needs |got )`)).catch(
        (error: unknown) => assert.unreachable(`${name} ${how} after ${after}: ${String(error)}`),
      );
    }
  }
});

tests("a source whose parts are of another kind is refused by name", async () => {
  for (const wrong of [
    { name: 5 },
    { name: undefined },
    { size: -1 },
    { size: 1.5 },
    { size: "3" },
    { size: NaN },
    { read: 1 },
  ]) {
    const files = await altered({ source: (source) => ({ ...source, ...wrong }) });
    await loadFails(files, "source", /^config\.json: needs /);
  }
});

tests("describe, list, folders and folder are looked at", async () => {
  const boom = () => Promise.reject(new TypeError("boom"));
  await loadFails(await altered({ rest: { describe: 5 } }), "source", /^describe: needs a text, got 5$/);
  await loadFails(await altered({ rest: { folder: 5 } }), "source", /^folder: needs a function, got 5$/);
  await loadFails(
    await altered({ rest: { folder: boom } }),
    "source",
    /^additional_chat_templates: cannot be read: boom$/,
  );
  await loadFails(
    await altered({ rest: { folder: async () => 5 } }),
    "source",
    /^additional_chat_templates: needs a FileSet/,
  );
  const none = { open: async () => undefined };
  for (const [rest, sentence] of [
    [{ list: boom }, /list\(\): cannot be read: boom$/],
    [{ list: async () => 5 }, /list\(\): needs a list of names, got 5$/],
    [{ list: async () => [5] }, /list\(\): needs a list of names/],
    [{ list: async () => Object.assign([], { length: 2 ** 31 }) }, /list\(\): needs a list of names/],
    [{ folders: boom }, /folders\(\): cannot be read: boom$/],
  ] as const) {
    await loadFails(await altered({ ...none, rest }), "source", sentence);
  }
});

tests("a LlariatError of the caller's passes as it is, and its cause is kept where it is none", async () => {
  const own = new LlariatError("config", "mine");
  const files = await altered({ open: () => Promise.reject(own) });
  assert.is(await loadFails(files, "config", /^mine$/), own);
  const raw = new TypeError("mine");
  const other = await altered({ open: () => Promise.reject(raw) });
  assert.is((await loadFails(other, "source", /^config\.json: /)).cause, raw);
});

tests("what never answers ends by the signal, and its reason is the cause", async () => {
  const never = (): Promise<never> => new Promise(() => {});
  for (const change of [
    { open: never },
    { read: never },
    { read: (name: string, real: () => Promise<Uint8Array>) => (name === "model.safetensors" ? never() : real()) },
    // As fetch does: it rejects with the reason.
    { open: (_: string, __: unknown, signal?: AbortSignal) => new Promise<never>((_, reject) => signal!.addEventListener("abort", () => reject(signal!.reason as Error))) }, // prettier-ignore
  ]) {
    const stop = new AbortController();
    const why = new Error("enough");
    setTimeout(() => stop.abort(why), 50);
    const error = await loadFails(await altered(change), "aborted", /^aborted while reading /, stop.signal);
    assert.is(error.cause, why);
  }
});

tests("bytes of a buffer or a view are read as the bytes they are", async () => {
  const files = await altered({
    read: async (_, real) => {
      const bytes = await real();
      return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    },
  });
  using llama = await Llama.load(files, { device });
  const [a] = [await llama.complete([1, 2, 3], { maxNewTokens: 4, ignoreEos: true })];
  using control = await Llama.load(path, { device });
  assert.equal(a.ids, (await control.complete([1, 2, 3], { maxNewTokens: 4, ignoreEos: true })).ids);
  await files.close();
});

tests.after(() => {
  handle.release();
  assert.equal(unhandled, []);
});
tests.run();
