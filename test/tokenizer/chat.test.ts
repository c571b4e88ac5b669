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
  assert.is(show("{{ x | trim }}", { x: " x  x " }), "x  x", "what is inside stays");
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

test("errors name the template, its line and Python's reason; refusing is raise_exception's alone", () => {
  const lines = "{% for m in messages %}\n{{ m.content }}\n{{ 'a' + m.x }}\n{% endfor %}";
  const render =
    (source: string, messages: Message[], options = {}) =>
    () =>
      one(source).render(messages, {}, options);
  const user = [{ role: "user", content: "Hi" }];
  refusedSync(
    render(lines, user),
    "template",
    /^the chat template "default" fails at line 3: UndefinedError: 'dict object' has no attribute 'x'$/,
  );
  const noString = [{ role: "user", content: "Hi", x: null }];
  refusedSync(
    render(lines, noString),
    "template",
    /line 3: TypeError: can only concatenate str \(not "NoneType"\) to str$/,
  );
  refusedSync(
    render("a\n{{ raise_exception('bad ' ~ 1) }}", user),
    "template",
    /^the chat template "default" refuses these messages: bad 1$/,
  );
  refusedSync(render("a\n\n{% do x %}", user), "template", /cannot be parsed: line 3: Encountered unknown tag 'do'\.$/);
  refusedSync(
    render("\n{% macro f(x) %}\n{{ x + 1 }}\n{% endmacro %}\n{{ f('a') }}", user),
    "template",
    /line 3: TypeError/,
  );
  refusedSync(
    render("{{ f(1) }}", user, { variables: { f: "a" } }),
    "template",
    /line 1: TypeError: 'str' object is not callable/,
  );
});

test("content as parts for a template that joins texts: Python's error, and the way out", () => {
  const glue = "{% for m in messages %}{{ m.role + ': ' + m.content }}{% endfor %}";
  const parts = [{ role: "user", content: "a" }, { role: "user", content: [{ type: "text", text: "b" }] }]; // prettier-ignore
  const render = () => one(glue).render(parts, {});
  refusedSync(
    render,
    "template",
    /not "list"\) to str; the content of message 1 is a list of parts: if the template takes text, give it as a string$/,
  );
  // what is printed without joining is Python's, as in transformers
  assert.is(one("{{ messages[1].content }}").render(parts, {}), "[{'type': 'text', 'text': 'b'}]");
  const loop = "{% for part in messages[0].content %}{{ part.text }}{% else %}none{% endfor %}";
  assert.is(
    one(loop).render([{ role: "user", content: "ab" }], {}),
    "",
    "a text gives its characters, which have no parts",
  );
});

const TURNS =
  "{% for m in messages %}<|{{ m.role }}|>{% for part in m.content if m.content is not string %}{{ part.text }}{% else %}{{ m.content | trim }}{% endfor %}<|end|>" +
  "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}";

test("the last message is continued: the prompt ends with its content", () => {
  const why = { role: "user", content: "Why?" };
  const render = (content: unknown, options = {}, source = TURNS) =>
    one(source).render([why, { role: "assistant", content }], {}, { continueFinalMessage: true, ...options });
  assert.is(render("According to "), "<|user|>Why?<|end|><|assistant|>According to ");
  assert.is(
    render("<|end|>"),
    "<|user|>Why?<|end|><|assistant|><|end|>",
    "also one that looks like the template's own text",
  );
  const parts = [{ type: "text", text: "a" }, { type: "text", text: "b " }, { type: "image" }]; // prettier-ignore
  assert.is(render(parts), "<|user|>Why?<|end|><|assistant|>ab ");
  assert.equal(parts[1], { type: "text", text: "b " }, "the caller's message stays as it is");
  assert.is(
    one("{{ messages[0].thinking }}.").render(
      [{ role: "assistant", thinking: "Hm" }],
      {},
      { continueFinalMessage: "thinking" },
    ),
    "Hm",
  );
  assert.is(one(TURNS).render([why], {}, { continueFinalMessage: false }), "<|user|>Why?<|end|><|assistant|>");
  refusedSync(() => render("a", { addGenerationPrompt: true }), "template", /ask for one of them$/);
  refusedSync(() => render(null), "template", /the last message has no "content" to go on with/);
  refusedSync(() => render([{ type: "image" }]), "template", /none of the parts of the last message has text/);
  refusedSync(
    () => render("a", {}, "{{ messages[0].content }}"),
    "template",
    /"default" does not write the last message as it is/,
  );
  refusedSync(() => one(TURNS).render([], {}, { continueFinalMessage: true }), "template", /has no "content"/);
});

test("every way templates are stored; tools take the one made for them", () => {
  const model = { tokenizerJson: readText("llama3/tokenizer.json") };
  const stored = (chat_template: unknown, files = {}) =>
    Tokenizer.fromFiles({ ...model, tokenizerConfig: { chat_template }, ...files });
  const tools = [{ type: "function", function: { name: "f" } }];
  const both = { default: "plain", tool_use: "tools {{ tools | length }}" };
  const list = Object.entries(both).map(([name, template]) => ({ name, template }));
  for (const named of [both, list]) {
    assert.is(stored(named).applyChatTemplate([]), "plain");
    assert.is(stored(named).applyChatTemplate([], { tools }), "tools 1");
    assert.is(stored(named).applyChatTemplate([], { tools: [] }), "tools 0", "an empty list of tools is one");
    assert.is(stored(named).applyChatTemplate([], { tools: null }), "plain");
    assert.is(stored(named).applyChatTemplate([], { tools, templateName: "default" }), "plain");
  }
  assert.is(stored("only").applyChatTemplate([], { tools }), "only");
  const files = { chatTemplate: "file", additionalChatTemplates: { tool_use: "file tools", rag: "file rag" } };
  const tokenizer = stored(both, files);
  assert.equal(tokenizer.chatTemplates, ["default", "tool_use", "rag"]);
  assert.is(tokenizer.applyChatTemplate([], { tools }), "file tools");
  assert.is(tokenizer.applyChatTemplate([], { templateName: "rag" }), "file rag");
  assert.equal(
    stored(both, { chatTemplate: "file" }).chatTemplates,
    ["default"],
    "files are all there is, as in transformers",
  );
  const none = stored({ rag: "x" });
  refusedSync(
    () => none.applyChatTemplate([]),
    "template",
    /no chat template is called "default": there are rag; choose one by templateName/,
  );
  refusedSync(() => stored({ default: 5 }), "tokenizer", /chat_template\.default: got 5, needed a string/);
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
