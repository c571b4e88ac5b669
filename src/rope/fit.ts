// fit.ts — which setting would reach a length, for the sentence that refuses a prompt.

import type { Rope } from "./frequencies.ts";
import type { RopeScaling } from "./parse.ts";

/**
 * The smallest whole-number setting of a request whose maxContext on `model` is at least `tokens`: the type of `rope` with
 * a larger factor where the factor decides, else yarn, which needs nothing but a factor.
 */
export function scalingThatFits(rope: Rope, model: Rope, tokens: number): RopeScaling {
  const factor = Math.max(1, Math.ceil(tokens / model.originalMaxPositions));
  switch (rope.type) {
    case "linear":
    case "ntk":
    case "dynamic":
      return { rope_type: rope.type, factor };
    case "llama3": {
      const { lowFreqFactor: low_freq_factor, highFreqFactor: high_freq_factor } = rope;
      return { rope_type: "llama3", factor, low_freq_factor, high_freq_factor };
    }
    default: // the lists of longrope reach as far as they were made for; yarn divides by ln θ
      return { rope_type: model.theta === 1 ? "linear" : "yarn", factor };
  }
}

/** A setting as it stands in code: `{ rope_type: "yarn", factor: 4 }`. Values are shown as JSON. */
export const showScaling = (setting: RopeScaling): string =>
  `{ ${Object.entries(setting)
    .map(([key, value]) => `${key}: ${JSON.stringify(value)}`)
    .join(", ")} }`;

/** The same as the command line takes it: `yarn:4`, `llama3:8,low_freq_factor=1`. */
export function showOption({ rope_type, type, factor, ...rest }: RopeScaling): string {
  const items = Object.entries(rest).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
  const all = [...(factor === undefined || factor === null ? [] : [factor]), ...items];
  return `${rope_type ?? type ?? "default"}${all.length > 0 ? `:${all.join(",")}` : ""}`;
}
