// messages.ts — earlier calls and their results as a chat template expects them.

import type { Message } from "../../index.ts";
import { isObject } from "../../text/json.ts";
import { display } from "../../text/wording.ts";
import { HttpError } from "../error.ts";
import type { ToolForm } from "./forms.ts";

const wrong = (param: string, problem: string, got: unknown): HttpError =>
  new HttpError(400, `${param}: ${problem}, got ${display(got)}`, { param });

/**
 * The messages with each call's arguments, JSON in OpenAI's API, as the object or the text that the template prints.
 * @throws HttpError 400 for calls that are none.
 */
export const toolMessages = (messages: readonly Message[], form: ToolForm | undefined): Message[] =>
  messages.map((message, i) => {
    const calls = message["tool_calls"];
    if (calls === undefined || calls === null) return message;
    const where = `messages[${i}].tool_calls`;
    if (!Array.isArray(calls)) throw wrong(where, "must be a list of calls", calls);
    const read = calls.map((call: unknown, j) => toolCall(call, `${where}[${j}]`, form));
    // A template asks whether there are calls by the key alone.
    if (read.length === 0)
      return Object.fromEntries(Object.entries(message).filter(([key]) => key !== "tool_calls")) as Message;
    return { ...message, content: message.content ?? "", tool_calls: read };
  });

function toolCall(call: unknown, where: string, form: ToolForm | undefined): object {
  const own = isObject(call) ? call["function"] : undefined;
  if (!isObject(call) || !isObject(own) || typeof own["name"] !== "string") {
    throw wrong(where, "must be a call: an object with id, type and function", call);
  }
  const { arguments: given = "{}" } = own;
  const at = `${where}.function.arguments`;
  let value: unknown = given;
  if (typeof given === "string") {
    try {
      value = given.trim() === "" ? {} : JSON.parse(given);
    } catch {
      throw wrong(at, "must be JSON of an object", given);
    }
  }
  if (!isObject(value)) throw wrong(at, "must be JSON of an object", given);
  const text = typeof given === "string" ? given : JSON.stringify(value);
  return { ...call, function: { ...own, arguments: form?.argumentsAre === "text" ? text : value } };
}
