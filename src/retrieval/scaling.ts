// scaling.ts — the RoPE settings of a grid: how they are written, how far they reach, which are pointless.

import { LlariatError } from "../error.ts";
import type { Rope, RopeAngles, RopeChoice, RopeScaling } from "../rope/index.ts";
import { ROPE_ANGLES, maxContext, parseRopeOption, parseRopeScaling, showOption } from "../rope/index.ts";
import { atOnce, checkOptions, reading } from "../text/options.ts";
import { display } from "../text/wording.ts";

/** One row of a grid: a RoPE setting, and what a length-dependent one means while generating. */
export interface Scaling {
  /** As it was written; the name of its cells. */
  readonly label: string;
  readonly ropeScaling: RopeChoice;
  readonly ropeAngles?: RopeAngles;
}

/**
 * Reads `own` (the model's own setting), or whatever `--rope-scaling` takes (src/rope/option.ts), or a setting as an
 * object; `/as-inserted`, `/current` or `/planned` after it chooses the angles while generating.
 * @throws LlariatError("rope") for what is no setting, and for a factor of 1, which scales nothing.
 */
export function parseScaling(
  given: string | RopeScaling | Scaling | null,
  readFile?: (path: string) => string,
): Scaling {
  checkOptions({ readFile }, { readFile: "callback" });
  return reading("ropeScalings", () => readScaling(given, readFile && atOnce("readFile", readFile)));
}

function readScaling(given: Parameters<typeof parseScaling>[0], readFile?: (path: string) => string): Scaling {
  if (given === null) return { label: "none", ropeScaling: null };
  if (typeof given === "object") {
    if ("label" in given && typeof given.label !== "string") {
      throw new LlariatError("rope", `must be a text, got ${display(given.label)}`, { subject: "ropeScalings.label" });
    }
    const scaling = "label" in given ? given : { label: showOption(given), ropeScaling: given };
    refusePointless(scaling);
    return scaling;
  }
  if (typeof given !== "string") {
    const problem = `needs a text, a setting or null, got ${display(given)}`;
    throw new LlariatError("rope", problem, { subject: "ropeScalings" });
  }
  const text = given.trim();
  const ropeAngles = ROPE_ANGLES.find((angles) => text.endsWith(`/${angles}`));
  const setting = ropeAngles ? text.slice(0, -ropeAngles.length - 1) : text;
  const ropeScaling = setting === "own" ? undefined : parseRopeOption(setting, readFile);
  const scaling = { label: text, ropeScaling, ...(ropeAngles ? { ropeAngles } : {}) };
  refusePointless(scaling);
  return scaling;
}

const typeOf = (scaling: RopeScaling): string => scaling.rope_type ?? scaling.type ?? "default";

function refusePointless({ label, ropeScaling }: Scaling): void {
  if (typeof ropeScaling !== "object" || ropeScaling === null || typeOf(ropeScaling) === "default") return;
  if (ropeScaling.factor !== 1) return;
  throw new LlariatError("rope", `${label}: a factor of 1 scales nothing; ask for none, or for a larger factor`);
}

/** Whether a setting leaves the frequencies as they were trained. */
export const isUnscaled = ({ ropeScaling }: Scaling): boolean =>
  ropeScaling === null || ropeScaling === "none" || (ropeScaling !== undefined && typeOf(ropeScaling) === "default");

/**
 * Tokens up to which a setting has a chance: trained length × factor, as in h2oGPT's test; the engine's own reckoning
 * where its RoPE setting is known (longrope without a factor, the model's own setting).
 */
export function reachOf(scaling: Scaling, trained: number, model?: Rope): number {
  if (isUnscaled(scaling)) return trained;
  const { ropeScaling } = scaling;
  const factor = typeof ropeScaling === "object" && ropeScaling !== null ? ropeScaling.factor : undefined;
  if (typeof factor === "number") return Math.floor(trained * factor);
  return model ? Math.max(trained, maxContext(parseRopeScaling(ropeScaling, model))) : trained;
}
