// forms.ts — how a model writes the call of a tool. Which form is a model's is read off what its chat template prints for a call: no
// name of a model is looked at.
//   llama     {"name": …, "parameters": …}, perhaps after <|python_tag|>              Llama 3.1 and later
//   hermes    <tool_call> {"name": …, "arguments": …} </tool_call>, any number         Hermes 2 Pro, Qwen 2.5 and 3
//   mistral   [TOOL_CALLS] [{"name": …, "arguments": …}, …]                            Mistral 7B v0.3, Nemo

import type { Message, Tokenizer } from "../../index.ts";
import { LlariatError } from "../../error.ts";

/** The name of a form. */
export type FormName = "llama" | "hermes" | "mistral";

/** How a model writes calls, and how its template wants to be told of earlier ones. */
export interface ToolForm {
  readonly name: FormName;
  /** Special tokens that begin a call, which decoding leaves out of the text. */
  readonly markers: readonly string[];
  /** The key of the arguments. */
  readonly key: "arguments" | "parameters";
  /** In messages arguments are objects, which the template prints as JSON, or JSON already. */
  readonly argumentsAre: "object" | "text";
}

const PROBE = "llariat_probe";
/** Mistral's templates want 9 letters or digits. */
const PROBE_ID = "probe0001";
/** Beyond the call there is nothing to read. */
const VALUE = "llariat_value";

const SHAPES: Readonly<Record<FormName, { readonly printed: RegExp } & Omit<ToolForm, "name" | "argumentsAre">>> = {
  hermes: {
    printed: new RegExp(String.raw`<tool_call>\s*\{"name": ?"${PROBE}", ?"arguments": ?`),
    markers: ["<tool_call>", "</tool_call>"],
    key: "arguments",
  },
  mistral: {
    printed: new RegExp(String.raw`\[TOOL_CALLS\] ?\[\{"name": ?"${PROBE}", ?"arguments": ?`),
    markers: ["[TOOL_CALLS]"],
    key: "arguments",
  },
  llama: {
    printed: new RegExp(String.raw`\{(?:"type": ?"function", ?)?"name": ?"${PROBE}", ?"parameters": ?`),
    markers: ["<|python_tag|>"],
    key: "parameters",
  },
};

const TOOL = {
  type: "function",
  function: {
    name: PROBE,
    description: "d",
    parameters: { type: "object", properties: { k: { type: "string", description: "d" } }, required: ["k"] },
  },
};

function conversation(args: unknown): Message[] {
  const call = { id: PROBE_ID, type: "function", function: { name: PROBE, arguments: args } };
  return [
    { role: "user", content: "u" },
    { role: "assistant", content: "", tool_calls: [call] },
    { role: "tool", tool_call_id: PROBE_ID, name: PROBE, content: "r" },
  ];
}

/** What the template prints for a call, or nothing where it refuses one. */
function printed(tokenizer: Tokenizer, args: unknown): string {
  try {
    return tokenizer.applyChatTemplate(conversation(args), { tools: [TOOL], addGenerationPrompt: false });
  } catch (error) {
    if (error instanceof LlariatError && error.code === "template") return "";
    throw error;
  }
}

const known = new WeakMap<Tokenizer, { readonly form: ToolForm | undefined }>();

/** The form of a model; undefined where its template prints no call in a form that is known. */
export function toolForm(tokenizer: Tokenizer): ToolForm | undefined {
  let found = known.get(tokenizer);
  if (found === undefined) known.set(tokenizer, (found = { form: probe(tokenizer) }));
  return found.form;
}

function probe(tokenizer: Tokenizer): ToolForm | undefined {
  const value = { k: VALUE };
  for (const [argumentsAre, args] of [
    ["object", value],
    ["text", JSON.stringify(value)],
  ] as const) {
    const text = printed(tokenizer, args);
    for (const [name, { printed, markers, key }] of Object.entries(SHAPES)) {
      const found = printed.exec(text);
      if (!found) continue;
      // As the other kind of value it would be quoted once more, or printed as Python prints a dict.
      const after = text.slice(found.index + found[0].length);
      if (new RegExp(String.raw`^\{"k": ?"${VALUE}"\}`).test(after))
        return { name: name as FormName, markers, key, argumentsAre };
    }
  }
  return undefined;
}
