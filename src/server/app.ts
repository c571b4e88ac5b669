// app.ts — the routes of a server, and what happens to a request before it reaches one and after it has failed.

import { type Context, Hono } from "hono";
import type { z } from "zod";
import { readBody } from "./body.ts";
import { CHAT_NAMES, chat, chatRequest } from "./chat.ts";
import { COMPLETION_NAMES, completion, completionRequest } from "./completion.ts";
import type { Core } from "./core.ts";
import { EMBEDDINGS_NAMES, embeddings, embeddingsRequest } from "./embeddings.ts";
import { HttpError, toHttp } from "./error.ts";
import { guard } from "./guard.ts";
import { health } from "./health.ts";
import { metrics } from "./metrics.ts";
import { modelList, modelOf } from "./models.ts";
import { pageRoutes } from "./page.ts";
import { RESPONSES_NAMES, responses, responsesRequest } from "./responses.ts";
import { TOKENIZE_NAMES, detokenize, detokenizeRequest, tokenize, tokenizeRequest } from "./tokenize.ts";

/** An endpoint that takes a body. */
interface Endpoint<S extends z.ZodType> {
  /** What the body must be. */
  readonly schema: S;
  readonly answer: (core: Core, body: z.output<S>, request: Request) => Promise<Response> | Response;
  /** What it calls options of the library, for errors. */
  readonly names?: Readonly<Record<string, string>>;
}

/** All routes of a server. */
export function app(core: Core): Hono {
  const { settings } = core;
  const routes = new Hono();

  /** The answer that an error is. */
  const failed = (error: unknown, names?: Readonly<Record<string, string>>): Response => {
    const answer = toHttp(error, names);
    if (answer.status === 500) settings.onError(error);
    return answer.response;
  };
  const post = <S extends z.ZodType>(path: string, { schema, answer, names }: Endpoint<S>): void => {
    routes.post(path, async ({ req: { raw } }) => {
      try {
        return await answer(core, await readBody(raw, schema, settings.maxBodyBytes), raw);
      } catch (error) {
        return failed(error, names);
      }
    });
    routes.all(path, () => failed(new HttpError(405, `${path} takes POST`, { headers: { allow: "POST" } })));
  };

  routes.use(async (context, next) => {
    await next();
    const { status } = context.res;
    core.responses.set(status, (core.responses.get(status) ?? 0) + 1);
  });
  routes.use(guard(core));
  post("/v1/chat/completions", { schema: chatRequest, answer: chat, names: CHAT_NAMES });
  post("/v1/completions", { schema: completionRequest, answer: completion, names: COMPLETION_NAMES });
  post("/v1/responses", { schema: responsesRequest, answer: responses, names: RESPONSES_NAMES });
  post("/v1/embeddings", { schema: embeddingsRequest, answer: embeddings, names: EMBEDDINGS_NAMES });
  post("/tokenize", { schema: tokenizeRequest, answer: tokenize, names: TOKENIZE_NAMES });
  post("/detokenize", { schema: detokenizeRequest, answer: detokenize });
  pageRoutes(routes);
  routes.get("/v1/models", () => modelList(core));
  routes.get("/v1/models/:name{.+}", ({ req }: Context) => modelOf(core, req.param("name")!));
  routes.get("/metrics", () => metrics(core));
  routes.get("/health", () => health(core, "ready"));
  routes.get("/health/ready", () => health(core, "ready"));
  routes.get("/health/live", () => health(core, "live"));
  routes.notFound(({ req: { method, path } }) =>
    failed(new HttpError(404, `there is no ${method} ${path.slice(0, 200)}`, { code: "unknown_url" })),
  );
  routes.onError((error) => failed(error));
  return routes;
}
