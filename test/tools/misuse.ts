// misuse.ts — calls of the public surface as nobody should make them: options and arguments of every wrong kind, drawn
// from a seed. A call may be accepted or refused as llariat refuses; anything else is a fault.
import { LlariatError } from "../../src/error.ts";
import { Llama, folderFiles, memoryFiles, requestDevice, urlFiles } from "../../src/node/index.ts";
import {
  type Engine,
  effectiveContext,
  mergeReports,
  parseExpectation,
  parseReport,
  parseScaling,
  perplexity,
  preset,
  retrieve,
  viaUrl,
} from "../../src/retrieval/index.ts";
import { parseRope, parseRopeScaling } from "../../src/rope/index.ts";
import { serve } from "../../src/server/index.ts";
import { whole } from "./random.ts";

/** A wrong value and how to tell which in a failure. */
export type Bad = readonly [name: string, make: () => unknown];

const boom = (): never => {
  throw new TypeError("boom");
};

/** What a callback throws is its call's error, as it is. */
export const THROWN = new Error("a callback's own");

const named = (name: string, value: unknown): unknown => ({ [name]: value });

/** What `await` takes for a promise. */
export const thenable = (then: (resolve: unknown, reject: (reason: unknown) => void) => void): unknown =>
  named("then", then);

/** A proxy that throws at every touch. */
const hostile = (thrower = boom): unknown =>
  new Proxy(
    {},
    Object.fromEntries(
      ["get", "has", "ownKeys", "getPrototypeOf", "getOwnPropertyDescriptor"].map((trap) => [trap, thrower]),
    ),
  );

/** What a function of the caller's gives is as much the caller's as what it throws. */
const throwing = (): never => {
  throw THROWN;
};

const revoked = (): unknown => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
};

/** Wrong values of every kind. */
export const BAD: readonly Bad[] = [
  ["null", () => null],
  ["true", () => true],
  ["false", () => false],
  ["0", () => 0],
  ["-1", () => -1],
  ["1.5", () => 1.5],
  ["NaN", () => NaN],
  ["Infinity", () => Infinity],
  ["-Infinity", () => -Infinity],
  ["2 ** 53", () => 2 ** 53],
  ["1e9", () => 1e9],
  ["a text", () => "x"],
  ["no text", () => ""],
  ["a long text", () => "ab".repeat(500)],
  ["a bigint", () => 5n],
  ["a symbol", () => Symbol("s")],
  ["an empty list", () => []],
  ["a list", () => [1]],
  ["a list of null", () => [null]],
  ["a list of symbols", () => [Symbol("s")]],
  ["a list of texts", () => ["x", ""]],
  ["holes", () => Object.assign([], { length: 3 })],
  ["many holes", () => Object.assign([], { length: 2 ** 31 })],
  ["a list that cannot be read", () => Object.defineProperty([1, 2], 1, { get: boom })],
  ["an iterator that throws", () => ({ [Symbol.iterator]: boom })],
  ["an object", () => ({})],
  ["no prototype", () => Object.create(null) as unknown],
  ["an object of null", () => Object.assign(Object.create(null) as object, { a: Object.create(null) as unknown })],
  ["a getter that throws", () => ({ get factor() { return boom(); }, rope_type: "linear" })], // prettier-ignore
  ["conversions that throw", () => ({ toString: boom, valueOf: boom, [Symbol.toPrimitive]: boom })],
  ["toJSON that throws", () => ({ toJSON: boom })],
  ["a function", () => () => undefined],
  ["a function that throws", () => () => { throw THROWN; }], // prettier-ignore
  ["an async function", () => async () => undefined],
  ["an async function that rejects", () => async () => Promise.reject(THROWN)],
  ["a function that promises without end", () => () => new Promise(() => {})],
  ["a function that gives what cannot be read", () => () => hostile(throwing)],
  ["a function that gives no promise", () => () => thenable(throwing)],
  ["a class", () => EventTarget],
  ["a date of nothing", () => new Date(NaN)],
  ["an expression", () => /x/],
  ["a map", () => new Map([["a", 1]])],
  ["a promise", () => new Promise(() => {})],
  ["bytes", () => Uint8Array.of(1, 2)],
  ["a view", () => new DataView(new ArrayBuffer(8))],
  ["a buffer", () => new ArrayBuffer(8)],
  ["a revoked proxy", revoked],
  ["a hostile proxy", () => hostile()],
  ["a circle", () => { const list: unknown[] = []; list.push(list); return list; }], // prettier-ignore
  ["a deep object", () => { let deep: object = {}; for (let i = 0; i < 20_000; i++) deep = { deep }; return deep; }], // prettier-ignore
  ["half a signal", () => ({ aborted: false, addEventListener() {} })],
  ["a signal that throws", () => ({ aborted: false, addEventListener() {}, removeEventListener: boom })],
  ["an heir of signals", () => Object.create(AbortSignal.prototype) as unknown],
  ["a target of events", () => new EventTarget()],
  ["a signal with own methods", () => Object.assign(new AbortController().signal, { removeEventListener: boom })],
  ["an aborted signal", () => AbortSignal.abort(Symbol("why"))],
];

const MISSPELT = ["max_new_tokens", "Signal", "temprature", "__proto_", "constructor", "ropescaling", "x".repeat(3000)];

/** One public function: how to call it, with arguments that are right and that are quick. */
interface Target {
  readonly name: string;
  /** Right arguments; the options are those at `options`. */
  readonly args: () => unknown[];
  readonly options?: number;
  /** Names of the options, right or not. */
  readonly names?: readonly string[];
  readonly call: (...args: never[]) => unknown;
  /** How often it is drawn: dear ones rarely. */
  readonly weight: number;
}

const GENERATE =
  "maxNewTokens stop stopIds ignoreEos logprobs topLogprobs signal ropeScaling ropeAngles ropeLength allowBeyond chat " +
  "reusePrefix speculate responseFormat onAllocate onPrefill temperature topK topP minP typicalP repetitionPenalty frequencyPenalty presencePenalty " +
  "logitBias noRepeatNgramSize minNewTokens seed";
const RETRIEVAL =
  "tasks ropeScalings promptLengths positions tries seed trainedLength answerRoom maxNewTokens fit batch runHopeless " +
  "sequential shard expect documents titles leastTokens filler needle fixture countTokens model questions chat threshold effectiveTasks";

function targets(llama: Llama, device: GPUDevice, folder: string): readonly Target[] {
  const tokenizer = llama.tokenizer!;
  const pipe = async (pieces: AsyncGenerator): Promise<void> => {
    for await (const _ of pieces);
  };
  const messages = [{ role: "user", content: "x" }];
  // One that ends soon, whatever it is asked: its signal fires with the first prompt.
  const engine: Engine = {
    tokenizer,
    rope: llama.rope,
    complete: async () => Promise.reject(new LlariatError("closed", "enough")),
  };
  const once = { maxNewTokens: 1 };
  const list: Target[] = [
    { name: "complete", args: () => ["x", { ...once }], options: 1, names: GENERATE.split(" "), call: (p, o) => llama.complete(p, o), weight: 12 },
    { name: "complete(messages)", args: () => [messages, { ...once }], options: 1, names: ["chat", "signal", "stop"], call: (p, o) => llama.complete(p, o), weight: 2 },
    { name: "chat", args: () => [messages, {}], options: 1, names: ["templateName", "continueFinalMessage", "tools", "variables"], call: (p, o) => llama.complete(p, { ...once, chat: o }), weight: 3 },
    { name: "generate", args: () => ["x", { ...once }], options: 1, names: GENERATE.split(" "), call: (p, o) => pipe(llama.generate(p, o)), weight: 6 },
    { name: "completions", args: () => ["x", { ...once, n: 2 }], options: 1, names: [...GENERATE.split(" "), "n"], call: (p, o) => llama.completions(p, o), weight: 3 },
    { name: "logits", args: () => [[1, 2], {}], options: 1, names: ["rows", "ropeScaling", "positions", "signal"], call: (p, o) => llama.logits(p, o), weight: 4 },
    { name: "embed", args: () => [["x", [1, 2]], {}], options: 1, names: "pooling normalize ropeScaling ropeLength allowBeyond chat onAllocate signal".split(" "), call: (p, o) => llama.embed(p, o), weight: 4 },
    { name: "score", args: () => [[1, 2], {}], options: 1, names: ["ropeScaling", "signal", "onLogits"], call: (p, o) => llama.score(p, o), weight: 3 },
    { name: "encode", args: () => ["x", {}], options: 1, names: ["addSpecialTokens", "parseSpecial"], call: (p, o) => tokenizer.encode(p, o), weight: 2 },
    { name: "encodeWithOffsets", args: () => ["x", {}], options: 1, names: ["unit"], call: (p, o) => tokenizer.encodeWithOffsets(p, o), weight: 1 },
    { name: "decode", args: () => [[1, 2], {}], options: 1, names: ["skipSpecialTokens"], call: (p, o) => tokenizer.decode(p, o), weight: 2 },
    { name: "applyChatTemplate", args: () => [messages, {}], options: 1, names: ["addGenerationPrompt", "continueFinalMessage", "tools", "templateName", "variables", "now"], call: (p, o) => tokenizer.applyChatTemplate(p, o), weight: 3 },
    { name: "retrieve", args: () => [engine, { promptLengths: [200], tries: 1, trainedLength: 512 }], options: 1, names: RETRIEVAL.split(" "), call: (e, o) => retrieve(e, o), weight: 6 },
    { name: "retrieve, its run", args: () => [engine, { promptLengths: [200], tries: 1, trainedLength: 512 }, {}], options: 2, names: ["onProgress", "onSave", "resume", "signal", "environment"], call: (e, s, o) => retrieve(e, s, o), weight: 2 },
    { name: "perplexity", args: () => [{ score: boomed }, { text: [1, 2, 3], windows: [2] }], options: 1, names: ["text", "name", "windows", "stride", "ropeScalings", "maxTokens"], call: (e, o) => perplexity(e, o), weight: 2 },
    { name: "perplexity, its run", args: () => [{ score: boomed }, { text: [1, 2, 3], windows: [2] }, {}], options: 2, names: ["onProgress", "signal"], call: (e, s, o) => perplexity(e, s, o), weight: 1 },
    { name: "effectiveContext", args: () => [engine, { window: 200, points: 2, tries: 1 }], options: 1, names: "window points tries least ropeScalings answerRoom fit seed batch countTokens".split(" "), call: (e, o) => effectiveContext(e, o), weight: 2 },
    { name: "serve", args: () => [{ models: { m: llama } }], options: 0, names: "models apiKey maxConcurrent queue maxBodyBytes keepAliveMs cors hosts maxFailures onError".split(" "), call: (o) => serve(o), weight: 2 },
    { name: "viaUrl", args: () => [{ url: "http://127.0.0.1:1" }], options: 0, names: "url model key tokenizer rope retries pauseMs stallMs fetch".split(" "), call: (o) => viaUrl(o), weight: 1 },
    { name: "urlFiles", args: () => ["http://127.0.0.1:1", {}], options: 1, names: ["headers", "names", "fetch"], call: (u, o) => urlFiles(u, o), weight: 1 },
    { name: "memoryFiles", args: () => [{ a: "x" }], options: 0, names: ["a"], call: (o) => memoryFiles(o), weight: 1 },
    { name: "folderFiles", args: () => [folder], call: async (path) => (await folderFiles(path)).close(), weight: 1 },
    { name: "requestDevice", args: () => [{ adapter: "no such adapter" }], options: 0, names: ["adapter", "profiling", "log"], call: refuseDevice, weight: 0.3 },
    { name: "load", args: () => [folder, { device, maxContext: 0 }], options: 1, names: "device adapter onConfig prompts onDeviceLost onReload onProgress signal maxKvBytes idleKvBytes kvCache variants chunkRows".split(" "), call: async (s, o) => (await Llama.load(s, o)).close(), weight: 2 },
    { name: "load, its source", args: () => [folder, { device }], call: async (s, o) => (await Llama.load(s, o)).close(), weight: 0.3 },
    { name: "parseRopeScaling", args: () => [{ rope_type: "linear", factor: 2 }, llama.rope], options: 0, names: ["rope_type", "factor", "type"], call: (s, r) => parseRopeScaling(s, r), weight: 2 },
    { name: "parseRope", args: () => [{ hidden_size: 64, num_attention_heads: 4 }], options: 0, names: ["rope_scaling", "rope_theta", "head_dim"], call: (c) => parseRope(c), weight: 1 },
    { name: "parseScaling", args: () => ["dynamic:2"], call: (s) => parseScaling(s), weight: 1 },
    { name: "parseExpectation", args: () => ["dynamic:2>=0.9@1.5x"], call: (s) => parseExpectation(s), weight: 1 },
    { name: "preset", args: () => ["h2ogpt-uuid"], call: (s) => preset(s), weight: 0.5 },
    { name: "parseReport", args: () => [{ format: "llariat-retrieval/1" }], options: 0, names: ["format", "cells"], call: (r) => parseReport(r), weight: 1 },
    { name: "mergeReports", args: () => [[]], call: (r) => mergeReports(r), weight: 0.5 },
  ]; // prettier-ignore
  return list;
}

const boomed = async (): Promise<never> => Promise.reject(new LlariatError("closed", "enough"));

async function refuseDevice(options: never): Promise<void> {
  (await requestDevice(options)).release();
}

/** What came of it. */
export interface Misused {
  readonly accepted: number;
  readonly refused: number;
  /** One line per call that ended in another error or did not end. */
  readonly faults: readonly string[];
}

/** Makes `count` misuses from a seed. Those of one seed are the same every time. */
export async function misuse(
  { llama, device, folder }: { readonly llama: Llama; readonly device: GPUDevice; readonly folder: string },
  { seed, count }: { readonly seed: number; readonly count: number },
): Promise<Misused> {
  const random = whole(seed);
  const all = targets(llama, device, folder);
  const drawn = all.flatMap((target) => Array.from({ length: Math.round(target.weight * 10) }, () => target));
  const pick = <T>(list: readonly T[]): T => list[random(list.length)];
  const faults: string[] = [];
  let [accepted, refused] = [0, 0];
  for (let i = 0; i < count; i++) {
    const target = pick(drawn);
    const args = target.args();
    const said: string[] = [];
    const spoil = (where: string, put: (value: unknown) => void): void => {
      const [name, make] = pick(BAD);
      said.push(`${where} = ${name}`);
      put(make());
    };
    const { options: at, names = [] } = target;
    const kind = at === undefined ? 0 : random(10);
    if (kind === 0) {
      const argument = random(args.length);
      spoil(`argument ${argument}`, (value) => (args[argument] = value));
    } else {
      const options = args[at!] as Record<PropertyKey, unknown>;
      if (kind === 1) {
        const name = pick(MISSPELT);
        spoil(name.slice(0, 30), (value) => (options[name] = value));
      } else if (kind === 2) {
        const name = pick(names);
        said.push(`${name} cannot be read`);
        Object.defineProperty(options, name, { get: boom, enumerable: true, configurable: true });
      } else if (kind === 3) {
        spoil("a symbol", (value) => (options[Symbol("s")] = value));
      } else {
        for (let more = 0; more <= random(2); more++) {
          const name = pick(names);
          spoil(name, (value) => (options[name] = value));
        }
        if (random(8) === 0) args[at!] = Object.assign(Object.create(null) as object, options);
      }
    }
    const where = `${target.name} (${i}): ${said.join(", ")}`;
    try {
      await ended(Promise.resolve().then(() => target.call(...(args as never[]))));
      accepted++;
    } catch (error) {
      if (error === THROWN || (error instanceof LlariatError && error.message.length < 2000)) refused++;
      else faults.push(`${where}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    }
  }
  return { accepted, refused, faults };
}

/** A call that does not end in so many milliseconds hangs: a thousand times what one takes. */
const HANGS_MS = 60_000;

/** The promise, or a rejection where it does not end: a call that hangs is a fault. */
export function ended(promise: Promise<unknown>): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`did not end in ${HANGS_MS} ms`)), HANGS_MS);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
