/** What went wrong, for programs: one word per place where a caller can act. */
export type ErrorCode =
  | "config" // config.json or generation_config.json
  | "checkpoint" // files of weights, index, tensors
  | "tokenizer" // tokenizer files or text that cannot be encoded
  | "template" // chat template
  | "rope" // RoPE scaling settings
  | "request" // options of one request
  | "context" // a prompt that does not fit
  | "device" // adapter, limits, lost device
  | "kernel" // shapes handed to a kernel, WGSL errors
  | "source" // a file or range that cannot be read
  | "aborted" // the caller's AbortSignal
  | "closed"; // used after close()

/** A setting that would help, where the advice of an error proposes one. */
export interface Hint {
  /** Of a request, in the keys of a Hugging Face config (RopeScaling). */
  readonly ropeScaling: object;
  /** Tokens that a request would reach with it. */
  readonly reach: number;
}

/** The parts of an error's sentence, for whoever calls an option by another name, and what made it. */
export interface ErrorDetails {
  /** The option or field that the sentence is about and begins with: `ropeScaling.factor`, `maxNewTokens`. */
  readonly subject?: string;
  /** What to do: the end of the sentence. */
  readonly advice?: string;
  /** The advice as data. */
  readonly hint?: Hint;
  /** The problem is several lines of ours, which stay lines. */
  readonly lines?: boolean;
  /** The error that led to this one. */
  readonly cause?: unknown;
}

/** Longer parts of a sentence are cut: a file can name a thing in megabytes. The longest of ours are lists of what is known. */
const MAX_PART = 2000;

/** Controls and what turns the direction of a text: they could rewrite a terminal. */
const UNPRINTABLE = /[\p{Cc}\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/** `text` of a file or a server for a terminal or a sentence: control characters as `\n` or `\x1b`, cut at 2,000 units. */
export function printable(text: string): string {
  const cut = text.length > MAX_PART ? `${text.slice(0, MAX_PART)}…` : text;
  return cut.replace(UNPRINTABLE, (char) => {
    const code = char.codePointAt(0)!;
    if (char === "\n") return String.raw`\n`;
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16)}`;
  });
}

/**
 * The one error class of llariat. `message` is one sentence: what, got, needed, what to do; `subject: problem; advice`.
 * Every part is printable, whatever it quotes. It imports nothing, so that kernels/ and tokenizer/ may throw it without knowing the rest of src/.
 */
export class LlariatError extends Error {
  override readonly name = "LlariatError";
  readonly code: ErrorCode;
  /** The sentence without its subject and its advice. */
  readonly problem: string;
  /** See ErrorDetails. */
  readonly subject?: string;
  /** See ErrorDetails. */
  readonly advice?: string;
  /** See ErrorDetails. */
  readonly hint?: Hint;

  /** `instanceof`, also of a proxy that throws when it is asked what it is: whatever was thrown can be looked at. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    try {
      return Function.prototype[Symbol.hasInstance].call(this, value);
    } catch {
      return false;
    }
  }

  /** An error with its sentence in parts, and as `cause` the error that led to it. */
  constructor(code: ErrorCode, sentence: string, details: ErrorDetails = {}) {
    const { hint, cause } = details;
    const problem = details.lines ? sentence.split("\n").map(printable).join("\n") : printable(sentence);
    const subject = details.subject === undefined ? undefined : printable(details.subject);
    const advice = details.advice === undefined ? undefined : printable(details.advice);
    const message = `${subject === undefined ? "" : `${subject}: `}${problem}${advice === undefined ? "" : `; ${advice}`}`;
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.problem = problem;
    this.subject = subject;
    this.advice = advice;
    this.hint = hint;
  }
}

/** The error of a caller whose signal has fired; `doing` ends the sentence "aborted while …", its reason is the cause. */
export const aborted = (signal: AbortSignal, doing: string): LlariatError =>
  new LlariatError("aborted", `aborted while ${doing}`, { cause: signal.reason });

/** Throws LlariatError "aborted" once the signal has fired; `doing` ends the sentence "aborted while …". */
export function checkAborted(signal: AbortSignal | undefined, doing: string): void {
  if (signal?.aborted) throw aborted(signal, doing);
}
