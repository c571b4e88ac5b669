// metrics.ts — GET /metrics: what a server has done and holds, in Prometheus' text format (version 0.0.4).

import type { Completion } from "../index.ts";
import type { Core, Served } from "./core.ts";

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

type Labels = Readonly<Record<string, string | number>>;

/** A sample; values of labels are escaped as the format has it. */
function line(name: string, labels: Labels, value: number): string {
  const escaped = (text: string) => text.replace(/\\/g, "\\\\").replace(/"/g, '\\"').replace(/\n/g, "\\n");
  const list = Object.entries(labels).map(([key, each]) => `${key}="${escaped(String(each))}"`);
  return `${name}${list.length > 0 ? `{${list.join(",")}}` : ""} ${value}`;
}

interface Family {
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
  /** The samples of one model. */
  readonly samples: (served: Served) => string[];
}

const family = (
  name: string,
  type: Family["type"],
  help: string,
  read: (served: Served) => number | Histogram | readonly (readonly [Labels, number])[],
): Family => ({
  name,
  type,
  help,
  samples(served) {
    const labels = { model: served.name };
    const value = read(served);
    if (value instanceof Histogram) return value.lines(name, labels);
    if (typeof value === "number") return [line(name, labels, value)];
    return value.map(([more, each]) => line(name, { ...labels, ...more }, each));
  },
});

function pages({ llama }: Served): [Labels, number][] {
  const { kv, prefixes } = llama.engine.memory;
  return [
    [{ state: "used" }, kv.pages - kv.freePages - prefixes.idle],
    [{ state: "known" }, prefixes.idle],
    [{ state: "free" }, kv.freePages],
  ];
}

const FAMILIES: readonly Family[] = [
  family("llariat_places", "gauge", "Answers that may be computed at a time.", ({ admission }) => admission.places),
  family("llariat_running", "gauge", "Answers under way.", ({ admission }) => admission.running),
  family("llariat_waiting", "gauge", "Requests in the queue.", ({ admission }) => admission.waiting),
  family("llariat_answers_total", "counter", "Answers by how they ended.", ({ metrics }) =>
    [...metrics.answers].map(([end, count]) => [{ end }, count] as const),
  ),
  family("llariat_prompt_tokens_total", "counter", "Tokens of prompts.", ({ metrics }) => metrics.tokens.prompt),
  family(
    "llariat_cached_prompt_tokens_total",
    "counter",
    "Tokens of prompts that a known prefix spared.",
    ({ metrics }) => metrics.tokens.cached,
  ),
  family("llariat_generated_tokens_total", "counter", "Tokens generated.", ({ metrics }) => metrics.tokens.generated),
  family(
    "llariat_time_to_first_token_seconds",
    "histogram",
    "From a request to its first token, the queue included.",
    ({ metrics }) => metrics.firstToken,
  ),
  family(
    "llariat_time_between_tokens_seconds",
    "histogram",
    "From one token of an answer to the next.",
    ({ metrics }) => metrics.betweenTokens,
  ),
  family("llariat_queue_seconds", "histogram", "Wait for a place.", ({ metrics }) => metrics.queue),
  family(
    "llariat_request_seconds",
    "histogram",
    "From a request to the end of its answers.",
    ({ metrics }) => metrics.request,
  ),
  family("llariat_kv_pages", "gauge", "Pages of keys and values: used, known prefixes, free.", pages),
  family("llariat_kv_pages_limit", "gauge", "Most pages there may be.", ({ llama }) => llama.engine.memory.maxPages),
  family("llariat_gpu_bytes", "gauge", "Bytes on the GPU.", ({ llama }) =>
    Object.entries(llama.memory).map(([kind, bytes]) => [{ kind }, bytes as number] as const),
  ),
  family("llariat_device_failures", "gauge", "Requests in a row that a device failed.", ({ failures }) => failures),
];

/** The text that Prometheus reads. */
export function metrics({ models, responses }: Core): Response {
  const lines = FAMILIES.flatMap(({ name, type, help, samples }) => [
    `# HELP ${name} ${help}`,
    `# TYPE ${name} ${type}`,
    ...[...models.values()].flatMap(samples),
  ]);
  const http = [...responses].map(([status, count]) => line("llariat_http_responses_total", { status }, count));
  lines.push(
    "# HELP llariat_http_responses_total Responses by status.",
    "# TYPE llariat_http_responses_total counter",
    ...http,
  );
  return new Response(`${lines.join("\n")}\n`, { headers: { "content-type": "text/plain; version=0.0.4" } });
}
