/**
 * Does this model, with this RoPE scaling, really use its context?
 *
 *     settings → grid → prompts → engine → judge → report        stats perplexity effective client merge beside it
 *
 * Everything takes any object with complete() (perplexity: score() or logits()); a loaded Llama is one.
 * @module llariat/retrieval
 */

export {
  type Answer,
  type CompleteOptions,
  type CountTokens,
  type Encoder,
  type Engine,
  type ScoreOptions,
  type ScoringEngine,
} from "./engine.ts";
export {
  type BuildOptions,
  type ChatFrame,
  DEFAULT_NEEDLE,
  type Document,
  type Exchange,
  type FixturePrompt,
  type Needle,
  type NeedleOptions,
  type NiahName,
  type NiahOptions,
  type PasskeyOptions,
  type Prompt,
  type QaOptions,
  type Question,
  type QuestionSet,
  type SeededOptions,
  TASK_NAMES,
  type TaskName,
  type TitleOptions,
  parseQuestions,
  prompts,
} from "./prompts/index.ts";
export { type Verdict, judge } from "./judge.ts";
export type { RopeChoice } from "../rope/index.ts";
export { type Scaling, parseScaling } from "./scaling.ts";
export { type RetrievalSettings } from "./settings.ts";
export { type Preset, preset, presets } from "./presets.ts";
export { type Progress, type RunOptions, retrieve } from "./run.ts";
export { mergeReports, parseReport } from "./merge.ts";
export { type Comparison, type Condition, type Expectation, checkExpectation, parseExpectation } from "./expect.ts";
export {
  type Perplexity,
  type PerplexityEngine,
  type PerplexityProgress,
  type PerplexityRow,
  type PerplexitySettings,
  type PerplexityOptions,
  perplexity,
} from "./perplexity.ts";
export {
  type EffectiveContext,
  type EffectivePoint,
  type EffectiveProgress,
  type EffectiveRow,
  type EffectiveSettings,
  type EffectiveOptions,
  effectiveContext,
} from "./effective.ts";
export { type EffectiveLength, type EffectiveLengthRow, effectiveLength } from "./length.ts";
export { type ClientOptions, viaUrl } from "./client.ts";
export { type Pairing, pairings } from "./paired.ts";
export { type Interval, type SequentialRule, exactInterval, mcnemar, sameRate, settled, wilson } from "./stats.ts";
export { extrapolationBound, interpolationBound, statedInterpolationBound } from "./bound.ts";
export { REPORT_FORMAT, type Report } from "./schema.ts";
export { type Attempt, type Cell, type TurnAttempt } from "./cell.ts";
export { html } from "./report/html.ts";
export { junit } from "./report/junit.ts";
export { type Measured, type Paint, terminalTable } from "./report/terminal.ts";
