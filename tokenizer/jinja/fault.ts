// jinja/fault.ts — what a template does wrong, under the name Python's Jinja2 gives it.

/** Names of the exceptions Python would raise; "Limit" is ours: a template that takes too much time, memory or depth. */
export type FaultKind =
  | "TemplateSyntaxError"
  | "TemplateRuntimeError"
  | "TemplateError" // raise_exception
  | "UndefinedError"
  | "SecurityError"
  | "FilterArgumentError"
  | "TypeError"
  | "ValueError"
  | "KeyError"
  | "IndexError"
  | "AttributeError"
  | "ZeroDivisionError"
  | "OverflowError"
  | "AssertionError"
  | "RuntimeError"
  | "Limit";

/** An exception of a template. chat.ts turns it into a LlariatError with the template's name and line. */
export class Fault extends Error {
  override readonly name = "Fault";
  readonly kind: FaultKind;
  /** Line of the template, from 1, as far as known. */
  line: number | undefined;

  /** A fault of `kind`; the message is Python's wherever it has one. */
  constructor(kind: FaultKind, message: string, line?: number) {
    super(message);
    this.kind = kind;
    this.line = line;
  }
}

/** Throws a Fault. */
export function fault(kind: FaultKind, message: string, line?: number): never {
  throw new Fault(kind, message, line);
}

/** Throws the Fault "TypeError", by far the most frequent. */
export function typeError(message: string): never {
  throw new Fault("TypeError", message);
}
