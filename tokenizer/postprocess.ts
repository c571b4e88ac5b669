// postprocess.ts — the "post_processor" of tokenizer.json: special tokens around the text, and offsets without spaces.

import { byType, count, fields, flag, list, MAX_VOCABULARY, refuse, stepsOf, text } from "./read.ts";
import type { Fields, Reader } from "./read.ts";

/** What happens to the ids of a text at the end. */
export interface PostProcessor {
  /** Ids put before and after the text. */
  readonly before: readonly number[];
  readonly after: readonly number[];
  /** Byte-level only: offsets leave out white space at both ends of a token, as often as the file says so. */
  readonly trims: readonly { readonly addPrefixSpace: boolean }[];
}

const NOTHING: PostProcessor = { before: [], after: [], trims: [] };

/** Published ones add one or two; every text carries them. */
const MAX_IDS = 1024;

function templateIds(specials: Fields, name: string, where: string): number[] {
  const special = fields(
    Object.hasOwn(specials, name) ? specials[name] : undefined,
    `${where}.special_tokens["${name}"]`,
  );
  const ids = list(special["ids"], `${where}.special_tokens["${name}"].ids`);
  return ids.map((id, i) => count(id, `${where}.special_tokens["${name}"].ids[${i}]`, MAX_VOCABULARY));
}

const READERS: Readonly<Record<string, Reader<PostProcessor>>> = {
  Sequence(json, where, depth) {
    return stepsOf(json["processors"], `${where}.processors`, "processors")
      .map((step, i) => byType(step, `${where}.processors[${i}]`, READERS, depth + 1))
      .reduce(
        (inner, outer) => ({
          before: [...outer.before, ...inner.before],
          after: [...inner.after, ...outer.after],
          trims: [...inner.trims, ...outer.trims],
        }),
        NOTHING,
      );
  },
  TemplateProcessing(json, where) {
    const specials = fields(json["special_tokens"] ?? {}, `${where}.special_tokens`);
    const before: number[] = [];
    const after: number[] = [];
    let texts = 0;
    for (const [i, entry] of list(json["single"], `${where}.single`).entries()) {
      const place = `${where}.single[${i}]`;
      const part = fields(entry, place);
      if (part["Sequence"] === undefined) {
        const name = text(fields(part["SpecialToken"], `${place}.SpecialToken`)["id"], `${place}.SpecialToken.id`);
        const ids = texts === 0 ? before : after;
        for (const id of templateIds(specials, name, where)) ids.push(id);
        if (ids.length > MAX_IDS) refuse(`${place} adds more than ${MAX_IDS} ids, needed at most that`);
      } else {
        texts++;
      }
    }
    if (texts !== 1) refuse(`${where}.single has the text ${texts} times, needed once`);
    return { before, after, trims: [] };
  },
  ByteLevel: (json, where) => ({ before: [], after: [], trims: trims(json, where) }),
  BertProcessing: (json, where) => around(json, where),
  RobertaProcessing: (json, where) => ({ ...around(json, where), trims: trims(json, where) }),
};

function trims(json: Fields, where: string): PostProcessor["trims"] {
  const trim = flag(json["trim_offsets"], `${where}.trim_offsets`, true);
  const addPrefixSpace = flag(json["add_prefix_space"], `${where}.add_prefix_space`, true);
  return trim ? [{ addPrefixSpace }] : [];
}

/** "cls" before and "sep" after the text; each is a token and its id. */
function around(json: Fields, where: string): PostProcessor {
  const [before, after] = ["cls", "sep"].map((key) => {
    const pair = list(json[key], `${where}.${key}`);
    return [count(pair[1], `${where}.${key}[1]`, MAX_VOCABULARY)];
  });
  return { before, after, trims: [] };
}

/** Throws LlariatError "tokenizer" naming a post-processor that is not supported. */
export function readPostProcessor(json: unknown): PostProcessor {
  return json === undefined || json === null ? NOTHING : byType(json, "post_processor", READERS, 0);
}

const SPACES_BEFORE = /^[Ġ\p{White_Space}]*/u;
const SPACES_AFTER = /[Ġ\p{White_Space}]*$/u;

/**
 * Moves the ends of `span` (start and end, in code points) inwards past the white space of `token`, as the library's
 * byte-level post-processor does (process_offsets): a single space at the very start may be the added one and stays.
 */
export function trimSpan(
  token: string,
  start: number,
  end: number,
  first: boolean,
  addPrefixSpace: boolean,
): [number, number] {
  let before = SPACES_BEFORE.exec(token)![0].length;
  const after = SPACES_AFTER.exec(token)![0].length;
  if ((first || start === 0) && addPrefixSpace && before === 1) before = 0;
  const from = Math.min(start + before, end);
  return [from, after > 0 && end >= after ? Math.max(end - after, from) : end];
}
