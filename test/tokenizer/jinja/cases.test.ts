// Templates against Jinja2 itself: what it printed and what it refused, recorded by test/fixtures/jinja/render.py.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { suite } from "uvu";

import { strftime } from "../../../tokenizer/clock.ts";
import { Fault, Template } from "../../../tokenizer/jinja/index.ts";
import { root } from "../../tools/source.ts";

interface Case {
  template: string;
  messages?: unknown[];
  tools?: unknown[] | null;
  variables?: Record<string, unknown>;
  text?: string;
  error?: string;
}

const test = suite("jinja cases");
const now = new Date(2025, 0, 2, 3, 4, 5);

/** The text, or the fault, of a case. */
function run({ template, messages = [], tools = null, variables }: Case): string | Fault {
  const given = { bos_token: "<s>", eos_token: "</s>", messages, tools, documents: null, add_generation_prompt: true };
  try {
    return new Template(template).render({ ...given, ...variables }, (format) => strftime(now, format));
  } catch (error) {
    if (error instanceof Fault) return error;
    throw error;
  }
}

/** Names of Python's exceptions that are other words for one of ours. */
const SAME: Readonly<Record<string, string>> = {
  TemplateAssertionError: "TemplateSyntaxError",
  SyntaxError: "TemplateSyntaxError",
  RecursionError: "Limit",
};

/** Compares what becomes of a case with the text, or the kind of error, that Jinja2 has for it. */
function check(each: Case, text: string | undefined, error: string | undefined): void {
  const got = run(each);
  if (text !== undefined) return assert.is(got instanceof Fault ? got.stack : got, text, each.template);
  assert.instance(got, Fault, each.template);
  assert.is((got as Fault).kind, SAME[error!] ?? error, each.template);
}

const read = (file: string): unknown => JSON.parse(readFileSync(join(root, "test/fixtures/jinja", file), "utf8"));

test("cases.json: real templates and small ones", () => {
  const cases = read("cases.json") as Case[];
  assert.ok(cases.length > 300);
  for (const each of cases) check(each, each.text, each.error);
});

test("fuzz.json: templates from a grammar, every builtin with all its arguments", () => {
  const { variables, cases } = read("fuzz.json") as {
    variables: Record<string, unknown>;
    cases: ([template: string, text: string] | [template: string, text: null, error: string])[];
  };
  // JSON.parse reads no number of thirty digits
  variables["big"] = 123456789012345678901234567890n;
  assert.ok(cases.length > 6000);
  for (const [template, text, error] of cases) check({ template, variables }, text ?? undefined, error);
});

test.run();
