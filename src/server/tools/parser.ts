// parser.ts — the text of an answer as it comes: what is text, and what is a call. A call is given out when it is whole, because what
// turns out to be malformed, or calls what nobody offered, is text and was meant to be read.

import type { ToolForm } from "./forms.ts";
import { endOfValue, isJson, members } from "./members.ts";

/** A tool that is called; `arguments` is JSON of an object, as it was written. */
export interface ToolCall {
  readonly name: string;
  readonly arguments: string;
}

/** What became certain: text to show, or a call. */
export type Spoken =
  | { readonly text: string; readonly call?: undefined }
  | { readonly text?: undefined; readonly call: ToolCall };

/** What an answer is taken for. */
export interface ParserOptions {
  readonly form: ToolForm;
  /** Tools that were offered. */
  readonly names: ReadonlySet<string>;
  /** One call at most; what follows it is left out. */
  readonly single?: boolean;
}

const OPEN = "<tool_call>";
const CLOSE = "</tool_call>";

/** Takes the answer's pieces; special tokens of the form come as text by `pushMarker`. */
export class ToolParser {
  readonly #form: ToolForm;
  readonly #names: ReadonlySet<string>;
  readonly #single: boolean;
  /** What is not decided. */
  #held = "";
  /** Nothing but space has come. */
  #fresh = true;
  /** All further text is a call, or text in the end. */
  #all = false;
  #calls = 0;

  constructor({ form, names, single = false }: ParserOptions) {
    [this.#form, this.#names, this.#single] = [form, names, single];
  }

  /** How many calls have been given out. */
  get calls(): number {
    return this.#calls;
  }

  /** A special token by its name: those of the form begin a call, others are nothing. */
  pushMarker(name: string): Spoken[] {
    if (!this.#form.markers.includes(name)) return [];
    if (this.#form.name === "hermes") return this.push(name);
    const before = this.#all ? [] : this.#text(this.#held.trimEnd());
    if (!this.#all) this.#held = "";
    this.#all = true;
    this.#held += name;
    return before;
  }

  /** More text. */
  push(text: string): Spoken[] {
    this.#held += text;
    if (this.#form.name === "hermes") return this.#tagged(false);
    if (this.#all) return [];
    if (!this.#fresh) return this.#flush();
    const start = this.#held.trimStart();
    if (start === "") return [];
    this.#fresh = false;
    if (this.#form.name === "llama" && start.startsWith("{")) this.#all = true;
    return this.#all ? [] : this.#flush();
  }

  /** There is no more. */
  end(): Spoken[] {
    if (this.#form.name === "hermes") return this.#tagged(true);
    if (!this.#all) return this.#flush();
    const marker = this.#form.markers.find((each) => this.#held.startsWith(each)) ?? "";
    const body = this.#held.slice(marker.length);
    const calls = this.#form.name === "llama" ? this.#several(body) : this.#listed(body);
    this.#all = false;
    if (calls === undefined || calls.length === 0) {
      this.#held = body; // decoding leaves special tokens out
      return this.#flush();
    }
    this.#held = "";
    return calls.flatMap((call) => this.#called(call));
  }

  #flush(): Spoken[] {
    const text = this.#held;
    this.#held = "";
    return this.#text(text);
  }

  #text(text: string): Spoken[] {
    return text === "" ? [] : [{ text }];
  }

  #called(call: ToolCall): Spoken[] {
    if (this.#single && this.#calls > 0) return [];
    this.#calls++;
    return [{ call }];
  }

  /** Text and calls in tags, as far as they are certain. */
  #tagged(ends: boolean): Spoken[] {
    const out: Spoken[] = [];
    for (;;) {
      const open = this.#held.indexOf(OPEN);
      if (open < 0) {
        const kept = ends ? this.#held.length : certain(this.#held);
        const text = ends && this.#calls > 0 ? this.#held.trimEnd() : this.#held.slice(0, kept);
        this.#held = this.#held.slice(kept);
        return [...out, ...this.#text(text)];
      }
      const found = this.#inTag(open + OPEN.length, ends);
      if (found === undefined) {
        // Not whole yet; the text before it is, but for the space between.
        const text = this.#held.slice(0, open).trimEnd();
        this.#held = this.#held.slice(text.length);
        return [...out, ...this.#text(text)];
      }
      const before = this.#held.slice(0, open);
      if (found.call) out.push(...this.#text(before.trimEnd()), ...this.#called(found.call));
      else out.push(...this.#text(this.#held.slice(0, found.end)));
      this.#held = this.#held.slice(found.end);
    }
  }

  /** What stands between a tag that begins before `from` and the one that ends it; undefined: it may yet end. */
  #inTag(from: number, ends: boolean): { readonly end: number; readonly call?: ToolCall } | undefined {
    const text = this.#held;
    for (let close = text.indexOf(CLOSE, from); close >= 0; close = text.indexOf(CLOSE, close + 1)) {
      const body = text.slice(from, close);
      const end = close + CLOSE.length;
      if (isJson(body)) return { end, call: this.#read(body) };
      // A tag in a string of the arguments does not end the call; one in anything else does.
      const start = body.search(/\S/);
      if (start < 0 || body[start] !== "{" || endOfValue(body, start) >= 0) return { end };
    }
    if (!ends) return undefined;
    const call = isJson(text.slice(from)) ? this.#read(text.slice(from)) : undefined;
    return { end: text.length, ...(call && { call }) };
  }

  /** One call. */
  #read(text: string): ToolCall | undefined {
    const own = members(text);
    const name = own?.get("name");
    if (own === undefined || !name?.startsWith('"')) return undefined;
    const called = JSON.parse(name) as string;
    const given = own.get(this.#form.key) ?? own.get("arguments") ?? "{}";
    // Some models write the arguments as JSON in a string.
    const written = given.startsWith('"') ? (JSON.parse(given) as string) : given;
    if (!this.#names.has(called) || members(written) === undefined) return undefined;
    return { name: called, arguments: written.trim() };
  }

  /** Objects one after the other, with nothing but `;`, commas and space between; undefined unless all are calls. */
  #several(text: string): ToolCall[] | undefined {
    const calls: ToolCall[] = [];
    for (let at = 0; ;) {
      at += /^[\s;,]*/.exec(text.slice(at))![0].length;
      if (at >= text.length) return calls;
      const end = text[at] === "{" ? endOfValue(text, at) : -1;
      const call = end < 0 ? undefined : this.#read(text.slice(at, end));
      if (call === undefined) return undefined;
      calls.push(call);
      at = end;
    }
  }

  /** A list of objects; undefined unless all are calls. */
  #listed(text: string): ToolCall[] | undefined {
    const whole = text.trim();
    if (!whole.startsWith("[") || !isJson(whole)) return undefined;
    return this.#several(whole.slice(1, -1));
  }
}

/** How much of a text can be no beginning of a tag, nor space before one. */
function certain(text: string): number {
  let end = text.length;
  for (let length = Math.min(OPEN.length - 1, end); length > 0; length--) {
    if (!text.endsWith(OPEN.slice(0, length))) continue;
    end -= length;
    break;
  }
  return text.slice(0, end).trimEnd().length;
}
