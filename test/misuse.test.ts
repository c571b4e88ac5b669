// The public surface, misused: options and arguments of every wrong kind are accepted or refused by name, and harm nobody.
// `npm run test:misuse` makes 12,000 of them; here it is a share. LLARIAT_MISUSES and LLARIAT_SEED choose others.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { blobFiles } from "../src/browser/files.ts";
import { requestDevice as browserDevice } from "../src/browser/gpu.ts";
import { Llama, Tokenizer, describeRope, frequencies, maxContext } from "../src/node/index.ts";
import { misuse, thenable } from "./tools/misuse.ts";
import { type Paint, effectiveContext, perplexity, retrieve, terminalTable } from "../src/retrieval/index.ts";
import { words } from "./retrieval/fake.ts";
import { folder, openDevice } from "./tools/models.ts";
import { refused } from "./tools/refused.ts";
import { nothingHeld } from "./tools/steps.ts";

const tests = suite("misuse");
const handle = await openDevice();
const { device } = handle;
const kv = folder("/models/kv-llama");
const unhandled: unknown[] = [];
process.on("unhandledRejection", (reason) => unhandled.push(reason));

tests("no misuse ends in an error of another kind, in a rejection that nobody sees, or harms a request", async () => {
  const count = Number(process.env["LLARIAT_MISUSES"] ?? 1000);
  const seed = Number(process.env["LLARIAT_SEED"] ?? 1);
  using llama = await Llama.load(kv, { device });
  const prompt = "The value of the key";
  const control = await llama.complete(prompt, { maxNewTokens: 8, ignoreEos: true });
  const { accepted, refused, faults } = await misuse(
    { llama, device, folder: folder("goldens/models/mqa-f16") },
    { seed, count },
  );
  console.log(`note: ${count} misuses from seed ${seed}: ${accepted} accepted, ${refused} refused`);
  assert.is(faults.length, 0, `${faults.length} faults, the first:\n${faults.slice(0, 10).join("\n")}`);
  assert.equal(unhandled, []);
  assert.ok(refused > count / 3, "most are refused");
  assert.ok(accepted > 0, "some mean something");
  assert.equal((await llama.complete(prompt, { maxNewTokens: 8, ignoreEos: true })).ids, control.ids);
  nothingHeld(llama.engine.memory, "after misuse");
});

tests("what is no file, no setting and no number is refused by name at the small entries, too", async () => {
  using llama = await Llama.load(kv, { device });
  const boom = (): never => {
    throw new TypeError("boom");
  };
  const hostile: never = new Proxy({}, { get: boom, has: boom, ownKeys: boom }) as never;
  const bad: readonly never[] = [null, 5, Symbol("s"), [null], hostile] as never[];
  const calls: readonly (readonly [RegExp, (value: never) => unknown])[] = [
    [/^files: /, (files) => Tokenizer.fromFiles(files)],
    [/^tokenizerModel: /, (tokenizerModel) => Tokenizer.fromFiles({ tokenizerModel })],
    [/^tokens: /, (tokens) => llama.kvBytes(tokens === 5 ? NaN : tokens)],
    [/^rope: /, (rope) => frequencies(rope, 1)],
    [/^rope: /, (rope) => maxContext(rope)],
    [/^rope: /, (rope) => describeRope(rope)],
    [/^files: /, (picked) => blobFiles(picked)],
    [/^(?:options|adapter): /, (options) => browserDevice(options)],
  ];
  for (const [message, call] of calls)
    for (const value of bad) await refused(async () => call(value), "request", message);
});

/** Calls that take a callback: how each is called with one, and its name. */
const CALLBACKS: readonly (readonly [name: string, call: (llama: Llama, callback: never) => Promise<unknown>])[] = [
  ["onPrefill", (llama, onPrefill) => llama.complete([1, 2], { maxNewTokens: 1, onPrefill })],
  ["onPrefill", (llama, onPrefill) => llama.completions([1, 2], { n: 2, maxNewTokens: 1, onPrefill })],
  ["onConfig", async (_, onConfig) => (await Llama.load(kv, { device, onConfig })).close()],
  ["onProgress", async (_, onProgress) => (await Llama.load(kv, { device, onProgress })).close()],
  ["onProgress", (_, onProgress) => retrieve(engine, settings, { onProgress })],
  [
    "onProgress",
    (_, onProgress) => perplexity({ score: async () => [-1] }, { text: [1, 2], windows: [2] }, { onProgress }),
  ],
  ["onProgress", (_, onProgress) => effectiveContext(engine, { window: 200, points: 2, tries: 1 }, { onProgress })],
  ["countTokens", (_, countTokens) => retrieve(engine, { ...settings, countTokens })],
  // Every painter in its place: what is found, what is missed, what matters less, a heading.
  ...(["good", "bad", "dim", "bold"] as const).map((name): (typeof CALLBACKS)[number] => [
    `paint.${name}`,
    async (_, painter) => terminalTable(await coloured, { [name]: painter } as Partial<Paint> as Paint),
  ]),
];
const engine = { tokenizer: words as never, complete: async () => ({ text: "" }) };
const settings = { promptLengths: [200], tries: 1, trainedLength: 512 };
/** A report in which nothing was found, so that only what is held is good. */
const coloured = retrieve(engine, { ...settings, expect: ["own<=0", "own>=1"] });

tests(
  "a callback that is async is refused by its name, and one that throws ends its call with what it throws",
  async () => {
    using llama = await Llama.load(kv, { device });
    const thrown = new Error("a callback's own");
    for (const [name, call] of CALLBACKS) {
      const promise = new RegExp(
        `^${name}: must not return a promise, which nobody waits for; give a function that is not async$`,
      );
      for (const callback of [
        async () => {},
        async () => Promise.reject(thrown),
        () => new Promise(() => {}),
        () => thenable((_, reject) => reject(thrown)),
        () =>
          thenable(() => {
            throw thrown;
          }),
      ]) {
        await refused(call(llama, callback as never), "request", promise);
      }
      const own = (): never => {
        throw thrown;
      };
      await call(llama, own as never).then(
        () => assert.unreachable(`${name}: nothing was thrown`),
        (error: unknown) => assert.is(error, thrown, name),
      );
    }
    await new Promise((resolve) => setTimeout(resolve)); // rejections that nobody has seen are told by then
    assert.equal(unhandled, []);
    nothingHeld(llama.engine.memory, "after callbacks");
  },
);

tests("a list of two thousand million holes is refused at the first, wherever ids are read", async () => {
  using llama = await Llama.load(kv, { device });
  const holes: number[] = Object.assign([], { length: 2 ** 31 });
  await refused(async () => llama.tokenizer!.decode(holes), "request", /^ids: must be numbers, got undefined at 0$/);
  await refused(llama.complete("x", { stopIds: holes }), "request", /^stopIds: /);
  await refused(llama.complete(holes, {}), "request", /^prompt: /);
});

tests.after(() => handle.release());
tests.run();
