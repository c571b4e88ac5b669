// answers.ts — which recorded answers of transformers change when weights, or keys and values, are held in fewer bits.
//   node --import tsx bench/answers.ts [--of weights|caches] [--every 6] [--adapter NAME]
// The prompts of test/fixtures/expected under their RoPE settings, every N-th of each column, greedily. An answer is the same, or differs only
// where transformers' two best logits are closer than rounding (a tie), or differs; and its value is found or not. No clock.

import { parseArgs } from "node:util";
import type { CacheName, Quantize } from "../src/node/index.ts";
import { Model } from "../test/acceptance/bundled.ts";
import { TIE, greedy, recorded, settings } from "../test/acceptance/recorded.ts";
import { firstDifference } from "../test/tools/models.ts";

const text = { type: "string" } as const;
const { values } = parseArgs({ options: { of: text, every: text, adapter: text } });
const every = Number(values.every ?? 6);
if (!Number.isSafeInteger(every) || every < 1) throw new TypeError(`--every: got ${values.every}, needed a number`);

const WAYS: Readonly<Record<string, readonly { quantize?: Quantize; kvCache?: CacheName }[]>> = {
  weights: [{ quantize: "none" }, { quantize: "f16" }, { quantize: "q8_0" }, { quantize: "q4_0" }],
  caches: [{ kvCache: "f32" }, { kvCache: "f16" }, { kvCache: "q8" }],
};
const ways = WAYS[values.of ?? "weights"];
if (!ways) throw new TypeError(`--of: got ${values.of}, needed ${Object.keys(WAYS).join(" or ")}`);

console.log(
  "| held as | answers | same | up to a tie | others | values found | by transformers |\n|---|---|---|---|---|---|---|",
);
for (const way of ways) {
  let [count, same, ties, found, foundThere] = [0, 0, 0, 0, 0];
  for (const model of ["kv-llama", "kv-llama-pi"] as const) {
    using engine = await Model.load(model, { adapter: values.adapter, ...way });
    for (const name of ["kv", "kv-far", "passkey", "title", "kv-pi"]) {
      const file = recorded(name);
      if (file.model !== model) continue;
      const ropes = [...new Set(file.prompts.flatMap(({ results }) => Object.keys(results)))];
      const asked = ropes.flatMap((rope, column) =>
        settings(rope).flatMap(({ scaling, of }) =>
          file.prompts
            .filter(({ seed }) => (seed + column) % every === 0)
            .map(({ prompt, value, results }) => ({
              prompt,
              value,
              options: greedy(scaling, file.max_new_tokens),
              want: of(results[rope]),
            })),
        ),
      );
      await engine.ask(asked);
      for (const { prompt, options, value, want } of asked) {
        const answer = await engine.complete(prompt, options);
        count++;
        if (firstDifference(answer.ids, want.ids) < 0) same++;
        else if (want.min_gap <= TIE) ties++;
        found += Number(answer.text.includes(value));
        foundThere += Number(want.found);
      }
    }
  }
  const held = way.quantize === "none" ? "as stored" : (way.quantize ?? way.kvCache);
  console.log(
    `| ${held as string} | ${count} | ${same} | ${ties} | ${count - same - ties} | ${found} | ${foundThere} |`,
  );
}
