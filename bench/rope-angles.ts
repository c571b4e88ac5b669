// rope-angles.ts — what the three meanings of length-dependent RoPE are worth: values found by kv-llama beyond its trained
// context, same prompts, dynamic NTK with each meaning of `ropeAngles`.
//   node --import tsx bench/rope-angles.ts [--tries 10] [--factors 2,4] [--lengths 1.2,1.5,1.9,2.5,3.5]
// Prints JSON lines and, at the end, the table of ARCHITECTURE.md.
import { parseArgs } from "node:util";
import { Llama } from "../src/node/index.ts";
import { prompts } from "../src/retrieval/prompts/index.ts";
import { wilson } from "../src/retrieval/stats.ts";

const { values } = parseArgs({
  options: {
    model: { type: "string", default: "models/kv-llama" },
    tries: { type: "string", default: "10" },
    factors: { type: "string", default: "2,4" },
    lengths: { type: "string", default: "1.2,1.5,1.9,2.5,3.5" },
  },
});
const numbers = (text: string) => text.split(",").map(Number);
const POSITIONS = [0.1, 0.2, 0.5, 0.8];
const MEANINGS = ["planned", "current", "as-inserted"] as const;

using llama = await Llama.load(values.model);
const tokenizer = llama.tokenizer!;
const trained = llama.config.maxPositions;
const tries = Number(values.tries);
const table: string[] = [];
for (const factor of numbers(values.factors)) {
  for (const ropeAngles of MEANINGS) {
    const row = [`dynamic ${factor}`, ropeAngles];
    for (const length of numbers(values.lengths)) {
      const asked = POSITIONS.flatMap((position) =>
        Array.from({ length: tries }, (_, i) =>
          prompts.uuid({
            count: (text) => tokenizer.encode(text).length,
            tokens: Math.floor(length * trained),
            position,
            key: ["rope-angles", String(length), String(position), String(i)],
          }),
        ),
      );
      let found = 0;
      // Eight at a time: they decode in shared steps.
      for (let i = 0; i < asked.length; i += 8) {
        const answers = await Promise.all(
          asked.slice(i, i + 8).map(async ({ text, value }) => {
            const ropeScaling = { rope_type: "dynamic", factor } as const;
            const done = await llama.complete(text, { ropeScaling, ropeAngles, maxNewTokens: 40, allowBeyond: true });
            return done.text.includes(value);
          }),
        );
        found += answers.filter(Boolean).length;
      }
      const rate = found / asked.length;
      const { low, high } = wilson(found, asked.length);
      console.log(
        JSON.stringify({ bench: "rope-angles", factor, ropeAngles, length, found, of: asked.length, low, high }),
      );
      row.push(`${Math.round(100 * rate)} %`);
    }
    table.push(`| ${row.join(" | ")} |`);
  }
}
const lengths = numbers(values.lengths);
console.log(`\n| scaling | angles | ${lengths.map((length) => `${length} L`).join(" | ")} |`);
console.log(`|---|---|${lengths.map(() => "---:|").join("")}`);
console.log(table.join("\n"));
