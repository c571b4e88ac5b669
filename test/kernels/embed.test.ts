// embed.test.ts — rows of the embedding table, which may come in pieces.
import { suite } from "uvu";
import { type FormatName, embed, formats } from "../../kernels/index.ts";
import { Case, openLab, plainRows } from "../tools/harness.ts";
import { normal } from "../tools/random.ts";

const test = suite("embed");
const lab = await openLab();
test.after(() => lab.close());

const cases: [FormatName, number, number[]][] = [
  ["f32", 45, []],
  ["f16", 301, [1, 70]],
  ["bf16", 64, [128]],
  ...(Object.keys(formats) as FormatName[]).map((format): [FormatName, number, number[]] => [format, 107, [6]]),
];
for (const [device, [format, dim, cuts]] of lab
  .differing("elementwise")
  .flatMap((each) => cases.map((one) => [each, one] as const))) {
  test(`${format}, ${dim} wide, in ${cuts.length + 1} pieces, ${lab.name(device)}`, async () => {
    const vocab = 203;
    // First and last token of the table and of every piece, and some twice.
    const tokens = [0, vocab - 1, ...cuts.flatMap((cut) => [cut - 1, cut]), 17, 17, 0];
    const one = new Case(lab.gpu, 2, { ...plainRows(tokens.length), tokens });
    const next = normal(dim);
    const weight = one.matrix("weight", [vocab, dim], next, formats[format], cuts);
    const y = one.tensor("y", [tokens.length + 2, dim]);
    // What a format holds is read exactly, so every element must be equal; with a factor it is rounded once.
    await one.run(embed({ weight, y, step: one.layout, device }));
    await one.run(embed({ weight, y, scale: 12.1, step: one.layout, device }));
    one.close();
  });
}

test.run();
