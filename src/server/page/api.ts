// api.ts — the server's endpoints, as the page asks them.

import type { ModelRope } from "./rope.ts";

/** A model that is served. */
export interface Model {
  readonly id: string;
  readonly max_model_len: number;
  readonly rope: ModelRope;
}

/** A message of a conversation, as the server reads it. */
export interface Message {
  readonly role: "system" | "user" | "assistant";
  readonly content: string;
}

/** What a stream gives: text, and at its end what it was. */
export interface Chunk {
  readonly text: string;
  readonly finish?: string;
  readonly rope?: ModelRope;
  readonly usage?: { readonly prompt_tokens: number; readonly completion_tokens: number };
}

/** What the server refused, with its sentence, and where it proposes one a RoPE setting that would do. */
export class ApiError extends Error {
  readonly status: number;
  readonly scaling: unknown;

  constructor(message: string, status: number, scaling?: unknown) {
    super(message);
    this.status = status;
    this.scaling = scaling;
  }
}

interface ErrorBody {
  readonly message?: string;
  readonly hint?: { readonly rope_scaling?: unknown };
}

/** The key that requests bring; empty: none. */
export type Key = string;

/** The error that an answer's body is. */
function failure(error: ErrorBody | undefined, status: number): ApiError {
  const message = error?.message ?? `The server answered with status ${status}.`;
  return new ApiError(message, status, error?.hint?.rope_scaling);
}

async function ask(path: string, key: Key, init: RequestInit = {}): Promise<Response> {
  const headers = { "content-type": "application/json", ...(key !== "" && { authorization: `Bearer ${key}` }) };
  let response: Response;
  try {
    response = await fetch(new URL(path, document.baseURI), { ...init, headers });
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new ApiError("The server cannot be reached. Is it still running?", 0);
  }
  if (response.ok) return response;
  const body = (await response.json().catch(() => undefined)) as { error?: ErrorBody } | undefined;
  throw failure(body?.error, response.status);
}

/** The models that are served. */
export async function listModels(key: Key): Promise<readonly Model[]> {
  const { data } = (await (await ask("v1/models", key)).json()) as { data: Model[] };
  return data;
}

/** How many tokens the messages are with this model. */
export async function countTokens(
  model: string,
  messages: readonly Message[],
  key: Key,
  signal: AbortSignal,
): Promise<number> {
  const body = JSON.stringify({ model, messages });
  const response = await ask("tokenize", key, { method: "POST", body, signal });
  return ((await response.json()) as { count: number }).count;
}

/** What a chunk of a stream says on the wire. */
interface Wire {
  readonly error?: ErrorBody;
  readonly choices?: readonly { readonly delta?: { readonly content?: string }; readonly finish_reason?: string | null }[];
  readonly usage?: Chunk["usage"] | null;
  readonly rope?: ModelRope;
} // prettier-ignore

/** Streams an answer. Leaving the loop, or the signal, ends it on the server as well. */
export async function* chat(body: object, key: Key, signal: AbortSignal): AsyncGenerator<Chunk> {
  const whole = { ...body, stream: true, stream_options: { include_usage: true } };
  const response = await ask("v1/chat/completions", key, { method: "POST", body: JSON.stringify(whole), signal });
  for await (const data of events(response)) {
    if (data === "[DONE]") return;
    const { error, choices = [], usage, rope } = JSON.parse(data) as Wire;
    if (error) throw failure(error, 200);
    const [choice] = choices;
    yield {
      text: choice?.delta?.content ?? "",
      finish: choice?.finish_reason ?? undefined,
      rope,
      usage: usage ?? undefined,
    };
  }
  throw new ApiError("The answer broke off: the server has closed the connection.", 0);
}

/** The data of each server-sent event; comments are left out. */
async function* events(response: Response): AsyncGenerator<string> {
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const parts = (rest + value).split("\n\n");
      rest = parts.pop()!;
      for (const part of parts) {
        const data = part.split("\n").filter((line) => line.startsWith("data: "));
        if (data.length > 0) yield data.map((line) => line.slice("data: ".length)).join("\n");
      }
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}
