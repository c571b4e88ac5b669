/**
 * An OpenAI-compatible server as a function from Request to Response: no port, no file, nothing of Node, so it runs wherever a
 * model does. In Node the same `serve` also listens.
 * @module llariat/server
 */

import { app } from "./app.ts";
import { Core } from "./core.ts";
import { type ServeOptions, readSettings } from "./options.ts";

export type { ServeOptions } from "./options.ts";

/** A server. Its models are the caller's. */
export interface Server {
  /** Answers a request; never throws. It may be handed on without its object: `Deno.serve(server.fetch)`. */
  readonly fetch: (request: Request) => Promise<Response>;
  /**
   * Takes no more requests, and resolves once those that run are done. When the signal fires, and when called again, they end
   * at once.
   */
  close(signal?: AbortSignal): Promise<void>;
}

/**
 * A server for loaded models.
 * @throws LlariatError("request") naming the option.
 */
export function serve(options: ServeOptions): Server {
  return serverOf(new Core(readSettings(options)));
}

/** The server of a core. */
export function serverOf(core: Core): Server {
  const routes = app(core);
  return {
    fetch: async (request) => routes.fetch(request),
    close: (signal) => core.close(signal),
  };
}
