// refused.ts — asserts that something is refused, as this project refuses: with a LlariatError of a code and a sentence.
import * as assert from "uvu/assert";
import { type ErrorCode, LlariatError } from "../../src/error.ts";

/**
 * The LlariatError that a promise, or the one a call gives, is rejected with. Fails the test if nothing is refused, if the
 * error is of another kind or code, or if its sentence does not match a pattern or is not exactly a text.
 */
export async function refused(
  attempt: Promise<unknown> | (() => Promise<unknown>),
  code: ErrorCode,
  sentence: RegExp | string = /./,
): Promise<LlariatError> {
  let value: unknown;
  try {
    value = await (typeof attempt === "function" ? attempt() : attempt);
  } catch (error) {
    return checked(error, code, sentence);
  }
  return accepted(value, code, sentence);
}

/** As `refused`, for a call that throws at once. */
export function refusedSync(call: () => unknown, code: ErrorCode, sentence: RegExp | string = /./): LlariatError {
  let value: unknown;
  try {
    value = call();
  } catch (error) {
    return checked(error, code, sentence);
  }
  return accepted(value, code, sentence);
}

function checked(error: unknown, code: ErrorCode, sentence: RegExp | string): LlariatError {
  if (!(error instanceof LlariatError)) throw error;
  if (typeof sentence === "string") assert.is(error.message, sentence);
  else assert.match(error.message, sentence);
  assert.is(error.code, code, `${error.code}: ${error.message}`);
  return error;
}

function accepted(value: unknown, code: ErrorCode, sentence: RegExp | string): never {
  assert.unreachable(`nothing was refused (got ${String(value)}), needed ${code}: ${sentence}`);
  throw new Error("unreachable");
}
