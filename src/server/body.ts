// body.ts — the body of a request: a stranger's bytes, bounded in size and depth, to what a schema says it is.

import type { z } from "zod";
import { LlariatError } from "../error.ts";
import { parseJson } from "../text/json.ts";
import { HttpError, invalid } from "./error.ts";

/**
 * Reads JSON that `schema` describes.
 * @throws HttpError 415 for another type or encoding, 413 above `maxBytes`, 400 for what is no JSON or not as described.
 */
export async function readBody<S extends z.ZodType>(
  request: Request,
  schema: S,
  maxBytes: number,
): Promise<z.output<S>> {
  checkType(request.headers);
  const text = await readText(request, maxBytes);
  const json = parse(text);
  const read = schema.safeParse(json);
  if (!read.success) throw invalid(json, read.error);
  return read.data;
}

/** A page of a foreign origin can send a form without asking first, but not this type: so it is insisted on. */
function checkType(headers: Headers): void {
  const encoding = headers.get("content-encoding")?.toLowerCase() ?? "identity";
  if (encoding !== "identity") {
    throw new HttpError(415, `content-encoding: must be identity, got ${JSON.stringify(encoding.slice(0, 60))}`);
  }
  const type = headers.get("content-type") ?? "";
  const [name, ...parameters] = type.toLowerCase().split(";");
  const charset = parameters.map((each) => each.trim()).find((each) => each.startsWith("charset="));
  const utf8 = charset === undefined || /^charset="?utf-?8"?$/.test(charset);
  if (name.trim() === "application/json" && utf8) return;
  const got = type === "" ? "nothing" : JSON.stringify(type.slice(0, 60));
  throw new HttpError(415, `content-type: must be application/json in UTF-8, got ${got}`);
}

async function readText(request: Request, maxBytes: number): Promise<string> {
  const tooLarge = (): HttpError =>
    new HttpError(413, `body: must be at most ${maxBytes} bytes`, { code: "request_too_large" });
  if (Number(request.headers.get("content-length") ?? 0) > maxBytes) throw tooLarge();
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const reader = request.body?.getReader();
  let [text, bytes] = ["", 0];
  for (;;) {
    const { done, value } = (await reader?.read().catch(broken)) ?? { done: true, value: undefined };
    bytes += value?.byteLength ?? 0;
    if (bytes > maxBytes) {
      void reader!.cancel().catch(() => {});
      throw tooLarge();
    }
    try {
      text += done ? decoder.decode() : decoder.decode(value, { stream: true });
    } catch {
      void reader?.cancel().catch(() => {});
      throw new HttpError(400, "body: must be UTF-8, got bytes that are not");
    }
    if (done) return text;
  }
}

const broken = (): never => {
  throw new HttpError(400, "body: it broke off");
};

function parse(text: string): unknown {
  try {
    return parseJson(text, "body", "request");
  } catch (error) {
    if (!(error instanceof LlariatError)) throw error;
    throw new HttpError(400, error.problem.replace(/; the file is damaged or not JSON$/, ""), { code: "invalid_json" });
  }
}
