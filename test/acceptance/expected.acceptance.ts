// Single answers: what kv-llama and kv-llama-pi say to the prompts of test/fixtures/expected is what transformers made them
// say, id by id, under every RoPE setting and meaning of dynamic; no scaling fails where scaling passes; and a model whose
// scaling is ignored is caught. LLARIAT_ALL=1 asks every prompt under every setting, otherwise a third of them, so that
// each prompt and each cell of setting, length and position comes twice.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { judge, prompts } from "../../src/retrieval/index.ts";
import type { CompleteOptions, Engine } from "../../src/retrieval/index.ts";
import { firstDifference } from "../tools/models.ts";
import { type Bundled, Model, TRAINED, everything, withoutScaling } from "./bundled.ts";
import {
  TIE,
  type Recorded,
  type RecordedPrompt,
  type Result,
  greedy as options,
  recorded,
  settings,
} from "./recorded.ts";

const test = suite("expected answers");

/** A recorded answer, how we are asked for it, and in which column of the file it stands. */
interface Asked {
  readonly prompt: RecordedPrompt;
  readonly rope: string;
  readonly options: CompleteOptions;
  readonly want: Omit<Result, "cached">;
}

/** Columns that are asked in full: those of the rule below, and short ones. */
const WHOLE = new Set(["kv-far none", "kv-far yarn4", "kv-pi own", "title none", "title dynamic2", "title yarn2"]);

function questions(name: string, file: Recorded): Asked[] {
  const ropes = [...new Set(file.prompts.flatMap(({ results }) => Object.keys(results)))];
  return ropes.flatMap((rope, column) =>
    settings(rope).flatMap(({ scaling, of }) =>
      file.prompts
        .filter(({ seed }) => everything || WHOLE.has(`${name} ${rope}`) || (seed + column) % 3 === 0)
        .map((prompt) => ({
          prompt,
          rope,
          options: options(scaling, file.max_new_tokens),
          want: of(prompt.results[rope]),
        })),
    ),
  );
}

/** Answers that differ where none may, and how many differ only from a tie on. */
async function compare(engine: Engine, asked: readonly Asked[]): Promise<{ wrong: string[]; ties: number }> {
  const wrong: string[] = [];
  let ties = 0;
  for (const { prompt, rope, options, want } of asked) {
    const { ids } = (await engine.complete(prompt.prompt, options)) as Awaited<ReturnType<Model["complete"]>>;
    const at = firstDifference(ids, want.ids);
    if (at < 0) continue;
    if (want.min_gap <= TIE) ties++;
    else wrong.push(`${prompt.id}, ${rope}: token ${at} is ${ids[at]}, transformers ${want.ids[at]}`);
  }
  return { wrong, ties };
}

const loaded = new Map<string, Promise<Model>>();
function model(name: Bundled): Promise<Model> {
  const known = loaded.get(name) ?? Model.load(name);
  loaded.set(name, known);
  return known;
}

for (const name of ["kv", "kv-far", "passkey", "title", "kv-pi"]) {
  test(`${name}: the same answers as transformers`, async () => {
    const file = recorded(name);
    const engine = await model(file.model);
    const asked = questions(name, file);
    const started = performance.now();
    await engine.ask(asked.map(({ prompt: { prompt }, options }) => ({ prompt, options })));
    const seconds = (performance.now() - started) / 1000;
    const { wrong, ties } = await compare(engine, asked);
    assert.is(wrong.length, 0, `${wrong.length} of ${asked.length} answers differ:\n${wrong.join("\n")}`);
    assert.is(new Set(asked.map(({ prompt }) => prompt.id)).size, file.prompts.length, "every prompt is asked");
    const of = file.prompts.reduce((sum, { results }) => sum + Object.keys(results).length, 0);
    const parted = ties ? `, ${ties} only up to a tie` : "";
    console.log(
      `note: ${name}: ${asked.length} of ${of} answers, all as transformers'${parted}; ${seconds.toFixed(0)} s`,
    );
  });
}

test("no scaling fails where scaling passes: secrets early in the prompt, titles", async () => {
  const engine = await model("kv-llama");
  /** Values found of a file's prompts of one length, under a setting. */
  const found = async (name: string, length: number, scaling: string): Promise<{ found: number; tries: number }> => {
    const { prompts: all, max_new_tokens: most } = recorded(name);
    const mine = prompts.fromFixture({ prompts: all.filter((each) => each.rel_len === length) }, engine.count);
    const right = mine.map(
      async ({ prompt }) => judge(prompt, (await engine.complete(prompt.text, options(scaling, most))).text).found,
    );
    return { found: (await Promise.all(right)).filter(Boolean).length, tries: mine.length };
  };
  const lines: string[] = [];
  for (const [name, length, passing, most] of [
    ["kv-far", 1.9, "yarn:4", 2],
    ["kv-far", 2.5, "yarn:4", 0],
    ["kv-far", 3.5, "yarn:4", 0],
    ["title", 1.5, "yarn:2", 0],
    ["title", 1.5, "dynamic:2/as-inserted", 0],
  ] as const) {
    const [without, scaled] = [await found(name, length, "none"), await found(name, length, passing)];
    const line = `${name} at ${length} ×: none ${without.found}, ${passing} ${scaled.found} of ${scaled.tries}`;
    // At 1.9 × RESULTS.md has 2 and 18 % without scaling: two of twelve are within that, and still the opposite of all.
    assert.ok(without.found <= most && scaled.found === scaled.tries, line);
    lines.push(line);
  }
  console.log(`note: ${lines.join("; ")}`);
});

test("angles of the present length answer as a whole recomputation: in the first token always, in nearly all values", async () => {
  const engine = await model("kv-llama");
  const { prompts: all, max_new_tokens: most } = recorded("kv");
  const asked = ["dynamic2", "dynamic4"].flatMap((rope, column) =>
    all
      .filter(({ seed, rel_len }) => rel_len > 1 && (everything || seed % 6 === column))
      .map((prompt) => ({ prompt, rope, options: options(rope.replace(/(\d)$/, ":$1/current"), most) })),
  );
  await engine.ask(asked.map(({ prompt: { prompt }, options }) => ({ prompt, options })));
  let [same, agree] = [0, 0];
  for (const { prompt, rope, options } of asked) {
    const { ids, text } = await engine.complete(prompt.prompt, options);
    const want = prompt.results[rope];
    // The prompt is read with the frequencies of its length in both. What is generated later sees keys and values that
    // were computed when the sequence was shorter, in layers above the first; a recomputation makes these anew.
    if (want.min_gap > TIE) assert.is(ids[0], want.ids[0], `${prompt.id}, ${rope}`);
    same += Number(firstDifference(ids, want.ids) < 0);
    agree += Number(text.includes(prompt.value) === want.found);
  }
  assert.ok(agree >= 0.9 * asked.length, `${agree} of ${asked.length} values as transformers found them`);
  console.log(`note: current: ${same} of ${asked.length} answers as with use_cache=False, ${agree} in the value`);
});

test("every step recomputed is use_cache=False, also where the cached answer is another", async () => {
  const { llama } = await model("kv-llama");
  const chosen = recorded("kv").prompts.filter(({ rel_len, results }) => rel_len === 1.2 && results["dynamic4"].cached);
  for (const { prompt, results, id } of everything ? chosen : chosen.slice(0, 2)) {
    const { ids: want, min_gap: gap } = results["dynamic4"];
    const ids = Array.from(llama.tokenizer!.encode(prompt));
    const start = ids.length;
    while (ids.length < start + want.length) {
      const logits = await llama.logits(ids, { rows: "last", ropeScaling: { rope_type: "dynamic", factor: 4 } });
      ids.push(logits.reduce((best, logit, i) => (logit > logits[best] ? i : best), 0));
    }
    assert.ok(ids.length > TRAINED);
    if (gap > TIE) assert.equal(ids.slice(start), want, id);
  }
  assert.ok(chosen.length > 2, "there are such prompts");
});

test("an engine that ignores scaling is caught under every setting", async () => {
  const engine = await model("kv-llama");
  const deaf = withoutScaling(engine);
  const counts = new Map<string, { wrong: number; of: number }>();
  for (const name of ["kv", "kv-far", "passkey", "title"]) {
    const file = recorded(name);
    // Only prompts whose answer without scaling is known by now.
    const known = questions(name, file).flatMap(({ prompt, rope }) => (rope === "none" ? [prompt] : []));
    for (const rope of Object.keys(known[0].results)) {
      const [{ scaling, of }] = settings(rope);
      const column = known.map((prompt) => ({
        prompt,
        rope,
        options: options(scaling, file.max_new_tokens),
        want: of(prompt.results[rope]),
      }));
      const { wrong } = await compare(deaf, column);
      const before = counts.get(rope) ?? { wrong: 0, of: 0 };
      counts.set(rope, { wrong: before.wrong + wrong.length, of: before.of + column.length });
    }
  }
  for (const [rope, { wrong, of }] of counts) {
    assert.is(wrong > 0, rope !== "none", `${rope} ignored: ${wrong} of ${of} answers noticed`);
  }
  const caught = [...counts].map(([rope, { wrong, of }]) => `${rope} ${wrong}/${of}`);
  console.log(`note: wrong answers of an engine that ignores scaling: ${caught.join(", ")}`);
});

test.after(async () => {
  for (const each of loaded.values()) (await each).llama.close();
});
test.run();
