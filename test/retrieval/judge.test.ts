import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Prompt } from "../../src/retrieval/index.ts";
import { judge } from "../../src/retrieval/judge.ts";
import { expected } from "./fake.ts";

const test = suite("retrieval judge");

const uuid: Prompt = {
  task: "uuid",
  text: "",
  value: "d486",
  answers: ["d486", "The value of the key 'e29a369f' is 'd486'."],
  others: ["650a", "bab2"],
  tokens: 1,
  distance: 1,
};
const verdict = (prompt: Prompt, answer: string): string => {
  const { found, alone, exact } = judge(prompt, answer);
  return [found && "found", alone && "alone", exact && "exact"].filter(Boolean).join(" ");
};

test("the value in the answer counts, whatever the sentence", () => {
  assert.is(verdict(uuid, " The value of the key 'e29a369f' is 'd486'."), "found alone exact");
  assert.is(verdict(uuid, "'d486'"), "found alone exact");
  assert.is(verdict(uuid, "d486"), "found alone exact");
  assert.is(verdict(uuid, "It is d486, I think."), "found alone");
  assert.is(verdict(uuid, ""), "");
  assert.is(verdict(uuid, "I do not know."), "");
  assert.is(verdict(uuid, "D486"), "", "hexadecimal digits are copied, not renamed");
});

test("run-ons and lists are found, but not alone", () => {
  assert.is(verdict(uuid, " The value is 'd4867'? [/INST]"), "found");
  assert.is(verdict(uuid, "650a, bab2 or d486"), "found");
  assert.is(verdict(uuid, "x650ay d486"), "found alone", "another value inside a word is not named");
});

test("titles: either case of letters, and short", () => {
  const title: Prompt = {
    ...uuid,
    task: "title",
    value: "Extending Context",
    answers: ["Extending Context"],
    others: [],
  };
  assert.is(verdict(title, "\nEXTENDING CONTEXT"), "found alone exact");
  assert.is(verdict(title, 'The title is "extending context".'), "found alone");
  assert.is(verdict(title, `Extending Context ${"x".repeat(500)}`), "", "500 characters are no title");
});

test("the rule agrees with every answer of transformers in the fixtures", () => {
  type File = {
    prompts: {
      task: string;
      value: string;
      answer: string;
      results: Record<string, { text: string; found: boolean }>;
    }[];
  };
  let count = 0;
  for (const file of ["kv.json", "kv-far.json", "kv-pi.json", "passkey.json", "title.json"]) {
    for (const { task, value, answer, results } of (expected(file) as File).prompts) {
      const prompt: Prompt = {
        ...uuid,
        task: task === "kv" ? "uuid" : (task as Prompt["task"]),
        value,
        answers: [answer.trim()],
        others: [],
      };
      for (const { text, found } of Object.values(results)) {
        assert.is(judge(prompt, text).found, found, `${file}: ${text}`);
        count++;
      }
    }
  }
  assert.ok(count > 1300, `${count} answers`);
});

test.run();
