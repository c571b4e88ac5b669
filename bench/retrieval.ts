// retrieval.ts — what the retrieval suite itself costs: time to build a prompt of each task and to judge the answer to it,
// beside the time in which the bundled model answers it.
//   node --import tsx bench/retrieval.ts [--model models/kv-llama] [--tokens 1600] [--tries 3]
// Prints a JSON line per task and one for all tasks: CPU milliseconds of this process per prompt, which do not count what
// others do meanwhile, and the share of building and judging in percent.
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { Llama } from "../src/node/index.ts";
import { judge } from "../src/retrieval/judge.ts";
import { TASK_NAMES } from "../src/retrieval/prompts/prompt.ts";
import { TASKS } from "../src/retrieval/prompts/tasks.ts";

const { values } = parseArgs({
  options: {
    model: { type: "string", default: "models/kv-llama" },
    tokens: { type: "string", default: "1600" },
    tries: { type: "string", default: "3" },
  },
});
const [tokens, tries] = [Number(values.tokens), Number(values.tries)];
const filler = readFileSync(new URL("../test/fixtures/documents/atomic-commit.txt", import.meta.url), "utf8");
const materials = {
  documents: [{ name: "atomic-commit", text: filler }],
  titles: "made",
  leastTokens: 0,
  fit: "exact",
  filler,
  needle: undefined,
  questions: [],
  chat: undefined,
} as const;

using llama = await Llama.load(values.model);
const tokenizer = llama.tokenizer!;
const count = (text: string): number => tokenizer.encode(text).length;
let cpu = process.cpuUsage();
/** CPU milliseconds since the last call. */
const lap = (): number => {
  const { user, system } = process.cpuUsage(cpu);
  cpu = process.cpuUsage();
  return (user + system) / 1000;
};

const all = { build: 0, judge: 0, answer: 0 };
const line = (task: string, of: typeof all, prompts: number): void => {
  const each = (ms: number): number => Math.round((ms / prompts) * 100) / 100;
  const share = Math.round((1000 * (of.build + of.judge)) / (of.build + of.judge + of.answer)) / 10;
  const times = { buildMs: each(of.build), judgeMs: each(of.judge), answerMs: each(of.answer) };
  console.log(JSON.stringify({ bench: "retrieval", task, tokens, prompts, ...times, percent: share }));
};
const ropeScaling = { rope_type: "yarn", factor: 4 } as const;
let asked = 0;
for (const task of TASK_NAMES) {
  const rule = TASKS[task];
  if (rule.material === "questions") continue;
  const spent = { build: 0, judge: 0, answer: 0 };
  // One before, so that all are compiled.
  for (let index = -1; index < tries; index++) {
    lap();
    const prompt = rule.build({ count, tokens, position: 0.5, index, key: ["bench", index], materials });
    const build = lap();
    const answers: string[] = [];
    for (const { text } of prompt.turns ?? [prompt]) {
      const options = { maxNewTokens: rule.answerTokens, temperature: 0, ropeScaling, allowBeyond: true } as const;
      answers.push((await llama.complete(text, options)).text);
    }
    const answer = lap();
    answers.forEach((text, i) => judge(prompt.turns?.[i] ?? prompt, text));
    if (index < 0) continue;
    spent.judge += lap();
    spent.build += build;
    spent.answer += answer;
  }
  line(task, spent, tries);
  for (const part of ["build", "judge", "answer"] as const) all[part] += spent[part];
  asked += tries;
}
line("all", all, asked);
