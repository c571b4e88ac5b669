/** What went wrong, for programs: one word per place where a caller can act. */
export type ErrorCode =
  | "config" // config.json or generation_config.json
  | "checkpoint" // safetensors files, index, tensors
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

/**
 * The one error class of llariat. `message` is one sentence: what, got, needed, what to do.
 * It imports nothing, so that kernels/ and tokenizer/ may throw it without depending on src/.
 */
export class LlariatError extends Error {
  override readonly name = "LlariatError";
  readonly code: ErrorCode;

  /** An error with its sentence, and as `options.cause` the error that led to it. */
  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** The error of a caller whose signal has fired; `doing` ends the sentence "aborted while …", its reason is the cause. */
export const aborted = (signal: AbortSignal, doing: string): LlariatError =>
  new LlariatError("aborted", `aborted while ${doing}`, { cause: signal.reason });

/** Throws LlariatError "aborted" once the signal has fired; `doing` ends the sentence "aborted while …". */
export function checkAborted(signal: AbortSignal | undefined, doing: string): void {
  if (signal?.aborted) throw aborted(signal, doing);
}
