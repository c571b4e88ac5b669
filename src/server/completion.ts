// completion.ts — POST /v1/completions: texts or token ids in, what follows them out; with `echo` and `logprobs` also how likely
// the prompt is, which evaluation harnesses ask for.

import { z } from "zod";
import type { Completion, GenerateOptions, Prompt } from "../index.ts";
import { Answers, type Asked } from "./answers.ts";
import { type Core, type Served, newId, seconds } from "./core.ts";
import { HttpError } from "./error.ts";
import { MOST_ANSWERS, flag, generateOptions, sampling, whole as wholeNumber } from "./fields.ts";
import { PREFIX_HEADER, prefixName } from "./prefix.ts";
import { completionPrompts } from "./prompt.ts";
import { type PromptScore, generateScored, promptTokens } from "./score.ts";
import { DONE, event, eventStream } from "./stream.ts";
import { type Scored, completionLogprobs } from "./tokens.ts";
import { piecesOf, usageOf } from "./usage.ts";

/** Tokens of an answer where the request does not say, as OpenAI's completions endpoint has it. */
const MAX_TOKENS = 16;

/** The body of a completions request. */
export const completionRequest = z.strictObject({
  ...sampling,
  prompt: z.unknown().optional(),
  max_tokens: wholeNumber(0).nullish(),
  echo: flag().nullish(),
  logprobs: wholeNumber(0, 256).nullish(),
  suffix: z.literal("", { error: "is not supported: nothing is inserted; leave it out" }).nullish(),
  best_of: wholeNumber(1, MOST_ANSWERS).nullish(),
});

/** The body of a completions request, read. */
export type CompletionRequest = z.output<typeof completionRequest>;

/** What a completions request calls options of the library. */
export const COMPLETION_NAMES = { topLogprobs: "logprobs" };

/** What all choices of an answer are made from. */
interface Making {
  readonly body: CompletionRequest;
  readonly prompts: readonly Prompt[];
  readonly n: number;
  readonly served: Served;
  readonly scores: ReadonlyMap<Prompt, PromptScore>;
  readonly head: { readonly id: string; readonly created: number; readonly model: string };
}

/** Answers a completions request. */
export async function completion(core: Core, body: CompletionRequest, request: Request): Promise<Response> {
  const served = core.model(body.model);
  const prompts = completionPrompts(body.prompt);
  const n = body.n ?? 1;
  if ((body.best_of ?? n) !== n) {
    throw new HttpError(400, `best_of: must be left out or equal to n, ${n}; got ${body.best_of}`, {
      param: "best_of",
    });
  }
  const maxTokens = body.max_tokens ?? MAX_TOKENS;
  const scores = new Map<Prompt, PromptScore>();
  const wanted = body.logprobs ?? undefined;
  const options: GenerateOptions = {
    ...generateOptions(body),
    ...(maxTokens > 0 && { maxNewTokens: maxTokens }),
    ...(wanted !== undefined && { logprobs: true, topLogprobs: wanted }),
  };
  const scoring = {
    maxTokens,
    top: body.echo ? wanted : undefined,
    scored: (prompt: Prompt, score: PromptScore) => void scores.set(prompt, score),
  };
  const asked: Asked = {
    prompts,
    n,
    options,
    generate: (llama, prompt, own) => generateScored(llama, prompt, own, scoring),
  };
  const answers = new Answers(core, served, asked, request.signal);
  const head = { id: newId("cmpl"), created: seconds(), model: served.name };
  const making: Making = { body, prompts, n, served, scores, head };
  const headers = { [PREFIX_HEADER]: prefixName(served.name, body.rope_scaling, prompts[0]) };
  if (!body.stream) return Response.json(await whole(answers, making), { headers });
  await answers.checked;
  return eventStream(core, chunks(answers, making), {
    headers,
    names: COMPLETION_NAMES,
    onCancel: () => answers.end(),
  });
}

/** The prompt's own text and tokens, which `echo` puts before the answer. */
function echoOf({ body, prompts, n, served, scores }: Making, index: number): { text: string; tokens: Scored[] } {
  if (!body.echo) return { text: "", tokens: [] };
  const prompt = prompts[Math.floor(index / n)];
  const { llama } = served;
  const ids = typeof prompt === "string" ? undefined : promptTokens(llama, prompt);
  const text = ids ? (llama.tokenizer?.decode(ids, { skipSpecialTokens: false }) ?? "") : (prompt as string);
  const score = scores.get(prompt);
  const tokens = score?.ids.map((id, i) =>
    i === 0
      ? { id, logprob: null, topLogprobs: [] }
      : { id, logprob: score.logprobs[i - 1], topLogprobs: score.top[i - 1] ?? [] },
  );
  return { text, tokens: tokens ?? [] };
}

async function whole(answers: Answers, making: Making): Promise<object> {
  const { body, n, served, head } = making;
  const done: Completion[] = [];
  for await (const { index, completion: each } of answers) if (each) done[index] = each;
  const choices = done.map((each, index) => {
    const { text, tokens } = echoOf(making, index);
    const scored = typeof body.logprobs === "number" ? [...tokens, ...piecesOf(each)] : undefined;
    return {
      index,
      text: text + each.text,
      logprobs: scored ? completionLogprobs(served.texts, scored, 0) : null,
      finish_reason: each.finishReason,
    };
  });
  return { ...head, object: "text_completion", choices, usage: usageOf(done, n), rope: done[0].rope };
}

/** The chunks of a stream: the prompt with `echo`, what comes, how it ended; with `include_usage` a last one with the sums. */
async function* chunks(answers: Answers, making: Making): AsyncGenerator<string> {
  const { body, n, served, head } = making;
  const sums = body.stream_options?.include_usage ?? false;
  const scores = typeof body.logprobs === "number";
  const chunk = (choices: readonly object[], more: object = {}): string =>
    event({ ...head, object: "text_completion", choices, ...(sums && { usage: null }), ...more });
  const choice = (index: number, text: string, logprobs: object | null, end: string | null = null): object => ({
    index,
    text,
    logprobs,
    finish_reason: end,
  });
  const done: Completion[] = [];
  /** Characters of each answer so far; undefined before the first. */
  const offsets = new Map<number, number>();
  for await (const { index, piece, completion: each } of answers) {
    if (!offsets.has(index)) {
      const { text, tokens } = echoOf(making, index);
      offsets.set(
        index,
        tokens.reduce((sum, { id }) => sum + served.texts.text(id).length, 0),
      );
      if (body.echo) yield chunk([choice(index, text, scores ? completionLogprobs(served.texts, tokens, 0) : null)]);
    }
    if (each) {
      done[index] = each;
      yield chunk([choice(index, "", null, each.finishReason)], { rope: each.rope });
    } else if (scores) {
      const at = offsets.get(index)!;
      const scored = { id: piece.id, logprob: piece.logprob!, topLogprobs: piece.topLogprobs ?? [] };
      offsets.set(index, at + served.texts.text(piece.id).length);
      yield chunk([choice(index, piece.text, completionLogprobs(served.texts, [scored], at))]);
    } else if (piece.text !== "") yield chunk([choice(index, piece.text, null)]);
  }
  if (sums) yield chunk([], { usage: usageOf(done, n), rope: done[0].rope });
  yield DONE;
}
