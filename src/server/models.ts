// models.ts — GET /v1/models: what is served, with what a client may want to know of it.

import { describeRope } from "../rope/index.ts";
import type { Core, Served } from "./core.ts";

const described = (core: Core, { name, llama }: Served): object => ({
  id: name,
  object: "model",
  created: core.created,
  owned_by: "llariat",
  // Tokens that the model was trained for, and its own RoPE setting: what a client needs to choose another.
  max_model_len: llama.config.maxPositions,
  rope: describeRope(llama.rope),
});

/** The list of models. */
export const modelList = (core: Core): Response =>
  Response.json({ object: "list", data: [...core.models.values()].map((served) => described(core, served)) });

/** One model. Throws HttpError 404 for a name that nobody has. */
export const modelOf = (core: Core, name: string): Response => Response.json(described(core, core.model(name)));
