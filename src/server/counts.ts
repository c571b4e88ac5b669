// counts.ts — what is counted of a model's requests, and how numbers are written in Prometheus' text format (version 0.0.4).

import type { Completion } from "../index.ts";

/** Labels of a sample. */
export type Labels = Readonly<Record<string, string | number>>;

/** A sample; values of labels are escaped as the format has it. */
export function line(name: string, labels: Labels, value: number): string {
  const escaped = (text: string) => text.replace(/\\/g, "\\\\").replace(/"/g, '\\"').replace(/\n/g, "\\n");
  const list = Object.entries(labels).map(([key, each]) => `${key}="${escaped(String(each))}"`);
  return `${name}${list.length > 0 ? `{${list.join(",")}}` : ""} ${value}`;
}

/** Bounds in seconds: from a token of a small model on a GPU to a long prompt on a CPU. */
const TOKEN_BOUNDS = [0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2.5, 5];
const REQUEST_BOUNDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320, 640];

/** Numbers of observations up to bounds, their sum and count. */
export class Histogram {
  readonly #bounds: readonly number[];
  readonly #counts: number[];
  #sum = 0;
  #count = 0;

  /** `bounds`: in seconds, increasing. */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = bounds.map(() => 0);
  }

  /** One more. */
  observe(seconds: number): void {
    this.#sum += seconds;
    this.#count++;
    const at = this.#bounds.findIndex((bound) => seconds <= bound);
    if (at >= 0) this.#counts[at]++;
  }

  /** Lines of the text format; counts are cumulative there. */
  lines(name: string, labels: Labels): string[] {
    let sum = 0;
    return [
      ...this.#bounds.map((bound, i) => line(`${name}_bucket`, { ...labels, le: bound }, (sum += this.#counts[i]))),
      line(`${name}_bucket`, { ...labels, le: "+Inf" }, this.#count),
      line(`${name}_sum`, labels, this.#sum),
      line(`${name}_count`, labels, this.#count),
    ];
  }
}

/** What has become of the requests of a model. */
export class ModelMetrics {
  /** Answers by how they ended: stop, length, …; refused, aborted, failed. */
  readonly answers = new Map<string, number>();
  readonly tokens = { prompt: 0, cached: 0, generated: 0 };
  /** From the request to its first token, the wait in the queue included. */
  readonly firstToken = new Histogram(REQUEST_BOUNDS);
  readonly betweenTokens = new Histogram(TOKEN_BOUNDS);
  readonly queue = new Histogram(REQUEST_BOUNDS);
  readonly request = new Histogram(REQUEST_BOUNDS);

  /** An answer is whole. */
  done({ usage, finishReason }: Pick<Completion, "usage" | "finishReason">): void {
    this.tokens.prompt += usage.promptTokens;
    this.tokens.cached += usage.cachedTokens;
    this.ended(finishReason);
  }

  /** An answer has ended. */
  ended(how: string): void {
    this.answers.set(how, (this.answers.get(how) ?? 0) + 1);
  }
}
