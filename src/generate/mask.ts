// mask.ts — the form that an answer must have (`responseFormat`), as ids that may come next. What is known of it is a function of
// the answer's tokens, so nothing is lost with the device or with the pages of a request.

import { LlariatError } from "../error.ts";
import { Grammars, type TokenMask } from "../grammar/index.ts";
import { isObject } from "../text/json.ts";
import { type Kinds, checkOptions, reading } from "../text/options.ts";
import { display } from "../text/wording.ts";
import type { GenerateOptions, RequestContext, ResponseFormat } from "./options.ts";

const NAME = "responseFormat";

/** Every option of each type. */
const FORMATS = {
  text: { type: ["text"] },
  json_object: { type: ["json_object"] },
  json_schema: { type: ["json_schema"], schema: "any" },
  mask: { type: ["mask"], start: "function" },
} as const satisfies Readonly<
  Record<ResponseFormat["type"], Kinds<{ type: string; schema?: unknown; start?: unknown }> | object>
>;

/** The option, checked and copied but for the schema, which is read by who compiles it. Throws `request` naming it. */
export function readResponseFormat(given: unknown): ResponseFormat | undefined {
  if (given === undefined) return undefined;
  return reading(NAME, () => {
    if (!isObject(given)) throw wrong(NAME, "must be an object with a type", given);
    const type = reading(`${NAME}.type`, () => given["type"]);
    const known = Object.keys(FORMATS);
    if (typeof type !== "string" || !known.includes(type)) {
      throw wrong(`${NAME}.type`, `must be one of ${known.join(", ")}`, type);
    }
    const kinds = FORMATS[type as keyof typeof FORMATS];
    const format = checkOptions<{ type: string; schema?: unknown; start?: unknown }>(given, kinds as never, NAME);
    for (const needed of Object.keys(kinds))
      if (format[needed as keyof typeof format] === undefined) throw wrong(`${NAME}.${needed}`, "is needed", undefined);
    return format as ResponseFormat;
  });
}

const wrong = (subject: string, needed: string, got: unknown): LlariatError =>
  new LlariatError("request", `${needed}, got ${display(got)}`, { subject });

/** Of each loaded model; what a vocabulary comes to is read once, when the first request asks for it. */
const grammars = new WeakMap<RequestContext, Grammars>();

/** The mask that an answer begins with; undefined where it may be anything. Throws `request` for a schema that is not supported. */
function startOf(context: RequestContext, { responseFormat }: GenerateOptions): TokenMask | undefined {
  const format = readResponseFormat(responseFormat);
  if (format === undefined || format.type === "text") return undefined;
  if (format.type === "mask") return foreign(reading(`${NAME}.start`, format.start));
  const { tokenizer, scheduler } = context;
  if (!tokenizer) {
    const problem = `there is no text that could have a form: ${context.tokenizerProblem!.message}`;
    throw new LlariatError("request", problem, { subject: NAME });
  }
  let own = grammars.get(context);
  if (own === undefined) grammars.set(context, (own = new Grammars(tokenizer, scheduler.engine.config.vocab)));
  return own.grammar(format.type === "json_schema" ? format.schema : undefined)();
}

/** A mask of the caller's, as far as one can see before it is used. */
function foreign(mask: unknown): TokenMask {
  return reading(`${NAME}.start`, () => {
    const is = isObject(mask) && typeof mask["allowed"] === "function" && typeof mask["accept"] === "function";
    if (!is) throw wrong(`${NAME}.start`, "must give an object with allowed and accept", mask);
    return mask as unknown as TokenMask;
  });
}

/** What may come next in one answer. */
export class AnswerMask {
  readonly #mask: TokenMask;
  readonly #endings: ReadonlySet<number>;

  private constructor(mask: TokenMask, endings: ReadonlySet<number>) {
    [this.#mask, this.#endings] = [mask, endings];
  }

  /** undefined where an answer may be anything. `endings`: ids that end it, which may come where it is complete and only there. */
  static of(context: RequestContext, options: GenerateOptions, endings: ReadonlySet<number>): AnswerMask | undefined {
    const mask = startOf(context, options);
    return mask && new AnswerMask(mask, endings);
  }

  /** Bit i % 32 of word i / 32 is 1 where the id i may come next. */
  allowed(): Uint32Array {
    const { complete } = this.#mask;
    let allowed = this.#mask.allowed();
    if (!(allowed instanceof Uint32Array)) throw wrong(`${NAME}: allowed`, "must give a Uint32Array", allowed);
    let own = false;
    for (const id of this.#endings) {
      if ((((allowed[id >> 5] ?? 0) >>> (id & 31)) & 1) === Number(complete)) continue;
      if (!own) allowed = allowed.slice();
      own = true;
      allowed[id >> 5] ^= 1 << (id & 31);
    }
    return allowed;
  }

  /** Takes the id that was drawn; whether the answer is whole, and nothing can follow. */
  accept(id: number): boolean {
    if (this.#endings.has(id)) return true;
    this.#mask.accept(id);
    return this.#mask.over;
  }

  /** Of tokens that are guessed to follow those that can. */
  draft(ids: readonly number[]): readonly number[] {
    return this.#mask.fits ? ids.slice(0, this.#mask.fits(ids)) : ids;
  }

  /** Computes what `allowed` will give, once whoever calls has given way: while the device computes the logits it is for. */
  prepare(): void {
    setTimeout(() => {
      try {
        this.#mask.allowed();
      } catch {
        // it is thrown again where somebody waits for it
      }
    });
  }
}
