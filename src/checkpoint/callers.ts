// callers.ts — a FileSet of the caller's: what its functions throw, or answer against their contract, is an error that
// names the file; what never answers ends by the signal.

import { LlariatError, checkAborted } from "../error.ts";
import { orAborted } from "../text/abort.ts";
import { isObject } from "../text/json.ts";
import { reading } from "../text/options.ts";
import { display, said } from "../text/wording.ts";
import { type ByteSource, type FileSet, byteSource } from "./bytes.ts";

/**
 * The same files, checked. A LlariatError of the caller's comes as it is; whatever else is thrown becomes "source" with the name of
 * the file, or "aborted" where the signal has fired. An answer that is none of its kind is "source", too.
 * @throws LlariatError("source") for what is no FileSet.
 */
export function callersFiles(given: FileSet): FileSet {
  const { describe, listed } = reading(
    "source",
    () => ({ describe: given.describe, listed: given.listed === true }),
    "source",
  );
  if (typeof describe !== "string") throw wrong("describe", "a text", describe);
  const has = (name: "folders" | "folder"): boolean => {
    const call: unknown = reading("source", () => given[name], "source");
    if (call !== undefined && typeof call !== "function") throw wrong(name, "a function", call);
    return call !== undefined;
  };
  const names = async (call: string, list: () => Promise<readonly string[]>): Promise<readonly string[]> => {
    const answer: unknown = await answered(`${describe}: ${call}()`, list, undefined);
    const read = (): readonly string[] => {
      if (!Array.isArray(answer)) throw wrong(`${describe}: ${call}()`, "a list of names", answer);
      const copy: unknown[] = [];
      for (const name of answer) {
        if (typeof name !== "string") throw wrong(`${describe}: ${call}()`, "a list of names", answer);
        copy.push(name);
      }
      return copy as string[];
    };
    return reading(`${describe}: ${call}()`, read, "source");
  };
  return {
    describe,
    listed,
    list: () => names("list", () => given.list()),
    ...(has("folders") && { folders: () => names("folders", () => given.folders!()) }),
    ...(has("folder") && {
      async folder(name: string, signal?: AbortSignal): Promise<FileSet | undefined> {
        const answer: unknown = await answered(name, () => given.folder!(name, signal), signal);
        if (answer === undefined || answer === null) return undefined;
        if (!reading(name, () => isFileSet(answer), "source"))
          throw wrong(name, "a FileSet, or undefined where there is no such folder", answer);
        return callersFiles(answer as FileSet);
      },
    }),
    async open(name, signal) {
      const answer: unknown = await answered(name, () => given.open(name, signal), signal);
      if (answer === undefined || answer === null) return undefined;
      return callersSource(name, answer);
    },
    close: () => answered(`${describe}: close()`, () => given.close(), undefined),
  };
}

/** Whether a value has what every FileSet has. Throws what its getters throw. */
export const isFileSet = (value: unknown): value is FileSet =>
  isObject(value) && typeof value["open"] === "function" && typeof value["list"] === "function";

function callersSource(opened: string, answer: unknown): ByteSource {
  const { name, size, read } = reading(opened, () => pick(isObject(answer) ? answer : {}), "source");
  if (typeof name !== "string" || typeof read !== "function")
    throw wrong(opened, "a ByteSource, or undefined where there is no such file", answer);
  if (!(Number.isSafeInteger(size) && (size as number) >= 0))
    throw wrong(name, "a size that is a whole number of bytes", size);
  const source = answer as ByteSource;
  return byteSource(name, size as number, async (start, end, _, signal, into) => {
    const bytes: unknown = await answered(name, () => source.read(start, end, signal, into), signal);
    // Of another realm, too, and never a subclass: the slice() of Node's Buffer, for one, does not copy.
    if (ArrayBuffer.isView(bytes)) return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    throw wrong(name, "the bytes that were read", bytes);
  });
}

/** What is read of a source, once: it may be another thing later. */
const pick = ({ name, size, read }: Readonly<Record<string, unknown>>) => ({ name, size, read });

/** What a function of the caller's answers; its failure under the name of what was asked for. */
async function answered<T>(what: string, ask: () => Promise<T> | T, signal: AbortSignal | undefined): Promise<T> {
  const doing = `reading ${what}`;
  checkAborted(signal, doing);
  try {
    return await orAborted(ask, signal, doing);
  } catch (cause) {
    if (cause instanceof LlariatError) throw cause;
    throw new LlariatError("source", `cannot be read: ${said(cause)}`, { subject: what, cause });
  }
}

const wrong = (subject: string, needed: string, got: unknown): LlariatError =>
  new LlariatError("source", `needs ${needed}, got ${display(got)}`, { subject });
