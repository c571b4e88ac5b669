// Chat templates against Jinja in Python: every rendering and every refusal, and the differences that are known.

import * as assert from "uvu/assert";
import { suite } from "uvu";

import { ChatTemplates } from "../../tokenizer/chat.ts";
import type { Message } from "../../tokenizer/chat.ts";
import { Tokenizer } from "../../tokenizer/index.ts";
import { refusedSync } from "../tools/refused.ts";
import { loadShape, readJson, readText } from "./fixtures.ts";

interface Rendering {
  name: string;
  messages: Message[];
  tools: unknown[] | null;
  add_generation_prompt: boolean;
  kwargs: Record<string, unknown>;
  text?: string;
  error?: string;
  trap?: string;
}
interface Templates {
  now: string;
  templates: { name: string; special: Record<string, string>; template: string; cases: Rendering[] }[];
}

const test = suite("chat");
const { now, templates } = readJson("templates.json") as Templates;
const one = (source: string) => new ChatTemplates(new Map([["default", source]]));
const show = (source: string, variables: object = {}) => one(source).render([], {}, { variables: { ...variables } });

/**
 * The trap "float": whole JSON numbers written 1.0 and 1e+16 are integers here, since JavaScript cannot tell 1.0 from 1 (see
 * chat.ts). This is what else would have to be true for the renderings to be equal.
 */
const asJavaScriptReads = (text: string) => text.replace(/\b1\.0\b/, "1").replace(/\b1e\+16\b/, "10000000000000000");

for (const { name, special, template, cases } of templates) {
  test(`${name}: ${cases.length} conversations`, () => {
    const chat = one(template);
    for (const { name, messages, tools, add_generation_prompt, kwargs, text, error, trap } of cases) {
      const options = { tools, addGenerationPrompt: add_generation_prompt, variables: kwargs, now: new Date(now) };
      const render = () => chat.render(messages, special, options);
      if (error !== undefined) {
        const thrown = refusedSync(render, "template");
        assert.is((thrown.cause as Error).message, error);
        assert.ok(thrown.message.endsWith(error), thrown.message);
      } else if (trap === "float") {
        assert.is.not(render(), text!, "the known difference is gone: say so in chat.ts");
        assert.is(render(), asJavaScriptReads(text!));
      } else {
        assert.is(render(), text!, name);
      }
    }
  });
}

test("trim and strip are Python's", () => {
  const edges = "\ufeff\x85\x1c\u3000 a\u200b \x1f\x85\ufeff";
  for (const spelling of [
    "{{ x | trim }}",
    "{{ x.strip() }}",
    "{{ (x ~ '').strip() }}",
    "{% set y = x | trim %}{{ y }}",
  ]) {
    assert.is(show(spelling, { x: edges }), "\ufeff\x85\x1c\u3000 a\u200b \x1f\x85\ufeff", spelling);
    assert.is(show(spelling, { x: "\x85\x1c \u3000a\ufeff\x1f\n" }), "a\ufeff", spelling);
  }
  assert.is(show("{{ x.lstrip() }}|{{ x.rstrip() }}", { x: " \x85a\x85 " }), "a\x85 | \x85a");
  assert.is(show(String.raw`{{ x.strip('\n') }}`, { x: "\n a \n\n" }), " a ");
  assert.is(show("{{ x.rstrip(']-^') }}", { x: "a]-^b^]-" }), "a]-^b");
  assert.is(show("{{ x.strip('🙂') }}", { x: "🙂🙂a🙂" }), "a");
  assert.is(show("{{ x.split('b')[0].rstrip() | trim | upper }}", { x: " a  b" }), "A");
  assert.is(show("{{ nothing | trim }}|{% if (x | trim) == 'a' %}yes{% endif %}", { x: " a " }), "|yes");
  const long = `x${" ".repeat(100_000)}x`;
  assert.is(show("{{ x | trim }}", { x: long }), long, "and in linear time");
});

test("a macro sees its arguments through trim, too", () => {
  assert.is(
    show("{% macro m(a) %}[{{ a | trim }}{{ kwargs.b.strip() }}]{% endmacro %}{{ m(' x ', b=' y ') }}"),
    "[xy]",
  );
});

test("the clock: English names, the time given, local time", () => {
  const at = new Date(2024, 1, 9, 17, 5, 3);
  const render = (format: string) => one(`{{ strftime_now('${format}') }}`).render([], {}, { now: at });
  assert.is(render("%d %b %Y"), "09 Feb 2024");
  assert.is(render("%A, %B %-d, %Y"), "Friday, February 9, 2024");
  assert.is(render("%a %e %y %m/%d %H:%M:%S %I %p %j %% %Q"), "Fri  9 24 02/09 17:05:03 05 PM 040 % %Q");
  assert.is(render("%F %T %D %R %u %w"), "2024-02-09 17:05:03 02/09/24 17:05 5 5");
  assert.match(show("{{ strftime_now('%Y') }}"), /^20\d\d$/);
});

test("special tokens, tools and further variables reach the template; variables win", () => {
  const chat = one("{{ bos_token }}{{ tools is none }}{{ x }}{{ messages[0].role }}{{ add_generation_prompt }}");
  const messages = [{ role: "user", content: "" }];
  assert.is(chat.render(messages, { bos_token: "<s>" }, { variables: { x: 1 } }), "<s>True1userTrue");
  const more = { tools: [1], variables: { bos_token: "B", x: "" }, addGenerationPrompt: false };
  assert.is(chat.render(messages, { bos_token: "<s>" }, more), "BFalseuserFalse");
});

test("a template cannot ask for the moon, and its mistakes are named", () => {
  const big = () => show("{{ range(1000000000) | length }}");
  refusedSync(big, "template", /"default" fails at line 1: OverflowError: Range too big\..*\(100000\)/);
  assert.is(show("{{ range(3) | join }}{{ range(5, 1, -2) | join }}"), "01253".slice(0, 3) + "53");
  refusedSync(
    () => show("{% if %}"),
    "template",
    /"default" cannot be parsed: line 1: Expected an expression, got 'end of statement block'/,
  );
  refusedSync(
    () => show("{{ 1 | nonsense }}"),
    "template",
    /"default" cannot be parsed: line 1: No filter named 'nonsense'\./,
  );
  refusedSync(() => show("{{ raise_exception('no ' ~ 'way') }}"), "template", /: no way$/);
  refusedSync(
    () => show("{% set ns = namespace(x='ab') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}"),
    "template",
    /"default" is stopped at line 1: the template builds a text of \d+ characters, needed at most/,
  );
});

test("which of several templates", () => {
  const tokenizer = loadShape("mistral-v0.3-like");
  assert.ok(tokenizer.hasChatTemplate);
  const messages = [{ role: "user", content: "Hi" }];
  assert.is(tokenizer.applyChatTemplate(messages), "<s>[INST] Hi [/INST]");
  const tools = [{ type: "function", function: { name: "f" } }];
  assert.match(tokenizer.applyChatTemplate(messages, { tools }), /\[AVAILABLE_TOOLS\]/);
  assert.is(tokenizer.applyChatTemplate(messages, { tools, templateName: "default" }), "<s>[INST] Hi [/INST]");
  const missing = () => tokenizer.applyChatTemplate(messages, { templateName: "rag" });
  refusedSync(
    missing,
    "template",
    /no chat template is called "rag": there are default, tool_use; choose one by templateName/,
  );
  const none = Tokenizer.fromFiles({ tokenizerJson: readText("llama3/tokenizer.json") });
  assert.is(none.hasChatTemplate, false);
  refusedSync(
    () => none.applyChatTemplate(messages),
    "template",
    /the model has no chat template; write the prompt as plain text, or put .* into chat_template\.jinja/,
  );
});

test("chat_template.jinja wins over the config; the prompt parses into special ids", () => {
  const tokenizer = loadShape("llama3");
  const prompt = tokenizer.applyChatTemplate([{ role: "user", content: "Hi" }], { now: new Date(now) });
  const ids = [...tokenizer.encode(prompt, { addSpecialTokens: false })];
  assert.is(ids[0], tokenizer.bosId);
  assert.is(ids.filter((id) => tokenizer.idToToken(id) === "<|start_header_id|>").length, 3);
  const config = { bos_token: "B", chat_template: "config" };
  const both = { tokenizerJson: readText("llama3/tokenizer.json"), tokenizerConfig: config };
  assert.is(Tokenizer.fromFiles(both).applyChatTemplate([]), "config");
  assert.is(Tokenizer.fromFiles({ ...both, chatTemplate: "file {{ bos_token }}\n" }).applyChatTemplate([]), "file B");
});

test("the bundled model's template", () => {
  const tokenizer = loadShape("kv-llama");
  const messages = [
    { role: "system", content: "S" },
    { role: "user", content: "U" },
    { role: "assistant", content: "A" },
  ];
  assert.is(tokenizer.applyChatTemplate(messages), "<s>[INST] <<SYS>>\nS\n<</SYS>>\n\nU [/INST] A</s>");
});

test.run();
