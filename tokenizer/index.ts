/**
 * Text ⇄ ids, as tokenizer.json or tokenizer.model says.
 *
 *     files → parts.ts → the stages
 *     text → added.ts → normalize.ts → pretokenize.ts → bpe.ts or unigram.ts → postprocess.ts → ids
 *     ids → decode.ts (stream.ts) → text          messages → chat.ts → text
 *
 * tokenizer.json is the truth, whatever class tokenizer_config.json names; without one a SentencePiece file is read
 * (sentencepiece/). The other files give special tokens (special.ts) and templates.
 * @module llariat/tokenizer
 */

import { LlariatError } from "../src/error.ts";
import { type Kinds, checkOptions, reading } from "../src/text/options.ts";
import { isObject } from "../src/text/json.ts";
import { display } from "../src/text/wording.ts";
import type { AddedTokens } from "./added.ts";
import { readChatTemplates } from "./chat.ts";
import type { ChatOptions, ChatTemplates, Message } from "./chat.ts";
import type { Piece } from "./piece.ts";
import type { Decoder } from "./decode.ts";
import { Effort } from "./effort.ts";
import type { Model } from "./encoder.ts";
import { readParts } from "./parts.ts";
import type { TokenizerFiles } from "./parts.ts";
import { trimSpan } from "./postprocess.ts";
import type { PostProcessor } from "./postprocess.ts";
import type { Splitting } from "./pretokenize.ts";
import { document, refuse } from "./read.ts";
import type { SpecialTokens } from "./special.ts";
import { StreamDecoder } from "./stream.ts";
import type { TokenBytes } from "./tokenbytes.ts";
import { Tokens } from "./tokens.ts";

export type { ChatOptions, Message } from "./chat.ts";
export type { TokenizerFiles } from "./parts.ts";
export type { SpecialTokens } from "./special.ts";
export type { StreamDecoder } from "./stream.ts";

/** What to do about special tokens when encoding. */
export interface EncodeOptions {
  /** Adds what the post-processor adds, as a rule <s> in front (default true). */
  addSpecialTokens?: boolean;
  /** Special tokens written in the text become their ids; otherwise they are plain text (default true). */
  parseSpecial?: boolean;
}

/** How to encode with offsets. */
export interface OffsetOptions extends EncodeOptions {
  /** What offsets count: UTF-16 units, for String.slice (default), or code points, as Python counts. */
  unit?: "utf16" | "codePoint";
}

/** What to do about special tokens when decoding. */
export interface DecodeOptions {
  /** Leaves special tokens out (default true). */
  skipSpecialTokens?: boolean;
}

const DECODE_OPTIONS: Kinds<DecodeOptions> = { skipSpecialTokens: "flag" };
const ENCODE_OPTIONS: Kinds<EncodeOptions> = { addSpecialTokens: "flag", parseSpecial: "flag" };
const OFFSET_OPTIONS: Kinds<OffsetOptions> = { ...ENCODE_OPTIONS, unit: ["utf16", "codePoint"] };

/** Reads and writes the tokens of one model. Holds no resources. */
export class Tokenizer {
  /** As tokenizer.json names its model, BPE or Unigram; "SentencePiece BPE" and so on where there is only tokenizer.model. */
  readonly kind: string;
  /** One sentence per thing a person should know that is no error. */
  readonly notes: readonly string[];
  /** Distinct ids, added tokens included. */
  readonly vocabSize: number;
  /** Ids of the added tokens that are special, in the order of the file. */
  readonly specialIds: readonly number[];
  readonly specialTokens: SpecialTokens;
  /** undefined where the config names no such token. */
  readonly bosId: number | undefined;
  readonly eosId: number | undefined;

  readonly #model: Model;
  readonly #added: AddedTokens;
  readonly #splitting: Splitting;
  readonly #traces: boolean;
  readonly #post: PostProcessor;
  readonly #decoder: Decoder;
  readonly #tokenBytes: TokenBytes;
  readonly #chat: ChatTemplates;
  /** Content of added tokens → id. */
  readonly #addedIds: ReadonlyMap<string, number>;
  /**
   * Id → content, and as it is decoded: an added token that is searched in normalized text as it reads there, so that the
   * text encodes to it again. tokenizers 0.23 does the same, but forgets that such a token is special; here it stays so.
   */
  readonly #contents: readonly (string | undefined)[];
  readonly #written: readonly (string | undefined)[];
  readonly #special: ReadonlySet<number>;

  /**
   * Throws LlariatError "tokenizer" with one sentence for a file that is damaged or uses what is not supported. The
   * truncation and padding a file may hold are for training and are left alone, with a note.
   */
  static fromFiles(given: TokenizerFiles): Tokenizer {
    const files = reading("files", () => (isObject(given) ? { ...given } : given));
    if (!isObject(files)) throw wrong("files", "an object of files", files);
    const { tokenizerModel: bytes } = files;
    if (bytes !== undefined && !(bytes instanceof Uint8Array)) throw wrong("tokenizerModel", "bytes", bytes);
    return reading("files", () => new Effort("reading them").run(() => new Tokenizer(files)), "tokenizer");
  }

  private constructor(files: TokenizerFiles) {
    const config = document(files.tokenizerConfig ?? {}, "tokenizer_config.json");
    const parts = readParts(files, config);
    this.#model = parts.model;
    this.#splitting = parts.splitting;
    this.#traces = parts.traces;
    this.#added = parts.added;
    this.#post = parts.post;
    this.#decoder = parts.decoder;
    this.#tokenBytes = parts.tokenBytes;
    this.#chat = readChatTemplates(config["chat_template"], files);
    this.kind = parts.model.kind;
    this.notes = parts.notes;

    const { pieces } = parts.model;
    const { tokens } = this.#added;
    const contents = [...pieces];
    const written = [...pieces];
    for (const token of tokens) {
      contents[token.id] = token.content;
      written[token.id] = token.written;
    }
    this.#contents = contents;
    this.#written = written;
    this.#addedIds = new Map(tokens.map((token) => [token.content, token.id]));
    this.specialIds = tokens.filter((token) => token.special).map((token) => token.id);
    this.#special = new Set(this.specialIds);
    this.vocabSize = contents.reduce((count: number, content) => count + (content === undefined ? 0 : 1), 0);

    this.specialTokens = parts.specialTokens;
    this.bosId = this.#idOf("bos_token");
    this.eosId = this.#idOf("eos_token");
    for (const id of [...this.#post.before, ...this.#post.after]) {
      if (contents[id] === undefined) refuse(`post_processor adds the id ${id}, which stands for no token`);
    }
  }

  #idOf(name: string): number | undefined {
    const content = this.specialTokens[name];
    return content === undefined ? undefined : this.tokenToId(content);
  }

  /** Id of a piece of the vocabulary or of an added token, spelt as the file spells it (▁the, Ġthe, <s>). */
  tokenToId(token: string): number | undefined {
    return this.#addedIds.get(token) ?? this.#model.vocabulary.get(token);
  }

  /** The token of an id, spelt as the file spells it. */
  idToToken(id: number): string | undefined {
    return typeof id === "number" ? this.#contents[id] : undefined;
  }

  /** One more than the largest id. */
  get idEnd(): number {
    return this.#contents.length;
  }

  /**
   * The bytes that an id adds to a decoded text, wherever it stands but at its two ends; several tokens may share the bytes of
   * one character. undefined for special tokens, for ids without a token, and where the decoder makes the text of a token
   * depend on others.
   */
  tokenBytes(id: number): Uint8Array | undefined {
    const token = typeof id !== "number" || this.#special.has(id) ? undefined : this.#written[id];
    return token === undefined ? undefined : this.#tokenBytes(token);
  }

  /**
   * Ids of `text`. Lone surrogates become U+FFFD. Throws LlariatError "tokenizer" where a character of the text has no
   * ids at all (only vocabularies without bytes and unknown token).
   */
  encode(text: string, options: EncodeOptions = {}): Uint32Array {
    const tokens = this.#run(text, checkOptions<EncodeOptions>(options, ENCODE_OPTIONS), false);
    return tokens.ids.slice(0, tokens.length);
  }

  /**
   * Ids of `text`, and for each id the part of `text` it stands for: start at 2i, end at 2i + 1, in UTF-16 units (or code
   * points, see `unit`). Tokens that the post-processor adds have 0, 0. All bytes of a character have its offsets. Slower
   * than `encode`. Throws like `encode`.
   */
  encodeWithOffsets(text: string, given: OffsetOptions = {}): { ids: Uint32Array; offsets: Uint32Array } {
    const options = checkOptions<OffsetOptions>(given, OFFSET_OPTIONS);
    const tokens = this.#run(text, options, true);
    const { before, after, trims } = this.#post;
    const ids = tokens.ids.slice(0, tokens.length);
    const offsets = tokens.spans!.slice(0, 2 * tokens.length);
    const added = options.addSpecialTokens !== false;
    for (const { addPrefixSpace } of trims) {
      const first = added ? before.length : 0;
      for (let i = first; i < ids.length - (added ? after.length : 0); i++) {
        const span = offsets.subarray(2 * i, 2 * i + 2) as unknown as [number, number];
        const isAdded = this.#addedIds.get(this.#contents[ids[i]]!) === ids[i];
        const token = isAdded ? text.slice(...span) : this.#contents[ids[i]]!;
        offsets.set(trimSpan(token, ...span, i === first, addPrefixSpace), 2 * i);
      }
    }
    if (options.unit === "codePoint") toCodePoints(text, offsets);
    return { ids, offsets };
  }

  #run(text: string, options: EncodeOptions, traced: boolean): Tokens {
    if (typeof text !== "string") refuse(`encode: got ${typeof text}, needed a string`);
    const effort = new Effort(`a text of ${text.length} characters`);
    effort.given(text.length);
    return effort.run(() => this.#encode(text, options, traced));
  }

  #encode(text: string, options: EncodeOptions, traced: boolean): Tokens {
    const whole = LONE_SURROGATE.test(text) ? text.replaceAll(LONE_SURROGATES, "\ufffd") : text;
    const { before, after } = this.#post;
    const added = options.addSpecialTokens !== false;
    // English has about 4 characters a token; the array grows when a text has fewer
    const tokens = new Tokens(before.length + (text.length >> 1) + after.length, traced);
    if (added) for (const id of before) tokens.push(id, 0, 0);
    for (const { piece, token } of this.#added.sections(
      whole,
      options.parseSpecial !== false,
      traced || this.#traces,
    )) {
      const from = tokens.length;
      if (token) {
        tokens.push(token.id, 0, piece.text.length);
        if (traced) locate(tokens, from, piece);
        continue;
      }
      for (const word of this.#splitting.split(piece)) {
        const from = tokens.length;
        this.#model.encoder.encode(word.text, this.#splitting.bytes, tokens);
        if (traced) locate(tokens, from, word);
      }
    }
    if (added) for (const id of after) tokens.push(id, 0, 0);
    return tokens;
  }

  /** Text of `ids`; ids outside the vocabulary are left out, as the library does. */
  decode(ids: Iterable<number>, options: DecodeOptions = {}): string {
    const stream = this.streamDecoder(options);
    let text = "";
    for (const id of reading("ids", () => readIds(ids))) text += stream.push(id);
    return text + stream.end();
  }

  /**
   * Decodes ids as they arrive: `push` gives the text that is certain now, `end` the rest. Together they are what `decode`
   * gives for all the ids. Never half a character, nor text that a later id makes invalid.
   */
  streamDecoder(options: DecodeOptions = {}): StreamDecoder {
    const { skipSpecialTokens = true } = checkOptions<DecodeOptions>(options, DECODE_OPTIONS);
    const [written, special] = [this.#written, this.#special];
    return new StreamDecoder(this.#decoder, (id) =>
      typeof id !== "number" || (skipSpecialTokens && special.has(id)) ? undefined : written[id],
    );
  }

  /** Whether the checkpoint has a chat template, so that messages can be prompts. */
  get hasChatTemplate(): boolean {
    return this.#chat.names.length > 0;
  }

  /** The names of the chat templates; one that stands alone is "default". */
  get chatTemplates(): readonly string[] {
    return this.#chat.names;
  }

  /** Throws LlariatError "template" where messages could not be a prompt: no such template, or one that cannot be parsed. */
  checkChatTemplate(options: ChatOptions = {}): void {
    this.#chat.check(options);
  }

  /**
   * The prompt for `messages` by the model's chat template; encode it with `addSpecialTokens: false`, for templates write
   * <s> themselves. Throws LlariatError "template" with the template's own words where it refuses the messages or fails.
   */
  applyChatTemplate(messages: readonly Message[], options: ChatOptions = {}): string {
    return this.#chat.render(messages, this.specialTokens, options);
  }
}

const wrong = (subject: string, needed: string, got: unknown): LlariatError =>
  new LlariatError("request", `must be ${needed}, got ${display(got)}`, { subject });

/** The ids, one by one: a list of holes may be of any length. */
function readIds(ids: Iterable<number>): number[] {
  const read: number[] = [];
  for (const id of ids as Iterable<unknown>) {
    if (typeof id !== "number" && typeof id !== "bigint") {
      const problem = `must be numbers, got ${display(id)} at ${read.length}`;
      throw new LlariatError("request", problem, { subject: "ids" });
    }
    read.push(Number(id));
  }
  return read;
}

const LOW_SURROGATE = /^[\udc00-\udfff]/;
const LONE_SURROGATE = /\p{Surrogate}/u;
const LONE_SURROGATES = /\p{Surrogate}/gu;

/** Turns spans in `piece`, from token `first` on, into spans in the original text. */
function locate(tokens: Tokens, first: number, piece: Piece): void {
  const [spans, origin] = [tokens.spans!, piece.origin!];
  for (let i = first; i < tokens.length; i++) {
    spans[2 * i] = origin[2 * spans[2 * i]]!;
    spans[2 * i + 1] = origin[2 * spans[2 * i + 1] - 1]!;
  }
}

/** Turns offsets in UTF-16 units into offsets in code points, in place. */
function toCodePoints(text: string, offsets: Uint32Array): void {
  const before = new Uint32Array(text.length + 1);
  for (let i = 0, points = 0; i < text.length; i++) {
    before[i] = points;
    const unit = text.charCodeAt(i);
    const half = unit >= 0xd800 && unit < 0xdc00 && LOW_SURROGATE.test(text[i + 1] ?? "");
    if (!half) points++;
    before[i + 1] = points;
  }
  for (const [i, offset] of offsets.entries()) offsets[i] = before[offset]!;
}
