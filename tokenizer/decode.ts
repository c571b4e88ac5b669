// decode.ts — the "decoder" of tokenizer.json: tokens back to text, as a chain of steps that hand on what is certain.
//   token by token → Replace → ByteFallback → Fuse → Strip → text
// Each step gets fragments of tokens in order and passes on only what no later token can change, so that decoding a
// whole text and decoding as ids arrive are the same thing (stream.ts).

import { bytesOf, wholeText } from "./bytechars.ts";
import type { Growth } from "./growth.ts";
import { readPattern } from "./normalize.ts";
import { replaceText } from "./piece.ts";
import type { Pattern } from "./piece.ts";
import { prependScheme } from "./pretokenize.ts";
import { byType, character, count, optionalText, stepsOf } from "./read.ts";
import type { Reader } from "./read.ts";

/** Takes the tokens of one text. */
export interface Step {
  /** A part of the current token; `ends`: its last one. */
  put(text: string, ends: boolean): void;
  /** No more tokens. */
  done(): void;
}

/** Makes a fresh step that hands on to `next`; `growth` is shared by all steps of one text. */
export type Decoder = (next: Step, growth: Growth) => Step;

/** A step that needs to see every token whole. */
export function whole(next: Step, take: (token: string) => void, done?: () => void): Step {
  let begun = "";
  return {
    put(text, ends) {
      if (!ends) {
        begun += text;
        return;
      }
      const token = begun + text;
      begun = "";
      take(token);
    },
    done() {
      done?.();
      next.done();
    },
  };
}

function replacing(pattern: Pattern, content: string, where: string): Decoder {
  const simple = typeof pattern === "string";
  return (next, growth) =>
    whole(next, (token) => {
      if (simple && !token.includes(pattern)) {
        next.put(token, true);
        return;
      }
      const text = replaceText(token, pattern, content, { where, most: token.length + growth.left });
      growth.made(Math.max(0, text.length - token.length));
      next.put(text, true);
    });
}

/** The name of a token that is one byte. */
export const BYTE_TOKEN = /^<0x[0-9a-fA-F]{2}>$/;

/** Runs of byte tokens become text if they are UTF-8 as a whole; otherwise every byte of the run is U+FFFD. */
const byteFallback: Decoder = (next) => {
  let run: number[] = [];
  const flush = () => {
    if (run.length === 0) return;
    const text = wholeText(Uint8Array.from(run));
    if (text !== undefined) next.put(text, true);
    else for (let i = 0; i < run.length; i++) next.put("\ufffd", true);
    run = [];
  };
  const take = (token: string) => {
    if (token.length === 6 && BYTE_TOKEN.test(token)) {
      run.push(Number.parseInt(token.slice(3, 5), 16));
    } else {
      flush();
      next.put(token, true);
    }
  };
  return whole(next, take, flush);
};

/** Makes one token of all. */
const fuse: Decoder = (next) => ({
  put: (text) => next.put(text, false),
  done() {
    next.put("", true);
    next.done();
  },
});

/** Takes up to `start` characters `content` off the front of every token, and up to `stop` off its end. */
function stripping(content: string, start: number, stop: number): Decoder {
  return (next) => {
    let left = start;
    /** How many `content` at the end of what came so far are held back. */
    let held = 0;
    return {
      put(text, ends) {
        let from = 0;
        for (; left > 0 && text.startsWith(content, from); left--) from += content.length;
        if (from < text.length) left = 0;
        let to = text.length;
        let trailing = 0;
        for (; trailing < stop && to > from && text.endsWith(content, to); trailing++) to -= content.length;
        // only `content` came: what was held back and cannot be the end any more goes on
        const whole = to === from;
        const pass = whole ? Math.max(0, held + trailing - stop) : held;
        held = whole ? held + trailing - pass : trailing;
        next.put(content.repeat(pass) + text.slice(from, to), ends);
        if (ends) {
          left = start;
          held = 0;
        }
      },
      done: () => next.done(),
    };
  };
}

/** Metaspace's character becomes a space; in the first token it vanishes where one was put in front when encoding. */
function metaspace(replacement: string, dropsFirst: boolean): Decoder {
  return (next) => {
    let first = dropsFirst;
    return {
      put(text, ends) {
        next.put(text.replaceAll(replacement, first ? "" : " "), ends);
        if (ends) first = false;
      },
      done: () => next.done(),
    };
  };
}

/**
 * The characters of tokens are bytes (a token with any other character is its own UTF-8), and the bytes are UTF-8; each
 * maximal invalid part is U+FFFD (Unicode Standard 3.9, as TextDecoder does). One token comes out.
 */
function byteLevel(): Decoder {
  /** Token → its text where that is complete, else its bytes; the vocabulary bounds it. */
  const known = new Map<string, string | Uint8Array>();
  const learn = (token: string): string | Uint8Array => {
    const bytes = bytesOf(token) ?? new TextEncoder().encode(token);
    const value = wholeText(bytes) ?? bytes;
    known.set(token, value);
    return value;
  };
  return (next) => {
    const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
    let pending = false;
    const take = (token: string) => {
      const value = known.get(token) ?? learn(token);
      if (typeof value === "string") {
        if (pending) next.put(utf8.decode(), false);
        pending = false;
        next.put(value, false);
      } else {
        pending = true;
        next.put(utf8.decode(value, { stream: true }), false);
      }
    };
    return whole(next, take, () => next.put(pending ? utf8.decode() : "", true));
  };
}

/** What the library does without a decoder: tokens with a space between them. */
const spaced: Decoder = (next) => {
  let between = "";
  return {
    put(text, ends) {
      next.put(between + text, ends);
      between = ends ? " " : "";
    },
    done: () => next.done(),
  };
};

const READERS: Readonly<Record<string, Reader<Decoder>>> = {
  Sequence(json, where, depth) {
    const steps = stepsOf(json["decoders"], `${where}.decoders`, "decoders").map((step, i) =>
      byType(step, `${where}.decoders[${i}]`, READERS, depth + 1),
    );
    return (next, growth) => steps.reduceRight((after, step) => step(after, growth), next);
  },
  Replace(json, where) {
    return replacing(
      readPattern(json["pattern"], `${where}.pattern`),
      optionalText(json["content"], `${where}.content`) ?? "",
      where,
    );
  },
  ByteFallback: () => byteFallback,
  Fuse: () => fuse,
  Strip(json, where) {
    const content = character(json["content"], `${where}.content`);
    const [start, stop] = ["start", "stop"].map((key) => count(json[key], `${where}.${key}`, 2 ** 20)) as [
      number,
      number,
    ];
    return stripping(content, start, stop);
  },
  Metaspace(json, where) {
    return metaspace(character(json["replacement"], `${where}.replacement`), prependScheme(json, where) !== "never");
  },
  ByteLevel: () => byteLevel(),
};

/** Throws LlariatError "tokenizer" naming a decoder that is not supported. */
export function readDecoder(json: unknown): Decoder {
  return json === undefined || json === null ? spaced : byType(json, "decoder", READERS, 0);
}
