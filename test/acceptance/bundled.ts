// bundled.ts — the small models of models/ as engines to be accepted, and engines that are broken on purpose.
import { type Completion, Llama } from "../../src/node/index.ts";
import { inFlight } from "../../src/retrieval/ask.ts";
import type { CompleteOptions, Engine } from "../../src/retrieval/index.ts";
import { folder } from "../tools/models.ts";

/** The models of models/. */
export type Bundled = "kv-llama" | "kv-llama-pi" | "kv-llama-4k";

/** Tokens the first two were trained for at first; kv-llama-pi then for four times as many, with its linear scaling 4. */
export const TRAINED = 512;

/** Everything there is to compare with, instead of what fits a few minutes. */
export const everything = process.env["LLARIAT_ALL"] === "1";

/** Requests in flight together: as many as share a step. */
const IN_FLIGHT = 16;

/** What is asked of an engine. */
export interface Question {
  readonly prompt: string;
  readonly options: CompleteOptions;
}

const keyOf = ({ prompt, options: { ropeScaling, ropeAngles, maxNewTokens } }: Question): string =>
  JSON.stringify([prompt, ropeScaling === undefined ? "own" : ropeScaling, ropeAngles, maxNewTokens]);

/**
 * A loaded model that remembers its answers, so that several checks share them. `planned` angles mean here: those of the
 * prompt's length, kept while generating, which transformers was measured with as "frozen"; llariat itself plans for the
 * answer, too.
 */
export class Model implements Engine, Disposable {
  readonly name: string;
  readonly llama: Llama;
  /** Prompt tokens read so far, without what other prompts began with. */
  tokens = 0;
  readonly #answers = new Map<string, Promise<Completion>>();

  private constructor(name: string, llama: Llama) {
    this.name = name;
    this.llama = llama;
  }

  /** Loads models/NAME. */
  static async load(name: Bundled, options?: Parameters<typeof Llama.load>[1]): Promise<Model> {
    return new Model(name, await Llama.load(folder(`/models/${name}`), options));
  }

  get tokenizer(): NonNullable<Llama["tokenizer"]> {
    return this.llama.tokenizer!;
  }

  get rope(): Llama["rope"] {
    return this.llama.rope;
  }

  /** Tokens of a text. */
  readonly count = (text: string): number => this.tokenizer.encode(text).length;

  complete(prompt: string, options: CompleteOptions): Promise<Completion> {
    const key = keyOf({ prompt, options });
    let answer = this.#answers.get(key);
    if (!answer) this.#answers.set(key, (answer = this.#generate(prompt, options)));
    return answer;
  }

  /** Asks all of these in their order, as many at a time as share a step; later they are answered from memory. */
  ask(questions: Iterable<Question>): Promise<void> {
    return inFlight(IN_FLIGHT, questions, async ({ prompt, options }) => {
      await this.complete(prompt, options);
    });
  }

  async #generate(prompt: string, options: CompleteOptions): Promise<Completion> {
    const frozen = options.ropeAngles === "planned" ? { ropeLength: this.count(prompt) } : {};
    const done = await this.llama.complete(prompt, { ...options, ...frozen });
    this.tokens += done.usage.promptTokens - done.usage.cachedTokens;
    return done;
  }

  [Symbol.dispose](): void {
    this.llama.close();
  }
}

/** An engine that hears something else than it is asked: how a broken one would answer. */
export function broken(engine: Engine, change: (options: CompleteOptions) => CompleteOptions): Engine {
  const { tokenizer, rope } = engine;
  return { tokenizer, rope, complete: (prompt, options) => engine.complete(prompt, change(options)) };
}

/** RoPE scaling taken and ignored. */
export const withoutScaling = (engine: Engine): Engine =>
  broken(engine, (options) => ({ ...options, ropeScaling: null, ropeAngles: undefined }));
