// rope.ts — RoPE on the command line: its options, checked before a byte of weights is read, and the table of `info`.

import type { RopeChoice } from "../index.ts";
import {
  ROPE_ANGLES,
  type Rope,
  type RopeAngles,
  describeRope,
  parseRopeOption,
  parseRopeScaling,
  splitRopeOptions,
  wavelengths,
} from "../rope/index.ts";
import { formatBytes } from "./progress.ts";
import type { Arguments, Option } from "./command.ts";
import { inUsage, usageError } from "./command.ts";
import { readText } from "./files.ts";

/** "planned, current or as-inserted". */
const MEANINGS = ROPE_ANGLES.join(", ").replace(/, (?=[^,]*$)/, " or ");

/** Options of a request. */
export const ropeOptions = {
  "rope-scaling": {
    kind: "text",
    value: "HOW",
    help: "RoPE scaling of this request: none, TYPE:FACTOR (dynamic:2, yarn:4,beta_fast=32), JSON, or @FILE",
  },
  "rope-angles": {
    kind: "text",
    value: "WHEN",
    help: `${MEANINGS}: angles that depend on the length`,
  },
  "rope-length": { kind: "integer", value: "N", help: "the total length that planned angles are made for" },
} as const satisfies Record<string, Option>;

/** The model's own setting (undefined), or one that a request would state. */
export interface NamedScaling {
  readonly name: string;
  readonly setting: RopeChoice;
}

/** One `--rope-scaling`; undefined where it is not given. Throws a usage error for a name that does not exist. */
export function readScaling(text: string | undefined): NamedScaling | undefined {
  if (text === undefined) return undefined;
  return { name: text, setting: inUsage(() => parseRopeOption(text, readText)) };
}

/** `--rope-angles`, or undefined. */
export function readAngles(args: Arguments): RopeAngles | undefined {
  const angles = args.text("rope-angles");
  const known = ROPE_ANGLES.find((name) => name === angles);
  if (angles === undefined || known) return known;
  throw usageError(`--rope-angles needs ${MEANINGS}, got "${angles}"`);
}

/** `--rope-length`, or undefined. */
export function readLength(args: Arguments): number | undefined {
  const length = args.number("rope-length");
  if (length === undefined || length >= 1) return length;
  throw usageError(`--rope-length needs a whole number of tokens above 0, got ${length}`);
}

/** The setting on this model. Throws a usage error for one that does not suit it. */
export const applyScaling = ({ setting }: NamedScaling, model: Rope): Rope =>
  inUsage(() => parseRopeScaling(setting, model));

/** What `info` compares where no list is given: the types that need nothing but a factor. */
const USUAL = "none,linear:4,ntk:4,dynamic:4,yarn:4,llama3:4,low_freq_factor=1,high_freq_factor=4";

/** Options of `info`. */
export const ropeListOptions = {
  "rope-scaling": {
    kind: "text",
    value: "LIST",
    multiple: true,
    help: `what these RoPE scalings would give, as generate takes them, separated by commas (default ${USUAL})`,
  },
  "rope-length": {
    kind: "integer",
    value: "N",
    help: "total length that dynamic and longrope are computed for (default: the context each is meant for)",
  },
} as const satisfies Record<string, Option>;

/** What `info` was asked to compare. */
export interface ScalingList {
  /** The model's own setting first. */
  readonly scalings: readonly NamedScaling[];
  /** Leave out what does not suit the model: nobody asked for it by name. */
  readonly lenient: boolean;
  readonly length: number | undefined;
}

/** Reads the options of `info`. Throws a usage error for a name that does not exist. */
export function readScalings(args: Arguments): ScalingList {
  const lenient = !args.has("rope-scaling");
  const named = (lenient ? [USUAL] : args.texts("rope-scaling")).flatMap(splitRopeOptions);
  const scalings = named.filter((text) => text !== "own").map((text) => readScaling(text)!);
  return { scalings: [{ name: "own", setting: undefined }, ...scalings], lenient, length: readLength(args) };
}

/** What each setting gives on a model. Throws a usage error for one that does not suit it. */
export function describeScalings(
  { scalings, lenient, length }: ScalingList,
  model: Rope,
  kvBytesOf: (tokens: number) => number,
) {
  return scalings.flatMap((scaling) => {
    try {
      return describeScaling(scaling, model, length, kvBytesOf);
    } catch (error) {
      if (lenient) return [];
      throw error;
    }
  });
}

function describeScaling(
  scaling: NamedScaling,
  model: Rope,
  length: number | undefined,
  kvBytesOf: (tokens: number) => number,
) {
  const rope = applyScaling(scaling, model);
  const facts = describeRope(rope);
  const n = length ?? facts.maxContext;
  return {
    scaling: scaling.name,
    ...facts,
    /** Length that frequencies depending on it are computed for. */
    n,
    /** Keys and values at maxContext. */
    kvBytes: kvBytesOf(facts.maxContext),
    /** Tokens per turn of each pair; null (in JSON) where a pair does not turn. */
    wavelengths: Array.from(wavelengths(rope, n), (tokens) => (tokens < Infinity ? tokens : null)),
  };
}

/** Columns of wavelengths: the first pair, the last, and as many evenly between. */
const COLUMNS = 7;

/** Rows of settings: reach, memory there, m, and wavelengths of a selection of pairs. */
export function scalingTable(rows: readonly ReturnType<typeof describeScaling>[]): string {
  const last = rows[0].wavelengths.length - 1;
  const pairs = [...new Set(Array.from({ length: COLUMNS }, (_, i) => Math.round((i * last) / (COLUMNS - 1))))];
  const digits = (value: number | null): string =>
    value === null ? "∞" : value.toLocaleString("en-US", { maximumSignificantDigits: 4 });
  const cut = (text: string): string => (text.length > 32 ? `${text.slice(0, 31)}…` : text);
  const cells = [
    ["setting", "context", "KV there", "m", ...pairs.map((pair) => `λ${pair}`)],
    ...rows.map(({ scaling, type, factor, maxContext, kvBytes, attentionFactor, wavelengths }) => [
      cut(scaling === "own" ? `own: ${type}${factor === 1 ? "" : ` ${factor}`}` : scaling),
      maxContext.toLocaleString("en-US"),
      formatBytes(kvBytes),
      digits(attentionFactor),
      ...pairs.map((pair) => digits(wavelengths[pair])),
    ]),
  ];
  const widths = cells[0].map((_, column) => Math.max(...cells.map((row) => row[column].length)));
  return cells
    .map((row) =>
      row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column]))).join("  "),
    )
    .map((line) => `  ${line}\n`)
    .join("");
}
