// The report of the benchmarks: what is drawn of lines that are known, and that the pictures in the tree are those of the results.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { devices, readResults } from "../../bench/report/read.ts";
import { draw } from "../../bench/report/report.ts";
import type { Line } from "../../bench/result.ts";
import { read, root } from "../tools/source.ts";

const test = suite("bench/report");

const from = { adapter: "card", driver: "1", commit: "abc", date: "2026-01-02T00:00:00.000Z", load: 0 };
const limits: Line[] = [
  { ...from, bench: "limits", kernel: "copy", shape: "1 MiB", gbs: 100 },
  { ...from, bench: "limits", kernel: "multiply-add", shape: "", gflops: 1000 },
  { ...from, bench: "limits", kernel: "matmul_tiled", shape: "", variants: "tiled", gflops: 500 },
];
const kernel = (name: string, rest: Partial<Line>): Line => ({
  ...from, bench: "kernels", kernel: name, shape: "1 × 2", model: "tiny", ms: 1, bytes: 5e7, flops: 5e7, ...rest,
}); // prettier-ignore

/** Where the circles of a picture are, by the first line of their tip. */
const circles = (svg: string): Map<string, [number, number]> =>
  new Map(
    [...svg.matchAll(/data-tip="([^"\n]*)[^>]*>.*?cx="([\d.]+)" cy="([\d.]+)"/gs)].map(([, tip, x, y]) => [
      tip.trim(),
      [Number(x), Number(y)],
    ]),
  );

test("a dot stands as far below its roof as it reaches of it", () => {
  const lines = [
    ...limits,
    kernel("matvec", { format: "f16" }), // 1 flop per byte, 50 of 100 GB/s
    kernel("matmul_tiled", { variants: "tiled", bytes: 1e6, flops: 5e8, format: "f32" }), // 500 of 1000 GFLOPS
    kernel("matmul_shuffle", { variants: "shuffle", bytes: 1e6, flops: 5e8 }),
    kernel("gather", { flops: 0, bytes: 1e8 }), // as fast as the copy
  ];
  const [device] = devices(lines);
  assert.is(device.copyGbs, 100);
  assert.is(device.mostGflops, 1000);
  const { "roofline.svg": svg } = draw(lines);
  const found = circles(svg);
  assert.equal([...found.keys()], ["matvec f16", "matmul_tiled f32", "gather"]); // no variant that does not run here
  const roof = /class="roof" d="M([\d.]+) ([\d.]+)L([\d.]+) ([\d.]+)L([\d.]+) ([\d.]+)"/
    .exec(svg)!
    .slice(1)
    .map(Number);
  const [x0, y0, ridgeX, ridgeY] = roof;
  const decade = (y0 - ridgeY) / 2; // from 0.1 to 10 operations per byte
  const on = (x: number): number => y0 + ((x - x0) / (ridgeX - x0)) * (ridgeY - y0);
  const [matvec, matmul, gather] = ["matvec f16", "matmul_tiled f32", "gather"].map((name) => found.get(name)!);
  const half = Math.log10(2) * decade;
  assert.ok(Math.abs(matvec[1] - on(matvec[0]) - half) < 0.1);
  assert.ok(Math.abs(matmul[1] - ridgeY - half) < 0.1);
  assert.equal(gather, [x0, y0]);
});

test("of each benchmark the newest run is shown, and of each device its own", () => {
  const older = { ...kernel("rope", {}), date: "2026-01-01T00:00:00.000Z" };
  const other = { ...kernel("topk", {}), adapter: "other" };
  const all = devices([older, ...limits, kernel("matvec", {}), other]);
  assert.equal(
    all.map(({ name, lines }) => [name, lines.map((line) => line.kernel)]),
    [
      ["card", ["copy", "multiply-add", "matmul_tiled", "matvec"]],
      ["other", ["topk"]],
    ],
  );
});

test("the tables have every line once, in Markdown and on the page", () => {
  const lines: Line[] = [
    ...limits,
    kernel("matvec", {}),
    { ...from, bench: "engine", kernel: "pp512", shape: "tiny", model: "tiny", tokensPerSecond: 123.4, depth: 4096 },
    { ...from, bench: "engine", kernel: "dispatches", shape: "a token", count: 77 },
    { ...from, bench: "peers", kernel: "tg16", shape: "tiny", engine: "other <1>", tokensPerSecond: 5, ratio: 4.5 },
  ];
  const { "speed.md": text, "speed.html": html } = draw(lines);
  for (const [pattern, count] of [
    [/^\| copy /gm, 1],
    [/\| pp512 \| 4,096 \|.*123 /gm, 1],
    [/\| dispatches .*\| 77 \|$/gm, 1],
    [/\| other <1> .*4\.5 /gm, 1],
  ] as const)
    // prettier-ignore
    assert.is([...text.matchAll(pattern)].length, count, String(pattern));
  assert.match(html, /other &lt;1&gt;/);
  assert.not.match(html, /(src|href)="http/);
});

test("what is in docs is drawn from bench/results: npm run bench:report", () => {
  const drawn = draw(readResults(join(root, "bench/results")));
  for (const name of ["speed.md", "roofline.svg"] as const) {
    assert.ok(existsSync(join(root, "docs", name)), name);
    assert.is(read(`docs/${name}`), drawn[name], `docs/${name} is not of these results`);
  }
});

test.run();
