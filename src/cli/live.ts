// live.ts — a run while it goes on: on a terminal its table, filling up; elsewhere a line per finished cell.

import { stripVTControlCharacters } from "node:util";
import { type Paint, type Progress, terminalTable } from "../retrieval/index.ts";
import { colorsOf } from "./colors.ts";
import type { Terminal } from "./command.ts";

/** Redrawn at most this often, in milliseconds. */
const REDRAW_MS = 100;

/** How tables are coloured on a stream. */
export function paintOf(stream: { isTTY?: boolean }): Paint {
  const { green, red, dim, bold } = colorsOf(stream);
  return { good: green, bad: red, dim, bold };
}

const time = (seconds: number | undefined): string => {
  if (seconds === undefined) return "";
  const whole = Math.round(seconds);
  const minutes = Math.floor(whole / 60);
  return `${minutes}:${String(whole % 60).padStart(2, "0")} left`;
};

/** Shows progress on standard error until `end`. */
export function startLive({ stderr }: Terminal, trainedLength: number) {
  const paint = paintOf(stderr);
  let drawnLines = 0;
  let drawnAt = -Infinity;
  const reported = new Set<string>();
  const wipe = (): void => {
    if (drawnLines > 0) stderr.write(`\x1b[${drawnLines}A\x1b[J`);
    drawnLines = 0;
  };
  const draw = ({ cell, cellsDone, cells, secondsLeft, grid }: Progress): void => {
    const now = performance.now();
    if (now - drawnAt < REDRAW_MS && cellsDone < cells) return;
    drawnAt = now;
    const mine = grid.filter((each) => each.task === cell.task);
    const table = terminalTable({ cells: mine, model: { name: "", trainedLength } }, paint);
    const columns = stderr.columns || 80;
    const share = Math.round((cellsDone / cells) * 30);
    const bar = `[${"#".repeat(share)}${"-".repeat(30 - share)}] ${cellsDone} of ${cells} cells  ${time(secondsLeft)}`;
    const text = `${table}${bar}  ${cell.id} ${cell.attempts.length}/${cell.tries}`.split("\n");
    wipe();
    // A line that wraps would be two to wipe, so long ones are cut; colours are not counted.
    const lines = text.map((line) => {
      const plain = stripVTControlCharacters(line);
      return plain.length < columns ? line : `${plain.slice(0, columns - 2)}…`;
    });
    stderr.write(`${lines.join("\n")}\n`);
    drawnLines = lines.length;
  };
  const tell = ({ cell, cellsDone, cells, secondsLeft }: Progress): void => {
    if (cell.status !== "done" || reported.has(cell.id)) return;
    reported.add(cell.id);
    const left = time(secondsLeft);
    stderr.write(
      `${cell.id}  ${cell.found} of ${cell.attempts.length}  ${cell.seconds.toFixed(1)} s  (${cellsDone} of ${cells} cells${left ? `, ${left}` : ""})\n`,
    );
  };
  return { update: stderr.isTTY ? draw : tell, end: wipe };
}
