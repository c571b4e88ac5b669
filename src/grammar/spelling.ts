// spelling.ts — a text (chars.ts) as JSON spells it in UTF-8, with its quotes: byte by byte, by the machine of its characters.
//   a character stands for itself; `"`, `\` and controls are escaped, as JSON.stringify does; \/ and \uXXXX may stand for any
// Half a character leads on only if some character that begins so may come (RFC 8259 section 7, RFC 3629 section 4).

import type { CharMachine } from "./chars.ts";
import { LAST } from "./ranges.ts";
import { type Counted, Terminal } from "./terminal.ts";

const [QUOTE, BACKSLASH, LETTER_U] = [0x22, 0x5c, 0x75];
/** What follows a backslash, and the character that both mean. */
const ESCAPES: ReadonlyMap<number, number> = new Map(
  Object.entries({ '"': '"', "\\": "\\", "/": "/", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" }).map(
    ([name, char]) => [name.charCodeAt(0), char.charCodeAt(0)],
  ),
);
const ESCAPED: readonly number[] = [...ESCAPES.values()];
const FIRST_PAIR = 0x10000;
/** The first character of 2, 3 and 4 bytes in UTF-8. */
const LEAST: readonly number[] = [0, 0, 0x80, 0x800, 0x10000];

/** What a text is in the midst of. `bits` is what is known of the next character; `left` (#utf8: 4 · size + left) what is missing. */
type Kind = "open" | "text" | "end" | "escape" | "hex" | "low" | "low u" | "low hex" | "utf8";
const KINDS: readonly Kind[] = ["open", "text", "end", "escape", "hex", "low", "low u", "low hex", "utf8"];

interface Spelt {
  /** Of the characters. */
  readonly chars: number;
  readonly kind: Kind;
  readonly left: number;
  readonly bits: number;
}

/** Rows of the table that are kept; they are computed as they are needed. 4 MiB. */
const MAX_ROWS = 4096;
const UNKNOWN = -2;

/** A text in quotes. */
export class Spelling extends Terminal {
  readonly #chars: CharMachine;
  /** Characters above U+007F stand for themselves, too. */
  readonly #raw: boolean;
  readonly #states: Spelt[] = [];
  readonly #ids = new Map<string, number>();
  readonly #rows = new Map<number, Int32Array>();

  /** `raw`: characters above U+007F may be written in UTF-8; otherwise only as \uXXXX. The machine must accept some text. */
  constructor(chars: CharMachine, raw = true) {
    super();
    this.#chars = chars;
    this.#raw = raw;
    this.#id(chars.start, "open");
  }

  step(state: number, byte: number): number {
    let row = this.#rows.get(state);
    if (row === undefined) {
      if (this.#rows.size >= MAX_ROWS) this.#rows.clear();
      row = new Int32Array(256).fill(UNKNOWN);
      this.#rows.set(state, row);
    }
    if (row[byte] === UNKNOWN) row[byte] = this.#step(this.#states[state], byte);
    return row[byte];
  }

  outcome(state: number): number {
    return this.#states[state].kind === "end" ? 0 : -1;
  }

  goesOn(state: number): boolean {
    return this.#states[state].kind !== "end";
  }

  /** Characters that have been begun. */
  count(state: number): number {
    const { chars, kind } = this.#states[state];
    return kind === "open" || kind === "text" || kind === "end" ? chars : chars + 1;
  }

  override counted(state: number): Counted | undefined {
    const { bounds } = this.#chars;
    if (bounds === undefined) return undefined;
    const { chars, kind, left, bits } = this.#states[state];
    const terminal = this.#raw ? COUNTING.raw : COUNTING.ascii;
    const [min, max] = bounds;
    // Where there is no most, states beyond the least are one.
    return { terminal, state: terminal.#id(0, kind, left, bits), least: min - chars, most: max - chars };
  }

  #id(chars: number, kind: Kind, left = 0, bits = 0): number {
    const key = `${chars},${KINDS.indexOf(kind)},${left},${bits}`;
    let id = this.#ids.get(key);
    if (id === undefined) {
      id = this.#states.push({ chars, kind, left, bits }) - 1;
      this.#ids.set(key, id);
    }
    return id;
  }

  #step({ chars, kind, left, bits }: Spelt, byte: number): number {
    switch (kind) {
      case "open":
        return byte === QUOTE ? this.#id(chars, "text") : -1;
      case "text":
        return this.#text(chars, byte);
      case "escape": {
        if (byte === LETTER_U) return this.#hex(chars, 4, 0);
        const code = ESCAPES.get(byte);
        return code === undefined ? -1 : this.#char(chars, code);
      }
      case "hex": {
        const digit = hexDigit(byte);
        return digit < 0 ? -1 : this.#hex(chars, left - 1, (bits << 4) | digit);
      }
      case "low":
        return byte === BACKSLASH ? this.#id(chars, "low u", 0, bits) : -1;
      case "low u":
        return byte === LETTER_U ? this.#id(chars, "low hex", 4, bits) : -1;
      case "low hex": {
        const digit = hexDigit(byte);
        return digit < 0 ? -1 : this.#low(chars, left - 1, bits, digit);
      }
      case "utf8": {
        if (byte >> 6 !== 2) return -1;
        return this.#utf8(chars, left >> 2, (left & 3) - 1, (bits << 6) | (byte & 0x3f));
      }
      default:
        return -1;
    }
  }

  #text(chars: number, byte: number): number {
    if (byte === QUOTE) return this.#chars.accepts(chars) ? this.#id(chars, "end") : -1;
    if (byte === BACKSLASH) {
      const some = ESCAPED.some((code) => this.#chars.admits(chars, code, code)) || this.#hex(chars, 4, 0) >= 0;
      return some ? this.#id(chars, "escape") : -1;
    }
    if (byte < 0x20) return -1;
    if (byte < 0x80) return this.#char(chars, byte);
    if (!this.#raw || byte < 0xc2 || byte > 0xf4) return -1;
    const size = byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
    return this.#utf8(chars, size, size - 1, byte & (0x7f >> size));
  }

  /** A whole character. */
  #char(chars: number, code: number): number {
    const next = this.#chars.next(chars, code);
    return next < 0 ? -1 : this.#id(next, "text");
  }

  /** `left` digits of a \u are missing. */
  #hex(chars: number, left: number, bits: number): number {
    if (left === 0) {
      if (bits >> 10 === 0x36) return this.#pair(chars, bits, bits) ? this.#id(chars, "low", 0, bits) : -1;
      return this.#char(chars, bits);
    }
    const [low, high] = [bits << (4 * left), ((bits + 1) << (4 * left)) - 1];
    const some = this.#single(chars, low, high) || this.#pair(chars, Math.max(low, 0xd800), Math.min(high, 0xdbff));
    return some ? this.#id(chars, "hex", left, bits) : -1;
  }

  /** A character of `low` to `high` that is no half of a pair may come. */
  #single(chars: number, low: number, high: number): boolean {
    const admits = (from: number, to: number) => from <= to && this.#chars.admits(chars, from, to);
    return admits(low, Math.min(high, 0xd7ff)) || admits(Math.max(low, 0xe000), high);
  }

  /** A character may come whose pair begins with `low` to `high`. */
  #pair(chars: number, low: number, high: number): boolean {
    return low <= high && this.#chars.admits(chars, fromPair(low, 0xdc00), fromPair(high, 0xdfff));
  }

  /** The second half of a pair: the digits before this one are in `bits` above the first half's 16. */
  #low(chars: number, left: number, bits: number, digit: number): number {
    const first = bits & 0xffff;
    const digits = ((bits >>> 16) << 4) | digit;
    const [low, high] = [digits << (4 * left), ((digits + 1) << (4 * left)) - 1];
    const [from, to] = [Math.max(low, 0xdc00), Math.min(high, 0xdfff)];
    if (from > to || !this.#chars.admits(chars, fromPair(first, from), fromPair(first, to))) return -1;
    return left === 0
      ? this.#char(chars, fromPair(first, digits))
      : this.#id(chars, "low hex", left, (digits << 16) | first);
  }

  /** `left` bytes of a character of `size` are missing. None is longer than it must be, nor half of a pair. */
  #utf8(chars: number, size: number, left: number, bits: number): number {
    const [low, high] = [bits << (6 * left), ((bits + 1) << (6 * left)) - 1];
    if (!this.#single(chars, Math.max(low, LEAST[size]), Math.min(high, LAST))) return -1;
    return left === 0 ? this.#char(chars, bits) : this.#id(chars, "utf8", 4 * size + left, bits);
  }
}

/** Any text, whose states count its characters without end. */
const ENDLESS: CharMachine = { start: 0, next: (state) => state + 1, accepts: () => true, admits: () => true };
const COUNTING = { raw: new Spelling(ENDLESS), ascii: new Spelling(ENDLESS, false) };

const fromPair = (high: number, low: number): number => FIRST_PAIR + ((high & 0x3ff) << 10) + (low & 0x3ff);

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = (byte | 0x20) - 0x61; // of either case
  return byte > 0x40 && letter >= 0 && letter < 6 ? letter + 10 : -1;
}
