// retrieval.ts — mutations of the retrieval suite: what prompts are drawn and fitted from, what answers are worth, how far that reaches.
import { type Mutation, of } from "./mutation.ts";

/** What must not pass in the retrieval suite. */
export const retrieval: readonly Mutation[] = [
  ...of(
    "src/retrieval/stream.ts",
    ["retrieval/ruler"],
    [
      [
        "shuffle: the last place is never moved",
        "let i = order.length - 1; i > 0; i--",
        "let i = order.length - 2; i > 0; i--",
      ],
      ["shuffle: an item never keeps its place", "const j = below(i + 1);", "const j = below(i);"],
      ["sample: what was drawn is drawn again", "moved.set(j, at(i));", ""],
    ],
  ),
  ...of(
    "src/retrieval/prompts/niah.ts",
    ["retrieval/ruler"],
    [
      ["needles: values of six digits", "1_000_000 + random.below(9_000_000)", "100_000 + random.below(900_000)"],
      ["needles: UUIDs of any variant", "(8 + random.below(4))", "random.below(16)"],
      ["needles: 39 depths", "Math.round((i * 100) / 39)", "Math.round((i * 100) / 40)"],
      [
        "needles: keys in the order they were made",
        "random.sample(pairs.length, queries)",
        "pairs.map((_, i) => i).slice(0, queries)",
      ],
      [
        "needles: several values in the singular",
        "const kind = queries * perKey === 1 ?",
        "const kind = queries === 1 ?",
      ],
    ],
  ),
  ...of(
    "src/retrieval/prompts/vt.ts",
    ["retrieval/ruler"],
    [
      ["vt: few lines stay whole", "lines.length > VT.hops + 1", "lines.length > 0"],
      [
        "vt: the example is of the prompt's key",
        'drawChains(stream("vt", "example", ...key.slice(0, 1)), {',
        'drawChains(stream("vt", "example", ...key), {',
      ],
    ],
  ),
  ...of(
    "src/retrieval/prompts/fwe.ts",
    ["retrieval/ruler"],
    [["fwe: frequencies fall with the rank alone", "n / ((i + 1) * (i + 1)) / ZETA", "n / (i + 1) / ZETA"]],
  ),
  ...of(
    "src/retrieval/prompts/cwe.ts",
    ["retrieval/ruler"],
    [
      [
        "cwe: other words as often as in short lists",
        "repeated(words.slice(COMMON, size), other)",
        "repeated(words.slice(COMMON, size), 1)",
      ],
      ["cwe: the list in its order", 'stream("cwe", ...key, "order", attempt).shuffle(list)', "list"],
    ],
  ),
  ...of(
    "src/retrieval/prompts/verdict.ts",
    ["retrieval/scores"],
    [
      [
        "score: all or nothing",
        "there.length / Math.max(1, wanted.length)",
        "Math.floor(there.length / Math.max(1, wanted.length))",
      ],
      ["score: case of letters counts", "const wanted = values.map(lower);", "const wanted = [...values];"],
      ["part: the share counts", 'match === "part" ?', 'match !== "part" && match !== "all" ?'],
      ["exact: anything may stand beside", 'exact: found && rest === ""', "exact: found"],
      ["alone: others may stand beside", "!others.some((other) => standsAlone(text, lower(other)))", "true"],
    ],
  ),
  ...of(
    "src/retrieval/expect.ts",
    ["retrieval/expect"],
    [
      ["expectation: looks are free with Wilson", "(sequential ? anytimeInterval : scoreInterval)", "scoreInterval"],
      [
        "expectation: the best end is enough",
        "return compare(worst, comparison, rate)",
        "return compare(best, comparison, rate)",
      ],
      [
        "expectation: one that decides is doubled",
        "if (decides(middle)) enough = middle;",
        "if (decides(middle)) break;",
      ],
      [
        "expectation: all of few are all",
        "isDecided(condition: Condition, found: number, tries: number): boolean {",
        "isDecided(condition: Condition, found: number, tries: number): boolean {\n  if (found === tries) return true;",
      ],
      ["expectation: what is undecided hides what fails", "!group.held && !group.undecided", "!group.held"],
    ],
  ),
  ...of(
    "src/retrieval/stats.ts",
    ["retrieval/expect"],
    [
      ["anytime: 10 to 1 is enough", "const level = Math.log(20);", "const level = Math.log(10);"],
      ["anytime: the mixture is not weighed", "- logGamma(tries + 2);", "- logGamma(tries + 1);"],
    ],
  ),
  ...of(
    "src/retrieval/together.ts",
    ["retrieval/expect"],
    [
      ["together: positions apart", "`${cell.task}/${cell.scaling}/${cell.promptLen}`", "cell.id"],
      ["together: one expectation is enough", "const open = conditions.some(", "const open = conditions.every("],
    ],
  ),
  ...of(
    "src/retrieval/length.ts",
    ["retrieval/scores"],
    [
      ["effective length: the threshold is enough", "score > threshold", "score >= threshold"],
      ["effective length: the first that passes", "above.at(-1)?.promptLen", "above[0]?.promptLen"],
      ["wAvg: both the same way", "(i) => values.length - i", "(i) => i + 1"],
      [
        "a length counts that not all tasks have",
        "if (found.some((each) => each === undefined)) return [];",
        "if (found.every((each) => each === undefined)) return [];",
      ],
    ],
  ),
  ...of(
    "src/retrieval/ask.ts",
    ["retrieval/scores"],
    [
      [
        "a conversation is found by its last answer",
        "given.every(({ verdict }) => verdict[name])",
        "given[given.length - 1].verdict[name]",
      ],
      [
        "a conversation scores what all its answers add up to",
        "total + verdict.score, 0) / given.length",
        "total + verdict.score, 0)",
      ],
    ],
  ),
];
