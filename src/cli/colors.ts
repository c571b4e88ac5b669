// colors.ts — colours, where a person sees them.

import pc from "picocolors";

/** Functions that colour a text. */
export type Colors = ReturnType<typeof pc.createColors>;

/** Colours for what is written to a stream: none unless it is a terminal that shows them. */
export const colorsOf = (stream: { isTTY?: boolean }): Colors =>
  pc.createColors(pc.isColorSupported && stream.isTTY === true);
