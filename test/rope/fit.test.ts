// The setting that a refused prompt is pointed to: it can be asked for, it reaches, and it is written in both languages.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  type RopeScaling,
  maxContext,
  parseRope,
  parseRopeOption,
  parseRopeScaling,
  ropeTypes,
} from "../../src/rope/index.ts";
import { scalingThatFits, showOption, showScaling } from "../../src/rope/fit.ts";

const test = suite("rope-fit");

const base = { head_dim: 8, max_position_embeddings: 100 };
const lists = { short_factor: [1, 1, 1, 1], long_factor: [1, 2, 3, 4] };
const requests: RopeScaling[] = [
  { type: "default" },
  { type: "linear", factor: 2 },
  { type: "ntk", factor: 2.5 },
  { type: "dynamic", factor: 2, max_position_embeddings: 1000 },
  { type: "yarn", factor: 2, original_max_position_embeddings: 500 },
  { type: "longrope", factor: 2, ...lists },
  { type: "llama3", factor: 2, low_freq_factor: 1, high_freq_factor: 4 },
  { type: "proportional", partial_rotary_factor: 0.5 },
];
const models = [
  parseRope(base),
  parseRope({ ...base, rope_scaling: { type: "linear", factor: 4 } }),
  parseRope({ ...base, max_position_embeddings: 400, rope_scaling: { type: "yarn", factor: 4, original_max_position_embeddings: 100 } }), // prettier-ignore
  parseRope({ ...base, max_position_embeddings: 800, rope_scaling: { type: "llama3", factor: 8, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 100 } }), // prettier-ignore
  parseRope({ ...base, max_position_embeddings: 800, rope_scaling: { type: "longrope", ...lists, original_max_position_embeddings: 100 } }), // prettier-ignore
];

test("whatever was refused on whatever model, the setting named reaches the prompt, and one less would not", () => {
  assert.equal(
    requests.map(({ type }) => type),
    ropeTypes,
  );
  for (const model of models) {
    for (const request of [undefined, ...requests]) {
      const rope = parseRopeScaling(request, model);
      for (const tokens of [maxContext(rope) + 1, 10 * maxContext(rope), 123_457]) {
        const fit = scalingThatFits(rope, model, tokens);
        const reach = maxContext(parseRopeScaling(fit, model));
        assert.ok(reach >= tokens, `${showScaling(fit)} reaches ${reach} of ${tokens}`);
        const less = maxContext(parseRopeScaling({ ...fit, factor: Math.max(1, fit.factor! - 1) }, model));
        assert.ok(less < tokens || fit.factor === 1, `${showScaling(fit)} is more than needed`);
      }
    }
  }
});

test("the type stays where a factor decides its reach, else it is yarn, or linear where yarn has no logarithm", () => {
  const type = (request: RopeScaling, model = models[0]) =>
    scalingThatFits(parseRopeScaling(request, model), model, 5000).rope_type;
  assert.equal(
    requests.map((request) => type(request)),
    ["yarn", "linear", "ntk", "dynamic", "yarn", "yarn", "llama3", "yarn"],
  );
  assert.is(type({ type: "default" }, parseRope({ ...base, rope_theta: 1 })), "linear");
});

test("both spellings say the same", () => {
  const fit = scalingThatFits(models[3], models[3], 5000);
  assert.is(showScaling(fit), '{ rope_type: "llama3", factor: 50, low_freq_factor: 1, high_freq_factor: 4 }');
  assert.is(showOption(fit), "llama3:50,low_freq_factor=1,high_freq_factor=4");
  assert.is(showOption({ type: "default" }), "default");
  for (const request of requests) {
    const { type, ...rest } = request;
    assert.equal({ ...parseRopeOption(showOption(request)) }, { rope_type: type, ...rest });
  }
});

test.run();
