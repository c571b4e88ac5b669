// format.ts — the field response_format: which form an answer must have.

import { z } from "zod";
import type { GenerateOptions } from "../index.ts";

const schema = z.object(
  {
    name: z.string({ error: "must be a text" }).optional(),
    description: z.string({ error: "must be a text" }).nullish(),
    schema: z.union([z.record(z.string(), z.unknown()), z.boolean()], { error: "must be a JSON schema" }).nullish(),
    strict: z.boolean({ error: "must be true or false" }).nullish(),
  },
  { error: "must be an object with a schema" },
);

/** response_format as OpenAI has it. A schema is always kept to, whether or not it is said to be strict. */
export const responseFormat = z
  .discriminatedUnion(
    "type",
    [
      z.strictObject({ type: z.literal("text") }),
      z.strictObject({ type: z.literal("json_object") }),
      z.strictObject({ type: z.literal("json_schema"), json_schema: schema }),
    ],
    { error: "must have the type text, json_object or json_schema" },
  )
  .nullish();

/** The option of the library. */
export function formatOption(format: z.output<typeof responseFormat>): Pick<GenerateOptions, "responseFormat"> {
  if (!format || format.type === "text") return {};
  const own = format.type === "json_schema" ? format.json_schema.schema : undefined;
  if (own === undefined || own === null) return { responseFormat: { type: "json_object" } };
  return { responseFormat: { type: "json_schema", schema: own } };
}
