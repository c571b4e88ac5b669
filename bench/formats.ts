// formats.ts — what weights, or keys and values, in fewer bits do to a model: the tables of models/RESULTS.md.
//   node --import tsx bench/formats.ts [--of weights|caches] [--tries 10] [--adapter NAME]
// Of models/kv-llama, as it is by default and held otherwise: perplexity of models/train/heldout.txt (window 512, stride 256), the mean
// KL divergence of its predictions from those of the first and how often both predict the same token (the first 2,048 tokens,
// 512 at a time), and the values found in each cell of retrieval: to the end of the trained context, and under "yarn" to twice that. No clock.

import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type CacheName, Llama, type Quantize } from "../src/node/index.ts";
import { perplexity, retrieve } from "../src/retrieval/index.ts";

const path = (name: string) => fileURLToPath(new URL(`../models/${name}`, import.meta.url));
const text = { type: "string" } as const;
const { values } = parseArgs({ options: { of: text, tries: text, adapter: text } });
const tries = Number(values.tries ?? 10);
if (!Number.isSafeInteger(tries) || tries < 1) throw new TypeError(`--tries: got ${values.tries}, needed a number`);

/** Ways to hold the model; the first is what the others are compared with. */
interface Way {
  readonly quantize?: Quantize;
  readonly kvCache?: CacheName;
}
const WAYS: Readonly<Record<string, readonly Way[]>> = {
  weights: [
    { quantize: "none" },
    { quantize: "f16" },
    { quantize: "q8_0" },
    { quantize: { weights: "q4_0", embedding: "none", output: "none" } },
    { quantize: { weights: "q4_0", embedding: "q4_0", output: "q8_0" } },
    { quantize: { weights: "q4_0", embedding: "q8_0", output: "q8_0" } },
    { quantize: "q4_0" },
  ],
  caches: [{ kvCache: "f32" }, { kvCache: "f16" }, { kvCache: "q8" }],
};
const ways = WAYS[values.of ?? "weights"];
if (!ways) throw new TypeError(`--of: got ${values.of}, needed ${Object.keys(WAYS).join(" or ")}`);

const nameOf = ({ quantize, kvCache }: Way): string => {
  if (quantize === undefined) return kvCache!;
  if (typeof quantize === "string") return quantize === "none" ? "as stored" : quantize;
  return `${quantize.weights}, embedding ${quantize.embedding}, output ${quantize.output}`;
};

/** Tokens per pass and passes of the comparison of predictions. */
const [LENGTH, PASSES] = [512, 4];

/** RoPE scalings, and prompts in trained contexts. */
const REACHES = [
  ["none", "0.95x"],
  ["yarn:2", "1.9x"],
] as const;

/** log of each probability of a row of logits. */
function logProbabilities(logits: Float32Array): Float64Array {
  const top = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  const mass = logits.reduce((sum, logit) => sum + Math.exp(logit - top), 0);
  return Float64Array.from(logits, (logit) => logit - top - Math.log(mass));
}

/** Σ p (log p − log q) of a position, in nats, and whether p and q are largest for the same token. */
function compare(p: Float64Array, q: Float64Array): { kl: number; same: boolean } {
  const kl = p.reduce((sum, log, i) => sum + Math.exp(log) * (log - q[i]), 0);
  const best = (of: Float64Array) => of.indexOf(of.reduce((a, b) => Math.max(a, b), -Infinity));
  return { kl, same: best(p) === best(q) };
}

const heldout = await readFile(path("train/heldout.txt"), "utf8");
let base: Float64Array[] | undefined;
const rows: string[] = [];
const cells = new Map<string, string[]>();
for (const way of ways) {
  using llama = await Llama.load(path("kv-llama"), { adapter: values.adapter, ...way });
  const ids = llama.tokenizer!.encode(heldout);
  const { vocab } = llama.config;
  const predicted: Float64Array[] = [];
  for (let pass = 0; pass < PASSES; pass++) {
    const logits = await llama.logits(ids.slice(pass * LENGTH, (pass + 1) * LENGTH), { rows: "all" });
    for (let at = 0; at < logits.length; at += vocab) predicted.push(logProbabilities(logits.subarray(at, at + vocab)));
  }
  base ??= predicted;
  const found = base.map((p, i) => compare(p, predicted[i]));
  const kl = found.reduce((sum, each) => sum + each.kl, 0) / found.length;
  const same = found.filter((each) => each.same).length / found.length;
  const [measured] = (await perplexity(llama, { text: heldout, windows: [LENGTH] })).rows;
  const bytes = (way.kvCache ? llama.kvBytes(LENGTH) : llama.memory.weights).toLocaleString("en-US");
  const name = nameOf(way);
  rows.push(`| ${name} | ${bytes} | ${measured.perplexity.toFixed(3)} | ${kl.toExponential(1)} | ${(100 * same).toFixed(1)} % |`); // prettier-ignore
  console.error(rows.at(-1));
  for (const [scaling, length] of REACHES) {
    const asked = { ropeScalings: [scaling], promptLengths: [length], positions: [0.1, 0.5, 0.9], tries };
    const report = await retrieve(llama, { tasks: ["uuid", "passkey"], ...asked });
    for (const { task, promptLen, position, found: count, attempts } of report.cells) {
      const cell = `${task}, ${promptLen} tokens, ${scaling}, at ${position}`;
      cells.set(cell, [...(cells.get(cell) ?? []), `${count}/${attempts.length}`]);
    }
  }
}
console.log(`| held as | bytes of ${values.of === "caches" ? `${LENGTH} tokens` : "weights"} | perplexity | KL from that | same first token |\n|---|---|---|---|---|\n${rows.join("\n")}\n`); // prettier-ignore
console.log(`| values found | ${ways.map(nameOf).join(" | ")} |\n|---|${ways.map(() => "---|").join("")}`);
for (const [cell, counts] of cells) console.log(`| ${cell} | ${counts.join(" | ")} |`);
