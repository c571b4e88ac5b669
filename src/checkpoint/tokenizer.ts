// tokenizer.ts — the files of a checkpoint that make its tokenizer, and the tokenizer they make.

import { Tokenizer } from "../../tokenizer/index.ts";
import { LlariatError, printable } from "../error.ts";
import { type FileSet, readWhole } from "./bytes.ts";
import { MAX_TEXT_BYTES, textOf } from "./shards.ts";

/** The files of a checkpoint that the tokenizer reads, as they are; undefined where there is no such file. */
export interface CheckpointTexts {
  readonly tokenizer?: string; // tokenizer.json
  readonly tokenizerModel?: Uint8Array; // tokenizer.model, only where there is no tokenizer.json
  readonly tokenizerConfig?: string; // tokenizer_config.json
  readonly specialTokensMap?: string; // special_tokens_map.json
  readonly addedTokens?: string; // added_tokens.json
  readonly chatTemplate?: string; // chat_template.jinja
  /** additional_chat_templates/NAME.jinja, by NAME. */
  readonly additionalChatTemplates?: Readonly<Record<string, string>>;
}

const NAMES = [
  ["tokenizer", "tokenizer.json"],
  ["tokenizerConfig", "tokenizer_config.json"],
  ["specialTokensMap", "special_tokens_map.json"],
  ["addedTokens", "added_tokens.json"],
  ["chatTemplate", "chat_template.jinja"],
] as const;
const MODEL = "tokenizer.model";
const FURTHER_TEMPLATES = "additional_chat_templates";
const TEMPLATE = ".jinja";

/** Reads them. Throws LlariatError "tokenizer" for a file that is too long or no text, or whatever the files throw. */
export async function readTexts(files: FileSet, signal?: AbortSignal): Promise<CheckpointTexts> {
  const texts: Record<string, string | Uint8Array | Record<string, string>> = {};
  for (const [key, name] of NAMES) {
    const text = await textOf(files, name, MAX_TEXT_BYTES, "tokenizer", signal);
    if (text !== undefined) texts[key] = text;
  }
  const model = texts["tokenizer"] === undefined ? await files.open(MODEL, signal) : undefined;
  if (model) texts["tokenizerModel"] = await readWhole(model, MAX_TEXT_BYTES, "tokenizer", signal);
  const folder = await files.folder?.(FURTHER_TEMPLATES, signal);
  if (folder) texts["additionalChatTemplates"] = await furtherTemplates(folder, signal);
  return Object.freeze(texts);
}

/** The templates of a folder by name, without ending; other files are not looked at. */
async function furtherTemplates(folder: FileSet, signal?: AbortSignal): Promise<Record<string, string>> {
  const names = (await folder.list()).filter((name) => name.endsWith(TEMPLATE)).toSorted();
  const templates: Record<string, string> = {};
  for (const name of names) {
    const text = await textOf(folder, name, MAX_TEXT_BYTES, "tokenizer", signal);
    if (text !== undefined) templates[name.slice(0, -TEMPLATE.length)] = text;
  }
  return templates;
}

/** A checkpoint's tokenizer, or why it has none that can be used. */
export type CheckpointTokenizer =
  | { readonly tokenizer: Tokenizer; readonly problem?: undefined }
  | { readonly tokenizer?: undefined; readonly problem: LlariatError };

/**
 * The tokenizer of a checkpoint. Throws LlariatError "tokenizer" for a tokenizer.json that cannot be used. Without one the
 * model still takes ids: then a tokenizer.model that cannot be used, like none at all, is a problem for whoever has text.
 */
export function tokenizerOf(texts: CheckpointTexts): CheckpointTokenizer {
  if (texts.tokenizer === undefined && texts.tokenizerModel === undefined) {
    const sentence = `the checkpoint has no tokenizer.json and no ${MODEL}; give token ids, or add the file`;
    return { problem: new LlariatError("tokenizer", sentence) };
  }
  try {
    const { tokenizer: tokenizerJson, ...others } = texts;
    return { tokenizer: Tokenizer.fromFiles({ tokenizerJson, ...others }) };
  } catch (error) {
    if (texts.tokenizer !== undefined || !(error instanceof LlariatError)) throw error;
    return { problem: error };
  }
}

/** What the prompts of a model will be. */
export type PromptKind = "ids" | "text" | "messages";

/** Throws LlariatError "tokenizer" or "template" where a checkpoint's files cannot make prompts of such a kind. */
export function checkPrompts({ tokenizer, problem }: CheckpointTokenizer, kind: PromptKind): void {
  if (kind === "ids") return;
  if (problem) throw problem;
  if (kind === "messages") tokenizer.checkChatTemplate();
}

/** Sentences about the tokenizer that a person should see; `vocab`: how many tokens the model has. */
export function tokenizerNotes(
  { tokenizer, problem }: CheckpointTokenizer,
  texts: CheckpointTexts,
  vocab: number,
): string[] {
  if (problem) return texts.tokenizerModel ? [`text cannot be a prompt, only token ids: ${problem.message}`] : [];
  const beyond = Object.entries(tokenizer.specialTokens).filter(([, token]) => tokenizer.tokenToId(token)! >= vocab);
  return [
    ...tokenizer.notes,
    ...beyond.map(
      ([name, token]) =>
        `the ${name} ${token} has the id ${tokenizer.tokenToId(token)}, but the model has ${vocab} tokens; do not use it in a prompt`,
    ),
  ].map(printable); // they quote pieces and tokens
}
