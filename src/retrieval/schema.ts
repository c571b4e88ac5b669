// schema.ts — report.json: everything a run asked, read and counted, so that it can be resumed, merged, checked and drawn.

import type { Expectation } from "./expect.ts";
import type { EffectiveContext } from "./effective.ts";
import type { EffectiveLength } from "./length.ts";
import type { Perplexity } from "./perplexity.ts";
import type { Cell } from "./cell.ts";

/** Changes when a reader of an older report could misread a newer one. */
export const REPORT_FORMAT = "llariat-retrieval/1";

/** A run, or the part of it done so far. */
export interface Report {
  readonly format: typeof REPORT_FORMAT;
  /** ISO 8601. */
  readonly created: string;
  readonly updated: string;
  /** Every cell is done or has no chance. */
  readonly complete: boolean;
  readonly model: { readonly name: string; readonly trainedLength: number };
  /** What the caller knows about engine, device, version and command. */
  readonly environment: Readonly<Record<string, unknown>>;
  /** The settings that decide prompts and answers, echoed. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Hash of model and settings: reports with the same one are parts of the same run. */
  readonly fingerprint: string;
  /** The whole grid, in its order, also under `shard`. */
  readonly cells: readonly Cell[];
  /** Exact texts of the prompts of every failure. */
  readonly prompts: Readonly<Record<string, string>>;
  readonly expectations: readonly Expectation[];
  /** As RULER defines it; where one of its tasks was asked for, or a threshold. */
  readonly effectiveLength?: EffectiveLength;
  readonly perplexity?: Perplexity;
  readonly effectiveContext?: EffectiveContext;
}
