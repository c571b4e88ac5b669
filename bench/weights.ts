// weights.ts — what weights in fewer bits do to a model: the tables of models/RESULTS.md.
//   node --import tsx bench/weights.ts [--tries 10] [--adapter NAME]
// Of models/kv-llama, as it is stored and held otherwise: perplexity of models/train/heldout.txt (window 512, stride 256), the mean
// KL divergence of its predictions from those of the first and how often both predict the same token (the first 2,048 tokens,
// 512 at a time), and the values found in each cell of retrieval. No clock.

import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Llama, type Quantize } from "../src/node/index.ts";
import { perplexity, retrieve } from "../src/retrieval/index.ts";

const path = (name: string) => fileURLToPath(new URL(`../models/${name}`, import.meta.url));
const text = { type: "string" } as const;
const { values } = parseArgs({ options: { tries: text, adapter: text } });
const tries = Number(values.tries ?? 10);
if (!Number.isSafeInteger(tries) || tries < 1) throw new TypeError(`--tries: got ${values.tries}, needed a number`);

/** Ways to hold the model; the first is what the others are compared with. */
const WAYS: readonly Quantize[] = [
  "none",
  "f16",
  "q8_0",
  { weights: "q4_0", embedding: "none", output: "none" },
  { weights: "q4_0", embedding: "q4_0", output: "q8_0" },
  { weights: "q4_0", embedding: "q8_0", output: "q8_0" },
  "q4_0",
];
const nameOf = (way: Quantize): string =>
  typeof way === "string" ? (way === "none" ? "as stored" : way) : `${way.weights}, embedding ${way.embedding}, output ${way.output}`; // prettier-ignore

/** Tokens per pass and passes of the comparison of predictions. */
const [LENGTH, PASSES] = [512, 4];

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
for (const way of WAYS) {
  using llama = await Llama.load(path("kv-llama"), { adapter: values.adapter, quantize: way });
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
  const { rows: [measured] } = await perplexity(llama, { text: heldout, windows: [LENGTH] }); // prettier-ignore
  const bytes = llama.memory.weights.toLocaleString("en-US");
  const name = nameOf(way);
  rows.push(`| ${name} | ${bytes} | ${measured.perplexity.toFixed(3)} | ${kl.toExponential(1)} | ${(100 * same).toFixed(1)} % |`); // prettier-ignore
  console.error(rows.at(-1));
  const report = await retrieve(llama, { tasks: ["uuid", "passkey"], promptLengths: ["0.5x", "0.95x"], positions: [0.1, 0.5, 0.9], tries }); // prettier-ignore
  for (const { task, promptLen, position, found: count, attempts } of report.cells) {
    const cell = `${task}, ${promptLen} tokens, at ${position}`;
    cells.set(cell, [...(cells.get(cell) ?? []), `${count}/${attempts.length}`]);
  }
}
console.log(`| held as | bytes of weights | perplexity | KL from that | same first token |\n|---|---|---|---|---|\n${rows.join("\n")}\n`); // prettier-ignore
console.log(`| values found | ${WAYS.map(nameOf).join(" | ")} |\n|---|${WAYS.map(() => "---|").join("")}`);
for (const [cell, counts] of cells) console.log(`| ${cell} | ${counts.join(" | ")} |`);
