// attention-bound.ts — draws the attention score bounds of section 2 of the Position Interpolation paper (arXiv 2306.15595)
// for LLaMA 7B, and prints the paper's numbers beside ours.
//   node --import tsx bench/attention-bound.ts [FILE.svg]     default: docs/attention-bound.svg

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { extrapolationBound, interpolationBound, statedInterpolationBound } from "../src/retrieval/index.ts";
import { at, el, join as text, path, raw } from "../src/retrieval/report/markup.ts";

// LLaMA 7B: 4096 elements in 32 heads, base 10000, trained for 2048 tokens; drawn to twice that.
const [DIM, BASE, TRAINED, LAST] = [128, 10_000, 2048, 4096];
const stated = statedInterpolationBound(DIM, BASE);
const evaluated = interpolationBound(DIM, BASE);
const bounds = Array.from({ length: LAST }, (_, i) => extrapolationBound(i + 1, DIM, BASE));
const least = Math.min(...bounds);

const ratio = (bound: number, by: number): string => `${Math.round(bound / by)}×`;
const sorted = [...bounds].sort((a, b) => a - b);
console.log(`d / stated interpolation bound      ${(DIM / stated).toFixed(2)}   the paper: 294.73
d / bound with the sum evaluated    ${(DIM / evaluated).toFixed(2)}   see interpolationBound: the printed one is ${((evaluated / stated - 1) * 100).toFixed(0)} % too small
extrapolation over interpolation    the paper: at least 2 · 294.73 ≈ 600×, for distances 1 to ${LAST}:
  stated bound     least ${ratio(least, stated)}, median ${ratio(sorted[LAST / 2], stated)}, most ${ratio(sorted[LAST - 1], stated)}
  evaluated bound  least ${ratio(least, evaluated)}, median ${ratio(sorted[LAST / 2], evaluated)}, most ${ratio(sorted[LAST - 1], evaluated)}`);

const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [760, 380, 62, 200, 28, 48];
const x = (distance: number): number => at(LEFT + (distance / LAST) * (WIDTH - LEFT - RIGHT));
const [low, high] = [0.2, 5000];
const y = (value: number): number =>
  at(TOP + ((Math.log(high) - Math.log(value)) / (Math.log(high) - Math.log(low))) * (HEIGHT - TOP - BOTTOM));
const end = WIDTH - RIGHT;

const style = `text{font:13px system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;fill:#565d66}.t{font-size:12px}.m{text-anchor:middle}.e{text-anchor:end}
.g{stroke:#e2e5e9}.b{stroke:#16191d;stroke-dasharray:3 3}.x{stroke:#1f6fb4;fill:none;stroke-width:1.2}.i{stroke:#b2480a;stroke-width:2.2}.d{stroke-dasharray:6 4}
.tx{fill:#1f6fb4;font-weight:600}.ti{fill:#b2480a;font-weight:600}
@media (prefers-color-scheme:dark){text{fill:#adb5bf}.g{stroke:#2b313a}.b{stroke:#eceff3}.x{stroke:#6cb2ee}.i{stroke:#f39a5b}.tx{fill:#6cb2ee}.ti{fill:#f39a5b}}`;

const label = (name: string, left: number, top: number, words: string) =>
  el("text", { class: name, x: left, y: top }, words);
const picture = el(
  "svg",
  {
    xmlns: "http://www.w3.org/2000/svg",
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
    width: WIDTH,
    height: HEIGHT,
    role: "img",
    "aria-label": `Bounds of an attention score for LLaMA 7B: extrapolated between ${Math.round(least)} and ${Math.round(sorted[LAST - 1])}, interpolated below ${evaluated.toFixed(2)}`,
  },
  el("style", {}, raw(style)),
  [1, 10, 100, 1000].map((value) => [
    el("line", { class: "g", x1: LEFT, x2: end, y1: y(value), y2: y(value) }),
    label("t e", LEFT - 8, y(value) + 4, String(value)),
  ]),
  [0, 1024, 2048, 3072, 4096].map((distance) => label("t m", x(distance), HEIGHT - BOTTOM + 18, String(distance))),
  el("line", { class: "b", x1: x(TRAINED), x2: x(TRAINED), y1: TOP, y2: HEIGHT - BOTTOM }),
  label("t m", x(TRAINED), TOP - 8, "trained for 2048"),
  el("path", {
    class: "x",
    d: path(bounds.map((bound, i): [number, number] => [x(i + 1), y(bound)]).filter((_, i) => i % 2 === 0)),
  }),
  el("line", { class: "i d", x1: LEFT, x2: end, y1: y(stated), y2: y(stated) }),
  el("line", { class: "i", x1: LEFT, x2: end, y1: y(evaluated), y2: y(evaluated) }),
  label("tx", end + 10, y(330), "extrapolated: 2 B(s)"),
  label("t", end + 10, y(330) + 17, "all that is known beyond 2048"),
  label("ti", end + 10, y(evaluated) - 6, `interpolated: ${evaluated.toFixed(3)}`),
  label("t", end + 10, y(evaluated) + 16, `as printed: d / 294.73 = ${stated.toFixed(3)}`),
  label("t m", x(TRAINED) + 130, y(8), `at least ${ratio(least, evaluated)} apart`),
  label("m", (LEFT + end) / 2, HEIGHT - 8, "distance s between query and key, tokens"),
  el(
    "text",
    { class: "m", transform: `translate(16 ${(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)` },
    "bound of |score|, for max |h| = 1",
  ),
);
const file = process.argv[2] ?? join(import.meta.dirname, "../docs/attention-bound.svg");
writeFileSync(file, `${text(picture)}\n`);
console.log(`written: ${file}`);
