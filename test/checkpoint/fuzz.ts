// Seeded fuzz of whole checkpoints: headers, configs, indexes, tokenizers, templates, with values nobody should write.
//   node --import tsx test/checkpoint/fuzz.ts [--count N] [--seed N]
// Each is refused by a LlariatError with a sentence of bounded length without control characters, or opens, encodes,
// decodes and renders. Prints one line, `{ seed, count, refused, opened, slowestMs }`; a raw error names its round and ends with 1.
// Whoever starts it gives it a time: a round that never ends is a hang.
import { parseArgs } from "node:util";
import { memoryFiles } from "../../src/checkpoint/memory.ts";
import { tokenizerOf } from "../../src/checkpoint/tokenizer.ts";
import { LlariatError } from "../../src/error.ts";
import { openCheckpoint } from "../../src/model/checkpoint.ts";
import { randomFiles, SHAPES } from "../tools/checkpoint.ts";
import { collect, safetensorsBytes } from "../tools/damage.ts";
import { whole } from "../tools/random.ts";

type Json = { [key: string]: unknown };
/** Subject, problem and advice of 2,000 characters, each at most four as an escape. */
const LONGEST = 3 * 4 * 2000 + 10;
const CONTROL = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u;

const { values } = parseArgs({
  options: { count: { type: "string", default: "10000" }, seed: { type: "string", default: "1" } },
});
const [seed, count] = [Number(values.seed), Number(values.count)];
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const shape = SHAPES.tiny;
const good = [await collect(randomFiles({ shape })), await collect(randomFiles({ shape, shardBytes: 8000 }))];

const PATTERNS = [
  "(a+)+b",
  "(?:a|aa)*c",
  "(a*)*",
  "a{0,1000}a{0,1000}b",
  "(?<=a+)b",
  "\\p{L}+|\\s+(?!\\S)",
  "(",
  "[^",
  "(?>a|b)+c",
];
const steps = (random: (below: number) => number): unknown => {
  const pattern = random(2)
    ? { Regex: PATTERNS[random(PATTERNS.length)] }
    : { String: ["a", "", " ", "\x1b"][random(4)] };
  const kinds = [
    { type: "Replace", pattern, content: ["", "aa", "\x1b[2J", "b".repeat(random(100_000))][random(4)] },
    { type: "Split", pattern, behavior: "Isolated", invert: random(2) === 0 },
    { type: ["ByteLevel", "Fuse", "NFKC", "Lowercase", "Nonsense", "Digits"][random(6)], individual_digits: true },
    { type: "Prepend", prepend: "▁" },
  ];
  if (random(3) > 0) return kinds[random(kinds.length)];
  const list = Array.from({ length: [1, 2, 30, 300][random(4)] }, () => kinds[random(kinds.length)]);
  return { type: "Sequence", normalizers: list, pretokenizers: list, decoders: list, processors: list };
};
const TEMPLATES = [
  "{% for m in messages %}{{ m.content }}{% endfor %}",
  "{% for i in range(100000) %}{% for j in range(100000) %}x{% endfor %}{% endfor %}",
  "{% macro f(n) %}{{ f(n) }}{{ f(n) }}{% endmacro %}{{ f(1) }}",
  "{{ raise_exception('\x1b]0;x\x07' * 100000) }}",
  "{% set ns = namespace(s='ab') %}{% for i in range(99) %}{% set ns.s = ns.s.replace('a', 'aa') %}{% endfor %}",
  "{{ 'a'.join(['b'] * 99999) }}{{",
];

/** What stands in files by accident or ill will, strings with escapes and megabytes among them. */
function wrong(random: (below: number) => number): unknown {
  const any: unknown[] = [
    null, true, -1, 0, 1.5, 1e308, 2 ** 53, "", "x", "\x1b]0;t\x07", "x".repeat(3_000_000), "../../etc/passwd", "\u202e",
    [], {}, [[]], [null], Array.from({ length: 5000 }, () => 0), { __proto__: null, constructor: 1 }, { type: "Sequence" },
  ]; // prettier-ignore
  return random(6) === 0 ? steps(random) : any[random(any.length)];
}

/** Changes one value somewhere in `json`. */
function change(json: Json, random: (below: number) => number): void {
  let at = json;
  for (;;) {
    const keys = Object.keys(at);
    if (keys.length === 0) return;
    const key =
      random(12) === 0 ? ["extra", "\x1b[31m", "__proto__", "k".repeat(100_000)][random(4)] : keys[random(keys.length)];
    const value = Object.hasOwn(at, key) ? at[key] : undefined;
    if (typeof value === "object" && value !== null && random(5) > 0) at = value as Json;
    else {
      if (random(4) === 0 && !Array.isArray(at)) delete at[key];
      else
        Object.defineProperty(at, key, { value: wrong(random), enumerable: true, writable: true, configurable: true });
      return;
    }
  }
}

function changed(bytes: Uint8Array, random: (below: number) => number): Uint8Array {
  if (random(8) === 0) {
    const out = bytes.slice(0, random(4) ? undefined : random(bytes.length));
    for (let n = random(6); n > 0; n--) out[random(Math.min(out.length, 4000))] = random(256);
    return out;
  }
  let json: Json;
  try {
    json = JSON.parse(text(bytes)) as Json;
  } catch {
    return bytes; // broken by an earlier change
  }
  for (let n = 1 + random(3); n > 0; n--) change(json, random);
  try {
    return new TextEncoder().encode(JSON.stringify(json));
  } catch (error) {
    if (error instanceof RangeError) return bytes; // longer than any string may be: no file either
    throw error;
  }
}

/** A safetensors file with its header changed. */
function withHeader(bytes: Uint8Array, random: (below: number) => number): Uint8Array {
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  const header = text(changed(bytes.slice(8, 8 + length), random));
  return safetensorsBytes(header, bytes.slice(8 + length));
}

/** A tokenizer.json with a step of its own, where it still is JSON. */
function withStep(bytes: Uint8Array, random: (below: number) => number): Uint8Array {
  try {
    const json = JSON.parse(text(bytes)) as Json;
    json[["normalizer", "pre_tokenizer", "decoder", "post_processor"][random(4)]] = steps(random);
    return new TextEncoder().encode(JSON.stringify(json));
  } catch {
    return bytes;
  }
}

function damaged(random: (below: number) => number): Record<string, Uint8Array> {
  const files: Record<string, Uint8Array> = { ...good[random(good.length)] };
  const write = (name: string, value: string) => (files[name] = new TextEncoder().encode(value));
  const json = Object.keys(files).filter((name) => name.endsWith(".json"));
  const tensors = Object.keys(files).filter((name) => name.endsWith(".safetensors"));
  for (let n = 1 + random(2); n > 0; n--) {
    const kind = random(5);
    if (kind === 0) {
      const name = tensors[random(tensors.length)];
      files[name] = withHeader(files[name], random);
    } else if (kind === 1) {
      const name = json[random(json.length)];
      files[name] = changed(files[name], random);
    } else if (kind === 2) {
      write("chat_template.jinja", TEMPLATES[random(TEMPLATES.length)]);
    } else if (kind === 3 && files["tokenizer.json"]) {
      files["tokenizer.json"] = withStep(files["tokenizer.json"], random);
    } else {
      const names = ["tokenizer_config.json", "special_tokens_map.json", "generation_config.json", "added_tokens.json"];
      write(
        names[random(4)],
        JSON.stringify({ [["eos_token", "bos_token", "x", "chat_template"][random(4)]]: wrong(random) }),
      );
    }
  }
  return files;
}

async function use(files: Record<string, Uint8Array>): Promise<void> {
  const checkpoint = await openCheckpoint(memoryFiles(files));
  const { tokenizer } = tokenizerOf(checkpoint.texts);
  if (!tokenizer) return;
  const ids = tokenizer.encode(`${"a".repeat(60)} Hello, wörld 🙂 123\n`);
  tokenizer.decode(ids.slice(0, 500));
  if (tokenizer.hasChatTemplate) tokenizer.applyChatTemplate([{ role: "user", content: "hi" }]);
}

let [refused, opened, slowestMs] = [0, 0, 0];
for (let round = 0; round < count; round++) {
  const files = damaged(whole(seed * 1_000_003 + round));
  const start = performance.now();
  try {
    await use(files);
    opened++;
  } catch (error) {
    const { message } = error as Error;
    const fine = error instanceof LlariatError && message.length <= LONGEST && !CONTROL.test(message);
    if (!fine) {
      console.error(
        `seed ${seed}, round ${round}: ${JSON.stringify(message.slice(0, 500))} of ${message.length} characters`,
      );
      throw error;
    }
    refused++;
  }
  slowestMs = Math.max(slowestMs, Math.round(performance.now() - start));
}
console.log(JSON.stringify({ seed, count, refused, opened, slowestMs }));
