// error.ts — errors as OpenAI's API gives them, with the sentences that ours have and the names of its fields.

import type { z } from "zod";
import { type ErrorCode, LlariatError } from "../error.ts";
import { showScaling } from "../rope/index.ts";
import { display } from "../text/wording.ts";

/** What a body in OpenAI's form says of an error. */
export interface ErrorBody {
  readonly message: string;
  readonly type: string;
  /** The field that the error is about. */
  readonly param: string | null;
  readonly code: string | null;
  /** A RoPE setting that would reach, where a prompt is too long: what a client may send instead. */
  readonly hint?: { readonly rope_scaling: object; readonly reach: number };
}

/** An answer that is an error: its status, its body, and headers that belong to it. */
export class HttpError extends Error {
  override readonly name = "HttpError";
  readonly status: number;
  readonly body: ErrorBody;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    message: string,
    more: Partial<Omit<ErrorBody, "message">> & { readonly headers?: Readonly<Record<string, string>> } = {},
  ) {
    super(message);
    const { headers = {}, type = status < 500 ? "invalid_request_error" : "server_error", ...rest } = more;
    this.status = status;
    this.headers = headers;
    this.body = { message, type, param: null, code: null, ...rest };
  }

  /** The error as the answer to a request. */
  get response(): Response {
    return Response.json({ error: this.body }, { status: this.status, headers: this.headers });
  }
}

/** Seconds after which to ask again, where nobody knows better. */
const LATER_S = "1";

/** A refusal for now: too many requests (429), or no device at the moment (503). */
export const later = (status: 429 | 503, message: string, code: string): HttpError =>
  new HttpError(status, message, {
    type: status === 429 ? "rate_limit_error" : "server_error",
    code,
    headers: { "retry-after": LATER_S },
  });

/** A field that is known and that this server does not do. */
export const unsupported = (param: string, problem: string): HttpError =>
  new HttpError(400, `${param}: ${problem}`, { param, code: "unsupported_parameter" });

/** Options of the library whose field is not the same words with underscores; a request may give them another name yet. */
const FIELDS: Readonly<Record<string, string>> = {
  maxNewTokens: "max_tokens",
  minNewTokens: "min_tokens",
  stopIds: "stop_token_ids",
};

/** `top_k` for `topK`, `rope_scaling.factor` for `ropeScaling.factor`. */
function fieldOf(subject: string, names: Readonly<Record<string, string>>): string {
  const [setting] = /^\w*/.exec(subject)!;
  const own = names[setting] ?? FIELDS[setting] ?? setting.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return own + subject.slice(setting.length);
}

/** Errors of whoever asks; OpenAI's word for each, where it has one. */
const ASKED: Partial<Record<ErrorCode, string | null>> = {
  request: null,
  rope: null,
  tokenizer: null,
  template: null,
  context: "context_length_exceeded",
};

/**
 * Whatever was thrown, as an answer. `names`: what this endpoint calls options of the library.
 * What is no error of the request, the device or the model's end has status 500 and says nothing of the inside.
 */
export function toHttp(thrown: unknown, names: Readonly<Record<string, string>> = {}): HttpError {
  if (thrown instanceof HttpError) return thrown;
  if (!(thrown instanceof LlariatError)) return new HttpError(500, "the server failed; its own log says how");
  const { code, problem, subject, hint } = thrown;
  if (code === "device") return later(503, problem, "device_lost");
  if (code === "closed") return later(503, "the model is being closed", "closing");
  if (code === "aborted" && (thrown.cause as Partial<LlariatError> | undefined)?.code === "closed") {
    return later(503, "the server is ending", "closing");
  }
  if (code === "aborted") return new HttpError(499, "the request was ended by whoever asked", { code: "aborted" });
  if (!(code in ASKED)) return new HttpError(500, "the server failed; its own log says how");
  const param = subject === undefined ? null : fieldOf(subject, names);
  let { advice } = thrown;
  if (hint) {
    advice = `rope_scaling: ${showScaling(hint.ropeScaling)} would reach ${hint.reach}, or set allow_beyond: true`;
  }
  const message = `${param === null ? "" : `${param}: `}${problem}${advice === undefined ? "" : `; ${advice}`}`;
  return new HttpError(400, message, {
    param: param ?? (code === "context" ? (names["prompt"] ?? "prompt") : null),
    code: ASKED[code] ?? null,
    ...(hint && { hint: { rope_scaling: hint.ropeScaling, reach: hint.reach } }),
  });
}

/** A way into a body as its own text: `messages[0].content`. */
export const pathOf = (path: readonly PropertyKey[]): string =>
  path.map((key, i) => (typeof key === "number" ? `[${key}]` : `${i > 0 ? "." : ""}${String(key)}`)).join("");

/** What a schema found wrong first, as an answer. */
export function invalid(body: unknown, { issues }: z.core.$ZodError): HttpError {
  const issue = issues[0];
  if (issue.code === "unrecognized_keys") {
    const param = pathOf([...issue.path, issue.keys[0]]);
    return new HttpError(400, `${param}: there is no such parameter`, { param, code: "unknown_parameter" });
  }
  const value = issue.path.reduce<unknown>((inner, key) => (inner as Record<PropertyKey, unknown>)?.[key], body);
  const param = pathOf(issue.path) || null;
  const got = value === undefined ? "nothing" : display(value);
  return new HttpError(400, `${param ?? "body"}: ${issue.message}, got ${got}`, { param });
}
