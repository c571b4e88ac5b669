// The report of this suite, as a person gets one: .cache/acceptance/report.html of kv-llama, report-pi.html of kv-llama-pi.
// It shows what rates, perplexity and effective found before it.
// Runs last: it needs what the others leave.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Report, html, junit, parseReport, terminalTable } from "../../src/retrieval/index.ts";
import { FOLDER, part } from "./parts.ts";

const test = suite("report");

/** A model's measurements put together; throws for the first that is missing. */
function assembled(name: "kv-llama" | "kv-llama-pi"): Report {
  const [rates, perplexity, effectiveContext] = [
    part(`rates-${name}`),
    part(`perplexity-${name}`),
    part(`effective-${name}`),
  ];
  for (const [file, found] of Object.entries({ rates, perplexity, effective: effectiveContext })) {
    if (!found) throw new Error(`nothing of ${name} is left by ${file}.acceptance.ts; run it before, or all`);
  }
  return { ...rates!, perplexity, effectiveContext };
}

for (const [name, file] of [
  ["kv-llama", "report"],
  ["kv-llama-pi", "report-pi"],
] as const) {
  test(`${name}: ${file}.html shows all of it and loads nothing`, () => {
    const report = assembled(name);
    parseReport(JSON.parse(JSON.stringify(report)));
    const page = html(report);
    writeFileSync(join(FOLDER, `${file}.html`), page);
    writeFileSync(join(FOLDER, `${file}.json`), JSON.stringify(report));
    writeFileSync(join(FOLDER, `${file}.xml`), junit(report));
    const links = [...page.matchAll(/(?:src|href)\s*=\s*"([^"]*)"|url\(([^)]*)\)|@import/g)].map(([whole]) => whole);
    assert.equal(
      links.filter((link) => !/="#|url\(#/.test(link)),
      [],
      "nothing is loaded",
    );
    for (const { scaling } of report.cells) assert.ok(page.includes(scaling), scaling);
    for (const { window } of report.perplexity!.rows) assert.ok(page.includes(String(window)), `window ${window}`);
    for (const { kMax } of report.effectiveContext!.rows) assert.ok(page.includes(String(kMax)), `k_max ${kMax}`);
    assert.ok(report.cells.every(({ status }) => status === "done"));
    const table = terminalTable(report);
    console.log(table.replace(/^(?=.)/gm, "note: "));
  });
}

test.run();
