// Calls of tools: which form a chat template asks for, answers of each form read whole and in pieces of any size, earlier calls in the
// prompt, and calls that must be made, which the grammar of the tools' schemas makes.
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Tokenizer } from "../../tokenizer/index.ts";
import { type FormName, type ToolForm, toolForm } from "../../src/server/tools/forms.ts";
import { members } from "../../src/server/tools/members.ts";
import { toolMessages } from "../../src/server/tools/messages.ts";
import { type Spoken, ToolParser } from "../../src/server/tools/parser.ts";
import { HttpError } from "../../src/server/error.ts";
import { whole } from "../tools/random.ts";

const test = suite("server: tools");

const fixture = (path: string): string => readFileSync(new URL(`../fixtures/${path}`, import.meta.url), "utf8");

interface Recorded {
  readonly templates: readonly {
    readonly name: string;
    readonly template: string;
    readonly special: Record<string, string>;
  }[];
}
const recorded = JSON.parse(fixture("tokenizers/templates.json")) as Recorded;
const cases = JSON.parse(fixture("jinja/cases.json")) as readonly { readonly template: string }[];
const json = fixture("tokenizers/llama3/tokenizer.json");

const withTemplate = (chatTemplate: string, special: Record<string, string> = {}): Tokenizer =>
  Tokenizer.fromFiles({ tokenizerJson: json, tokenizerConfig: special, chatTemplate });
const named = (name: string) => {
  const { template, special } = recorded.templates.find((each) => each.name === name)!;
  return withTemplate(template, { bos_token: "<|begin_of_text|>", ...special });
};
/** Qwen 2.5's, and one that prints the arguments as they come. */
const QWEN = cases.find(
  ({ template }) => template.includes("You are Qwen") && template.includes("<tool_call>"),
)!.template;
const PRINTS = cases.find(({ template }) => template.includes("{{- tool_call.arguments }}"))!.template;

test("the form is read off what the chat template prints for a call", () => {
  assert.equal(toolForm(named("llama31-tools")), {
    name: "llama",
    markers: ["<|python_tag|>"],
    key: "parameters",
    argumentsAre: "object",
  });
  assert.equal(toolForm(named("mistral-tools")), {
    name: "mistral",
    markers: ["[TOOL_CALLS]"],
    key: "arguments",
    argumentsAre: "object",
  });
  assert.is(toolForm(withTemplate(QWEN))?.name, "hermes");
  assert.is(toolForm(withTemplate(QWEN))?.argumentsAre, "object");
  assert.is(toolForm(withTemplate(PRINTS))?.name, "hermes");
  assert.is(toolForm(withTemplate(PRINTS))?.argumentsAre, "text");
  for (const name of ["chatml", "zephyr", "llama3-header"]) assert.is(toolForm(named(name)), undefined, name);
});

const form = (name: FormName): ToolForm => {
  const markers = { llama: ["<|python_tag|>"], hermes: ["<tool_call>", "</tool_call>"], mistral: ["[TOOL_CALLS]"] }[
    name
  ];
  return { name, markers, key: name === "llama" ? "parameters" : "arguments", argumentsAre: "object" };
};

/** An answer cut at random; markers stand in ‹ ›. */
function read(
  name: FormName,
  answer: string,
  next: (below: number) => number,
  single = false,
): { text: string; calls: object[] } {
  const parser = new ToolParser({ form: form(name), names: new Set(["get_weather", "add"]), single });
  const spoken: Spoken[] = [];
  for (const part of answer.split(/(‹.*?›)/)) {
    if (part.startsWith("‹")) spoken.push(...parser.pushMarker(part.slice(1, -1)));
    else
      for (let at = 0; at < part.length;) {
        const size = 1 + next(7);
        spoken.push(...parser.push(part.slice(at, at + size)));
        at += size;
      }
  }
  spoken.push(...parser.end());
  const calls = spoken.flatMap(({ call }) => (call ? [call] : []));
  assert.is(parser.calls, calls.length);
  return { text: spoken.map(({ text }) => text ?? "").join(""), calls };
}

const WEATHER = { name: "get_weather", arguments: '{"city": "Paris"}' };
const ADD = { name: "add", arguments: '{"a": 12345678901234567890, "b": [1.0]}' };

const ANSWERS: readonly (readonly [FormName, string, string, object[]])[] = [
  ["llama", '{"name": "get_weather", "parameters": {"city": "Paris"}}', "", [WEATHER]],
  ["llama", '‹<|python_tag|>›{"name": "get_weather", "parameters": {"city": "Paris"}}', "", [WEATHER]],
  ["llama", '\n\n{"type": "function", "name": "get_weather", "parameters": {"city": "Paris"}}\n', "", [WEATHER]],
  ["llama", '{"name": "get_weather", "parameters": {"city": "Paris"}}; {"name": "add", "parameters": {"a": 12345678901234567890, "b": [1.0]}}', "", [WEATHER, ADD]],
  ["llama", '{"name": "other", "parameters": {}}', '{"name": "other", "parameters": {}}', []],
  ["llama", '{"name": "add", "parameters": {"a": 1', '{"name": "add", "parameters": {"a": 1', []],
  ["llama", 'It is {"name": "add", "parameters": {}}', 'It is {"name": "add", "parameters": {}}', []],
  ["llama", "‹<|python_tag|>›print(1)", "print(1)", []],
  ["llama", '{"name": "add", "parameters": 5}', '{"name": "add", "parameters": 5}', []],
  ["llama", "  plain text ", "  plain text ", []],
  ["hermes", '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Paris"}}\n</tool_call>', "", [WEATHER]],
  ["hermes", 'Let me look.\n\n<tool_call>\n{"name": "get_weather", "arguments": {"city": "Paris"}}\n</tool_call>\n<tool_call>{"arguments": {"a": 12345678901234567890, "b": [1.0]}, "name": "add"}</tool_call>\n', "Let me look.", [WEATHER, ADD]],
  ["hermes", '<tool_call>{"name": "get_weather", "arguments": {"city": "</tool_call>"}}</tool_call>', "", [{ name: "get_weather", arguments: '{"city": "</tool_call>"}' }]],
  ["hermes", '<tool_call>{"name": "get_weather", "arguments": "{\\"city\\": \\"Paris\\"}"}</tool_call>', "", [WEATHER]],
  ["hermes", '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Paris"}}', "", [WEATHER]],
  ["hermes", '‹<tool_call>›\n{"name": "get_weather", "arguments": {"city": "Paris"}}\n‹</tool_call>›', "", [WEATHER]],
  ["hermes", "a < b and <tool> <tool_cal", "a < b and <tool> <tool_cal", []],
  ["hermes", "x <tool_call>oops</tool_call> y", "x <tool_call>oops</tool_call> y", []],
  ["hermes", 'x <tool_call>{"name": "add", "arguments": {"a"', 'x <tool_call>{"name": "add", "arguments": {"a"', []],
  ["mistral", '‹[TOOL_CALLS]› [{"name": "get_weather", "arguments": {"city": "Paris"}}, {"name": "add", "arguments": {"a": 12345678901234567890, "b": [1.0]}, "id": "abcdefghi"}]', "", [WEATHER, ADD]],
  ["mistral", "‹[TOOL_CALLS]› [{", " [{", []],
  ["mistral", '[{"name": "add", "arguments": {}}]', '[{"name": "add", "arguments": {}}]', []],
]; // prettier-ignore

test("answers of each form are read the same however they are cut", () => {
  const next = whole(4);
  for (const [name, answer, text, calls] of ANSWERS)
    for (let i = 0; i < 40; i++) {
      const got = read(name, answer, next);
      assert.equal(got.calls, calls, answer);
      assert.is(got.text, text, answer);
    }
});

test("of several calls one where no more are wanted", () => {
  const next = whole(5);
  for (const [name, answer, , calls] of ANSWERS.filter((each) => each[3].length > 1))
    assert.equal(read(name, answer, next, true).calls, calls.slice(0, 1));
});

test("members of an object are as they were written", () => {
  const text = '{ "a" : 1.0, "b\\"":{"x": [1, "]"]} ,"c": "}", "d":null, "e": 12345678901234567890}';
  assert.equal(
    [...members(text)!],
    [
      ["a", "1.0"],
      ['b"', '{"x": [1, "]"]}'],
      ["c", '"}"'],
      ["d", "null"],
      ["e", "12345678901234567890"],
    ],
  );
  assert.equal([...members("{}")!], []);
  for (const wrong of ["", "[1]", '{"a": }', "{", "5"]) assert.is(members(wrong), undefined, wrong);
});

test("earlier calls have arguments as the template prints them", () => {
  const call = (given: unknown) => [
    {
      role: "assistant",
      content: null,
      tool_calls: [{ id: "abcdefghi", type: "function", function: { name: "add", arguments: given } }],
    },
  ];
  const object = toolMessages(call('{"a": 1}'), form("llama"))[0] as never as {
    content: string;
    tool_calls: { function: { arguments: unknown } }[];
  };
  assert.equal(object.tool_calls[0].function.arguments, { a: 1 });
  assert.is(object.content, "");
  const text = toolMessages(call('{"a": 1}'), { ...form("hermes"), argumentsAre: "text" })[0] as never as typeof object;
  assert.is(text.tool_calls[0].function.arguments, '{"a": 1}');
  const qwen = withTemplate(QWEN);
  const user = { role: "user", content: "u" };
  const result = { role: "tool", tool_call_id: "abcdefghi", content: "2" };
  const prompt = qwen.applyChatTemplate(toolMessages([user, ...call('{"a": 1}'), result], toolForm(qwen)));
  assert.match(prompt, /<tool_call>\n\{"name": "add", "arguments": \{"a": 1\}\}\n<\/tool_call>/);
  assert.match(prompt, /<tool_response>\n2\n<\/tool_response>/);
  assert.not.ok("tool_calls" in toolMessages([{ role: "assistant", content: "x", tool_calls: [] }], undefined)[0]);
  for (const wrong of ["{", "[1]", "5"])
    assert.throws(
      () => toolMessages(call(wrong), form("llama")),
      (error: unknown) =>
        error instanceof HttpError && error.body.param === "messages[0].tool_calls[0].function.arguments",
    );
  assert.throws(() => toolMessages([{ role: "assistant", tool_calls: [5] }], undefined), /must be a call/);
});

test.run();
