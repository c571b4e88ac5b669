// options.ts — what `serve` is given, checked, with its defaults.

import { LlariatError } from "../error.ts";
import type { Llama } from "../index.ts";
import { isObject } from "../text/json.ts";
import { type Kinds, checkOptions, checkWhole, reading } from "../text/options.ts";
import { display } from "../text/wording.ts";

/** What a server is made of. */
export interface ServeOptions {
  /** Loaded models by the name that requests say. They stay the caller's, who closes them after the server. */
  readonly models: Readonly<Record<string, Llama>>;
  /** Keys, one of which a request must bring as `authorization: Bearer KEY`. Default: none is asked for. */
  readonly apiKey?: string | readonly string[];
  /** Answers computed at a time, per model; a request with n answers counts n times. Default 16. */
  readonly maxConcurrent?: number;
  /** Requests that may wait, per model; more are refused with status 429 at once. Default 128. */
  readonly queue?: number;
  /** Largest body of a request in bytes. Default 16 MiB. */
  readonly maxBodyBytes?: number;
  /** Pause in a stream after which a comment is sent, so that nobody on the way closes it. Default 10,000 ms. */
  readonly keepAliveMs?: number;
  /** Origins whose pages may ask: a list, or true for every page. Default: none but the server's own. */
  readonly cors?: boolean | readonly string[];
  /**
   * Names that a request's Host may have, without port; every other is refused, which keeps a foreign page from reaching a server
   * on this machine through a name of its own (DNS rebinding). Default: any; a server that listens on a loopback address in
   * Node allows that address and localhost.
   */
  readonly hosts?: readonly string[];
  /** Losses of a device in a row after which /health says that the server is not ready. Default 3. */
  readonly maxFailures?: number;
  /** Called with what ended as an error of the server itself, status 500. Default: it goes to console.error. */
  readonly onError?: (error: unknown) => void;
}

/** The options of a server, with its defaults. */
export type Settings = Required<Omit<ServeOptions, "apiKey" | "hosts" | "cors">> & {
  readonly keys: readonly string[];
  readonly cors: true | readonly string[];
  readonly hosts: readonly string[] | undefined;
};

const KINDS: Kinds<ServeOptions> = {
  models: "object",
  apiKey: "any",
  maxConcurrent: "any",
  queue: "any",
  maxBodyBytes: "any",
  keepAliveMs: "any",
  cors: "any",
  hosts: "any",
  maxFailures: "any",
  onError: "callback",
};

/**
 * The options of `serve`, read once.
 * @throws LlariatError("request") naming the option.
 */
export function readSettings(given: ServeOptions): Settings {
  const options = checkOptions<ServeOptions>(given, KINDS);
  return { ...readLimits(options), models: readModels(options.models) };
}

/** The options but for the models, which may not be loaded yet. Throws as readSettings. */
export function readLimits(options: Omit<ServeOptions, "models">): Omit<Settings, "models"> {
  const { maxConcurrent = 16, queue = 128, maxBodyBytes = 16 << 20, keepAliveMs = 10_000, maxFailures = 3 } = options;
  checkWhole("maxConcurrent", maxConcurrent, 1);
  checkWhole("queue", queue, 0);
  checkWhole("maxBodyBytes", maxBodyBytes, 1, { unit: "bytes" });
  checkWhole("keepAliveMs", keepAliveMs, 1, { most: 2 ** 31 - 1 });
  checkWhole("maxFailures", maxFailures, 1);
  const { cors = false, apiKey = [], hosts } = options;
  return {
    keys: typeof apiKey === "string" ? texts("apiKey", [apiKey]) : texts("apiKey", apiKey),
    maxConcurrent,
    queue,
    maxBodyBytes,
    keepAliveMs,
    maxFailures,
    cors: cors === true ? true : cors === false ? [] : texts("cors", cors),
    hosts: hosts === undefined ? undefined : texts("hosts", hosts).map((host) => host.toLowerCase()),
    onError: (error) => {
      try {
        (options.onError ?? console.error)(error);
      } catch (own) {
        console.error(own); // the answer is on its way, and must not be lost by this
      }
    },
  };
}

function readModels(models: unknown): Readonly<Record<string, Llama>> {
  return reading("models", () => {
    const entries = isObject(models) ? Object.entries(models) : [];
    if (entries.length === 0) {
      const problem = `must be loaded models by name, got ${display(models)}`;
      throw new LlariatError("request", problem, { subject: "models", advice: "give { NAME: await Llama.load(…) }" });
    }
    for (const [name, model] of entries) {
      if (isObject(model) && typeof model["generate"] === "function") continue;
      throw new LlariatError("request", `must be a loaded Llama, got ${display(model)}`, { subject: `models.${name}` });
    }
    return Object.fromEntries(entries) as Record<string, Llama>;
  });
}

function texts(subject: string, value: unknown): readonly string[] {
  return reading(subject, () => {
    if (Array.isArray(value)) {
      const list = Array.from(value as unknown[]);
      if (list.every((each) => typeof each === "string" && each !== "")) return list as string[];
    }
    throw new LlariatError("request", `must be a text or a list of texts that are not empty, got ${display(value)}`, {
      subject,
    });
  });
}
