// --chat: prompts in a model's chat format are read as its template means them, by the model itself and by a server.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { chatEngine, chatText } from "../../src/cli/chat.ts";
import type { Llama } from "../../src/index.ts";
import { refusedSync } from "../tools/refused.ts";
import { tokenizer } from "../retrieval/fake.ts";

const test = suite("cli chat");

/** A model that keeps what it is asked. */
const asked: { prompt: unknown; options: unknown }[] = [];
const model = (name: string): Llama =>
  ({
    tokenizer: tokenizer(name),
    complete: async (prompt: unknown, options: unknown) => (asked.push({ prompt, options }), { text: "" }),
  }) as unknown as Llama;

test("a model gets the template's ids, with the beginning of the answer after them", async () => {
  for (const name of ["kv-llama", "llama2-legacy", "llama2-metaspace", "smollm"]) {
    const llama = model(name);
    const { engine, chat } = chatEngine(llama, name === "smollm");
    const text = chat([["What is it?", " It is"]]);
    const messages = [{ role: "user", content: "What is it?" }];
    const written = llama.tokenizer!.applyChatTemplate(messages, { addGenerationPrompt: true });
    assert.is(text, `${written} It is`);
    const ids = llama.tokenizer!.encode(text, { addSpecialTokens: false });
    await engine.complete(text, { maxNewTokens: 3, temperature: 0, allowBeyond: true });
    const { prompt, options } = asked.at(-1)!;
    assert.equal(prompt, ids, name);
    assert.is(engine.tokenizer!.encode(text).length, ids.length);
    assert.is((options as { speculate?: boolean }).speculate, name === "smollm" ? true : undefined);
  }
});

test("a server gets text that its tokenizer reads as these ids", () => {
  for (const name of ["kv-llama", "llama2-legacy", "smollm"]) {
    const read = tokenizer(name);
    const text = chatText(read)([["What is it?", " It is"]]);
    const written = chatEngine(model(name), false).chat([["What is it?", " It is"]]);
    assert.equal([...read.encode(text)], [...read.encode(written, { addSpecialTokens: false })], name);
  }
  const sentence = /--chat: the template does not begin with <s>, which a server puts before a text/;
  refusedSync(() => chatText(tokenizer("llama2-metaspace")), "template", sentence);
});

test("a conversation has its answers as the assistant's", () => {
  const text = chatEngine(model("smollm"), false).chat([
    ["One?", "1."],
    ["Two?", ""],
  ]);
  const [one, answer, two] = ["One?", "1.", "Two?"].map((part) => text.indexOf(part));
  assert.ok(one >= 0 && one < answer && answer < two);
  assert.ok(text.slice(one, answer).includes("assistant") && text.slice(answer, two).includes("user"));
});

test("a model without a template, and what is no tokenizer, are refused", () => {
  refusedSync(() => chatText(undefined), "tokenizer", /--chat needs the model's tokenizer/);
  refusedSync(() => chatText(tokenizer("llama3")), "template");
});

test.run();
