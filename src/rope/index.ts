// rope/ — RoPE scaling as data: settings in every spelling become one record (parse.ts, with names.ts and build.ts; option.ts
// for the command line), the record gives frequencies (frequencies.ts), and those the fixed point that the GPU reads (turns.ts).

export {
  type Rope,
  type RopeCommon,
  type RopeType,
  dependsOnLength,
  describeRope,
  effectiveLength,
  frequencies,
  maxContext,
  ropeKey,
  unscaled,
  wavelengths,
} from "./frequencies.ts";
export { scalingThatFits, showOption, showScaling } from "./fit.ts";
export { ROPE_ANGLES, type RopeAngles } from "./meanings.ts";
export { ropeTypes } from "./names.ts";
export { parseRopeOption, splitRopeOptions } from "./option.ts";
export {
  type RopeChoice,
  type RopeDialect,
  type RopeScaling,
  headDimension,
  parseRope,
  parseRopeScaling,
} from "./parse.ts";
export { angleRow, phase, turns } from "./turns.ts";
