// metrics.ts — GET /metrics: what a server has done and holds, as Prometheus reads it.

import type { Core, Served } from "./core.ts";
import { Histogram, type Labels, line } from "./counts.ts";

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
