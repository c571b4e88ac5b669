// prompts — a prompt of each task, built to a length in tokens from a seed; or taken from a file.

import { cwe } from "./cwe.ts";
import { fromFixture } from "./fixture.ts";
import { fwe } from "./fwe.ts";
import { multiturn } from "./multiturn.ts";
import { needle } from "./needle.ts";
import { niah } from "./niah.ts";
import { passkey } from "./passkey.ts";
import { checkedBuilder } from "./prompt.ts";
import { qa } from "./qa.ts";
import { title } from "./title.ts";
import { uuid } from "./uuid.ts";
import { vt } from "./vt.ts";

export type { FixturePrompt } from "./fixture.ts";
export type { Document, Needle } from "./materials.ts";
export { DEFAULT_NEEDLE, type NeedleOptions } from "./needle.ts";
export type { NiahName, NiahOptions } from "./niah.ts";
export type { PasskeyOptions } from "./passkey.ts";
export type { BuildOptions, ChatFrame, Exchange, Prompt, SeededOptions, TaskName } from "./prompt.ts";
export { TASK_NAMES } from "./prompt.ts";
export type { QaOptions } from "./qa.ts";
export { type Question, type QuestionSet, parseQuestions } from "./questions.ts";
export type { TitleOptions } from "./title.ts";

/** One builder per task, and `fromFixture` for prompts that exist already. All are pure: same options, same prompt. */
export const prompts = {
  /** One value among key/value pairs, as h2oGPT asks for it. */
  uuid: checkedBuilder(uuid),
  /** Five digits in a sea of one sentence. */
  passkey: checkedBuilder(passkey),
  /** The title of a document, from its text. */
  title: checkedBuilder(title),
  /** A sentence of your choice in a text of your choice. */
  needle: checkedBuilder(needle),
  /** Ten questions about one list of key/value pairs. */
  multiturn: checkedBuilder(multiturn),
  /** RULER's needles: one or several among noise, essays or others of their form. */
  niah: checkedBuilder(niah),
  /** RULER's variable tracking. */
  vt: checkedBuilder(vt),
  /** RULER's common words. */
  cwe: checkedBuilder(cwe),
  /** RULER's frequent words. */
  fwe: checkedBuilder(fwe),
  /** RULER's question answering. */
  qa: checkedBuilder(qa),
  /** A prompt that exists already. */
  fromFixture,
} as const;
