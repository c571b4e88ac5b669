// h2oGPT's own lengths: kv-llama-4k, trained for 4,096 tokens, on prompts of 256 to 8,000. It answers id by id what transformers
// made it answer, directly and through a server; no scaling fails where transformers' does, and nowhere else; and it finds as
// many values. A sample asks each recorded prompt once, under one of its settings, and one prompt of some cells. Everything
// (`npm run test:acceptance -- --all long`, or LLARIAT_ALL=1) asks each under all of them, and three prompts of every cell.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type CompleteOptions, parseScaling, prompts, retrieve, viaUrl } from "../../src/retrieval/index.ts";
import { serve } from "../../src/node/server.ts";
import { firstDifference } from "../tools/models.ts";
import { Model, TRAINED, everything, withoutScaling } from "./bundled.ts";
import { type Pair, disagreements } from "./compare.ts";
import {
  TIE,
  type RecordedPrompt,
  type Result,
  greedy,
  measured4k as measured,
  recorded,
  settings,
} from "./recorded.ts";
import { type TaskPrompt, kv, passkey } from "./tasks.ts";

const test = suite("h2oGPT's own lengths");
const { prompts: all, max_new_tokens: most } = recorded("kv-4k");
const ROPES = Object.keys(all[0].results);

let model: Model;
test.before(async () => {
  model = await Model.load("kv-llama-4k");
});
test.after(() => model.llama.close());

/** A recorded answer and how it is asked for. */
interface Asked {
  readonly prompt: RecordedPrompt;
  readonly rope: string;
  readonly options: CompleteOptions;
  readonly want: Omit<Result, "cached">;
}

/** In a sample the columns take turns, so that each prompt is asked once and each setting at both lengths. */
const asked: readonly Asked[] = all.flatMap((prompt, row) =>
  ROPES.filter((_, column) => everything || (row + column) % ROPES.length === 0).flatMap((rope) =>
    settings(rope).map(({ scaling, of }) => ({
      prompt,
      rope,
      options: greedy(scaling, most),
      want: of(prompt.results[rope]),
    })),
  ),
);
/** What no scaling was asked and, by transformers' record, does not find. */
const lost = asked.filter(({ rope, want }) => rope === "none" && !want.found).map(({ prompt }) => prompt);

test("the recorded prompts are made here letter by letter, and have the tokens transformers was asked with", () => {
  for (const {
    prompt,
    set,
    prompt_len: tokens,
    rel_secret_pos: position,
    seed,
    n_ids: count,
    id,
  } of all as readonly (RecordedPrompt & { set: string })[]) {
    // prettier-ignore
    assert.is(kv({ set, length: tokens / TRAINED, position: position!, seed }).prompt, prompt, id);
    assert.is(model.count(prompt), count, id);
  }
});

test("recorded answers: the same ids as transformers", async () => {
  const started = performance.now();
  await model.ask(asked.map(({ prompt: { prompt }, options }) => ({ prompt, options })));
  const wrong: string[] = [];
  let ties = 0;
  for (const { prompt, rope, options, want } of asked) {
    const { ids } = await model.complete(prompt.prompt, options);
    const at = firstDifference(ids, want.ids);
    if (at < 0) continue;
    if (want.min_gap <= TIE) ties++;
    else wrong.push(`${prompt.id}, ${rope}: token ${at} is ${ids[at]}, transformers ${want.ids[at]}`);
  }
  assert.is(wrong.length, 0, `${wrong.length} of ${asked.length} answers differ:\n${wrong.join("\n")}`);
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  console.log(
    `note: ${asked.length} of ${all.length * ROPES.length} answers, all as transformers', ${ties} up to a tie; ${seconds} s`,
  );
});

test("where no scaling loses the value, the default angles of dynamic 2 find it, in exactly the right answer", async () => {
  assert.ok(lost.length > 0, "no scaling loses some");
  for (const prompt of lost) {
    const { text } = await model.complete(prompt.prompt, greedy("dynamic:2", most));
    assert.is(text, prompt.answer, prompt.id);
  }
});

test("an engine that ignores scaling is caught under every setting", async () => {
  const deaf = withoutScaling(model);
  for (const rope of ROPES.filter((each) => each !== "none")) {
    for (const prompt of lost) {
      const [{ scaling, of }] = settings(rope);
      const { ids } = (await deaf.complete(prompt.prompt, greedy(scaling, most))) as Awaited<
        ReturnType<Model["complete"]>
      >;
      assert.ok(firstDifference(ids, of(prompt.results[rope]).ids) >= 0, `${prompt.id}: ${rope} ignored, not noticed`);
    }
  }
});

test("through a server, asked over HTTP: the texts of transformers", async () => {
  const server = serve({ models: { "kv-llama-4k": model.llama } });
  try {
    const { tokenizer, rope } = model;
    const engine = viaUrl({ url: await server.listen({ port: 0 }), tokenizer, rope, retries: 0 });
    const mine = everything ? all : all.slice(-1);
    const ropes = everything ? ["none", "dynamic2", "yarn2"] : ["yarn2"];
    for (const rope of ropes) {
      const [{ scaling, of }] = settings(rope);
      const report = await retrieve(engine, {
        fixture: prompts.fromFixture({ prompts: mine }, model.count),
        ropeScalings: [parseScaling(scaling)],
        maxNewTokens: most,
        runHopeless: true,
        model: "kv-llama-4k",
      });
      const attempts = report.cells.flatMap((cell) => cell.attempts);
      assert.is(attempts.length, mine.length);
      for (const { text, error } of attempts) assert.is(error, undefined, text);
      // Cells go by length and position: the answers are compared as sets, which a value of each prompt's own allows.
      const want = mine.map(({ results }) => of(results[rope])).filter(({ min_gap: gap }) => gap > TIE);
      const texts = attempts.map(({ text }) => text);
      for (const { text } of want) assert.ok(texts.includes(text), `${rope}: ${text} is none of ${texts.join()}`);
    }
  } finally {
    await server.close();
  }
});

/** Cells of a sample: no scaling within the trained context and beyond it, and scalings where that finds nothing. */
const SAMPLE = new Set(["kv/none/4000/0.2", "kv/none/6000/0.2", "kv/yarn2/6000/0.2", "kv/frozen2/6000/0.2"]);
/** Prompts asked of a cell: of twelve, so many that a whole run takes no more than an hour. */
const TRIES = everything ? 3 : 1;

/** A cell of measured-4k.json and what is asked of it: its first prompts. */
function cellOf(key: string): {
  pair: (found: number, exact: number) => Pair[];
  mine: TaskPrompt[];
  options: CompleteOptions;
} {
  const [task, rope, tokens, position] = key.split("/");
  const [tries, found, exact] = measured[key];
  const make = task === "kv" ? kv : passkey;
  const cell = { set: "rates", length: Number(tokens) / TRAINED, position: Number(position) };
  const mine = Array.from({ length: TRIES }, (_, seed) => make({ ...cell, seed }));
  const place = { length: Number(tokens), position: cell.position };
  return {
    mine,
    options: greedy(settings(rope)[0].scaling, task === "kv" ? most : 12), // as transformers
    pair: (value, whole) => [
      { ...place, row: `${task} ${rope}`, ours: { found: value, tries: TRIES }, theirs: { found, tries } },
      {
        ...place,
        row: `${task} ${rope}, whole`,
        ours: { found: whole, tries: TRIES },
        theirs: { found: exact, tries },
      },
    ],
  };
}

const cells = Object.keys(measured).filter((key) => everything || SAMPLE.has(key));
for (const row of new Set(cells.map((key) => key.split("/").slice(0, 2).join(" ")))) {
  // The prompts asked are among those that transformers was asked: in a cell where it found all, or nothing, so must we.
  // In the others the hypergeometric distribution of compare.ts decides, which is narrower than the binomial one.
  test(`${row}: the rates of transformers, by length and position`, async () => {
    const mine = cells.filter((key) => key.startsWith(`${row.replace(" ", "/")}/`)).map(cellOf);
    await model.ask(mine.flatMap(({ mine: each, options }) => each.map(({ prompt }) => ({ prompt, options }))));
    const pairs: Pair[] = [];
    for (const { mine: each, options, pair } of mine) {
      const answers = await Promise.all(each.map(({ prompt }) => model.complete(prompt, options)));
      const right = (is: (text: string, prompt: TaskPrompt) => boolean): number =>
        answers.filter(({ text }, i) => is(text, each[i])).length;
      pairs.push(
        ...pair(
          right((text, { value }) => text.includes(value)),
          right((text, { answer }) => text.endsWith(answer)),
        ),
      );
    }
    const wrong = disagreements(pairs);
    assert.is(wrong.length, 0, wrong.join("\n"));
    const found = pairs.filter(({ row: name }) => !name.endsWith("whole"));
    console.log(
      `note: ${row}: ${found.map(({ length, position, ours, theirs }) => `${length}@${position} ${ours.found}/${ours.tries}~${theirs.found}/${theirs.tries}`).join(" ")}`,
    );
  });
}

test.run();
