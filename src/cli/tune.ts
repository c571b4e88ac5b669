// tune.ts — `llariat tune`: which variant of each kernel runs on this device and why, and milliseconds of those measured.

import {
  type Choices,
  type DeviceFacts,
  type Size,
  choiceKey,
  choose,
  reason,
  stepRows,
  variantsByKernel,
} from "../../kernels/index.ts";
import { type Measured } from "../device/choices.ts";
import { deviceFacts } from "../device/facts.ts";
import { maxBindingBytes } from "../device/limits.ts";
import { tune as search } from "../device/tune.ts";
import { productSizes } from "../engine/load.ts";
import { printable } from "../error.ts";
import { openCheckpoint } from "../model/checkpoint.ts";
import { planWeights } from "../model/weights.ts";
import { readVariantList } from "../device/asked.ts";
import { fileStore } from "../node/cache.ts";
import { requestDevice } from "../node/gpu.ts";
import type { Command, Option } from "./command.ts";
import { inUsage, usageError } from "./command.ts";
import { checkpointFiles, checkpointPaths, quantizeOf, quantizeOption, sourceOptions } from "./load.ts";

const options = {
  ...sourceOptions,
  ...quantizeOption,
  variants: {
    kind: "text",
    value: "LIST",
    help: "shuffle, tiled, or KERNEL=VARIANT,… instead of what is known or measured (default: LLARIAT_VARIANTS)",
  },
  measure: { help: "measure anew, and also where the CPU computes and the answer is known" },
  json: { help: "print one JSON object" },
} as const satisfies Record<string, Option>;

/** A line of the table. */
interface Line {
  readonly kernel: string;
  readonly shape: string;
  readonly variant: string;
  readonly why: string;
  /** Milliseconds by variant, of those measured. */
  readonly ms?: Readonly<Record<string, number>>;
}

/** `llariat tune`. */
export const tune: Command = {
  name: "tune",
  summary: "which variant of each kernel runs on this device, why, and what was measured",
  usage: ["--model DIR_OR_FILE… [--quantize FORMAT] [--adapter NAME] [--measure] [--variants LIST] [--json]"],
  options,
  notes:
    "What is measured is remembered per adapter, driver and version in the user's cache folder, and used by every later load.\n" +
    "A load measures by itself what is missing, for a second at most; LLARIAT_VARIANTS or `variants` of load go before it.",
  async run(args, { stdout, stderr, signal }) {
    const paths = checkpointPaths(args);
    const quantize = quantizeOf(args);
    const text = args.text("variants");
    const asked =
      text === undefined
        ? readVariantList(process.env["LLARIAT_VARIANTS"] ?? "", "LLARIAT_VARIANTS")
        : inUsage(() => readVariantList(text, "variants"));
    if (asked !== undefined && args.has("measure")) {
      throw usageError(
        "--measure finds what is fastest, --variants and LLARIAT_VARIANTS say what is taken: give one of them",
      );
    }
    const { device, adapter, notes, release } = await requestDevice({ adapter: args.text("adapter") });
    try {
      const known = await deviceFacts(device, asked);
      const files = await checkpointFiles(paths);
      let sizes: Size[];
      try {
        const { weights } = planWeights(await openCheckpoint(files, signal), maxBindingBytes(device), quantize);
        sizes = productSizes(weights, stepRows(known.facts));
      } finally {
        await files.close();
      }
      const again = args.has("measure");
      const found =
        asked === undefined
          ? await search(device, known.facts, sizes, { store: fileStore(), again, searchMs: Infinity, signal })
          : { facts: known.facts, measured: [], notes: [] };
      const lines = tableOf(found.facts, sizes, found.measured);
      const all = [...notes, ...known.notes, ...found.notes];
      if (args.has("json")) {
        stdout.write(`${JSON.stringify({ adapter, choices: lines, notes: all })}\n`);
        return;
      }
      stdout.write(`${printable(adapter.description)}\n\n${lines.map(shown).join("")}`);
      for (const note of all) stderr.write(`note: ${printable(note)}\n`);
    } finally {
      release();
    }
  },
};

/** Every kernel whose variants are chosen: linear layers by size, the others, which look at no more than whether there is one row, once or twice. */
function tableOf(facts: DeviceFacts, sizes: readonly Size[], measured: readonly Measured[]): Line[] {
  const times = new Map(measured.map(({ size, ms }) => [choiceKey("linear", size), ms]));
  const products = sizes.map((size): Line => {
    const key = choiceKey("linear", size);
    const variant = choose("linear", size, facts);
    const ms = times.get(key);
    const why =
      ms && facts.choices?.get(key) === variant ? "measured to be the fastest here" : whyOf("linear", size, facts);
    return { kernel: "linear", shape: `${size.rows} × ${size.n} × ${size.k} ${size.format}`, variant, why, ms };
  });
  const [many, one] = [sizes[0].rows, 1].map((rows): Size => ({ rows, n: sizes[0].n, k: sizes[0].k }));
  const lines = (kernel: keyof Choices): Line[] => {
    const line = (shape: string, size: Size) => ({
      kernel,
      shape,
      variant: choose(kernel, size, facts),
      why: whyOf(kernel, size, facts),
    });
    const [alone, together] = [line("one row", one), line("more rows", many)];
    return alone.variant === together.variant ? [{ ...together, shape: "any" }] : [alone, together];
  };
  const others = (Object.keys(variantsByKernel) as (keyof Choices)[])
    .filter((kernel) => kernel !== "linear")
    .flatMap(lines);
  return [...products, ...others];
}

const whyOf = (kernel: keyof Choices, size: Size, facts: DeviceFacts): string =>
  facts.choices?.get(kernel) === choose(kernel, size, facts) ? "asked for" : reason(kernel, size, facts);

function shown({ kernel, shape, variant, why, ms = {} }: Line): string {
  const times = Object.entries(ms).map(([name, each]) => `${name} ${each.toPrecision(3)} ms`);
  const measured = times.length > 0 ? `${" ".repeat(4)}${times.join(", ")}\n` : "";
  return `${kernel.padEnd(18)} ${shape.padEnd(26)} ${variant}\n${" ".repeat(4)}${why}\n${measured}`;
}
