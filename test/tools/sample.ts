// sample.ts — where a big matrix of cases would take too long: some of them, always the same ones, spread over all.
// test/run.ts sets LLARIAT_SAMPLE=1 on SwiftShader, several times slower than lavapipe, unless --all is given.

/** Whether samples are asked for. Never when a test file is run by itself. */
export const sampling = process.env["LLARIAT_SAMPLE"] === "1" && process.env["LLARIAT_ALL"] !== "1";

/** `count` of the cases, from the first to the last at equal distances, and a note; all of them where no samples are asked for. */
export function sampled<T>(what: string, cases: readonly T[], count: number): readonly T[] {
  if (!sampling || cases.length <= count) return cases;
  noteSampled(what, count, cases.length);
  return Array.from({ length: count }, (_, i) => cases[Math.round((i * (cases.length - 1)) / Math.max(1, count - 1))]);
}

/** Says what was left out, in the line that test/run.ts shows under the file. */
export const noteSampled = (what: string, count: number, of: number): void =>
  console.log(`note: ${what}: ${count} of ${of}; npm test -- --all runs all`);
