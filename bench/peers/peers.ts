// peers.ts — `npm run bench:peers`: the same random weights and prompt ids through llariat, llama.cpp, onnxruntime and
// transformers.js, in turns in one run. The peers' packages are installed into .cache/bench/peers and are nobody's dependency.
//   node --import tsx bench/peers/peers.ts [--shape smollm2-135m] [--prompt 512] [--tokens 16] [--minutes 9] [--only TEXT]
// Each engine has a process of its own, which stands still (SIGSTOP) while another is measured: some spin while they wait.
// Rates are those of the median; the first prompt of each length is not counted.

import { type ChildProcess, execFileSync, fork } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { folderFiles } from "../../src/node/files.ts";
import { SHAPES } from "../../test/tools/checkpoint.ts";
import { resultsFile } from "../harness.ts";
import { checkpointFolder } from "../loading.ts";
import { type Result, about, appendLine, round, timing } from "../result.ts";
import type { Run, Spec } from "./engines.ts";
import { writeGguf } from "./gguf.ts";
import { writeOnnx } from "./onnx.ts";
import { openSource } from "./source.ts";

/** Versions that the drivers were written for. */
const PACKAGES = { "node-llama-cpp": "3.22.1", "onnxruntime-node": "1.30.0", "@huggingface/transformers": "4.3.1" };

const CACHE = fileURLToPath(new URL("../../.cache/bench/", import.meta.url));
const FOLDER = join(CACHE, "peers");

/** Tokens before the first that is decoded. */
const DECODE_AFTER = 128;
/** No engine may hold the others up for longer while it loads and compiles: minutes, with an empty shader cache. */
const FIRST_USE_MS = 240_000;
/** As many trials as everybody gets who is fast enough. */
const TRIALS = 5;

type Row = Pick<Spec, "engine" | "on" | "format">;
const row = (engine: Spec["engine"], on: Spec["on"], format: string): Row => ({ engine, on, format });
const ROWS: readonly Row[] = [
  row("llariat", "gpu", "f16"),
  row("llariat", "gpu", "q4_0"),
  row("llama.cpp", "gpu", "f16"),
  row("llama.cpp", "gpu", "q4_0"),
  row("onnxruntime", "gpu", "f16"),
  row("onnxruntime", "gpu", "int4"),
  row("transformers.js", "gpu", "f16"),
  row("llama.cpp", "cpu", "f16"),
  row("llama.cpp", "cpu", "q4_0"),
  row("onnxruntime", "cpu", "f32"),
  row("onnxruntime", "cpu", "int4"),
];

function install(): void {
  const wrong = Object.entries(PACKAGES).filter(([name, version]) => {
    const file = join(FOLDER, "node_modules", name, "package.json");
    return !existsSync(file) || (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version !== version;
  });
  if (wrong.length === 0) return;
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(join(FOLDER, "package.json"), '{ "private": true }\n');
  const names = Object.entries(PACKAGES).map(([name, version]) => `${name}@${version}`);
  console.log(`installing ${names.join(" ")} into ${FOLDER}`);
  // No scripts: what they fetch (CUDA, sources to build) is not used.
  const words = ["install", "--prefix", FOLDER, "--ignore-scripts", "--no-audit", "--no-fund", ...names];
  execFileSync("npm", words, { stdio: ["ignore", "inherit", "inherit"], shell: process.platform === "win32" });
}

/** The checkpoint in an engine's own format, written if it is not there. */
async function converted(shape: string, model: string, { engine, on, format }: Row): Promise<string> {
  if (engine === "llariat") return model;
  const io = on === "gpu" ? "f16" : "f32";
  const kind = engine === "llama.cpp" ? `${format}.gguf` : `${format === "int4" ? `${io}-int4` : io}.onnx`;
  const file = join(FOLDER, `${shape}.${kind}`);
  if (existsSync(file)) return file;
  console.log(`writing ${file}`);
  mkdirSync(FOLDER, { recursive: true });
  const files = await folderFiles(model);
  try {
    const source = await openSource(files);
    if (engine === "llama.cpp") {
      const draft = `${file}.part`;
      await writeGguf(draft, source, readFileSync(join(model, "tokenizer.json"), "utf8"), format as "f16" | "q4_0");
      renameSync(draft, file);
    } else await writeOnnx(file, source, { io, int4: format === "int4" });
  } finally {
    await files.close();
  }
  return file;
}

type Answer = Run & { readonly cpu: number };

/** An engine's process, and what was measured of it. */
class Peer {
  readonly row: Row;
  readonly prefill: Answer[] = [];
  readonly decode: Answer[] = [];
  adapter = "";
  driver = "";
  /** Why it is not measured, or no more. */
  problem: string | undefined;
  /** Milliseconds that its trials took. */
  spent = 0;
  readonly #child: ChildProcess;

  constructor(spec: Spec) {
    this.row = { engine: spec.engine, on: spec.on, format: spec.format };
    const child = fileURLToPath(new URL("child.ts", import.meta.url));
    // Without it llama.cpp passes over Vulkan devices that are CPUs.
    const env = { GGML_VK_VISIBLE_DEVICES: "0", ...process.env };
    const stdio = ["ignore", "ignore", "ignore", "ipc"] as const;
    this.#child = fork(child, [JSON.stringify(spec)], { execArgv: ["--import", "tsx"], env, stdio: [...stdio] });
  }

  get name(): string {
    return `${this.row.engine} ${this.row.on} ${this.row.format}`;
  }

  /** Loads, and computes what will be timed once. */
  async open(prompt: readonly number[], after: readonly number[]): Promise<void> {
    const until = performance.now() + FIRST_USE_MS;
    const facts = await this.#answer<{ adapter: string; driver?: string }>(undefined, until);
    if (facts) [this.adapter, this.driver] = [facts.adapter, facts.driver ?? ""];
    for (const [ids, steps] of [
      [after, 1],
      [prompt, 0],
    ] as const) {
      if (this.problem === undefined) await this.#answer({ ids, steps }, until);
    }
    this.#child.kill("SIGSTOP");
  }

  /** One prompt and one answer. */
  async turn(prompt: readonly number[], after: readonly number[], tokens: number, limitMs: number): Promise<void> {
    const start = performance.now();
    this.#child.kill("SIGCONT");
    const first = await this.#answer<Answer>({ ids: prompt, steps: 0 }, start + limitMs);
    const answer = first && (await this.#answer<Answer>({ ids: after, steps: tokens }, start + limitMs));
    if (first) this.prefill.push(first);
    if (answer) this.decode.push(answer);
    this.#child.kill("SIGSTOP");
    this.spent += performance.now() - start;
  }

  close(): void {
    this.#child.kill("SIGKILL"); // it stands still, and would not hear of another
  }

  /** The child's next message; what it says went wrong, or that it says nothing, is the row's problem. */
  #answer<T>(message: object | undefined, until: number): Promise<T | undefined> {
    return new Promise((resolve) => {
      const child = this.#child;
      const end = (problem: string | undefined, answer?: T): void => {
        clearTimeout(timer);
        child.off("message", heard).off("exit", ended);
        if (problem !== undefined) {
          this.problem ??= problem;
          this.close();
        }
        resolve(answer);
      };
      const heard = (answer: unknown): void => {
        const { error } = answer as { error?: string };
        if (error === undefined) end(undefined, answer as T);
        else end(error.split("\n")[0].slice(0, 160));
      };
      const ended = (code: number | null, signal: string | null): void =>
        end(`its process ended with ${code ?? signal}`);
      const timer = setTimeout(() => end("it took longer than its time"), Math.max(1, until - performance.now()));
      child.on("message", heard).on("exit", ended);
      if (message) child.send(message);
    });
  }
}

/** The ids that every engine gets. */
const promptIds = (count: number, vocab: number): number[] =>
  Array.from({ length: count }, (_, i) => 3 + ((i * 7919 + 13 * i * i + 101) % (vocab - 3)));

const isFourBits = (format: string): boolean => format === "q4_0" || format === "int4";

/** The lines of a row: tokens per second, and how much of it is ours over theirs. */
function lines(peer: Peer, ours: readonly Peer[], shape: string, prompt: number, tokens: number): Result[] {
  const { engine, on, format } = peer.row;
  const base = { bench: "peers", shape, model: shape, engine, on, format } as const;
  if (peer.problem !== undefined && peer.decode.length === 0) {
    return [{ ...base, kernel: `pp${prompt}`, note: `not measured: ${peer.problem}` }];
  }
  const own = ours.find((each) => isFourBits(each.row.format) === isFourBits(format) && each.decode.length > 0);
  const rate = (of: Peer, kind: "prefill" | "decode") => {
    const ms = of[kind].map(({ first, rest }) => (kind === "prefill" ? first : rest / tokens));
    const found = timing(ms);
    return { ...found, tokensPerSecond: (1000 * (kind === "prefill" ? prompt : 1)) / found.ms };
  };
  const note = peer.problem ?? (on === "gpu" && engine !== "llariat" ? peer.adapter : undefined);
  return (["prefill", "decode"] as const).map((kind) => {
    const found = rate(peer, kind);
    const cpu = peer[kind].reduce((sum, each) => sum + each.cpu, 0) / peer[kind].length;
    const ratio = own && own !== peer ? rate(own, kind).tokensPerSecond / found.tokensPerSecond : undefined;
    const kernel = kind === "prefill" ? `pp${prompt}` : `tg${tokens}`;
    // Of an answer the prompt before it is no part: its CPU time is not told apart.
    const cpuMs = kind === "prefill" ? { cpuMs: cpu } : {};
    return { ...base, kernel, ...found, ...cpuMs, ratio, ids: peer.decode[0].ids.slice(0, 16), note };
  });
}

async function main(): Promise<void> {
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    options: { shape: text, prompt: text, tokens: text, minutes: text, only: text, adapter: text, json: text },
  });
  const { shape = "smollm2-135m", only = "" } = values;
  if (!(shape in SHAPES)) throw new TypeError(`--shape: got ${shape}, needed ${Object.keys(SHAPES).join(", ")}`);
  const number = (name: "prompt" | "tokens" | "minutes", otherwise: number): number => {
    const value = Number(values[name] ?? otherwise);
    if (value > 0) return value;
    throw new TypeError(`--${name}: got ${values[name]}, needed a number above 0`);
  };
  const [prompt, tokens, minutes] = [number("prompt", 512), number("tokens", 16), number("minutes", 9)];
  install();
  const model = await checkpointFolder(shape, "f16");
  const { vocab } = SHAPES[shape];
  const [long, after] = [promptIds(prompt, vocab), promptIds(DECODE_AFTER, vocab)];
  const started = performance.now();
  const left = (): number => started + 60_000 * minutes - performance.now();
  const peers: Peer[] = [];
  try {
    for (const each of ROWS.filter(({ engine, on, format }) => `${engine} ${on} ${format}`.includes(only))) {
      const file = await converted(shape, model, each);
      const peer = new Peer({ ...each, model, file, packages: FOLDER, adapter: values.adapter });
      peers.push(peer);
      if (left() < 0) peer.problem = "no time was left (--minutes)";
      else await peer.open(long, after);
      console.log(
        `${peer.name}: ${peer.problem ?? `ready after ${Math.round((performance.now() - started) / 1000)} s`}`,
      );
    }
    const measured = peers.filter(({ problem }) => problem === undefined);
    for (let trial = 0; trial < TRIALS; trial++) {
      for (const peer of measured) {
        // Who is slow gets fewer trials, not everybody: its share of what is left, and a second at least of what it needs.
        const share = left() / measured.filter(({ problem }) => problem === undefined).length / (TRIALS - trial);
        const needs = trial === 0 ? 0 : peer.spent / peer.decode.length;
        if (peer.problem !== undefined || needs > Math.max(share * 2, 5000) || left() < needs) continue;
        await peer.turn(long, after, tokens, Math.max(30_000, left()));
      }
    }
  } finally {
    for (const peer of peers) peer.close();
  }
  const ours = peers.filter(({ row }) => row.engine === "llariat");
  const facts = ours.find(({ adapter }) => adapter !== "") ?? { adapter: "unknown", driver: "" };
  const where = about({ name: facts.adapter, driver: facts.driver });
  for (const line of peers.flatMap((peer) => lines(peer, ours, shape, prompt, tokens))) {
    appendLine(values.json ?? resultsFile(facts.adapter), line, where);
    const shown = line.tokensPerSecond === undefined ? line.note! : `${round(line.tokensPerSecond)} tokens/s`;
    const ratio = line.ratio === undefined ? "" : `llariat is ${round(line.ratio, 3)} × as fast`;
    console.log([line.engine!.padEnd(16), line.on, line.format!.padEnd(5), line.kernel, shown, ratio].join("  "));
  }
}

await main();
