// Damaged checkpoints, and the assertions every test of bad input shares.
import * as assert from "uvu/assert";
import { LlariatError } from "../src/error.ts";
import type { ErrorCode } from "../src/error.ts";

/** The LlariatError `run` rejects with; fails the test for anything else, for another code or another sentence. */
export async function rejects(run: () => Promise<unknown>, code: ErrorCode, message: RegExp): Promise<LlariatError> {
  let value: unknown;
  try {
    value = await run();
  } catch (error) {
    if (!(error instanceof LlariatError)) throw error;
    assert.is(error.code, code, `${error.code}: ${error.message}`);
    assert.match(error.message, message);
    return error;
  }
  throw new Error(`nothing was refused (got ${String(value)}), needed ${code} ${message}`);
}

/** One header entry as it is written; a tensor of zeros unless the test says more. */
export type HeaderEntry = Record<string, unknown>;

/** A safetensors file from a header (an object, or its text as it is) and `dataBytes` zeros or given data. */
export function safetensorsBytes(header: string | Record<string, HeaderEntry>, data: number | Uint8Array): Uint8Array {
  const text = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const body = typeof data === "number" ? new Uint8Array(data) : data;
  const out = new Uint8Array(8 + text.length + body.length);
  new DataView(out.buffer).setBigUint64(0, BigInt(text.length), true);
  out.set(text, 8);
  out.set(body, 8 + text.length);
  return out;
}
