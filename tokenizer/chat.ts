// chat.ts — messages to the prompt a model was trained on, by its chat template (Jinja2, rendered by jinja/).
//
// As transformers' apply_chat_template: which of several templates, which variables, how a last message is continued.
// One difference is left: a JavaScript number does not know how it was written, so 1.0 in a tool's JSON schema is 1 here.

import { LlariatError } from "../src/error.ts";
import { strftime } from "./clock.ts";
import { Fault, Template } from "./jinja/index.ts";
import { fields, list, text } from "./read.ts";
import { type Kinds, checkOptions, reading } from "../src/text/options.ts";
import { isObject } from "../src/text/json.ts";
import { display } from "../src/text/wording.ts";

/** One turn; `content` may be a list of parts and other keys (tool_calls, name …) may be there if the template knows them. */
export interface Message {
  readonly role: string;
  readonly content?: unknown;
  readonly [key: string]: unknown;
}

/** How to render a conversation. */
export interface ChatOptions {
  /** Ends the prompt with the opening of the assistant's turn (default true, but not with `continueFinalMessage`). */
  addGenerationPrompt?: boolean;
  /**
   * The last message is the beginning of the answer: the prompt ends right after its content, so that the model goes on with
   * it. A text names another key of the message than "content".
   */
  continueFinalMessage?: boolean | string;
  /** Descriptions of functions, as JSON schema. */
  tools?: readonly unknown[] | null;
  /** Which of several templates; default "tool_use" where there are tools and such a template, else "default". */
  templateName?: string;
  /** More variables for the template; they win over the special tokens. */
  variables?: Readonly<Record<string, unknown>>;
  /** What the template takes for the present, in local time (default: the present). */
  now?: Date;
}

/** Every option of a conversation. */
export const CHAT_OPTIONS: Kinds<ChatOptions> = {
  addGenerationPrompt: "flag",
  continueFinalMessage: "flag or text",
  tools: "list or null",
  templateName: "text",
  variables: "object",
  now: "any",
};

/** Where the content of the last message ends; transformers' own, for templates that look for it. */
const TAG = "CONTINUE_FINAL_MESSAGE_TAG ";

/** The chat templates of a model, by name; each is parsed when it is first used, and once. */
export class ChatTemplates {
  readonly #sources: ReadonlyMap<string, string>;
  readonly #templates = new Map<string, Template>();

  constructor(sources: ReadonlyMap<string, string>) {
    this.#sources = sources;
  }

  get names(): readonly string[] {
    return [...this.#sources.keys()];
  }

  /**
   * Renders `messages`. `specials`: bos_token and so on, as variables. Throws LlariatError "template" where there is no
   * such template, it cannot be parsed, it refuses the messages (raise_exception), fails as it would in Python, or asks
   * for too much; the template's own words are in the message and in `cause`.
   */
  render(messages: readonly Message[], specials: Readonly<Record<string, unknown>>, given: ChatOptions = {}): string {
    const options = checkOptions<ChatOptions>(given, CHAT_OPTIONS);
    checkMessages(messages);
    const name = this.#choose(options);
    const template = this.#template(name);
    const { now = new Date(), continueFinalMessage = false, addGenerationPrompt = !continueFinalMessage } = options;
    if (reading("now", () => !(now instanceof Date) || Number.isNaN(now.getTime()))) {
      throw new LlariatError("request", `must be a valid Date, got ${display(now)}`, { subject: "now" });
    }
    if (continueFinalMessage && addGenerationPrompt) {
      refuse(
        "addGenerationPrompt opens a new turn, continueFinalMessage goes on with the last one; ask for one of them",
      );
    }
    const key = continueFinalMessage === true ? "content" : continueFinalMessage || undefined;
    const variables = {
      ...specials,
      messages: key === undefined ? messages : tagged(messages, key),
      tools: options.tools ?? null,
      documents: null,
      add_generation_prompt: addGenerationPrompt,
      ...reading("variables", () => ({ ...options.variables })),
    };
    let prompt: string;
    try {
      prompt = template.render(variables, (format) => strftime(now, format));
    } catch (cause) {
      if (!(cause instanceof Fault)) return reading("messages", () => raise(cause));
      throw new LlariatError("template", `the chat template "${name}" ${sentence(cause)}${advice(cause, messages)}`, {
        cause,
      });
    }
    return key === undefined ? prompt : cut(prompt, messages, key, name);
  }

  /** Throws LlariatError "template" where there is no such template or it cannot be parsed. */
  check(options: ChatOptions = {}): void {
    this.#template(this.#choose(checkOptions<ChatOptions>(options, CHAT_OPTIONS)));
  }

  /** transformers' get_chat_template. */
  #choose({ templateName, tools }: ChatOptions): string {
    const sources = this.#sources;
    if (sources.size === 0) {
      refuse(
        "the model has no chat template; write the prompt as plain text, or put the template its model card shows into chat_template.jinja",
      );
    }
    const name = templateName ?? (tools && sources.has("tool_use") ? "tool_use" : "default");
    if (sources.has(name)) return name;
    return refuse(
      `no chat template is called "${name}": there are ${this.names.join(", ")}; choose one by templateName`,
    );
  }

  #template(name: string): Template {
    let template = this.#templates.get(name);
    if (template === undefined) {
      try {
        template = new Template(this.#sources.get(name)!);
      } catch (cause) {
        if (!(cause instanceof Fault)) throw cause;
        const where = cause.line === undefined ? "" : `line ${cause.line}: `;
        throw new LlariatError("template", `the chat template "${name}" cannot be parsed: ${where}${cause.message}`, {
          cause,
        });
      }
      this.#templates.set(name, template);
    }
    return template;
  }
}

const raise = (cause: unknown): never => {
  throw cause;
};
const refuse = (sentence: string): never => raise(new LlariatError("template", sentence));

function sentence({ kind, line, message }: Fault): string {
  if (kind === "TemplateError") return `refuses these messages: ${message}`;
  const where = line === undefined ? "" : ` at line ${line}`;
  return kind === "Limit" ? `is stopped${where}: ${message}` : `fails${where}: ${kind}: ${message}`;
}

/** The likeliest way out of a TypeError: content as parts, where the template joins texts. */
function advice({ kind }: Fault, messages: readonly Message[]): string {
  const at = kind === "TypeError" ? messages.findIndex(({ content }) => Array.isArray(content)) : -1;
  return at < 0
    ? ""
    : `; the content of message ${at} is a list of parts: if the template takes text, give it as a string`;
}

/** Throws LlariatError "request" for what is no list of objects. */
function checkMessages(messages: unknown): void {
  reading("messages", () => {
    const isList = Array.isArray(messages);
    const wrong = isList ? messages.findIndex((message) => !isObject(message)) : -1;
    if (isList && wrong < 0) return;
    const got = isList ? `${display(messages[wrong])} at ${wrong}` : display(messages);
    throw new LlariatError("request", `must be a list of objects with role and content, got ${got}`, {
      subject: "messages",
    });
  });
}

/** The messages with a mark at the end of the last one. Refuses what has no text to go on with. */
function tagged(messages: readonly Message[], key: string): readonly Message[] {
  const last = messages.at(-1);
  const content = last?.[key];
  let marked: unknown;
  if (typeof content === "string") marked = content + TAG;
  else if (Array.isArray(content)) {
    const parts = content as readonly unknown[];
    const at = parts.findLastIndex((part) => typeof textPart(part) === "string");
    if (at < 0) refuse("continueFinalMessage: none of the parts of the last message has text to go on with");
    marked = parts.map((part, i) => (i === at ? { ...(part as object), text: textPart(part)! + TAG } : part));
  } else refuse(`continueFinalMessage: the last message has no "${key}" to go on with`);
  return [...messages.slice(0, -1), { ...last!, [key]: marked }];
}

const textPart = (part: unknown): string | undefined => {
  const value = typeof part === "object" && part !== null ? (part as { text?: unknown }).text : undefined;
  return typeof value === "string" ? value : undefined;
};

/** The prompt up to the mark. */
function cut(prompt: string, messages: readonly Message[], key: string, name: string): string {
  const content = messages.at(-1)![key];
  const written =
    typeof content === "string"
      ? content
      : (content as unknown[]).map(textPart).findLast((part) => part !== undefined)!;
  const at = prompt.lastIndexOf(TAG.trim());
  if (at < 0 || !prompt.includes(written.trim())) {
    refuse(
      `continueFinalMessage: the chat template "${name}" does not write the last message as it is; nothing can be continued`,
    );
  }
  return prompt.slice(0, at);
}

/** Template files of a checkpoint beside its tokenizer_config.json. */
export interface TemplateFiles {
  /** The text of chat_template.jinja. */
  readonly chatTemplate?: string | undefined;
  /** The texts of additional_chat_templates/NAME.jinja, by NAME. */
  readonly additionalChatTemplates?: Readonly<Record<string, string>> | undefined;
}

/**
 * Reads chat_template of tokenizer_config.json: a string, a list of {name, template}, or an object of them by name. Where
 * there are template files they are all there is, as in transformers.
 */
export function readChatTemplates(json: unknown, files: TemplateFiles = {}): ChatTemplates {
  const { chatTemplate, additionalChatTemplates = {} } = files;
  const further = Object.entries(additionalChatTemplates);
  if (chatTemplate !== undefined || further.length > 0) {
    return new ChatTemplates(
      new Map([...(chatTemplate === undefined ? [] : [["default", chatTemplate] as const]), ...further]),
    );
  }
  const where = "tokenizer_config.json: chat_template";
  if (json === undefined || json === null) return new ChatTemplates(new Map());
  if (typeof json === "string") return new ChatTemplates(new Map([["default", json]]));
  if (typeof json === "object" && !Array.isArray(json)) {
    const named = Object.entries(json);
    return new ChatTemplates(new Map(named.map(([name, template]) => [name, text(template, `${where}.${name}`)])));
  }
  const named = list(json, where).map((entry, i) => {
    const { name, template } = fields(entry, `${where}[${i}]`);
    return [text(name, `${where}[${i}].name`), text(template, `${where}[${i}].template`)] as const;
  });
  return new ChatTemplates(new Map(named));
}
