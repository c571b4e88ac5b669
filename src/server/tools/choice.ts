// choice.ts — what a request says of tools: which there are, whether one must be called, and how the model is made to.

import { z } from "zod";
import type { GenerateOptions, Tokenizer } from "../../index.ts";
import { isObject } from "../../text/json.ts";
import { HttpError } from "../error.ts";
import { type ToolForm, toolForm } from "./forms.ts";
import { ToolParser } from "./parser.ts";

/** OpenAI allows 128 tools. */
const MOST_TOOLS = 128;

const named = z.string().regex(/^[\w-]{1,64}$/, { error: "must be 1 to 64 letters, digits, _ or -" });

const tool = z.looseObject(
  {
    type: z.literal("function", { error: 'must be "function"' }),
    function: z.looseObject(
      {
        name: named,
        description: z.string({ error: "must be a text" }).nullish(),
        parameters: z.record(z.string(), z.unknown(), { error: "must be a JSON schema" }).nullish(),
      },
      { error: "must be an object with name and parameters" },
    ),
  },
  { error: "must be an object with type and function" },
);

/** The fields of a chat request that are about tools. */
export const toolFields = {
  tools: z
    .array(tool, { error: "must be a list of tools" })
    .max(MOST_TOOLS, { error: `must be at most ${MOST_TOOLS} tools` })
    .nullish(),
  tool_choice: z
    .union(
      [
        z.enum(["none", "auto", "required"]),
        z.object({ type: z.literal("function"), function: z.object({ name: named }) }),
      ],
      { error: 'must be "none", "auto", "required" or { type: "function", function: { name } }' },
    )
    .nullish(),
  parallel_tool_calls: z.boolean({ error: "must be true or false" }).nullish(),
};

const shared = z.object(toolFields);

/** What a request says of tools. */
export type ToolRequest = z.output<typeof shared>;

/** How a request's answers are made and read. */
export interface ToolUse {
  readonly form: ToolForm;
  /** For the chat template. */
  readonly tools: readonly object[];
  /** What the answer begins with, as part of the prompt, and the form of what follows; where a tool must be called. */
  readonly forced:
    | { readonly prefix: string; readonly format: NonNullable<GenerateOptions["responseFormat"]> }
    | undefined;
  /** Reads one answer. */
  readonly parser: () => ToolParser;
}

/**
 * What is to be done about tools; undefined where there are none, or none is to be called.
 * @throws HttpError 400 where a choice names no tool that is there, or the model's template has no form of calls that is known.
 */
export function toolUse(body: ToolRequest, tokenizer: Tokenizer | undefined): ToolUse | undefined {
  const { tools, tool_choice: choice } = body;
  const must = choice === "required" || (typeof choice === "object" && choice !== null);
  if (!tools || tools.length === 0) {
    if (must) throw new HttpError(400, "tool_choice: there are no tools to choose from", { param: "tool_choice" });
    return undefined;
  }
  const name = typeof choice === "object" ? choice?.function.name : undefined;
  const chosen = name === undefined ? tools : tools.filter((each) => each.function.name === name);
  if (chosen.length === 0) {
    const problem = `tool_choice: there is no tool ${JSON.stringify(name)}`;
    throw new HttpError(400, problem, { param: "tool_choice" });
  }
  const names = new Set(tools.map((each) => each.function.name));
  if (names.size < tools.length) throw new HttpError(400, "tools: two have the same name", { param: "tools" });
  if (choice === "none") return undefined;
  const form = tokenizer?.hasChatTemplate ? toolForm(tokenizer) : undefined;
  if (form === undefined) {
    const problem = "tools: the model's chat template writes no calls in a form that is known";
    throw new HttpError(400, `${problem}; use another model, or response_format`, { param: "tools" });
  }
  const single = body.parallel_tool_calls === false;
  return {
    form,
    tools,
    forced: must ? forced(form, chosen) : undefined,
    parser() {
      const parser = new ToolParser({ form, names, single: single || must });
      if (must && form.name === "hermes") parser.push(HERMES);
      if (must && form.name === "mistral") parser.pushMarker(MISTRAL);
      return parser;
    },
  };
}

const HERMES = "<tool_call>\n";
const MISTRAL = "[TOOL_CALLS]";

/** One call of one of the tools. */
function forced(form: ToolForm, tools: NonNullable<ToolRequest["tools"]>): ToolUse["forced"] {
  const listed = form.name === "mistral";
  const calls = tools.map(({ function: { name, parameters } }, i) => ({
    type: "object",
    properties: {
      name: { const: name },
      [form.key]: within(
        parameters ?? { type: "object" },
        `${listed ? "/items" : ""}/anyOf/${i}/properties/${form.key}`,
      ),
    },
    required: ["name", form.key],
    additionalProperties: false,
  }));
  const call = { anyOf: calls };
  const schema = listed ? { type: "array", items: call, minItems: 1, maxItems: 1 } : call;
  const prefix = listed ? MISTRAL : form.name === "hermes" ? HERMES : "";
  return { prefix, format: { type: "json_schema", schema } };
}

/** A schema that has become a part of another: what it refers to stands further inside now. */
function within(schema: unknown, place: string): unknown {
  if (Array.isArray(schema)) return schema.map((each) => within(each, place));
  if (!isObject(schema)) return schema;
  return Object.fromEntries(
    Object.entries(schema).map(([key, value]) => [
      key,
      key === "$ref" && typeof value === "string" ? value.replace(/^#(?=\/|$)/, `#${place}`) : within(value, place),
    ]),
  );
}

/** An id for a call: letters and digits, nine for templates that insist on it. */
export function callId(form: ToolForm): string {
  const length = form.name === "mistral" ? 9 : 24;
  const bytes = crypto.getRandomValues(new Uint8Array(length));
  const id = Array.from(bytes, (byte) => LETTERS[byte % LETTERS.length]).join("");
  return form.name === "mistral" ? id : `call_${id}`;
}

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
