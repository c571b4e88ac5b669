// rope.ts — the RoPE scalings that the page offers: what is sent, how far each reaches, and what that means in words.

/** What /v1/models says of a model's own setting, as far as it is needed here. */
export interface ModelRope {
  readonly type: string;
  readonly maxPositions: number;
  readonly originalMaxPositions: number;
  readonly factor?: number;
  readonly maxContext?: number;
}

/** What a person chose: a type of TYPES, and a factor where it has one. */
export interface Choice {
  readonly type: string;
  readonly factor: number;
}

/** A scaling on offer. */
interface Type {
  readonly name: string;
  /** Whether it has a factor. */
  readonly scales: boolean;
  /** What it is for, as the end of a sentence that begins with its reach. */
  readonly use: string;
}

/** The scalings by the value that `rope_type` has; `own` sends nothing. */
export const TYPES: Readonly<Record<string, Type>> = {
  own: { name: "model’s own", scales: false, use: "as its config says" },
  none: { name: "none", scales: false, use: "no scaling: for texts inside the trained context" },
  yarn: { name: "YaRN", scales: true, use: "the best without fine-tuning" },
  dynamic: { name: "dynamic", scales: true, use: "changes nothing before the trained context ends" },
  ntk: { name: "NTK", scales: true, use: "as dynamic, at every length" },
  linear: { name: "linear", scales: true, use: "for models that were fine-tuned for it" },
  llama3: { name: "Llama 3", scales: true, use: "what Llama 3.1 and later were trained with" },
};

/** The field `rope_scaling` of a request; undefined to leave it out. */
export function ropeScaling({ type, factor }: Choice): object | null | undefined {
  if (type === "own") return undefined;
  if (type === "none") return null;
  // The bands of Llama 3.1's own config.
  const bands = type === "llama3" ? { low_freq_factor: 1, high_freq_factor: 4 } : {};
  return { rope_type: type, factor, ...bands };
}

/** Tokens that a choice reaches on a model. */
export function reachOf({ type, factor }: Choice, rope: ModelRope): number {
  if (type === "own") return rope.maxContext ?? rope.maxPositions;
  if (type === "none") return rope.originalMaxPositions;
  return Math.floor((type === "dynamic" ? rope.maxPositions : rope.originalMaxPositions) * factor);
}

const count = (tokens: number): string => tokens.toLocaleString("en");

/** What a choice means on a model, in two sentences. */
export function meaning(choice: Choice, rope: ModelRope): string {
  const [reach, trained] = [reachOf(choice, rope), rope.originalMaxPositions];
  const ratio = Number((reach / trained).toFixed(2));
  const what =
    ratio === 1
      ? `Reaches the trained ${count(trained)} tokens.`
      : `Reaches ${count(reach)} tokens, ${ratio} × the trained ${count(trained)}.`;
  return `${what} ${sentence(TYPES[choice.type].use)}`;
}

const sentence = (text: string): string => `${text[0].toUpperCase()}${text.slice(1)}.`;

/** The choice that a setting of the server's names, as errors propose it; undefined for what is not on offer. */
export function choiceOf(scaling: unknown): Choice | undefined {
  if (scaling === null) return { type: "none", factor: 1 };
  const { rope_type: type, factor } = scaling as { rope_type?: unknown; factor?: unknown };
  if (typeof type !== "string" || !Object.hasOwn(TYPES, type) || typeof factor !== "number") return undefined;
  return { type, factor };
}

/** A setting as it is shown beside an answer: `yarn ×4`. */
export function shown(rope: ModelRope): string {
  if (rope.type === "default" || rope.type === "none") return "no RoPE scaling";
  return rope.factor !== undefined && rope.factor > 1 ? `${rope.type} ×${rope.factor}` : rope.type;
}
