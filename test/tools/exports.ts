// exports.ts — every function that an entry point exports, called as nobody should call it: wrong values in the place of each
// argument, and anywhere inside right ones. A function that is not in the table of right arguments gets wrong ones alone.
import { LlariatError } from "../../src/error.ts";
import { readFileSync } from "node:fs";
import * as browser from "../../src/browser/index.ts";
import * as node from "../../src/node/index.ts";
import * as server from "../../src/node/server.ts";
import * as retrieval from "../../src/retrieval/index.ts";
import * as kernels from "../../kernels/checked.ts";
import * as tokenizerEntry from "../../tokenizer/index.ts";
import { words } from "../retrieval/fake.ts";
import { BAD, THROWN, ended } from "./misuse.ts";
import { whole } from "./random.ts";

/** The entry points of package.json. */
const ENTRIES = {
  ".": node,
  "./browser": browser,
  "./kernels": kernels,
  "./retrieval": retrieval,
  "./server": server,
  "./tokenizer": tokenizerEntry,
};

type Call = (...args: unknown[]) => unknown;
type Found = readonly [name: string, call: Call];

/** Why a function is not called here. */
const LEFT_OUT: Readonly<Record<string, string>> = {
  LlariatError: "made by llariat alone",
  Llama: "made by Llama.load alone",
  Tokenizer: "made by Tokenizer.fromFiles alone",
  "Llama.load": "misuse.ts draws its arguments, with a device of its own",
  requestDevice: "misuse.ts draws its options; it opens devices",
};

const rope = node.parseRope({
  hidden_size: 64,
  num_attention_heads: 4,
  rope_theta: 10_000,
  max_position_embeddings: 512,
});
const count = (text: string): number => words.encode(text).length;
const build = { count, tokens: 200, position: 0.5, key: ["a", 1] };
const text = "One is here. Two is there! Three words follow each other in a text. ".repeat(40);
const squad = {
  data: [
    {
      paragraphs: ["one", "two", "three"].map((name) => ({
        context: `The context ${name}. ${text.slice(0, 600)}`,
        qas: [{ question: "What?", answers: [{ text: name }] }],
      })),
    },
  ],
};
const seeded = { count, tokens: 2000, key: ["a", 1] };
const interval = { low: 0.1, high: 0.9 };
const attempt = { try: 0, prompt: "uuid/200/0.5/0", promptTokens: 190, distance: 90, value: "ab12", text: "It is 'ab12'.", found: true, alone: true, exact: false }; // prettier-ignore
const cell = { id: "uuid/none/200/0.5", task: "uuid", scaling: "none", promptLen: 200, position: 0.5, reach: 512, status: "done", expected: "pass", tries: 2, attempts: [attempt, { ...attempt, try: 1, found: false, text: "no", error: "lost" }], found: 1, alone: 1, exact: 0, errors: 1, rate: 0.5, interval, promptTokens: 380, completionTokens: 9, seconds: 1.5 }; // prettier-ignore
const report = {
  format: retrieval.REPORT_FORMAT,
  created: "2024-01-01T00:00:00.000Z",
  updated: "2024-01-01T00:00:00.000Z",
  complete: true,
  model: { name: "m", trainedLength: 512 },
  environment: { engine: "e" },
  settings: { tries: 2 },
  fingerprint: "00",
  cells: [
    cell,
    {
      ...cell,
      id: "uuid/none/400/0.5",
      promptLen: 400,
      status: "no chance",
      attempts: [],
      found: 0,
      alone: 0,
      exact: 0,
      errors: 0,
      rate: null,
    },
  ],
  prompts: { [attempt.prompt]: "a prompt" },
  expectations: [{ text: "none>=0.5", held: false, groups: [{ task: "uuid", promptLen: 200, found: 1, tries: 2, held: true }], reason: "why" }], // prettier-ignore
  perplexity: { text: { name: "t", tokens: 100, fnv1a: "0" }, rows: [{ scaling: "none", window: 64, stride: 32, tokens: 99, nll: 200, perplexity: 7.5, standardError: 0.1, seconds: 1 }] }, // prettier-ignore
  effectiveContext: { window: 200, tries: 2, least: 0.2, seed: 0, rows: [{ scaling: "none", kMax: 90, rate: 0.5, promptTokens: 190, points: [{ distance: 90, found: 1, tries: 2, failures: [attempt] }], seconds: 1 }] }, // prettier-ignore
};
const engine = { tokenizer: words, rope, complete: () => Promise.reject(new LlariatError("closed", "enough")) };
const scoring = { score: () => Promise.reject(new LlariatError("closed", "enough")) };
const prompt = { task: "uuid", text: "a", value: "ab12", answers: ["ab12"], others: ["cd34"], tokens: 1, distance: 1 };

const read = (file: string): string =>
  readFileSync(new URL(`../fixtures/tokenizers/llama3/${file}`, import.meta.url), "utf8");
const files = {
  tokenizerJson: read("tokenizer.json"),
  tokenizerConfig: read("tokenizer_config.json"),
  chatTemplate: read("chat_template.jinja"),
};

const device = { subgroupMin: 8, subgroupMax: 8, variants: "shuffle", choices: new Map(), refused: new Set() } as const;
const capacity = { rows: 4, outputs: 2, sequences: 2, fills: 2, headDim: 8 };
const step = kernels.stepLayout(capacity);
const tensor = (name: string, ...shape: number[]) => ({ name, dtype: "f32", shape }) as const;
const weight = kernels.matrixOf(kernels.formats.f32, "w", 16, 32);
const shared = { step, device };
const heads = { heads: 4, kvHeads: 2 };
const attention = { ...shared, ...heads, qkv: tensor("qkv", 4, 64), kv: kernels.kvLayer(kernels.caches.f32, "0", 64, 16), table: tensor("table", 64, 8), y: tensor("y", 4, 32), rawKeys: false, partials: tensor("partials", 64, 10) }; // prettier-ignore
const linear = { ...shared, x: tensor("x", 4, 32), y: tensor("y", 4, 16), weight, rows: 4 };
const gated = { ...linear, gateUp: tensor("g", 4, 16), y: tensor("y", 4, 8) };
const xy = { ...shared, x: tensor("x", 4, 32), y: tensor("y", 4, 32) };
const size = { rows: 4, n: 16, k: 32, format: "f32" };

/** Right arguments, by name; quick ones. */
const RIGHT: Readonly<Record<string, readonly unknown[]>> = {
  describeRope: [rope],
  frequencies: [rope, 8],
  maxContext: [rope],
  parseRope: [{ hidden_size: 64, num_attention_heads: 4 }, {}],
  parseRopeScaling: [{ rope_type: "linear", factor: 2 }, rope],
  memoryFiles: [{ a: "x" }, "memory"],
  urlFiles: ["http://127.0.0.1:1", {}],
  blobFiles: [[{ name: "a", blob: new Blob(["x"]) }]],
  "Tokenizer.fromFiles": [files],
  checkExpectation: [retrieval.parseExpectation("none>=0.5@200"), report.cells, 512],
  parseExpectation: ["none>=0.5@200"],
  exactInterval: [3, 10, 0.95],
  wilson: [3, 10, 1.96],
  sameRate: [{ found: 1, tries: 4 }, { found: 3, tries: 4 }], // prettier-ignore
  settled: [3, 4, { fail: 0.5, pass: 0.9, error: 0.05 }],
  extrapolationBound: [100, 64, 10_000],
  interpolationBound: [64, 10_000],
  statedInterpolationBound: [64, 10_000],
  html: [report],
  junit: [report],
  terminalTable: [report, { good: String, bad: String, dim: String, bold: String }],
  parseReport: [report, "report.json"],
  mergeReports: [[report, report]],
  judge: [prompt, "It is 'ab12'."],
  parseScaling: ["dynamic:2", () => "{}"],
  preset: ["h2ogpt-uuid"],
  viaUrl: [{ url: "http://127.0.0.1:1" }],
  retrieve: [engine, { promptLengths: [200], tries: 1, trainedLength: 512 }, {}],
  perplexity: [scoring, { text: [1, 2, 3], windows: [2] }, {}],
  effectiveContext: [engine, { window: 200, points: 2, tries: 1 }, {}],
  "prompts.uuid": [build],
  "prompts.passkey": [{ ...build, fit: "exact" }],
  "prompts.title": [
    { count, key: ["a"], tokens: 200, document: { name: "d", text, title: "One is here" }, titles: "own" },
  ],
  "prompts.needle": [{ ...build, filler: text }],
  "prompts.multiturn": [seeded],
  "prompts.niah": ["niah_single_1", { ...seeded, filler: text }],
  "prompts.vt": [seeded],
  "prompts.cwe": [seeded],
  "prompts.fwe": [seeded],
  "prompts.qa": [{ ...seeded, tokens: 400, index: 0, questions: retrieval.parseQuestions(squad, "q") }],
  parseQuestions: [squad, "q"],
  pairings: [report.cells],
  mcnemar: [3, 4],
  effectiveLength: [report.cells, { threshold: 0.5, tasks: ["uuid"] }],
  "prompts.fromFixture": [{ prompts: [{ id: "a", task: "kv", prompt: "p 'ab'", value: "ab", prompt_len: 8, rel_secret_pos: 0.5 }] }, count], // prettier-ignore
  angles: [{ table: tensor("table", 64, 8), step }],
  append: [attention],
  attentionDecode: [attention],
  attentionDecodeShuffle: [attention],
  attentionDecodeTiled: [attention],
  attentionMerge: [attention],
  attentionPrefill: [attention],
  attentionPrefillShuffle: [attention],
  attentionPrefillTiled: [attention],
  candidates: ["linear", size, device],
  choiceKey: ["linear", size],
  choose: ["linear", size, device],
  reason: ["linear", size, device],
  plainVariant: ["linear"],
  variantName: ["linear", "matvec"],
  embed: [{ ...shared, weight, y: tensor("y", 4, 32) }],
  gatedUnit: [gated],
  gather: [xy],
  headnorm: [{ ...attention, weight: tensor("w", 16), eps: 1e-5 }],
  kvLayer: [kernels.caches.f32, "0", 64, 16],
  kvStride: [kernels.caches.f32, 16],
  lanesOf: [device],
  linear: [linear],
  matmulShuffle: [linear],
  matmulTiled: [linear],
  matmulTiledLow: [linear],
  matmulTiledTall: [linear],
  matrixOf: [kernels.formats.q8_0, "w", 16, 32, 8],
  matvec: [linear],
  matvecGated: [gated],
  matvecRows: [linear],
  pool: [xy],
  quantize: [{ source: tensor("s", 64), kind: "f32", columns: 32, format: kernels.formats.q8_0, into: { weight: tensor("w", 1) } }], // prettier-ignore
  readCandidates: [new Uint32Array(2 * kernels.CANDIDATE_STRIDE), 1],
  rmsnorm: [{ ...xy, weight: tensor("w", 32), eps: 1e-5 }],
  rope: [{ ...attention, qkv: tensor("qkv", 4, 64) }],
  rowClass: [4],
  rowStride: [kernels.formats.f32, 32],
  stepLayout: [capacity],
  stepRows: [device],
  stride: [5],
  swiglu: [{ ...xy, y: tensor("y", 4, 16) }],
  tensorBytes: [tensor("t", 4, 8)],
  tileRows: [64],
  topk: [{ ...shared, logits: tensor("l", 2, 300), candidates: tensor("c", 2, kernels.CANDIDATE_STRIDE) }],
  "tokenizer.encode": ["a text", {}],
  "tokenizer.encodeWithOffsets": ["a text", {}],
  "tokenizer.decode": [[1, 2], {}],
  "tokenizer.applyChatTemplate": [[{ role: "user", content: "x" }], {}],
  "tokenizer.checkChatTemplate": [{}],
  "tokenizer.streamDecoder": [{}],
  "tokenizer.tokenToId": ["a"],
  "tokenizer.idToToken": [1],
  "stream.push": [1],
};

const isClass = (call: Call): boolean => /^class\b/.test(Function.prototype.toString.call(call));

/** Own functions of an object, by name. */
const members = (of: object, within: string): Found[] =>
  Object.entries(Object.getOwnPropertyDescriptors(of)).flatMap(([name, { value }]): Found[] =>
    typeof value === "function" && name !== "constructor" ? [[`${within}.${name}`, (value as Call).bind(of)]] : [],
  );

function functionsOf(module: object): Found[] {
  return Object.entries(module).flatMap(([name, value]: [string, unknown]): Found[] => {
    if (typeof value === "function")
      return [[name, value as Call], ...(isClass(value as Call) ? members(value, name) : [])];
    return name === "prompts" ? members(value as object, name) : [];
  });
}

/** Every function to be called, once each, and those of instances. */
export function exportedFunctions(): readonly Found[] {
  const instance = node.Tokenizer.fromFiles(files);
  const stream = instance.streamDecoder();
  const methods = (of: object, name: string): Found[] =>
    members(Object.getPrototypeOf(of) as object, name).map(([path]) => {
      const method = path.slice(name.length + 1) as keyof typeof of;
      return [path, (...args) => (of[method] as Call)(...args)];
    });
  const all = Object.entries(ENTRIES).flatMap(([, module]) => functionsOf(module));
  const seen = new Set<string>();
  return [...all, ...methods(instance, "tokenizer"), ...methods(stream, "stream")].filter(([name]) => {
    if (seen.has(name) || name in LEFT_OUT) return false;
    return seen.add(name);
  });
}

/** Names of the tables that no export has. */
export function strangers(): string[] {
  const names = Object.values(ENTRIES).flatMap((module) => functionsOf(module).map(([name]) => name));
  const known = new Set([...names, ...exportedFunctions().map(([name]) => name)]);
  return [...Object.keys(RIGHT), ...Object.keys(LEFT_OUT)].filter((name) => !known.has(name));
}

/** What came of calls. */
export interface Called {
  readonly calls: number;
  readonly faults: readonly string[];
}

/** A right call of every function that has one; those that are refused are faults of the table. */
export async function rightCalls(): Promise<Called> {
  const faults: string[] = [];
  const all = exportedFunctions().filter(([name]) => RIGHT[name]);
  for (const [name, call] of all) {
    const fault = await faultOf(() => call(...RIGHT[name]), false);
    if (fault) faults.push(`${name}: ${fault}`);
  }
  return { calls: all.length, faults };
}

/** Every wrong value in the place of every argument, one past the last among them. */
export async function wrongArguments(): Promise<Called> {
  const faults: string[] = [];
  let calls = 0;
  for (const [name, call] of exportedFunctions()) {
    const right = RIGHT[name] ?? [];
    for (let at = 0; at <= Math.max(call.length, right.length); at++) {
      for (const [what, make] of [["nothing", () => undefined] as const, ...BAD]) {
        const args = [...right];
        args[at] = make();
        calls++;
        const fault = await faultOf(() => call(...args), true);
        if (fault) faults.push(`${name}, argument ${at} = ${what}: ${fault}`);
      }
    }
  }
  return { calls, faults };
}

/** `count` calls with wrong values somewhere inside right arguments, from a seed. */
export async function wrongInside({
  seed,
  count: most,
}: {
  readonly seed: number;
  readonly count: number;
}): Promise<Called> {
  const random = whole(seed);
  const faults: string[] = [];
  const all = exportedFunctions().filter(([name]) => RIGHT[name]);
  for (let i = 0; i < most; i++) {
    const [name, call] = all[random(all.length)];
    const args = copy(RIGHT[name]) as unknown[];
    const said: string[] = [];
    for (let more = 0; more <= random(2); more++) said.push(spoil(args, random));
    const fault = await faultOf(() => call(...args), true);
    if (fault) faults.push(`${name} (${i}): ${said.join(", ")}: ${fault}`);
  }
  return { calls: most, faults };
}

/** Plain lists and objects anew; what else there is stays itself. */
function copy(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(copy);
  if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, copy(each)]));
}

function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  try {
    const plain = Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype;
    return plain && Object.keys(value).length > 0;
  } catch {
    return false; // a wrong value that was put there before
  }
}

/** What an engine throws, or never answers, is its own matter. */
const ENGINES: ReadonlySet<string> = new Set(["complete", "score"]);

/** Puts a wrong value somewhere below; says where. */
function spoil(root: object, random: (below: number) => number): string {
  let at = root as Record<string, unknown>;
  let path = "";
  for (;;) {
    const keys = Object.keys(at);
    const key = keys[random(keys.length)];
    path += `.${key}`;
    const below = Object.getOwnPropertyDescriptor(at, key)?.value as unknown;
    if (isPlain(below) && random(4) > 0) {
      at = below;
      continue;
    }
    const [what, make] = random(8) === 0 ? ["nothing", () => undefined] : BAD[random(BAD.length)];
    if (ENGINES.has(key) && typeof make() === "function") continue;
    Object.defineProperty(at, key, { value: make(), writable: true, enumerable: true, configurable: true });
    return `${path.slice(1)} = ${what}`;
  }
}

/** Subject, problem and advice are cut at 2,000 each. */
const LONGEST = 6100;

/** How a call ended that should have given something or refused as llariat refuses. */
async function faultOf(call: () => unknown, mayRefuse: boolean): Promise<string | undefined> {
  try {
    const given = call();
    await (given instanceof Promise ? ended(given) : given);
    return undefined;
  } catch (error) {
    if (error instanceof LlariatError && error.message.length <= LONGEST) {
      return mayRefuse || error.message === "enough" ? undefined : error.message;
    }
    if (error === THROWN) return undefined;
    return error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
}
