// stream.ts — answers as server-sent events (the HTML standard, section 9.2): one `data:` line each, comments while nothing comes.

import type { Core } from "./core.ts";
import { type HttpError, toHttp } from "./error.ts";

/** Of a stream that nothing on the way may hold back or keep. */
const HEADERS = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-cache, no-transform",
  "x-accel-buffering": "no",
} as const;

/** One event as it is sent; `name` is for APIs whose events have names. */
export const event = (data: unknown, name?: string): string =>
  `${name === undefined ? "" : `event: ${name}\n`}data: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`;

/** The end of a stream, as OpenAI's API says it. */
export const DONE = event("[DONE]");

/** How a stream behaves. */
export interface StreamOptions {
  /** The event that an error becomes; default: `{ error }`, after which the stream ends without DONE. */
  readonly failed?: (error: HttpError) => string;
  /** What the endpoint calls options of the library. */
  readonly names?: Readonly<Record<string, string>>;
  /** Called when the client has gone: ends what the texts wait for. */
  readonly onCancel: () => void;
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * A response that sends these texts as they come, and a comment after each pause of `keepAliveMs`. The next text is asked for when
 * the client has taken the last; one that goes away ends the texts' loop.
 */
export function eventStream(core: Core, texts: AsyncGenerator<string>, options: StreamOptions): Response {
  const { keepAliveMs, onError } = core.settings;
  const { names, failed = ({ body }) => event({ error: body }) } = options;
  const encoder = new TextEncoder();
  let over = false;
  let quiet = true;
  let timer: ReturnType<typeof setInterval> | undefined;
  let handed!: () => void;
  core.track(new Promise<void>((resolve) => (handed = resolve)));
  const end = (): void => {
    over = true;
    clearInterval(timer);
    handed();
  };
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      timer = setInterval(() => {
        if (quiet && (controller.desiredSize ?? 0) > 0) controller.enqueue(encoder.encode(": keep-alive\n\n"));
        quiet = true;
      }, keepAliveMs);
    },
    async pull(controller) {
      let text: string | undefined;
      try {
        const next = await texts.next();
        if (!next.done) text = next.value;
      } catch (error) {
        const answer = toHttp(error, names);
        if (answer.status === 500 && !over) onError(error);
        if (!over) controller.enqueue(encoder.encode(failed(answer)));
      }
      if (over) return;
      quiet = false;
      if (text !== undefined) controller.enqueue(encoder.encode(text));
      else {
        end();
        controller.close();
      }
    },
    cancel() {
      end();
      options.onCancel();
      void texts.return(undefined).catch(() => {});
    },
  });
  return new Response(body, { headers: { ...HEADERS, ...options.headers } });
}
