// Every spelling and every refusal of RoPE settings in configs and requests.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type ErrorCode, LlariatError } from "../../src/error.ts";
import { frequencies, maxContext, parseRope, parseRopeScaling, ropeTypes } from "../../src/rope/index.ts";
import type { Rope, RopeScaling } from "../../src/rope/index.ts";
import { goldenEntry, goldenJson } from "../tools/goldens.ts";
import { refusedSync } from "../tools/refused.ts";

const test = suite("rope-parse");

const refused = (call: () => unknown, sentence: string, code: ErrorCode = "rope") => refusedSync(call, code, sentence);

interface Form {
  name: string;
  config: Record<string, unknown>;
  inv_freq?: number[];
  attention_scaling?: number;
  rope_parameters?: Record<string, unknown>;
  error?: string;
}
const forms = (goldenJson("rope/config_forms.json") as { cases: Form[] }).cases;

/** Where this parser is stricter than transformers on purpose; nowhere is it more lenient. */
const STRICTER: Readonly<Record<string, string>> = {
  "linear factor below 1": "transformers warns and compresses the context; a factor below 1 is always a mistake",
};

test("40 spellings of transformers", () => {
  const tolerance = goldenEntry("rope/config_forms.json").tolerance!.f32.rel!;
  assert.is(forms.length, 40);
  const differing: string[] = [];
  for (const { name, config, inv_freq, attention_scaling, rope_parameters, error } of forms) {
    let rope: Rope | undefined;
    try {
      rope = parseRope(config);
    } catch (caught) {
      assert.instance(caught, LlariatError, name);
    }
    if ((rope === undefined) !== (error !== undefined)) differing.push(name);
    if (rope === undefined || error !== undefined) continue;
    const { omega, attentionScaling } = frequencies(rope, 1);
    assert.is(omega.length, inv_freq!.length, name);
    inv_freq!.forEach((want, i) => assert.ok(Math.abs(omega[i] - want) <= tolerance * want, `${name}, frequency ${i}`));
    assert.ok(Math.abs(attentionScaling / attention_scaling! - 1) < 1e-15, name);
    assert.is(rope.type, rope_parameters!.rope_type, name);
    assert.is(rope.theta, rope_parameters!.rope_theta, name);
  }
  assert.equal(differing, Object.keys(STRICTER));
});

const base = { hidden_size: 64, num_attention_heads: 4, max_position_embeddings: 64 };
const short_factor = [1, 1, 1, 1, 1, 1, 1, 1];
const long_factor = [1, 2, 3, 4, 5, 6, 7, 8];
const llama3 = { rope_type: "llama3", factor: 8, low_freq_factor: 1, high_freq_factor: 4 };

test("a config's keys without effect are accepted and named", () => {
  const ignored = (config: Record<string, unknown>) => parseRope({ ...base, ...config }).ignored;
  assert.equal(ignored({}), []);
  assert.equal(ignored({ rope_scaling: { factor: 2 } }), ["factor"]);
  assert.equal(ignored({ rope_scaling: { type: "yarn", factor: 2, finetuned: true } }), ["finetuned"]);
  assert.equal(ignored({ rope_scaling: { type: "yarn", factor: 2, extrapolation_factor: 1, attn_factor: 1 } }), [
    "extrapolation_factor",
    "attn_factor",
  ]);
  assert.equal(ignored({ rope_scaling: { type: "linear", factor: 2, partial_rotary_factor: 1 } }), [
    "partial_rotary_factor",
  ]);
  assert.equal(ignored({ rope_scaling: { type: "linear", factor: 2, attention_factor: null, beta_fast: null } }), []);
  assert.equal(ignored({ rope_scaling: { type: "linear", factor: 2 }, rope_parameters: { rope_theta: 5 } }), [
    "rope_parameters",
  ]);
  assert.equal(ignored({ rope_scaling: {}, rope_parameters: { rope_theta: 5 } }), []);
});

test("a key that transformers does not read changes nothing, whatever its name and value", () => {
  const yarn = { type: "yarn", factor: 8, original_max_position_embeddings: 32 };
  for (const [setting, extra] of [
    [{ type: "linear", factor: 2 }, { finetuned: true }],
    [
      { type: "linear", factor: 2 },
      { comment: "trained on books", zebra: [1], mscale: 1, beta_fast: "x", fctor: 3 },
    ],
    [
      { type: "dynamic", factor: 2 },
      { finetuned: true, short_factor: null, long_factor: 7 },
    ],
    [yarn, { attn_factor: 0.8, extrapolation_factor: 2, finetuned: false }],
    [
      { ...llama3, original_max_position_embeddings: 32 },
      { attention_factor: 0, truncate: true },
    ],
    [{ type: "default" }, { mrope_section: [1, 1, 2], factor: -1, __proto__x: 1 }],
    [{ rope_type: "linear", factor: 2 }, { type: "yarn" }],
  ] as const) {
    const [bare, noted] = [{}, extra].map((more) => parseRope({ ...base, rope_scaling: { ...setting, ...more } }));
    const named = Object.entries(extra).flatMap(([key, value]) => (value === null ? [] : key));
    assert.equal(noted, { ...bare, ignored: named }, JSON.stringify(extra));
  }
  const own = JSON.parse('{"type":"linear","factor":2,"__proto__":{"factor":9},"constructor":1}');
  assert.equal(parseRope({ ...base, rope_scaling: own }).ignored, ["__proto__", "constructor"]);
});

test("the reach of linear, whether max_position_embeddings contains the factor or not", () => {
  const reach = (M: number, factor: number, more: Record<string, unknown> = {}) => {
    const rope = parseRope({ ...base, max_position_embeddings: M, rope_scaling: { type: "linear", factor }, ...more });
    assert.is(rope.maxPositions, M);
    assert.is(maxContext(rope), rope.originalMaxPositions * factor);
    return [rope.originalMaxPositions, maxContext(rope)];
  };
  const real: [string, number, number, Record<string, unknown>, number, number][] = [
    ["togethercomputer/LLaMA-2-7B-32K", 32_768, 8, {}, 4096, 32_768],
    ["deepseek-ai/deepseek-coder-1.3b-base", 16_384, 4, {}, 4096, 16_384],
    ["google/gemma-3-4b", 131_072, 8, {}, 16_384, 131_072],
    ["a Llama 1 at 8k", 8192, 4, {}, 2048, 8192],
    ["lmsys/vicuna-7b-v1.5-16k", 4096, 4, { max_sequence_length: 16_384 }, 4096, 16_384],
    ["lmsys/longchat-7b-v1.5-32k", 4096, 8, { max_sequence_length: 32_768 }, 4096, 32_768],
    ["Yukang/Llama-2-7b-longlora-8k", 4096, 2, {}, 4096, 8192],
    ["Yukang/Llama-2-7b-longlora-100k", 4096, 25, {}, 4096, 102_400],
    ["a Llama 3 whose factor is too large to be contained", 8192, 8, {}, 8192, 65_536],
    ["stated by FastChat's key", 8192, 2, { max_sequence_length: 16_384 }, 8192, 16_384],
    ["a key below max_position_embeddings says nothing", 4096, 4, { max_sequence_length: 2048 }, 4096, 16_384],
    ["nor one that is no length", 4096, 4, { max_sequence_length: "16k" }, 4096, 16_384],
    ["stated by the original length", 32_768, 4, { original_max_position_embeddings: 8192, max_sequence_length: 99_999 }, 8192, 32_768],
  ]; // prettier-ignore
  for (const [name, M, factor, more, base0, want] of real) assert.equal(reach(M, factor, more), [base0, want], name);
  // What does not divide leaves less than a factor out; other types are not concerned.
  const odd = parseRope({ ...base, max_position_embeddings: 10_000, rope_scaling: { type: "linear", factor: 3 } });
  assert.equal([odd.originalMaxPositions, maxContext(odd)], [3333, 9999]);
  const dynamic = { max_position_embeddings: 16_384, rope_scaling: { type: "dynamic", factor: 4 } };
  assert.is(parseRope({ ...base, ...dynamic }).originalMaxPositions, 16_384);
});

test("lengths and base of a config", () => {
  const pick = (config: Record<string, unknown>) => {
    const { theta, maxPositions, originalMaxPositions, headDim } = parseRope({ ...base, ...config });
    return [theta, maxPositions, originalMaxPositions, headDim];
  };
  assert.equal(pick({}), [10000, 64, 64, 16]);
  assert.equal(pick({ max_position_embeddings: null, rope_theta: null, head_dim: null }), [10000, 2048, 2048, 16]);
  assert.equal(pick({ head_dim: 32, rope_theta: 5 }), [5, 64, 64, 32]);
  assert.equal(pick({ rope_theta: 5, rope_parameters: { rope_theta: 7 } }), [7, 64, 64, 16]);
  assert.equal(pick({ rope_theta: 5, rope_parameters: { rope_theta: null } }), [5, 64, 64, 16]);
  // rope_scaling replaces rope_parameters as a whole: the theta inside the losing one is lost
  assert.equal(
    pick({ rope_scaling: { type: "linear", factor: 2 }, rope_parameters: { rope_theta: 7 } }),
    [10000, 64, 64, 16],
  );
  assert.equal(pick({ original_max_position_embeddings: 8, rope_scaling: { ...llama3, original_max_position_embeddings: 9 } }), [10000, 64, 8, 16]); // prettier-ignore
  assert.equal(pick({ rope_scaling: { ...llama3, original_max_position_embeddings: 9 } }), [10000, 64, 9, 16]);
  assert.equal(parseRope({ head_dim: 6 }).headDim, 6);
  // the top-level partial_rotary_factor wins over the one inside
  const proportional = { rope_type: "proportional", partial_rotary_factor: 0.5 };
  const rope = parseRope({ ...base, rope_parameters: proportional, partial_rotary_factor: 0.25 });
  assert.is(rope.type === "proportional" && rope.partialRotaryFactor, 0.25);
});

test("refusals of a config", () => {
  const scaling =
    (rope_scaling: unknown, more = {}) =>
    () =>
      parseRope({ ...base, ...more, rope_scaling });
  const where = "config.json: rope_scaling";
  refused(
    scaling("linear"),
    `${where}: must be an object like {"rope_type": "linear", "factor": 2} or null, got "linear"`,
  );
  refused(
    scaling([1]),
    `${where}: must be an object like {"rope_type": "linear", "factor": 2} or null, got a list of 1`,
  );
  refused(() => parseRope({ ...base, rope_parameters: 3 }), `config.json: rope_parameters: must be an object like {"rope_type": "linear", "factor": 2} or null, got 3`); // prettier-ignore

  const known = "known types: default, linear, dynamic, yarn, longrope, llama3, proportional";
  refused(scaling({ type: "su", factor: 2 }), `${where}: unknown type "su"; it is a former name of longrope that transformers never knew for Llama, write "longrope"; ${known}`); // prettier-ignore
  refused(scaling({ type: "ntk", factor: 2 }), `${where}: unknown type "ntk"; in a config write "default", with rope_theta multiplied by factor^(head_dim / (head_dim - 2)); ${known}`); // prettier-ignore
  refused(
    scaling({ type: "Dynamic", factor: 2 }),
    `${where}: unknown type "Dynamic"; did you mean "dynamic"?; ${known}`,
  );
  refused(scaling({ type: "long_rope" }), `${where}: unknown type "long_rope"; did you mean "longrope"?; ${known}`);
  refused(scaling({ type: "mrope" }), `${where}: unknown type "mrope"; ${known}`);
  refused(scaling({ type: "constructor" }), `${where}: unknown type "constructor"; ${known}`);
  refused(scaling({ type: 3 }), `${where}: the type must be one of default, linear, dynamic, yarn, longrope, llama3, proportional, got 3`); // prettier-ignore

  refused(scaling({ type: "linear", fctor: 2 }), `${where}: type linear needs factor, which is missing; did you mean it by "fctor"?`); // prettier-ignore
  refused(scaling({ type: "llama3", factor: 8, "low-freq-factor": 1, high_freq_factor: 4 }), `${where}: type llama3 needs low_freq_factor, which is missing; did you mean it by "low-freq-factor"?`); // prettier-ignore
  refused(scaling({ type: "linear" }), `${where}: type linear needs factor, which is missing`);
  refused(scaling({ type: "yarn" }), `${where}: type yarn needs factor, which is missing`);
  refused(scaling({ type: "longrope", long_factor }), `${where}: type longrope needs short_factor, which is missing`);
  refused(scaling({ ...llama3, high_freq_factor: undefined }), `${where}: type llama3 needs high_freq_factor, which is missing`); // prettier-ignore

  const hint = "it is the context wanted divided by the trained one";
  for (const type of ["linear", "dynamic", "yarn"]) {
    const factor = (value: unknown) => scaling({ type, factor: value });
    for (const value of [0.5, 0, -2, NaN, Infinity])
      refused(factor(value), `${where}.factor: must be a number ≥ 1, got ${value}; ${hint}`);
    refused(factor("2"), `${where}.factor: must be a number ≥ 1, got "2"; write it without quotes`);
    refused(factor(true), `${where}.factor: must be a number ≥ 1, got true; ${hint}`);
    refused(factor([2]), `${where}.factor: must be a number ≥ 1, got a list of 1; ${hint}`);
  }
  refused(scaling({ type: "linear", factor: null }), `${where}.factor: must be a number ≥ 1, got null; ${hint}`);
  refused(scaling({ type: "yarn", factor: null, original_max_position_embeddings: 128 }), `${where}.factor: is null and would be max_position_embeddings 64 / original_max_position_embeddings 128, which is below 1; give the factor`); // prettier-ignore

  const yarn = { type: "yarn", factor: 4 };
  refused(scaling({ ...yarn, beta_fast: 1, beta_slow: 2 }), `${where}: beta_fast 1 must not be below beta_slow 2`);
  refused(scaling({ ...yarn, beta_fast: -1 }), `${where}.beta_fast: must be a number ≥ 0, got -1`);
  refused(scaling({ ...yarn, attention_factor: 0 }), `${where}.attention_factor: must be a number above 0, got 0`);
  refused(scaling({ ...yarn, mscale: "1" }), `${where}.mscale: must be a number ≥ 0, got "1"; write it without quotes`);
  refused(scaling({ ...yarn, truncate: "no" }), `${where}.truncate: must be true or false, got "no"`);
  refused(scaling({ ...yarn, truncate: null }), `${where}.truncate: must be true or false, got null`);
  refused(
    scaling({ ...yarn, rope_theta: 1 }),
    `${where}: yarn needs a rope_theta other than 1, it divides by its logarithm`,
  );
  refused(scaling({ ...yarn, original_max_position_embeddings: 1.5 }), `${where}.original_max_position_embeddings: must be a whole number ≥ 1, got 1.5`); // prettier-ignore
  refused(scaling({ ...yarn }, { original_max_position_embeddings: 0 }), "config.json: original_max_position_embeddings: must be a whole number ≥ 1, got 0"); // prettier-ignore

  const longrope = { type: "longrope", short_factor, long_factor };
  refused(scaling({ ...longrope, short_factor: [1, 2] }), `${where}.short_factor: must have 8 numbers (head_dim / 2), got 2; use the list made for this model`); // prettier-ignore
  refused(
    scaling({ ...longrope, long_factor: 4 }),
    `${where}.long_factor: must be a list of 8 numbers (head_dim / 2), got 4`,
  );
  refused(scaling({ ...longrope, long_factor: [1, 1, 0, 1, 1, 1, 1, 1] }), `${where}.long_factor[2]: must be a number above 0, got 0`); // prettier-ignore
  // oxlint-disable-next-line no-sparse-arrays -- a hole is what this is about
  refused(scaling({ ...longrope, long_factor: [1, , 1, 1, 1, 1, 1, 1] }), `${where}.long_factor[1]: must be a number above 0, got undefined`); // prettier-ignore
  refused(scaling({ ...longrope, original_max_position_embeddings: 1 }), `${where}: longrope needs original_max_position_embeddings ≥ 2, got 1`); // prettier-ignore

  refused(scaling({ ...llama3, low_freq_factor: 4 }), `${where}: high_freq_factor 4 must be above low_freq_factor 4`);
  refused(scaling({ ...llama3, low_freq_factor: 0 }), `${where}.low_freq_factor: must be a number above 0, got 0`);
  refused(scaling({ type: "proportional", partial_rotary_factor: 1.5 }), `${where}.partial_rotary_factor: must be a number ≥ 0 and ≤ 1, got 1.5`); // prettier-ignore
  refused(scaling({ type: "dynamic", factor: 2 }, { partial_rotary_factor: 0.5 }), "config.json: partial_rotary_factor: 0.5 cannot be combined with dynamic, Llama rotates whole heads; only proportional uses it"); // prettier-ignore
  refused(scaling({ type: "dynamic", factor: 2 }, { head_dim: 2 }), `${where}: dynamic needs head_dim ≥ 4 (its exponent is d / (d - 2)), got 2`); // prettier-ignore

  refused(scaling(null, { rope_theta: 0 }), "config.json: rope_theta: must be a number above 0, got 0");
  refused(
    scaling({ type: "linear", factor: 2, rope_theta: "x" }),
    `${where}.rope_theta: must be a number above 0, got "x"`,
  );
  refused(scaling(null, { max_position_embeddings: -1 }), "config.json: max_position_embeddings: must be a whole number ≥ 1, got -1", "config"); // prettier-ignore
  refused(
    scaling(null, { head_dim: 15 }),
    "config.json: head_dim: must be even, elements turn in pairs; got 15",
    "config",
  );
  refused(scaling(null, { hidden_size: 60 }), "config.json: head_dim: must be even, elements turn in pairs; got 15 (hidden_size / num_attention_heads)", "config"); // prettier-ignore
  refused(scaling(null, { hidden_size: 66, head_dim: 16 }), "config.json: hidden_size: must be a multiple of num_attention_heads 4, got 66", "config"); // prettier-ignore
  refused(() => parseRope({}), "config.json: head_dim: missing, and so is hidden_size or num_attention_heads to compute it from", "config"); // prettier-ignore
});

test("inputs are not changed, results are frozen and independent of them", () => {
  const config = { ...base, rope_scaling: { type: "longrope", short_factor: [...short_factor], long_factor: [...long_factor], original_max_position_embeddings: 16 } }; // prettier-ignore
  const text = JSON.stringify(config);
  const rope = parseRope(config);
  assert.is(JSON.stringify(config), text);
  const before = frequencies(rope, 60);
  config.rope_scaling.long_factor.fill(100);
  assert.equal(frequencies(rope, 60), before);
  const frozen = (value: unknown): boolean =>
    typeof value !== "object" || value === null || (Object.isFrozen(value) && Object.values(value).every(frozen));
  assert.ok(frozen(rope));
  const deepFrozen = Object.freeze({ ...base, rope_scaling: Object.freeze({ type: "yarn", factor: 4 }) });
  assert.ok(frozen(parseRope(deepFrozen)));
  const setting = Object.freeze({ type: "longrope", factor: 4, short_factor: Object.freeze(short_factor), long_factor: Object.freeze(long_factor) } as const); // prettier-ignore
  for (const each of [setting, "none", { type: "yarn", factor: 2 }] as const)
    assert.ok(frozen(parseRopeScaling(each, rope)));
});

test("a request without a setting takes the model's, with none the unscaled one", () => {
  const model = parseRope({ ...base, rope_theta: 777, rope_scaling: { type: "linear", factor: 4 } });
  assert.is(parseRopeScaling(undefined, model), model);
  const unscaled = parseRope({ ...base, rope_theta: 777 });
  for (const none of [null, "none", { type: "default" }, { rope_type: "default" }] as const)
    assert.equal(parseRopeScaling(none, model), unscaled);
});

test("a request replaces the model's setting as a whole and keeps what belongs to the weights", () => {
  const models = {
    plain: parseRope({ ...base, rope_theta: 777 }),
    yarn: parseRope({ ...base, max_position_embeddings: 256, rope_theta: 777, rope_scaling: { type: "yarn", factor: 4, attention_factor: 3, original_max_position_embeddings: 64 } }), // prettier-ignore
    llama3: parseRope({ ...base, max_position_embeddings: 1024, rope_theta: 777, rope_scaling: { ...llama3, original_max_position_embeddings: 64 } }), // prettier-ignore
    longrope: parseRope({ ...base, max_position_embeddings: 256, rope_theta: 777, rope_scaling: { type: "longrope", short_factor, long_factor, original_max_position_embeddings: 64 } }), // prettier-ignore
  };
  const settings: RopeScaling[] = [
    { type: "linear", factor: 2 },
    { type: "ntk", factor: 2 },
    { type: "dynamic", factor: 2 },
    { rope_type: "yarn", factor: 8, beta_fast: 16 },
    { type: "proportional", partial_rotary_factor: 0.5 },
    { type: "default", rope_theta: 5 },
  ];
  // The same trained weights of 64 tokens behind every model: the same setting means the same on each.
  for (const setting of settings) {
    const want = parseRopeScaling(setting, models.plain);
    for (const model of Object.values(models)) assert.equal(parseRopeScaling(setting, model), want);
  }
  const lengths = (setting: RopeScaling, model: Rope) => {
    const { maxPositions, originalMaxPositions, factor } = parseRopeScaling(setting, model);
    return [maxPositions, originalMaxPositions, factor];
  };
  const { plain, llama3: own, longrope } = models;
  assert.equal(lengths({ type: "dynamic", factor: 2 }, own), [64, 64, 2]);
  assert.equal(lengths({ type: "dynamic", factor: 2, max_position_embeddings: 1024 }, own), [1024, 1024, 2]);
  assert.equal(lengths({ type: "yarn", factor: 2.5 }, own), [160, 64, 2.5]);
  assert.equal(lengths({ type: "yarn", factor: 4, original_max_position_embeddings: 32 }, own), [128, 32, 4]);
  assert.equal(lengths({ type: "yarn", factor: null, max_position_embeddings: 640 }, plain), [640, 64, 10]);
  const request = { type: "llama3", factor: 8, low_freq_factor: 1, high_freq_factor: 4 } as const;
  assert.equal(lengths(request, plain), [512, 64, 8]);
  assert.equal(lengths(request, own), [1024, 64, 8]); // trained with llama3 to 1024
  const lists = { type: "longrope", short_factor, long_factor } as const;
  assert.equal(lengths(lists, longrope), [256, 64, 4]);
  assert.equal(lengths({ ...lists, factor: 8 }, plain), [512, 64, 8]);
  assert.equal(lengths({ ...lists, max_position_embeddings: 128 }, plain), [128, 64, 2]);
  assert.equal(lengths({ ...lists, original_max_position_embeddings: 16 }, plain), [64, 16, 4]);
  const half = parseRope({ ...base, rope_scaling: { type: "proportional", partial_rotary_factor: 0.5 } });
  const inherited = parseRopeScaling({ type: "proportional", factor: 2 }, half);
  assert.is(inherited.type === "proportional" && inherited.partialRotaryFactor, 0.5);
  assert.is(parseRopeScaling({ type: "linear", factor: 2 }, half).type, "linear");
});

test("every type can be requested", () => {
  const model = parseRope(base);
  const settings: Record<string, RopeScaling> = {
    default: {},
    linear: { factor: 2 },
    ntk: { factor: 2 },
    dynamic: { factor: 2 },
    yarn: { factor: 2 },
    longrope: { factor: 2, short_factor, long_factor },
    llama3: { factor: 2, low_freq_factor: 1, high_freq_factor: 4 },
    proportional: {},
  };
  assert.equal(Object.keys(settings), ropeTypes);
  for (const type of ropeTypes)
    for (const key of ["type", "rope_type"])
      assert.is(parseRopeScaling({ ...settings[type], [key]: type }, model).type, type);
});

test("refusals of a request", () => {
  const model = parseRope(base);
  const request =
    (setting: unknown, on = model) =>
    () =>
      parseRopeScaling(setting as RopeScaling, on);
  const known = "known types: default, linear, ntk, dynamic, yarn, longrope, llama3, proportional";
  const keys = "keys of dynamic: factor, rope_theta, rope_type, type, max_position_embeddings";
  for (const [setting, shown] of [
    ["dynamic:2", '"dynamic:2"'],
    [2, "2"],
    [[], "a list of 0"],
    [false, "false"],
    [() => 2, "a function"],
    [2n, "2"],
  ] as const)
    refused(
      request(setting),
      `ropeScaling: must be an object like { type: "dynamic", factor: 2 }, "none" or null, got ${shown}`,
    );
  refused(request({}), `ropeScaling: has no type, for example type: "dynamic"; ${known}`);
  refused(request({ factor: 2 }), `ropeScaling: has no type, for example type: "dynamic"; ${known}`);
  refused(request({ type: "linear", rope_type: "dynamic", factor: 2 }), 'ropeScaling: rope_type is "dynamic" but type is "linear"; give one of them'); // prettier-ignore
  refused(
    request({ type: "dinamic", factor: 2 }),
    `ropeScaling: unknown type "dinamic"; did you mean "dynamic"?; ${known}`,
  );
  refused(
    request({ type: "dynamic", facter: 2 }),
    `ropeScaling: unknown key "facter"; did you mean "factor"?; ${keys}`,
  );
  refused(request({ type: "dynamic", factor: 2, betaFast: 2 }), `ropeScaling: unknown key "betaFast"; did you mean "beta_fast"?; ${keys}`); // prettier-ignore
  refused(request({ type: "dynamic", factor: 2, finetuned: true }), `ropeScaling: unknown key "finetuned"; ${keys}`);
  refused(request({ type: "dynamic", factor: 2, original_max_position_embeddings: 16 }), `ropeScaling: original_max_position_embeddings has no effect on type dynamic, it belongs to yarn, longrope, llama3; ${keys}`); // prettier-ignore
  refused(request({ type: "default", factor: 2 }), "ropeScaling: factor has no effect on type default, it belongs to linear, ntk, dynamic, yarn, longrope, llama3, proportional; keys of default: rope_theta, rope_type, type, max_position_embeddings"); // prettier-ignore
  refused(request({ type: "dynamic" }), "ropeScaling: type dynamic needs factor, which is missing");
  refused(request({ type: "ntk", factor: 0.5 }), "ropeScaling.factor: must be a number ≥ 1, got 0.5; it is the context wanted divided by the trained one"); // prettier-ignore
  refused(request({ type: "ntk", factor: 2 }, parseRope({ head_dim: 2 })), "ropeScaling: ntk needs head_dim ≥ 4 (its exponent is d / (d - 2)), got 2"); // prettier-ignore
  refused(request({ type: "yarn", factor: null }), "ropeScaling.factor: yarn needs a factor, or max_position_embeddings to divide by the trained length 64"); // prettier-ignore
  refused(request({ type: "longrope", short_factor, long_factor }), "ropeScaling: longrope needs factor or max_position_embeddings on this model, nothing else says how far beyond the trained 64 tokens long_factor reaches"); // prettier-ignore
  refused(request({ type: "longrope", factor: 2, short_factor, long_factor: [1] }), "ropeScaling.long_factor: must have 8 numbers (head_dim / 2), got 1; use the list made for this model"); // prettier-ignore
  refused(request({ type: "linear", factor: 2, max_position_embeddings: 0.5 }), "ropeScaling.max_position_embeddings: must be a whole number ≥ 1, got 0.5"); // prettier-ignore
  refused(
    request({ type: "linear", factor: 2, rope_theta: -1 }),
    "ropeScaling.rope_theta: must be a number above 0, got -1",
  );
});

test.run();
