// health.ts — GET /health: whether the process lives, and whether it is to get requests.

import type { Core } from "./core.ts";

/**
 * `live`: 200 as long as anything answers. `ready`: 503 while the server ends, and after several losses of a model's device in a
 * row, until one of its requests succeeds.
 */
export function health(core: Core, what: "live" | "ready"): Response {
  const { maxFailures } = core.settings;
  const models = Object.fromEntries(
    [...core.models.values()].map(({ name, failures, admission }) => [
      name,
      { ready: failures < maxFailures, failures, running: admission.running, waiting: admission.waiting },
    ]),
  );
  const ready = !core.draining && Object.values(models).every((model) => model.ready);
  const status = what === "ready" && !ready ? 503 : 200;
  return Response.json(
    { status: status === 200 ? "ok" : core.draining ? "draining" : "failing", live: true, ready, models },
    { status, headers: { "cache-control": "no-store" } },
  );
}
