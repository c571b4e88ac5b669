// prompts — a prompt of each task, built to a length in tokens from a seed; or taken from a file.

import { fromFixture } from "./fixture.ts";
import { needle } from "./needle.ts";
import { passkey } from "./passkey.ts";
import { title } from "./title.ts";
import { uuid } from "./uuid.ts";

export type { FixturePrompt } from "./fixture.ts";
export { DEFAULT_NEEDLE, type Needle, type NeedleOptions } from "./needle.ts";
export type { PasskeyOptions } from "./passkey.ts";
export type { BuildOptions, Prompt, TaskName } from "./prompt.ts";
export type { Document, TitleOptions } from "./title.ts";

/** One builder per task, and `fromFixture` for prompts that exist already. All are pure: same options, same prompt. */
export const prompts = {
  /** One value among key/value pairs, as h2oGPT asks for it. */
  uuid,
  /** Five digits in a sea of one sentence. */
  passkey,
  /** The title of a document, from its text. */
  title,
  /** A sentence of your choice in a text of your choice. */
  needle,
  /** A prompt that exists already. */
  fromFixture,
} as const;
