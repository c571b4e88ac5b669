// client.ts — a server as an engine: anything with OpenAI's completions endpoint.

import { LlariatError, checkAborted } from "../error.ts";
import { isObject } from "../text/json.ts";
import { LATER, unlessStalled, wait, withoutSecrets } from "../text/later.ts";
import { type Kinds, checkOptions } from "../text/options.ts";
import { display } from "../text/wording.ts";
import type { Answer, CompleteOptions, Engine } from "./engine.ts";

/** How to reach a server. */
export interface ClientOptions {
  /** Base address, with or without /v1: http://127.0.0.1:8080 */
  readonly url: string;
  /** Name the server knows the model by; left out of the request if not given. */
  readonly model?: string;
  /** Sent as a bearer token. */
  readonly key?: string;
  /** The model's tokenizer: builds prompts, and its count is compared with the server's. */
  readonly tokenizer?: Engine["tokenizer"];
  readonly rope?: Engine["rope"];
  /** Tries after status 429, 502, 503, 504 or a broken connection, each after twice the pause. Default 3. */
  readonly retries?: number;
  /** First pause in milliseconds. Default 500. */
  readonly pauseMs?: number;
  /**
   * A request to which nothing comes for so many milliseconds counts as a broken connection. An answer comes as a whole, so this
   * is the longest that one may take. Default 300,000, where Node's fetch gives up as well.
   */
  readonly stallMs?: number;
  /** Default: the platform's. */
  readonly fetch?: typeof fetch;
}

const KINDS: Kinds<ClientOptions> = {
  url: "text",
  model: "text",
  key: "text",
  tokenizer: "object",
  rope: "object",
  retries: "any",
  pauseMs: "any",
  stallMs: "any",
  fetch: "function",
};

/** An answer takes some kilobytes; a server must not fill the memory. */
const MAX_BODY_BYTES = 16 * 2 ** 20;

/** The completions endpoint of a base address. @throws LlariatError("request") for what is no http address. */
export function completionsUrl(base: string): string {
  const url = URL.canParse(base) ? new URL(base) : undefined;
  if (url === undefined) {
    throw new LlariatError(
      "request",
      `${typeof base === "string" ? withoutSecrets(base) : display(base)} is no address`,
      {
        subject: "url",
        advice: "write http://HOST:PORT",
      },
    );
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw new LlariatError("request", `needs an http or https address, got ${url.protocol}`, { subject: "url" });
  }
  const path = url.pathname.replace(/\/+$/, "").replace(/(\/v1)?(\/completions)?$/, "");
  return `${url.origin}${path}/v1/completions`;
}

/**
 * An engine that asks a server, with `stream: false`. The prompt is sent as text; usage.prompt_tokens, where the server
 * reports it, tells whether it arrived unchanged. A RoPE setting is sent as `rope_scaling` (and `rope_angles`) and must
 * be echoed as `rope`: servers that do not know the field ignore it, and a measurement of the wrong setting is worse than
 * none. With the setting "own" nothing is sent, so any server can be measured as it was started.
 */
export function viaUrl(given: ClientOptions): Engine {
  const options = checkOptions<ClientOptions>(given, KINDS);
  for (const [subject, value] of [
    ["retries", options.retries],
    ["pauseMs", options.pauseMs],
    ["stallMs", options.stallMs],
  ] as const) {
    if (value === undefined || (typeof value === "number" && value >= 0 && value < Infinity)) continue;
    throw new LlariatError("request", `must be a number ≥ 0, got ${display(value)}`, { subject });
  }
  const url = completionsUrl(options.url);
  const { tokenizer, rope } = options;
  return {
    ...(tokenizer ? { tokenizer } : {}),
    ...(rope ? { rope } : {}),
    async complete(prompt, asked) {
      const scaled = asked.ropeScaling !== undefined;
      const body = JSON.stringify({
        ...(options.model === undefined ? {} : { model: options.model }),
        prompt,
        max_tokens: asked.maxNewTokens,
        temperature: 0,
        stream: false,
        ...(scaled ? { rope_scaling: asked.ropeScaling, allow_beyond: true } : {}),
        ...(asked.ropeAngles ? { rope_angles: asked.ropeAngles } : {}),
      });
      const answer = readAnswer(await post(url, body, options, asked), url);
      if (scaled && answer.rope === undefined) {
        throw new LlariatError(
          "rope",
          `${url} does not say that it used the RoPE setting it was sent; start it with that setting and measure "own"`,
        );
      }
      return answer;
    },
  };
}

async function post(url: string, body: string, options: ClientOptions, { signal }: CompleteOptions): Promise<unknown> {
  const { fetch: send = fetch, retries = 3, pauseMs = 500, stallMs = 300_000, key } = options;
  // Servers that refuse a key like to repeat it, and so does fetch where it is no header.
  const quoted = (text: string): string => (key ? text.replaceAll(key, "…") : text);
  const headers = {
    "content-type": "application/json",
    ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
  };
  for (let attempt = 0; ; attempt++) {
    let problem: string;
    try {
      const { response, text } = await unlessStalled(signal, stallMs, async (stop, came) => {
        const response = await send(url, { method: "POST", headers, body, signal: stop });
        came();
        return { response, text: await readText(response, url, came) };
      });
      if (response.ok) return parse(text, url, quoted);
      problem = `status ${response.status}: ${quoted(text).slice(0, 300)}`;
      if (!LATER.has(response.status)) throw new LlariatError("request", `${url}: ${problem}`);
    } catch (cause) {
      checkAborted(signal, `waiting for ${url}`);
      if (cause instanceof LlariatError) throw cause;
      const { message, cause: reason } = cause as Error;
      problem = quoted(reason instanceof Error ? `${message} (${reason.message})` : message);
    }
    if (attempt >= retries) throw new LlariatError("request", `${url}: ${problem}; tried ${attempt + 1} times`);
    await wait(pauseMs * 2 ** attempt, signal, `waiting for ${url}`);
  }
}

/** The body of an answer. Throws LlariatError "request" for one above 16 MiB, of which no more is read. */
async function readText(response: Response, url: string, came: () => void): Promise<string> {
  const reader = response.body?.getReader();
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for (;;) {
    const { done, value } = (await reader?.read()) ?? { done: true, value: undefined };
    if (done) return text + decoder.decode();
    came();
    bytes += value.byteLength;
    if (bytes > MAX_BODY_BYTES) {
      await reader?.cancel();
      throw new LlariatError(
        "request",
        `${url}: got an answer of more than ${MAX_BODY_BYTES} bytes, needed at most that`,
      );
    }
    text += decoder.decode(value, { stream: true });
  }
}

function parse(text: string, url: string, quoted: (text: string) => string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Without a cause: V8 repeats what it could not read.
    throw new LlariatError("request", `${url}: the answer is not JSON: ${quoted(text).slice(0, 100)}`);
  }
}

function readAnswer(json: unknown, url: string): Answer {
  const { choices, usage, rope } = (isObject(json) ? json : {}) as {
    choices?: { text?: unknown; finish_reason?: string | null }[];
    usage?: {
      prompt_tokens?: number;
      completion_tokens?: number;
      prompt_tokens_details?: { cached_tokens?: number } | null;
    };
    rope?: unknown;
  };
  const [choice] = Array.isArray(choices) ? choices : [];
  if (typeof choice?.text !== "string") {
    throw new LlariatError("request", `${url}: the answer has no choices[0].text; is this a completions endpoint?`);
  }
  return {
    text: choice.text,
    finishReason: choice.finish_reason ?? null,
    usage: {
      promptTokens: usage?.prompt_tokens,
      completionTokens: usage?.completion_tokens,
      cachedTokens: usage?.prompt_tokens_details?.cached_tokens,
    },
    ...(rope === undefined ? {} : { rope }),
  };
}
