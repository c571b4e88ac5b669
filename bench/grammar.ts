// grammar.ts — what the form of an answer costs: reading a vocabulary, compiling a schema, and a mask per token.
//   node --import tsx bench/grammar.ts [--tokenizer FILE ...] [--trials N]
// No adapter is needed. The real Llama-1/2 vocabulary (32,000 pieces), and each tokenizer.json that is named. Texts that meet each
// schema are written token by token, the longest token that fits first, as a model would; the first pass meets no mask that is known,
// the second all that are kept. A mask is computed while the device computes the logits it is for, unless it takes longer than those.
// One JSON line for each result, then the same for people.

import { readFileSync } from "node:fs";
import { cpus } from "node:os";
import { basename, dirname } from "node:path";
import { parseArgs } from "node:util";
import { Grammars, type TokenMask } from "../src/grammar/index.ts";
import { Random } from "../src/generate/random.ts";
import { sample } from "../src/generate/sample.ts";
import { samplingOptions } from "../src/generate/sampling.ts";
import { llama2TokenizerJson } from "../test/tokenizer/llama2.ts";
import { Tokenizer } from "../tokenizer/index.ts";

const { values } = parseArgs({
  options: { tokenizer: { type: "string", multiple: true, default: [] }, trials: { type: "string", default: "5" } },
});
const trials = Number(values.trials);

const person = {
  type: "object",
  properties: {
    name: { type: "string" },
    age: { type: "integer", minimum: 0, maximum: 150 },
    email: { type: "string", format: "email" },
    tags: { type: "array", items: { enum: ["admin", "user", "guest"] }, maxItems: 3 },
  },
  required: ["name", "age", "email", "tags"],
  additionalProperties: false,
};
const tree = {
  $defs: {
    node: {
      type: "object",
      properties: {
        label: { type: "string", maxLength: 40 },
        children: { type: "array", items: { $ref: "#/$defs/node" } },
      },
      required: ["label", "children"],
      additionalProperties: false,
    },
  },
  $ref: "#/$defs/node",
};
const branch = (depth: number): object => ({
  label: `a node at depth ${depth}`,
  children: depth === 0 ? [] : [branch(depth - 1), branch(depth - 1)],
});
const words = "The quick brown fox jumps over the lazy dog, and 'naïve' 日本 comes after it. ".repeat(6);
const people = Array.from({ length: 12 }, (_, i) => ({
  name: `Person ${i} of ${i * 7}`,
  age: i * 11,
  email: `p${i}@example.org`,
  tags: ["user"],
}));
const CASES: readonly (readonly [name: string, schema: unknown, value: unknown])[] = [
  ["any object", undefined, { text: words, list: people }],
  ["people", { type: "array", items: person }, people],
  ["tree", tree, branch(4)],
];

const round = (ms: number): number => Number(ms.toFixed(4));
/** CPU time of `work` in milliseconds: what else runs on the machine does not count. */
function cpu<T>(work: () => T): { readonly ms: number; readonly value: T } {
  const before = process.cpuUsage();
  const value = work();
  const { user, system } = process.cpuUsage(before);
  return { ms: (user + system) / 1000, value };
}
/** Milliseconds of `work` by the clock. */
function clock(work: () => unknown): number {
  const before = performance.now();
  work();
  return performance.now() - before;
}
const median = (list: readonly number[]): number => list.toSorted((a, b) => a - b)[list.length >> 1];

function report(row: object, line: string): void {
  console.log(JSON.stringify({ bench: "grammar", node: process.version, cpu: cpus()[0]?.model, ...row }));
  console.log(`  ${line}`);
}

/** Ids of a text, the longest token first at each place. */
function spelt(tokenizer: Tokenizer, text: string): number[] {
  const ids = new Map<string, number>();
  for (let id = 0; id < tokenizer.idEnd; id++) {
    const bytes = tokenizer.tokenBytes(id);
    if (bytes && bytes.length > 0) ids.set(Buffer.from(bytes).toString("latin1"), id);
  }
  const units = Buffer.from(text).toString("latin1");
  const out: number[] = [];
  for (let at = 0; at < units.length;) {
    let length = Math.min(32, units.length - at);
    while (!ids.has(units.slice(at, at + length))) length--;
    out.push(ids.get(units.slice(at, at + length))!);
    at += length;
  }
  return out;
}

/** Milliseconds per mask of one text, by the clock. */
function masks(start: () => TokenMask, ids: readonly number[]): number[] {
  const mask = start();
  return ids.map((id) => {
    const ms = clock(() => mask.allowed());
    mask.accept(id);
    return ms;
  });
}

const files = values.tokenizer.map((file) => [basename(dirname(file)), readFileSync(file, "utf8")] as const);
for (const [name, json] of [["Llama 2", llama2TokenizerJson()] as const, ...files]) {
  const tokenizer = Tokenizer.fromFiles({ tokenizerJson: json });
  const vocab = tokenizer.idEnd;
  const read = median(Array.from({ length: trials }, () => cpu(() => new Grammars(tokenizer, vocab)).ms));
  report(
    { case: "vocabulary", tokenizer: name, vocab, cpuMs: round(read) },
    `${name}: ${vocab} tokens read in ${read.toFixed(0)} ms`,
  );
  const row = Float32Array.from({ length: vocab }, (_, i) => Math.sin(i) * 10);
  const sampling = samplingOptions({ temperature: 0 });
  const drawn = new Random(1);
  const mask = new Grammars(tokenizer, vocab).grammar({ type: "string" })();
  mask.accept(spelt(tokenizer, '"')[0]);
  const allowed = mask.allowed();
  const draw = (): unknown => sample(row, sampling, { tokens: [], promptTokens: 0, allowed }, drawn);
  for (let i = 0; i < 20; i++) draw();
  const times = Array.from({ length: 20 * trials }, () => clock(draw));
  report(
    { case: "draw", tokenizer: name, vocab, medianMs: round(median(times)) },
    `a greedy draw from a whole row among what may come takes ${median(times).toFixed(2)} ms`,
  );
  for (const [schema, form, value] of CASES) {
    const ids = spelt(tokenizer, JSON.stringify(value));
    const runs = Array.from({ length: trials }, () => {
      const grammars = new Grammars(tokenizer, vocab);
      const compiled = cpu(() => grammars.grammar(form));
      const first = masks(compiled.value, ids);
      const again = masks(compiled.value, ids);
      return { compile: compiled.ms, first: first.toSorted((a, b) => a - b), again: again.toSorted((a, b) => a - b) };
    });
    const at = (pass: "first" | "again", share: number) =>
      median(runs.map((run) => run[pass][Math.floor(share * (ids.length - 1))]));
    const mean = (pass: "first" | "again") =>
      median(runs.map((run) => run[pass].reduce((a, b) => a + b, 0) / ids.length));
    const row = {
      compileMs: round(median(runs.map(({ compile }) => compile))),
      firstMeanMs: round(mean("first")),
      firstMedianMs: round(at("first", 0.5)),
      firstP99Ms: round(at("first", 0.99)),
      firstMaxMs: round(at("first", 1)),
      againMeanMs: round(mean("again")),
      againMaxMs: round(at("again", 1)),
    };
    report(
      { case: schema, tokenizer: name, vocab, tokens: ids.length, ...row },
      `${schema}: compiled in ${row.compileMs} ms; a mask takes ${row.firstMedianMs} ms (mean ${row.firstMeanMs}, p99 ${row.firstP99Ms}, ` +
        `most ${row.firstMaxMs}), known ones ${row.againMeanMs} ms`,
    );
  }
}
