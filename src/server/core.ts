// core.ts — what every endpoint knows: the models that are served, the settings, whether the server is ending.

import type { Llama } from "../index.ts";
import { LlariatError } from "../error.ts";
import { onAbort } from "../text/abort.ts";
import { Admission } from "./admission.ts";
import { HttpError, later } from "./error.ts";
import type { Settings } from "./options.ts";
import { ModelMetrics } from "./counts.ts";
import { TokenTexts } from "./tokens.ts";

/** A model of a server, who computes on it, and how its device fares. */
export class Served {
  readonly name: string;
  readonly llama: Llama;
  readonly admission: Admission;
  readonly texts: TokenTexts;
  readonly metrics = new ModelMetrics();
  /** Requests in a row that ended with the loss of the device. */
  failures = 0;

  constructor(name: string, llama: Llama, { maxConcurrent, queue }: Settings) {
    this.name = name;
    this.llama = llama;
    this.admission = new Admission(maxConcurrent, queue);
    this.texts = new TokenTexts(llama.tokenizer);
  }
}

/** A server without its routes. */
export class Core {
  readonly settings: Settings;
  readonly models: ReadonlyMap<string, Served>;
  /** When the server was made, in seconds since 1970. */
  readonly created = seconds();
  /** Fires when what still runs is to end at once. */
  readonly stop = new AbortController();
  /** Names that a request's Host may have; undefined: any. */
  hosts: readonly string[] | undefined;
  /** Responses by status. */
  readonly responses = new Map<number, number>();
  /** No request is taken any more. */
  draining = false;
  readonly #open = new Set<Promise<unknown>>();

  constructor(settings: Settings) {
    this.settings = settings;
    this.hosts = settings.hosts;
    this.models = new Map(
      Object.entries(settings.models).map(([name, llama]) => [name, new Served(name, llama, settings)]),
    );
  }

  /**
   * The model of this name; without one the first.
   * @throws HttpError 404 for a name that nobody has, 503 while the server ends.
   */
  model(name: string | null | undefined): Served {
    if (this.draining) throw later(503, "the server is ending", "closing");
    const [first] = this.models.values();
    const served = name === undefined || name === null ? first : this.models.get(name);
    if (served) return served;
    const names = [...this.models.keys()].join(", ");
    const got = JSON.stringify(name!.slice(0, 200));
    throw new HttpError(404, `model: there is no ${got}, only ${names}`, { param: "model", code: "model_not_found" });
  }

  /** Remembers work that a server waits for before it has ended. */
  track(work: Promise<unknown>): void {
    const settled = work.then(
      () => {},
      () => {},
    );
    this.#open.add(settled);
    void settled.then(() => this.#open.delete(settled));
  }

  /** Takes no more requests; resolves once nothing runs. The signal, or a second call, ends what runs. */
  async close(signal?: AbortSignal): Promise<void> {
    const end = (): void => this.stop.abort(new LlariatError("closed", "the server has ended"));
    if (this.draining || signal?.aborted) end();
    this.draining = true;
    const over = onAbort(signal, end);
    while (this.#open.size > 0) await Promise.all(this.#open);
    over();
  }
}

/** Now, in seconds since 1970, as OpenAI's API counts. */
export const seconds = (): number => Math.floor(Date.now() / 1000);

/** An id that nobody else has: `prefix-` and 24 hexadecimal digits. */
export const newId = (prefix: string): string =>
  `${prefix}-${Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
