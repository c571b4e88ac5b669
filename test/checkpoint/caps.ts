// Files of a checkpoint at the size they may have at most, of the shapes that cost most: each is refused or read, in a heap of 512 MiB.
//   npm run test:caps
// Prints a line per file: what became of it, its time, and what the process grew by beside the files themselves.
// Fails where a file is refused by anything but a LlariatError, or the heap does not suffice. The times are for reading.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { memoryFiles } from "../../src/checkpoint/memory.ts";
import { tokenizerOf } from "../../src/checkpoint/tokenizer.ts";
import { MAX_TEXT_BYTES } from "../../src/checkpoint/shards.ts";
import { LlariatError } from "../../src/error.ts";
import { openCheckpoint } from "../../src/model/checkpoint.ts";
import { safetensorsBytes } from "../tools/damage.ts";
import { folder } from "../tools/models.ts";

const HEAP_MIB = 512;
const MIB = 2 ** 20;
const HEADER = 100_000_000; // of the format
const model = folder("/models/kv-llama");
const read = (name: string): Uint8Array => readFileSync(`${model}/${name}`);
const parsed = (): Record<string, Record<string, unknown>> =>
  JSON.parse(read("tokenizer.json").toString()) as Record<string, Record<string, unknown>>;

/** As many copies of a part as a file may have, between two ends. */
const filled = (before: string, part: string, after: string, bytes: number): string =>
  before + part.repeat(Math.floor((bytes - before.length - after.length) / part.length)) + after;
/** tokenizer.json with another model or step. */
const tokenizer = (change: (json: ReturnType<typeof parsed>) => void): string => {
  const json = parsed();
  change(json);
  return JSON.stringify(json);
};
const count = <T>(n: number, make: (i: number) => T): T[] => Array.from({ length: n }, (_, i) => make(i));

/** What stands in which file. */
const CASES: Readonly<Record<string, () => Record<string, string | Uint8Array>>> = {
  "config.json of lists": () => ({ "config.json": filled('{"a":[', "[],", "[]]}", MIB) }),
  "config.json of keys": () => ({ "config.json": `{${count(90_000, (i) => `"k${i}":0`).join(",")}}` }),
  "tokenizer.json of lists": () => ({ "tokenizer.json": filled('{"model":[', "[],", "[]]}", MAX_TEXT_BYTES) }),
  "tokenizer.json of numbers": () => ({ "tokenizer.json": filled('{"model":[', "0,", "0]}", MAX_TEXT_BYTES) }),
  "tokenizer.json of one text": () => ({ "tokenizer.json": filled('{"model":"', "x", '"}', MAX_TEXT_BYTES) }),
  "tokenizer.json of escapes": () => ({ "tokenizer.json": filled('{"model":"', "\\u0041", '"}', MAX_TEXT_BYTES) }),
  "a vocabulary of 900,000": () => ({
    "tokenizer.json": tokenizer((json) => {
      const vocab = json["model"]["vocab"] as Record<string, number>;
      const size = Object.keys(vocab).length;
      for (let i = 0; i < 900_000; i++) vocab[`word${i}`] = size + i;
    }),
  }),
  "900,000 merges": () => ({
    "tokenizer.json": tokenizer((json) => (json["model"]["merges"] = count(900_000, (i) => `a${i} b${i}`))),
  }),
  "300,000 added tokens": () => ({
    "tokenizer.json": tokenizer((json) => {
      json["added_tokens"] = count(300_000, (i) => ({ id: i, content: `<${i}>`, special: true })) as never;
    }),
  }),
  "300,000 steps of a normalizer": () => ({
    "tokenizer.json": tokenizer((json) => {
      const normalizers = count(300_000, (i) => ({ type: "Replace", pattern: { String: "a" }, content: `b${i}` }));
      json["normalizer"] = { type: "Sequence", normalizers };
    }),
  }),
  "a template of loops": () => ({
    "chat_template.jinja": filled("", "{% for a in range(99) %}{% endfor %}", "", MAX_TEXT_BYTES),
  }),
  "a template of one text": () => ({ "chat_template.jinja": "x".repeat(MAX_TEXT_BYTES) }),
  "tokenizer_config.json of one template": () => ({
    "tokenizer_config.json": filled('{"chat_template":"', "{{ a }}", '"}', MAX_TEXT_BYTES),
  }),
  "tokenizer_config.json of tokens": () => ({
    "tokenizer_config.json": JSON.stringify({
      added_tokens_decoder: Object.fromEntries(count(300_000, (i) => [i, { content: `<${i}>`, special: true }])),
    }),
  }),
  "an index of 999,000 tensors": () => ({
    "model.safetensors": "",
    "model.safetensors.index.json": JSON.stringify({
      weight_map: Object.fromEntries(count(999_000, (i) => [`model.t${i}`, `s${i % 9000}.safetensors`])),
    }),
  }),
  "a header of spaces": () => ({ "model.safetensors": safetensorsBytes(`{}${" ".repeat(HEADER - 2)}`, 0) }),
  "a header of one name": () => ({
    "model.safetensors": safetensorsBytes(
      `{"${"x".repeat(HEADER - 80)}":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}`,
      0,
    ),
  }),
  "a header of lists": () => ({ "model.safetensors": safetensorsBytes(filled('{"a":[', "[],", "[]]}", HEADER), 0) }),
  "a header of 199,000 tensors with long names": () => ({
    "model.safetensors": safetensorsBytes(
      `{${count(199_000, (i) => `"${"x".repeat(420)}${i}":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}`).join(",")}}`,
      0,
    ),
  }),
};

/** Opens one folder; prints what came of it. */
async function one(name: string): Promise<void> {
  const files: Record<string, string | Uint8Array> = {
    "config.json": read("config.json"),
    "model.safetensors": read("model.safetensors"),
    "tokenizer.json": read("tokenizer.json"),
    "tokenizer_config.json": read("tokenizer_config.json"),
    ...CASES[name](),
  };
  if (files["model.safetensors"] === "") delete files["model.safetensors"];
  const set = memoryFiles(files);
  const before = process.resourceUsage().maxRSS;
  const start = performance.now();
  const cpu = process.cpuUsage();
  let what = "read";
  try {
    const { texts } = await openCheckpoint(set);
    const { tokenizer: own } = tokenizerOf(texts);
    own?.decode(own.encode("Hello, wörld 🙂 123\n"));
    if (own?.hasChatTemplate) own.applyChatTemplate([{ role: "user", content: "hi" }]);
  } catch (error) {
    if (!(error instanceof LlariatError)) throw error;
    what = error.message.slice(0, 110);
  }
  const ms = Math.round(performance.now() - start);
  const { user, system } = process.cpuUsage(cpu);
  console.log(
    `${what}; ${ms} ms, ${Math.round((user + system) / 1000)} ms of CPU time, ${(process.resourceUsage().maxRSS - before) >> 10} MiB`,
  );
}

const [, , asked] = process.argv;
if (asked !== undefined) await one(asked);
else {
  let failed = 0;
  const names = Object.keys(CASES);
  for (const name of names) {
    // A process of its own: what one leaves behind is not the next one's. The file and its text are in the same heap.
    const heap = `--max-old-space-size=${HEAP_MIB + Math.ceil((2 * HEADER) / MIB)}`;
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [heap, "--import", "tsx", fileURLToPath(import.meta.url), name],
      { encoding: "utf8" },
    );
    if (status !== 0) failed++;
    console.log(`${name}: ${status === 0 ? stdout.trim() : `failed\n${stderr.slice(-2000)}`}`);
  }
  console.log(`${names.length - failed} passed, ${failed} failed`);
  process.exitCode = failed > 0 ? 1 : 0;
}
