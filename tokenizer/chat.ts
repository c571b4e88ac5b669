// chat.ts — messages to the prompt a model was trained on, by its chat template (Jinja, rendered by @huggingface/jinja).
//
// Python's Jinja is what templates were written for. Made equal here:
// - trim, strip, lstrip and rstrip take Python's white space (U+0085 and U+001C–1F, not U+FEFF) and strip(…) its argument;
// - strftime_now is in English whatever the locale, and its clock can be set;
// - range is bounded, as in transformers' sandbox.
// Known to differ, because a JavaScript number does not know how it was written: 1.0 is printed as 1, -0.0 as 0, 1e16 as
// 10000000000000000, 1e-7 as 1e-7 (Python: 1.0, -0.0, 1e+16, 1e-07). It matters only for tools whose JSON schema holds
// such numbers (a default of 1.0, say); the model reads the same value, in a spelling it saw less often.

import { Environment, Interpreter, parse, tokenize } from "@huggingface/jinja";

import { LlariatError } from "../src/error.ts";
import { strftime } from "./clock.ts";
import { fields, list, text } from "./read.ts";

type Program = ReturnType<typeof parse>;

/** One turn; `content` may be a list of parts and other keys (tool_calls, name …) may be there if the template knows them. */
export interface Message {
  readonly role: string;
  readonly content?: unknown;
  readonly [key: string]: unknown;
}

/** How to render a conversation. */
export interface ChatOptions {
  /** Ends the prompt with the opening of the assistant's turn (default true). */
  addGenerationPrompt?: boolean;
  /** Descriptions of functions, as JSON schema. */
  tools?: readonly unknown[] | null;
  /** Which of several templates; default "tool_use" where there are tools and such a template, else "default". */
  templateName?: string;
  /** More variables for the template; they win over the special tokens. */
  variables?: Readonly<Record<string, unknown>>;
  /** What the template takes for the present, in local time (default: the present). */
  now?: Date;
}

/** MAX_RANGE of Jinja's sandbox: a template cannot ask for more memory than that. */
const MAX_RANGE = 100_000;
/** str.isspace of Python. */
const SPACE = String.raw`[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]`;

/** Python's str.strip: white space, or any of the characters in `chars`. */
function strip(value: unknown, chars: unknown, ends: "both" | "left" | "right"): string {
  if (value === undefined) return "";
  if (typeof value !== "string") throw new Error("trim and strip need a string");
  const listed = typeof chars === "string" ? chars.replace(/[\\\]^-]/g, String.raw`\$&`) : undefined;
  if (listed === "") return value;
  const set = listed === undefined ? SPACE : `[${listed}]`;
  const start = ends === "right" ? 0 : new RegExp(`^${set}*`, "u").exec(value)![0].length;
  let end = value.length;
  if (ends !== "left") {
    const one = new RegExp(`^${set}$`, "u");
    for (let last = lastOf(value, end); end > start && one.test(last); last = lastOf(value, end)) end -= last.length;
  }
  return value.slice(start, end);
}

function lastOf(text: string, end: number): string {
  const unit = text.charCodeAt(end - 1);
  return text.slice(unit >= 0xdc00 && unit < 0xe000 ? Math.max(0, end - 2) : Math.max(0, end - 1), end);
}

function range(...given: number[]): number[] {
  const [start, stop] = given.length > 1 ? (given as [number, number]) : [0, given[0]];
  const step = given[2] ?? 1;
  const length = Math.max(0, Math.ceil((stop - start) / step));
  if (!(length <= MAX_RANGE)) throw new Error(`range of ${length} numbers, needed at most ${MAX_RANGE}`);
  return Array.from({ length }, (_, i) => start + i * step);
}

const FUNCTIONS: Readonly<Record<string, unknown>> = {
  // names a template cannot write, so that it cannot replace them
  " trim": (value: unknown) => strip(value, undefined, "both"),
  " strip": (value: unknown, chars?: unknown) => strip(value, chars, "both"),
  " lstrip": (value: unknown, chars?: unknown) => strip(value, chars, "left"),
  " rstrip": (value: unknown, chars?: unknown) => strip(value, chars, "right"),
  range,
  raise_exception(message: unknown) {
    throw new Error(String(message));
  },
  true: true,
  false: false,
  none: null,
  True: true,
  False: false,
  None: null,
};

interface Node {
  type: string;
  [key: string]: unknown;
}

/** Turns `x | trim` and `x.strip(…)` into calls of the functions above, in place. */
function usePythonStrip(value: unknown): void {
  if (value instanceof Map) {
    for (const entry of value) usePythonStrip(entry);
  } else if (Array.isArray(value)) {
    for (const entry of value) usePythonStrip(entry);
  } else if (typeof value === "object" && value !== null) {
    const node = value as Node;
    for (const child of Object.values(node)) usePythonStrip(child);
    const filter = node["filter"] as Node | undefined;
    const callee = node["callee"] as Node | undefined;
    if (node.type === "FilterExpression" && filter?.type === "Identifier" && filter["value"] === "trim") {
      call(node, " trim", [node["operand"]]);
    } else if (node.type === "CallExpression" && callee?.type === "MemberExpression" && callee["computed"] === false) {
      const name = (callee["property"] as Node)["value"];
      if (name === "strip" || name === "lstrip" || name === "rstrip") {
        call(node, ` ${name}`, [callee["object"], ...(node["args"] as unknown[])]);
      }
    }
  }
}

function call(node: Node, name: string, args: unknown[]): void {
  const identifier = Object.assign(Object.create(Object.getPrototypeOf(node) as object) as Node, {
    type: "Identifier",
    value: name,
  });
  Object.assign(node, { type: "CallExpression", callee: identifier, args });
}

/** The chat templates of a model, by name. */
export class ChatTemplates {
  readonly #sources: ReadonlyMap<string, string>;
  readonly #programs = new Map<string, Program>();

  constructor(sources: ReadonlyMap<string, string>) {
    this.#sources = sources;
  }

  get names(): readonly string[] {
    return [...this.#sources.keys()];
  }

  /**
   * Renders `messages`. `specials`: bos_token and so on, as variables. Throws LlariatError "template" where there is no
   * such template, it cannot be parsed, or it raises; the template's own words are in the message and in `cause`.
   */
  render(messages: readonly Message[], specials: Readonly<Record<string, unknown>>, options: ChatOptions = {}): string {
    const name = this.#choose(options);
    const environment = new Environment();
    const now = options.now ?? new Date();
    const variables = {
      ...specials,
      messages,
      tools: options.tools ?? null,
      documents: null,
      add_generation_prompt: options.addGenerationPrompt ?? true,
      ...options.variables,
    };
    try {
      const strftimeNow = (format: unknown) => strftime(now, String(format));
      for (const [key, value] of Object.entries({ ...FUNCTIONS, strftime_now: strftimeNow, ...variables })) {
        environment.set(key, value);
      }
      const program = this.#program(name);
      return String((new Interpreter(environment).run(program) as { value: unknown }).value);
    } catch (cause) {
      if (cause instanceof LlariatError) throw cause;
      const message = cause instanceof Error ? cause.message : String(cause);
      throw new LlariatError("template", `the chat template "${name}" refuses these messages: ${message}`, { cause });
    }
  }

  #choose({ templateName, tools }: ChatOptions): string {
    const name = templateName ?? (tools && this.#sources.has("tool_use") ? "tool_use" : "default");
    if (this.#sources.has(name)) return name;
    const known = this.names.length > 0 ? `there are ${this.names.join(", ")}` : "the model has none";
    throw new LlariatError(
      "template",
      `no chat template is called "${name}": ${known}; name one, or write the prompt as plain text`,
    );
  }

  #program(name: string): Program {
    let program = this.#programs.get(name);
    if (program === undefined) {
      try {
        program = parse(tokenize(this.#sources.get(name)!, { lstrip_blocks: true, trim_blocks: true }));
        usePythonStrip(program);
      } catch (cause) {
        const message = cause instanceof Error ? cause.message : String(cause);
        throw new LlariatError("template", `the chat template "${name}" cannot be parsed: ${message}`, { cause });
      }
      this.#programs.set(name, program);
    }
    return program;
  }
}

/** Reads chat_template of tokenizer_config.json (a string, or a list of {name, template}); `file`, the text of chat_template.jinja, wins. */
export function readChatTemplates(json: unknown, file: string | undefined): ChatTemplates {
  const sources = new Map<string, string>();
  if (typeof json === "string") {
    sources.set("default", json);
  } else if (json !== undefined && json !== null) {
    for (const [i, entry] of list(json, "tokenizer_config.json: chat_template").entries()) {
      const where = `tokenizer_config.json: chat_template[${i}]`;
      const named = fields(entry, where);
      sources.set(text(named["name"], `${where}.name`), text(named["template"], `${where}.template`));
    }
  }
  if (file !== undefined) sources.set("default", file);
  return new ChatTemplates(sources);
}
