import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Engine, Report } from "../../src/retrieval/index.ts";
import {
  effectiveContext,
  effectiveLength,
  html,
  junit,
  perplexity,
  retrieve,
  terminalTable,
} from "../../src/retrieval/index.ts";
import { el, escape, join, logTicks, path, ticks } from "../../src/retrieval/report/markup.ts";
import { STYLE } from "../../src/retrieval/report/style.ts";
import { reader, words } from "./fake.ts";
import { answersTo } from "./solver.ts";

const test = suite("retrieval report");
const VOID = new Set(["meta", "br", "hr", "col", "link", "img"]);

/** Tags in order; throws where they are not nested or text is not escaped. Scripts and styles are taken as text. */
function wellFormed(markup: string, xml: boolean): { name: string; attributes: Record<string, string> }[] {
  const elements: { name: string; attributes: Record<string, string> }[] = [];
  const open: string[] = [];
  let rest = markup.replace(/^<\?xml [^?]*\?>\n|^<!doctype html>\n/, "");
  if (!xml) rest = rest.replace(/(<(script|style)>)[^]*?(<\/\2>)/g, "$1$3");
  while (rest !== "") {
    const text = /^[^<]*/.exec(rest)![0];
    const bad = /&(?!(?:amp|lt|gt|quot);)|>/.exec(text);
    if (bad) throw new Error(`unescaped ${bad[0]} in ${text.slice(bad.index, bad.index + 40)}`);
    rest = rest.slice(text.length);
    if (rest === "") break;
    const tag = /^<(\/?)([a-zA-Z][\w-]*)((?:\s+[\w-]+(?:="[^"<]*")?)*)\s*>/.exec(rest);
    if (!tag) throw new Error(`no tag: ${rest.slice(0, 60)}`);
    rest = rest.slice(tag[0].length);
    if (tag[1]) {
      const last = open.pop();
      if (last !== tag[2]) throw new Error(`</${tag[2]}> closes <${last}>`);
      continue;
    }
    const attributes = Object.fromEntries(
      [...tag[3].matchAll(/([\w-]+)(?:="([^"]*)")?/g)].map(([, key, value]) => [key, value ?? ""]),
    );
    elements.push({ name: tag[2], attributes });
    if (xml || !VOID.has(tag[2])) open.push(tag[2]);
  }
  if (open.length > 0) throw new Error(`never closed: ${open.join(", ")}`);
  return elements;
}

const engine = reader(({ tokens, scaling }) => (tokens <= 512 * Number(scaling.split(":")[1] ?? 1) ? 0.95 : 0.05));
const grid = await retrieve(
  engine,
  {
    trainedLength: 512,
    answerRoom: 0,
    tries: 5,
    model: 'A & B <"model">',
    tasks: ["uuid", "passkey"],
    ropeScalings: ["none", "dynamic:2", "yarn:4"],
    promptLengths: [250, 500, 800, 1100, 2500],
    positions: [0.1, 0.5],
    expect: ["dynamic:2>=0.5@800", "none>=1@0.5x..1x", "yarn:4>=0.9@2500"],
  },
  { environment: { engine: "fake <1>", command: 'llariat retrieve --expect "a>=1"' } },
);
const scored = { score: async (ids: readonly number[]) => ids.slice(1).map((id) => -1 - (id % 3)) };
const report: Report = {
  ...grid,
  perplexity: await perplexity(scored, {
    text: Array.from({ length: 3000 }, (_, i) => i % 17),
    name: "t.txt",
    windows: [256, 1024],
    ropeScalings: ["none", "dynamic:2"],
  }),
  effectiveContext: await effectiveContext(engine, {
    window: 700,
    points: 5,
    tries: 3,
    ropeScalings: ["none", "dynamic:2"],
  }),
};
const page = html(report);

test("the page is well-formed and loads nothing", () => {
  const elements = wellFormed(page, false);
  for (const { name, attributes } of elements) {
    assert.not.ok(["link", "img", "iframe", "object", "embed", "audio", "video", "base"].includes(name), name);
    assert.not.ok("src" in attributes || "srcset" in attributes, `${name} has a source`);
    if ("href" in attributes) assert.match(attributes.href, /^#/);
    for (const [key, value] of Object.entries(attributes))
      assert.not.ok(key.startsWith("on"), `${name} ${key}=${value}`);
  }
  assert.not.match(page, /@import|https?:|\/\/\w+\.\w+\//);
  for (const [, url] of page.matchAll(/url\(([^)]*)\)/g)) assert.match(url, /^#/);
});

test("every cell is drawn once, with its rate, its interval and its counts", () => {
  const tips = wellFormed(page, false)
    .filter(({ name, attributes }) => name === "g" && "data-tip" in attributes)
    .map(({ attributes }) => attributes["data-tip"]);
  for (const cell of report.cells) {
    const head = `${cell.task} · ${cell.scaling}\n${cell.promptLen} tokens, secret at ${cell.position! * 100} %`;
    const mine = tips.filter((tip) => tip.startsWith(`${head}\n`));
    assert.is(mine.length, 1, head);
    if (cell.status === "no chance") assert.match(mine[0], new RegExp(`no chance: reaches ${cell.reach} tokens`));
    else {
      assert.ok(mine[0].includes(`${Math.round(cell.rate! * 1000) / 10} % found, ${cell.found} of 5`), mine[0]);
      const [low, high] = [cell.interval.low, cell.interval.high].map((rate) => Math.round(rate * 1000) / 10);
      assert.ok(mine[0].includes(`95 % Wilson interval ${low}–${high} %`), mine[0]);
    }
  }
  for (const label of wellFormed(page, false).filter(({ name }) => name === "svg")) {
    const { attributes } = label;
    assert.ok("aria-label" in attributes || attributes["aria-hidden"] === "true", "every figure has a name");
  }
});

test("both themes define every colour, and every number on the scale is readable", () => {
  const [light, dark] = [...STYLE.matchAll(/:root\{([^}]*)\}/g)].map(([, body]) =>
    Object.fromEntries(
      body
        .split(";")
        .filter((line) => line.trim().startsWith("--"))
        .map((line) => line.trim().split(":") as [string, string]),
    ),
  );
  assert.equal(Object.keys(light).sort(), Object.keys(dark).sort());
  for (const [, name] of STYLE.matchAll(/var\((--[\w-]+)\)/g)) if (name !== "--c") assert.ok(name in light, name);
  const luminance = (hex: string): number => {
    const long = hex.length === 4 ? hex.slice(1).replace(/./g, "$&$&") : hex.slice(1);
    const [r, g, b] = [0, 2, 4]
      .map((i) => Number.parseInt(long.slice(i, i + 2), 16) / 255)
      .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (a: string, b: string): number => {
    const [x, y] = [luminance(a), luminance(b)].sort((p, q) => q - p);
    return (x + 0.05) / (y + 0.05);
  };
  for (const theme of [light, dark]) {
    const order: number[] = [];
    for (let i = 0; i <= 10; i++) {
      const ink = theme[/var\((--[\w-]+)\)/.exec(theme[`--t${i}`])![1]];
      assert.ok(contrast(theme[`--r${i}`], ink) >= 4.5, `step ${i}: ${contrast(theme[`--r${i}`], ink)}`); // WCAG 2 AA
      order.push(luminance(theme[`--r${i}`]));
    }
    const rising = order[10] > order[0] ? 1 : -1;
    for (let i = 1; i <= 10; i++)
      assert.ok((order[i] - order[i - 1]) * rising > 0, "brightness alone orders the scale");
    for (const name of ["ink", "soft", "faint", "good", "bad"])
      assert.ok(contrast(theme[`--${name}`], theme["--page"]) >= 4.5, name);
    for (const name of ["uuid", "passkey", "title", "needle", "ppl"])
      assert.ok(contrast(theme[`--${name}`], theme["--page"]) >= 3, name);
  }
});

test("prompts and answers of every failure are there, exactly, each prompt once", () => {
  const failed = report.cells.flatMap((cell) => cell.attempts.filter((attempt) => !attempt.found));
  assert.ok(failed.length > 5);
  assert.is(page.split(escape(' I do not know <that> & "this".')).length - 1 >= failed.length, true);
  const plain = page.replaceAll(/<\/?mark>/g, "");
  for (const attempt of failed) {
    assert.is(plain.split(escape(report.prompts[attempt.prompt])).length, 2);
    const id = /id="(prompt-[^"]*)"><summary>([^<]*)</g;
    assert.ok(
      [...page.matchAll(id)].some(([, anchor, name]) => name === attempt.prompt && page.includes(`href="#${anchor}"`)),
    );
  }
});

test("settings are echoed, names are escaped", () => {
  assert.ok(page.includes("<h1>A &amp; B &lt;&quot;model&quot;&gt;</h1>"));
  assert.ok(page.includes("&quot;seed&quot;: 0"));
  assert.ok(page.includes("fake &lt;1&gt;"));
  const hostile = { ...report, model: { ...report.model, name: '</title><script>alert("x")</script>\u0000\ud800' } };
  const written = html(hostile);
  wellFormed(written, false);
  assert.is(written.split("<script>").length, 2);
  assert.not.ok(written.includes("\u0000") || written.includes("\ud800"));
});

test("a report of any part is a page: no cells, no text, one point, titles", async () => {
  const { perplexity: table, effectiveContext: effective, ...rest } = report;
  const empty = { ...rest, cells: [], prompts: {}, expectations: [] };
  for (const part of [
    empty,
    { ...empty, perplexity: table },
    { ...empty, effectiveContext: effective },
    { ...rest, cells: rest.cells.slice(0, 1) },
  ]) {
    wellFormed(html(part), false);
    wellFormed(junit(part), true);
    terminalTable(part);
  }
  const documents = [{ name: "d", text: `On Alpacas\n\n${"They hum. ".repeat(200)}` }];
  const titles = await retrieve(engine, {
    trainedLength: 512,
    tasks: ["title"],
    documents,
    promptLengths: [300, "whole"],
    ropeScalings: ["none"],
  });
  assert.match(html(titles), /title · none\nwhole tokens/);
  wellFormed(html(titles), false);
  const unrun = {
    ...rest,
    complete: false,
    cells: rest.cells.map((cell) => ({ ...cell, status: "pending" as const, attempts: [], found: 0, rate: null })),
  };
  assert.match(html(unrun), /the run is not complete/);
});

test("many tasks: an overview first, means as curves, each task folded; partial scores and effective lengths", async () => {
  const partly: Engine = {
    tokenizer: words as unknown as NonNullable<Engine["tokenizer"]>,
    complete: async (prompt) => ({
      text: answersTo(prompt)
        .slice(0, prompt.includes("VAR ") ? 2 : 99)
        .join(", "),
      usage: { cachedTokens: 5 },
    }),
  };
  const many = await retrieve(partly, {
    trainedLength: 2048,
    tasks: ["uuid", "multiturn", "niah_multikey_2", "vt", "fwe"],
    ropeScalings: ["none", "linear:2"],
    promptLengths: [1000, 1500, 3000],
    tries: 2,
  });
  const drawn = html(many);
  const elements = wellFormed(drawn, false);
  const tips = elements.flatMap(({ attributes }) => attributes["data-tip"] ?? []);
  for (const task of ["uuid", "multiturn", "niah_multikey_2", "vt", "fwe"]) {
    for (const scaling of ["none", "linear:2"]) {
      const mine = tips.filter((tip) => tip.startsWith(`${task} · ${scaling}\n1500 tokens, all positions\n`));
      assert.equal(mine.length, 1, task);
      assert.match(mine[0], task === "vt" ? /mean score 40 %, 0 of 2 found/ : /mean score 100 %/);
    }
    assert.match(drawn, new RegExp(`<summary>${task}<span`));
  }
  assert.ok(tips.includes("vt · none\n3000 tokens, all positions\nno chance: not run"));
  assert.is(tips.filter((tip) => tip.startsWith("mean over 5 tasks · linear:2\n")).length, 3);
  assert.not.ok(
    tips.some((tip) => /^vt · .*\n1500 tokens \(/.test(tip)),
    "no line per task",
  );
  assert.ok(drawn.indexOf("<h2>Effective length") < drawn.indexOf("<h2>Overview"));
  assert.ok(drawn.indexOf("<h2>Overview") < drawn.indexOf("<h2>Task by task"));
  assert.match(drawn, /<td>none<\/td>|below 1000/, "no length exceeds 85.6 %");
  assert.match(drawn, /40 % of it found/);
  assert.match(drawn, /computed of conversations/);
  assert.match(junit(many), /0 of 2 found \(0 %\), 0 exact, mean score 40 %/);
  const lines = terminalTable(many).split("\n");
  const head = lines.indexOf("effective length: mean over 3 tasks above 85.6 %");
  assert.match(lines[head + 1], /^prompt tokens +effective +1000 +1500 +3000 +average +wAvg inc +wAvg dec$/);
  assert.match(lines[head + 2], /^none +< 1000 +80 % +80 % +80 % +80 % +80 %$/); // the mean of 1, 0.4 and 1
  assert.match(lines[head + 3], /^linear:2 +< 1000 +80 % +80 % +80 % +80 % +80 % +80 %$/);
  const easier = { ...many, effectiveLength: effectiveLength(many.cells, { threshold: 0.7, tasks: ["vt", "fwe"] }) };
  assert.match(terminalTable(easier), /linear:2 +< 1000 +70 %/, "70 % does not exceed 70 %");
});

test("JUnit: a case per cell and expectation, red where it should be", () => {
  const xml = junit(report);
  const elements = wellFormed(xml, true);
  const cases = elements.filter(({ name }) => name === "testcase");
  assert.is(cases.length, report.cells.length + 3);
  const suites = elements.filter(({ name }) => name === "testsuite");
  assert.equal(
    suites.map(({ attributes }) => attributes.name),
    ["uuid", "passkey", "expectations"],
  );
  assert.is(
    suites.reduce((sum, { attributes }) => sum + Number(attributes.tests), 0),
    cases.length,
  );
  const skipped = report.cells.filter((cell) => cell.status === "no chance").length;
  assert.is(elements.filter(({ name }) => name === "skipped").length, skipped);
  const failed = report.expectations.filter((each) => !each.held).length;
  assert.ok(failed > 0);
  assert.is(elements.filter(({ name }) => name === "failure").length, failed);
  assert.is(Number(suites[2].attributes.failures), failed);
  const [open, group] = [{ text: "a>=0.9", held: false, undecided: true as const, groups: [] }, "why"];
  const undecided = { ...report, expectations: [{ ...open, reason: group }] };
  assert.match(junit(undecided), /<failure type="undecided" message="why"/);
  assert.match(html(undecided), /<strong>undecided<\/strong>/);
  assert.match(html(undecided), /Not passed.*0 of 1 expectations held, 1 undecided/);
  assert.match(terminalTable(undecided), /^undecided {2}a>=0\.9: why$/m);
  const [first] = report.cells;
  const broken = { ...first, errors: 1, attempts: [{ ...first.attempts[0], error: "a < b\u0007" }] };
  const red = wellFormed(junit({ ...report, cells: [broken, { ...first, status: "pending" }] }), true);
  assert.equal(
    red.filter(({ name }) => name === "error").map(({ attributes }) => attributes.message),
    ["1 attempts without an answer, the first: a &lt; b\ufffd", "not finished: pending"],
  );
});

test("the terminal's table has every rate, in columns", () => {
  const text = terminalTable(report);
  const lines = text.split("\n");
  assert.ok(lines.includes("uuid: value found, all positions"));
  const head = lines.findIndex((line) => line.startsWith("prompt tokens"));
  assert.match(lines[head], /^prompt tokens +250 +500 +800 +1100 +2500$/);
  assert.match(lines[head + 2], /^none +\d.* % +\d.* % +no chance +no chance +no chance$/);
  assert.is(new Set(lines.slice(head, head + 5).map((line) => line.length)).size, 1, "columns end together");
  assert.match(text, /NOT HELD {2}yarn:4>=0\.9@2500: /);
  assert.match(text, /held {2}dynamic:2>=0\.5@800/);
  assert.match(text, /k_max/);
  assert.match(text, /± \d/);
  const painted = terminalTable(report, { good: (t) => `[${t}]`, bad: (t) => `{${t}}`, dim: (t) => t, bold: (t) => t });
  assert.is(painted.replaceAll(/[[\]{}]/g, ""), text, "colours add nothing but themselves");
});

test("markup: nesting, escaping, paths, ticks", () => {
  assert.is(
    join(el("a", { b: 'x"<', c: true, d: null, e: false, f: 0 }, "1 < 2", null, [3, el("br", {})])),
    '<a b="x&quot;&lt;" c f="0">1 &lt; 23<br></a>',
  );
  assert.is(path([[0, 1.005], [2, 3], null, [4, 5]]), "M0 1L2 3M4 5");
  assert.equal(ticks(0, 2000, 5), [0, 500, 1000, 1500, 2000]);
  assert.equal(ticks(0, 7, 5), [0, 2, 4, 6]);
  assert.equal(ticks(5, 5, 4), [5]);
  assert.equal(logTicks(11, 34), [15, 20, 30]);
  assert.equal(logTicks(1, 2000), [1, 10, 100, 1000]);
});

test.run();
