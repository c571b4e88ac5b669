// trust.test.ts — a variant that gives wrong numbers on a device, or does not compile there, is refused by name before it is
// used, and the answer is right all the same.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type DeviceFacts, kernels, parts } from "../../kernels/index.ts";
import { deviceFacts } from "../../src/device/facts.ts";
import { checkVariants, trialsOn } from "../../src/device/trust.ts";
import { Llama } from "../../src/node/index.ts";
import { goldenEntry, goldenJson, goldenTensors } from "../tools/goldens.ts";
import { openLab } from "../tools/harness.ts";
import { countCalls, farthest, folder, openDevice } from "../tools/models.ts";

const test = suite("trust");
const lab = await openLab();
test.after(() => lab.close());
const { device } = lab.gpu;

/** The kinds of device that this one can stand for, by what is chosen on them. */
const without = lab.devices[0];
const varying = lab.devices.find(({ subgroupMin, subgroupMax }) => subgroupMin !== subgroupMax);
const shuffling = lab.devices.find(({ variants }) => variants === "shuffle");

/** Runs `then` while the text of a kernel or part is another. */
async function broken<T>(name: string, right: string, wrong: string, then: () => Promise<T>): Promise<T> {
  const texts = (name in kernels ? kernels : parts) as Record<string, string>;
  const text = texts[name];
  assert.is(text.split(right).length, 2, `${name} has ${right} once`);
  texts[name] = text.replace(right, wrong);
  try {
    return await then();
  } finally {
    texts[name] = text;
  }
}

test("every variant is right on this device, under every kind it can stand for", async () => {
  for (const facts of lab.devices) assert.equal(await checkVariants(device, facts), [], lab.name(facts));
});

interface Break {
  readonly file: string;
  readonly right: string;
  readonly wrong: string;
  readonly on: DeviceFacts | undefined;
  /** What must be refused, among others. */
  readonly refused: readonly string[];
  readonly why: RegExp;
}

/** What matvec does beside its own work. */
const JOINED = ["swiglu with lib/gated", "norm with lib/residual", "rope with lib/placed"];

/** What is used instead of a variant that is refused, when what follows it in the table is right. */
const INSTEAD: Readonly<Record<string, string>> = {
  matmul_shuffle: "matmul_tiled",
  matvec_shuffle: "matvec",
  attention_prefill_shuffle: "attention_prefill_tiled",
  attention_decode_shuffle: "attention_decode_tiled",
  "matvec with lib/reduce_shuffle": "matvec with lib/reduce_subgroups",
  "rmsnorm with lib/reduce_shuffle": "rmsnorm with lib/reduce_subgroups",
  "matvec with lib/reduce_subgroups": "matvec with lib/reduce_workgroup",
  "rmsnorm with lib/reduce_subgroups": "rmsnorm with lib/reduce_workgroup",
  "topk with lib/reduce_subgroups": "topk with lib/reduce_workgroup",
  "swiglu with lib/gated": "swiglu",
  "norm with lib/residual": "rmsnorm",
  "rope with lib/placed": "rope",
};

const NUMBERS = /^in a trial it gave \S+, needed \S+$/;
const BREAKS: readonly Break[] = [
  {
    file: "matmul_shuffle", // a neighbour's row of x
    right: "subgroupShuffle(own[r / WG], r % WG)",
    wrong: "subgroupShuffle(own[r / WG], (r + 1u) % WG)",
    on: shuffling,
    refused: ["matmul_shuffle"],
    why: NUMBERS,
  },
  {
    file: "matmul_shuffle", // the rows of a whole tile
    right: "r < min(tall, rows - first_row)",
    wrong: "r < tall",
    on: shuffling,
    refused: ["matmul_shuffle"],
    why: /^it writes beyond its rows$/,
  },
  {
    file: "matvec_shuffle", // a neighbour's x
    right: "subgroupShuffle(own[j / WG], j % WG)",
    wrong: "subgroupShuffle(own[j / WG], (j + 1u) % WG)",
    on: shuffling && { ...shuffling, choices: new Map([["blocks", "matvec_shuffle"]]) },
    refused: ["matvec_shuffle"],
    why: NUMBERS,
  },
  {
    file: "attention_prefill_shuffle",
    right: "let slot = subgroupShuffle(at.x, t) + lane;",
    wrong: "let slot = subgroupShuffle(at.x, t ^ 1u) + lane;",
    on: shuffling,
    refused: ["attention_prefill_shuffle"],
    why: NUMBERS,
  },
  {
    file: "attention_decode_shuffle", // of a lane's keys only the last is in the mass
    right: "total[g] += score[g][i];",
    wrong: "total[g] = score[g][i];",
    on: shuffling,
    refused: ["attention_decode_shuffle"],
    why: NUMBERS,
  },
  {
    file: "lib/gated", // the gate of a neighbour
    right: "let gate = gates[lane] + bias_at(n);",
    wrong: "let gate = gates[lane ^ 1u] + bias_at(n);",
    on: shuffling ?? varying ?? without,
    refused: ["swiglu with lib/gated"],
    why: NUMBERS,
  },
  {
    file: "lib/residual", // squares of one lane
    right: "let all = reduce_add(vec4f(squares, 0.0, 0.0, 0.0), lane).x;",
    wrong: "let all = squares;",
    on: shuffling ?? varying ?? without,
    refused: ["norm with lib/residual"],
    why: NUMBERS,
  },
  {
    file: "lib/placed", // values turned too
    right: "if (TURNS && !is_value && ",
    wrong: "if (TURNS && ",
    on: shuffling ?? varying ?? without,
    refused: ["rope with lib/placed"],
    why: NUMBERS,
  },
  {
    file: "lib/reduce_shuffle", // half of the lanes
    right: "away < WG; away *= 2u) { all += ",
    wrong: "away < WG / 2u; away *= 2u) { all += ",
    on: shuffling,
    refused: ["matvec with lib/reduce_shuffle", "rmsnorm with lib/reduce_shuffle"],
    why: NUMBERS,
  },
  {
    file: "lib/reduce_subgroups", // every subgroup believes that it is the only one
    right: "let total = subgroupAdd(sum);",
    wrong: "let total = own;",
    on: varying,
    refused: ["matvec", "rmsnorm", "topk"].map((kernel) => `${kernel} with lib/reduce_subgroups`),
    why: NUMBERS,
  },
  {
    file: "lib/reduce_shuffle",
    right: "all = max(all, subgroupShuffleXor(all, away))",
    wrong: "all = max(all, subgroupShufleXor(all, away))",
    on: shuffling,
    refused: ["attention_prefill_shuffle", "attention_decode_shuffle", "matvec with lib/reduce_shuffle"],
    why: /kernels\/lib\/reduce_shuffle\.wgsl:\d+:\d+ .*subgroupShufleXor/,
  },
];

for (const { file, right, wrong, on, refused, why } of BREAKS) {
  if (!on) continue; // openLab has said so
  test(`${file} with "${wrong}" is refused: ${refused.join(", ")}`, async () => {
    const found = await broken(file, right, wrong, () => checkVariants(device, on));
    const names = found.map(({ variant }) => variant);
    for (const name of refused) assert.ok(names.includes(name), `${name} among ${names.join(", ")}`);
    for (const each of found) {
      assert.match(each.why, why);
      assert.is(each.instead, INSTEAD[each.variant], each.variant);
    }
  });
}

if (shuffling) {
  test("what takes the place of a refused variant is tried too, down to the plain one", async () => {
    const [shuffle, subgroups] = BREAKS.filter(({ file }) => file.startsWith("lib/reduce_"));
    const found = await broken(shuffle.file, shuffle.right, shuffle.wrong, () =>
      broken(subgroups.file, subgroups.right, subgroups.wrong, () => checkVariants(device, shuffling)),
    );
    for (const kernel of ["matvec", "rmsnorm"]) {
      const own = found.filter(({ variant }) => variant.startsWith(kernel));
      assert.equal(
        own.map(({ variant }) => variant),
        [`${kernel} with lib/reduce_shuffle`, `${kernel} with lib/reduce_subgroups`],
      );
      for (const { instead, why } of own) {
        assert.is(instead, `${kernel} with lib/reduce_workgroup`);
        assert.match(why, NUMBERS);
      }
    }
  });
}

test("on software what asks nothing of a device is not tried, on a GPU everything is", () => {
  const [software, gpu] = [trialsOn(true), trialsOn(false)];
  assert.equal(
    gpu.filter((kernel) => !software.includes(kernel)),
    ["swiglu", "norm", "rope"],
  );
});

test("plain variants are not checked: there is nothing to fall back on", async () => {
  const calls = countCalls(device);
  assert.equal(await checkVariants(device, { ...without, refused: new Set(JOINED) }), []);
  assert.is(calls.createBuffer, 0);
});

if (shuffling) {
  test("a model on a device with a broken kernel: a note with kernel and device, and the right answer", async () => {
    const own = await openDevice();
    const name = "models/gqa-bf16";
    const expected = goldenJson(`${name}/expected.json`) as { input_ids: number[]; greedy_ids: number[] };
    const want = (await goldenTensors(`${name}/expected.safetensors`)).get("logits")!;
    const tolerance = goldenEntry(`${name}/expected.safetensors`).tolerance!.f32.abs!;
    const [{ file, right, wrong }] = BREAKS;
    const path = folder(`goldens/${name}`);
    await broken(file, right, wrong, async () => {
      using llama = await Llama.load(path, { device: own.device, variants: "shuffle" });
      assert.is(llama.notes.length, 1);
      const { device: model } = own.device.adapterInfo;
      assert.ok(llama.notes[0].startsWith(`matmul_shuffle is not used on ${model}, matmul_tiled is: `), llama.notes[0]);
      assert.ok(farthest(await llama.logits(expected.input_ids), want).error <= tolerance);
      const done = await llama.complete(expected.input_ids, { ignoreEos: true, maxNewTokens: 4 });
      assert.equal(done.ids, expected.greedy_ids.slice(0, 4));
    });
    // It is known of this device from now on, and nothing is checked again.
    const calls = countCalls(own.device);
    const [first, second] = [await deviceFacts(own.device, "shuffle"), await deviceFacts(own.device, "shuffle")];
    assert.is(first, second);
    assert.equal([...first.facts.refused!], ["matmul_shuffle"]);
    assert.is(calls.createComputePipelineAsync, 0);
    assert.is(calls.createBuffer, 0);
    own.release();
  });
}

test.run();
