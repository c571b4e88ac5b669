// roofline.ts — each kernel a dot under the device's two roofs (Williams, Waterman, Patterson 2009): operations per byte to the
// right, operations per second upwards, both in equal ratios. How far a dot is below its roof is what is lost.

import { type Markup, at, el, path, raw } from "../../src/retrieval/report/markup.ts";
import { logarithmic } from "../../src/retrieval/report/plot.ts";
import type { Line } from "../result.ts";
import type { Device } from "./read.ts";

const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [960, 640, 76, 24, 30, 62];

/** Colours of weight formats, and of what has none; light and dark. */
const COLOURS: Readonly<Record<string, readonly [string, string]>> = {
  f32: ["#1f6fb4", "#6cb2ee"],
  f16: ["#b2480a", "#f39a5b"],
  bf16: ["#8d4589", "#d79bd6"],
  q8_0: ["#7a5c00", "#d9b64b"],
  q4_0: ["#0b7a50", "#4cc79a"],
  plain: ["#565d66", "#adb5bf"],
};

const colours = (i: 0 | 1): string =>
  Object.entries(COLOURS)
    .map(([name, pair]) => `.roofline .${name}{fill:${pair[i]}}`)
    .join("");

// Every rule begins with the figure's class: it also stands inside a page.
const style = `.roofline text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;fill:#565d66}
.roofline .back{fill:#fff}.roofline .grid{stroke:#e2e5e9}.roofline .roof{stroke:#16191d;stroke-width:2;fill:none}
.roofline .under{fill:#16191d;opacity:.04}.roofline .strong{fill:#16191d;font-weight:600}.roofline .axis{font-size:13px}
.roofline .mid{text-anchor:middle}.roofline .end{text-anchor:end}.roofline circle{stroke:#fff;stroke-width:1}${colours(0)}
@media (prefers-color-scheme:dark){.roofline text{fill:#adb5bf}.roofline .back{fill:#171b21}.roofline .grid{stroke:#2b313a}
.roofline .roof{stroke:#eceff3}.roofline .under{fill:#eceff3}.roofline .strong{fill:#eceff3}.roofline circle{stroke:#171b21}${colours(1)}}`;

/** A kernel where it belongs: operations per byte, none where it only moves, and operations or bytes per nanosecond. */
interface Dot {
  readonly kernel: string;
  readonly colour: string;
  readonly intensity: number;
  readonly gflops: number;
  readonly gbs: number;
  readonly tip: string;
}

/** Powers of ten from the one below `low` to the one above `high`. */
const decades = (low: number, high: number): number[] => {
  const [first, last] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  return Array.from({ length: last - first + 1 }, (_, i) => 10 ** (first + i));
};

const number = (value: number): string =>
  value >= 1000 ? `${Number((value / 1000).toPrecision(3))} T` : String(Number(value.toPrecision(3)));

/** The models whose kernels were timed, the largest last. */
export const modelsOf = (device: Device): string[] => [
  ...new Set(
    device.lines.flatMap(({ bench, model, flops }) =>
      bench === "kernels" && flops !== undefined && model ? [model] : [],
    ),
  ),
];

function dotsOf(device: Device, model: string): Dot[] {
  const chosen = device.lines.find(({ bench, variants }) => bench === "limits" && variants)?.variants;
  return device.lines.flatMap((line): Dot[] => {
    const { bench, kernel, shape, format, cache, variants, ms, bytes, flops, percent } = line;
    if (bench !== "kernels" || line.model !== model || !ms || bytes === undefined || flops === undefined) return [];
    if (variants !== undefined && chosen !== undefined && variants !== chosen) return []; // not what runs here
    const [gbs, gflops] = [bytes / ms / 1e6, flops / ms / 1e6];
    const ways = [format, cache && `cache ${cache}`].filter(Boolean).join(", ");
    const tip = `${kernel} ${ways}\n${shape}\n${number(gflops)} GFLOPS, ${number(gbs)} GB/s\n${percent} % of its roof`;
    const colour = format !== undefined && format in COLOURS ? format : "plain";
    return [{ kernel: kernel.replace(/_(shuffle|tiled)$/, ""), colour, intensity: flops / bytes, gflops, gbs, tip }];
  });
}

interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}
const overlap = (a: Box, b: Box): number =>
  Math.max(0, Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x)) *
  Math.max(0, Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y));

/** Places a text beside a point, at the first of many places that hides least. */
function place(text: string, [x, y]: readonly [number, number], taken: readonly Box[]): Box {
  const [width, height] = [6.3 * text.length, 13];
  let best: Box | undefined;
  let least = Infinity;
  for (const distance of [9, 20, 34, 50]) {
    for (let turn = 0; turn < 12; turn++) {
      const angle = (turn * Math.PI) / 6;
      const [cx, cy] = [x + distance * Math.cos(angle), y + distance * Math.sin(angle)];
      const side = Math.cos(angle);
      const box = { x: cx - (width * (1 - side)) / 2, y: cy - height / 2, width, height };
      const inside = box.x > LEFT && box.x + width < WIDTH - RIGHT && box.y > TOP && box.y + height < HEIGHT - BOTTOM;
      const hidden = taken.reduce((sum, other) => sum + overlap(box, other), distance / 10) + (inside ? 0 : 1e4);
      if (hidden < least) [best, least] = [box, hidden];
    }
  }
  return best!;
}

/** The figure: of a device, the kernels at the shapes of one model. Stands alone as a file, or inside a page. */
export function roofline(device: Device, model: string): Markup {
  const { copyGbs, mostGflops } = device;
  const dots = dotsOf(device, model);
  const computing = dots.filter(({ intensity }) => intensity > 0);
  const ridge = mostGflops / copyGbs;
  const xs = decades(
    Math.min(0.1, ...computing.map(({ intensity }) => intensity)),
    Math.max(10 * ridge, ...computing.map(({ intensity }) => intensity)),
  );
  // What only moves stands at the left edge, where its distance to the roof is its share of the copy.
  const edge = xs[0];
  const height = (dot: Dot): number => (dot.intensity > 0 ? dot.gflops : dot.gbs * edge);
  const ys = decades(Math.min(edge * copyGbs, ...dots.map(height)), mostGflops);
  const x = logarithmic([edge, xs.at(-1)!], [LEFT, WIDTH - RIGHT]);
  const y = logarithmic([ys[0], ys.at(-1)!], [HEIGHT - BOTTOM, TOP]);
  const roof = [edge, ridge, xs.at(-1)!].map((value): [number, number] => [
    x(value),
    y(Math.min(mostGflops, value * copyGbs)),
  ]);
  const points = dots.map((dot) => ({ dot, at: [x(Math.max(edge, dot.intensity)), y(height(dot))] as const }));
  const taken: Box[] = points.map(({ at: [px, py] }) => ({ x: px - 5, y: py - 5, width: 10, height: 10 }));
  // The names of the roofs, and what is drawn of them in small steps, are in the way too.
  taken.push({ x: WIDTH - RIGHT - 200, y: roof[2][1] - 24, width: 200, height: 22 });
  for (let step = 0; step <= 60; step++) {
    const [rx, ry] = [0, 1].map((i) => roof[0][i] + (step / 60) * (roof[1][i] - roof[0][i]));
    const named = step >= 20 && step <= 40;
    taken.push({ x: rx - 4, y: ry - (named ? 24 : 4), width: 8, height: named ? 28 : 8 });
  }
  const slope = (Math.atan2(roof[1][1] - roof[0][1], roof[1][0] - roof[0][0]) * 180) / Math.PI;
  // A label for the kernels of one name and format that lie together: at the uppermost of them.
  const labels = new Map<string, (typeof points)[number]>();
  for (const point of points) {
    const { kernel, colour } = point.dot;
    const key = `${kernel} ${colour}`;
    const other = labels.get(key);
    if (!other || point.at[1] < other.at[1]) labels.set(key, point);
  }
  const words = [...labels.values()].map(({ dot, at: where }) => {
    const text = dot.colour === "plain" ? dot.kernel : `${dot.kernel} ${dot.colour}`;
    const box = place(text, where, taken);
    taken.push(box);
    return el("text", { class: dot.colour, x: at(box.x), y: at(box.y + 10) }, text);
  });
  const base = HEIGHT - BOTTOM;
  return el(
    "svg",
    {
      xmlns: "http://www.w3.org/2000/svg",
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
      class: "roofline",
      role: "img",
      "aria-label": `Roofline of ${device.name}: ${dots.length} kernels at the shapes of ${model} under ${number(copyGbs)} GB/s of copy and ${number(mostGflops)} GFLOPS`,
    },
    el("style", {}, raw(style)),
    el("rect", { class: "back", width: WIDTH, height: HEIGHT }),
    xs.map((value, i) => [
      el("line", { class: "grid", x1: x(value), x2: x(value), y1: TOP, y2: base }),
      el(
        "text",
        { class: "mid", x: x(value), y: base + 18 },
        i === 0 ? "moves only" : String(Number(value.toPrecision(3))),
      ),
    ]),
    ys.map((value) => [
      el("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: y(value), y2: y(value) }),
      el("text", { class: "end", x: LEFT - 8, y: y(value) + 4 }, number(value)),
    ]),
    el("path", { class: "under", d: `${path([...roof, [WIDTH - RIGHT, base], [LEFT, base]])}Z` }),
    el("path", { class: "roof", d: path(roof) }),
    el(
      "text",
      {
        class: "strong mid",
        transform: `translate(${at((roof[0][0] + roof[1][0]) / 2)} ${at((roof[0][1] + roof[1][1]) / 2 - 9)}) rotate(${at(slope)})`,
      },
      `copy, ${number(copyGbs)} GB/s`,
    ),
    el(
      "text",
      { class: "strong end", x: WIDTH - RIGHT - 6, y: roof[2][1] - 9 },
      `arithmetic, ${number(mostGflops)} GFLOPS`,
    ),
    points.map(({ dot, at: [cx, cy] }) =>
      el(
        "g",
        { class: "cell", tabindex: -1, "data-tip": dot.tip },
        el("title", {}, dot.tip),
        el("circle", { class: dot.colour, cx, cy, r: 4.5 }),
      ),
    ),
    words,
    el(
      "text",
      { class: "axis mid", x: (LEFT + WIDTH - RIGHT) / 2, y: HEIGHT - 14 },
      "floating-point operations per byte",
    ),
    el(
      "text",
      { class: "axis mid", transform: `translate(20 ${(TOP + base) / 2}) rotate(-90)` },
      "10⁹ floating-point operations per second",
    ),
    el("text", { class: "end", x: WIDTH - RIGHT, y: 18 }, `${device.name} · ${model}`),
  );
}

/** Lines that a picture can be made of. */
export const isDrawable = (lines: readonly Line[]): boolean =>
  lines.some(({ bench, flops, model }) => bench === "kernels" && flops !== undefined && model !== undefined);
