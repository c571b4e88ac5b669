// scores.ts — log-probabilities of windows of text, several windows at a time and each only once.
import { inFlight } from "../../src/retrieval/ask.ts";
import { score } from "../../src/retrieval/engine.ts";
import type { ScoreOptions, ScoringEngine } from "../../src/retrieval/index.ts";
import { frequencies, parseRopeScaling } from "../../src/node/index.ts";
import type { Model } from "./bundled.ts";

/** Windows in flight: while one is turned into probabilities here, the next is on the device. */
const IN_FLIGHT = 3;

interface Window {
  readonly ids: readonly number[];
  readonly options: ScoreOptions;
}

/**
 * Scores a model's windows. What a setting is to a window are its frequencies at that length: windows with the same ids and
 * frequencies are computed once (dynamic within the trained length is no scaling).
 */
export class Scores implements ScoringEngine {
  readonly #model: Model;
  readonly #known = new Map<string, Promise<Float64Array>>();
  /** Tokens computed so far. */
  tokens = 0;

  constructor(model: Model) {
    this.#model = model;
  }

  get tokenizer(): Model["tokenizer"] {
    return this.#model.tokenizer;
  }

  score(ids: readonly number[], options: ScoreOptions): Promise<Float64Array> {
    const { llama } = this.#model;
    const rope = parseRopeScaling(options.ropeScaling, llama.rope);
    const { omega, attentionScaling } = frequencies(rope, ids.length);
    const key = [ids.join(), omega.join(), attentionScaling].join("|");
    let found = this.#known.get(key);
    if (!found) {
      this.tokens += ids.length;
      const logits = { logits: (window: readonly number[], of: ScoreOptions) => llama.logits(window, of) };
      this.#known.set(key, (found = score(logits, ids, options)));
    }
    return found;
  }

  /** Runs a measurement whose windows are known beforehand: those of a rehearsal that computes nothing. */
  async run<T>(measure: (engine: ScoringEngine & Pick<Model, "tokenizer">) => Promise<T>): Promise<T> {
    const windows: Window[] = [];
    await measure({
      tokenizer: this.tokenizer,
      score: async (ids, options) => {
        windows.push({ ids, options });
        return new Float64Array(ids.length - 1);
      },
    });
    const ahead = inFlight(IN_FLIGHT, windows, async ({ ids, options }) => {
      await this.score(ids, options);
    });
    const [result] = await Promise.all([measure(this), ahead]);
    return result;
  }
}
