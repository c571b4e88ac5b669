// progress.ts — how far something long has come: a bar that rewrites its line on a terminal, a few plain lines elsewhere.

/** Where progress is written: standard error, or anything like it. */
export interface ProgressStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** `update` as often as you like; `end` once, whether or not all was done. */
export interface Progress {
  readonly update: (done: number, total: number) => void;
  readonly end: () => void;
}

/** A bar is redrawn at most this often, in milliseconds: a terminal is slow, and the eye too. */
const REDRAW_MS = 50;

/**
 * Starts a progress display. `label` says what is going on; `unit` writes an amount, such as bytes.
 * On a terminal the bar is wiped when it ends; elsewhere a line is written at every quarter.
 */
export function startProgress(stream: ProgressStream, label: string, unit: (amount: number) => string): Progress {
  const started = performance.now();
  let drawn = -Infinity;
  let quarter = 0;
  let shown = false;
  return {
    update(done, total) {
      const share = total > 0 ? Math.min(1, done / total) : 1;
      if (stream.isTTY) {
        const now = performance.now();
        if (now - drawn < REDRAW_MS && share < 1) return;
        drawn = now;
        shown = true;
        const text = ` ${percent(share)}  ${unit(done)} of ${unit(total)}  ${((now - started) / 1000).toFixed(1)} s`;
        const cells = Math.max(0, Math.min(40, (stream.columns || 80) - label.length - text.length - 4));
        const full = Math.round(share * cells);
        stream.write(`\r\x1b[K${label} [${"#".repeat(full)}${"-".repeat(cells - full)}]${text}`);
      } else if (Math.floor(share * 4) > quarter) {
        quarter = Math.floor(share * 4);
        stream.write(`${label} ${percent(share)} of ${unit(total)}\n`);
      }
    },
    end() {
      if (shown) stream.write("\r\x1b[K");
    },
  };
}

const percent = (share: number): string => `${Math.floor(share * 100)} %`.padStart(5);

/** Bytes for people: "640 B", "61.5 MiB". */
export function formatBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (bytes >= 1024 && unit < units.length - 1) {
    bytes /= 1024;
    unit++;
  }
  return `${unit === 0 ? bytes : bytes.toFixed(bytes < 100 ? 1 : 0)} ${units[unit]}`;
}
