// embeddings.ts — POST /v1/embeddings: texts or token ids in, a vector per text out.

import { z } from "zod";
import { type EmbedOptions, LlariatError, describeRope, parseRopeScaling } from "../index.ts";
import { anySignal } from "../text/abort.ts";
import type { Leave } from "./admission.ts";
import type { Core, Served } from "./core.ts";
import { HttpError } from "./error.ts";
import { flag, ignored, number, text, whole } from "./fields.ts";
import { completionPrompts } from "./prompt.ts";

/** The body of an embeddings request. */
export const embeddingsRequest = z.strictObject({
  model: text().nullish(),
  input: z.unknown().optional(),
  encoding_format: z.enum(["float", "base64"], { error: 'must be "float" or "base64"' }).nullish(),
  dimensions: whole(1).nullish(),
  pooling: z.enum(["mean", "last"], { error: 'must be "mean" or "last"' }).nullish(),
  normalize: flag().nullish(),
  rope_scaling: z.unknown().optional(),
  rope_length: number().nullish(),
  allow_beyond: flag().nullish(),
  user: ignored(),
});

/** The body of an embeddings request, read. */
export type EmbeddingsRequest = z.output<typeof embeddingsRequest>;

/** What an embeddings request calls options of the library. */
export const EMBEDDINGS_NAMES = { prompts: "input", prompt: "input" };

/** The library's options for an embeddings request. */
const embedOptions = (body: EmbeddingsRequest): EmbedOptions => ({
  ...(body.pooling && { pooling: body.pooling }),
  ...(typeof body.normalize === "boolean" && { normalize: body.normalize }),
  ...(body.rope_scaling !== undefined && { ropeScaling: body.rope_scaling }),
  ...(typeof body.rope_length === "number" && { ropeLength: body.rope_length }),
  ...(typeof body.allow_beyond === "boolean" && { allowBeyond: body.allow_beyond }),
});

/** Answers an embeddings request, which takes one place whatever it holds. */
export async function embeddings(core: Core, body: EmbeddingsRequest, request: Request): Promise<Response> {
  const served = core.model(body.model);
  const prompts = completionPrompts(body.input, "input");
  checkDimensions(served, body.dimensions);
  const { signal, over } = anySignal([request.signal, core.stop.signal]);
  let leave: Leave = () => {};
  let tokens = 0;
  const work = served.llama.embed(prompts, {
    ...embedOptions(body),
    signal,
    async onAllocate(need) {
      tokens = need.tokens;
      leave = await served.admission.enter(1, signal);
    },
  });
  core.track(work);
  try {
    const vectors = await work;
    served.failures = 0;
    served.metrics.tokens.prompt += tokens;
    const encode = body.encoding_format === "base64" ? base64 : (vector: Float32Array) => [...vector];
    return Response.json({
      object: "list",
      data: vectors.map((vector, index) => ({ object: "embedding", index, embedding: encode(vector) })),
      model: served.name,
      usage: { prompt_tokens: tokens, total_tokens: tokens },
      rope: describeRope(parseRopeScaling(embedOptions(body).ropeScaling, served.llama.rope)),
    });
  } catch (error) {
    if (error instanceof LlariatError && error.code === "device") served.failures++;
    throw error;
  } finally {
    leave();
    over();
  }
}

/** Vectors are as long as the model makes them: to cut one that was not trained for it would be a worse one in silence. */
function checkDimensions({ name, llama }: Served, dimensions: number | null | undefined): void {
  const { dim } = llama.config;
  if ((dimensions ?? dim) === dim) return;
  const message = `dimensions: must be left out or ${dim}, which is what ${name} gives, got ${dimensions}`;
  throw new HttpError(400, message, { param: "dimensions", code: "unsupported_parameter" });
}

/** The bytes of f32 values, the lowest first, in base64: what OpenAI's clients ask for unless told otherwise. */
function base64(vector: Float32Array): string {
  const bytes = new DataView(new ArrayBuffer(4 * vector.length));
  vector.forEach((value, i) => bytes.setFloat32(4 * i, value, true));
  let binary = "";
  for (let i = 0; i < bytes.byteLength; i++) binary += String.fromCharCode(bytes.getUint8(i));
  return btoa(binary);
}
