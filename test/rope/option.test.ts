// The command line's spellings of RoPE settings.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { refusedSync } from "../tools/refused.ts";
import { parseRope, parseRopeOption, parseRopeScaling } from "../../src/rope/index.ts";
import { splitRopeOptions } from "../../src/rope/option.ts";

const test = suite("rope-option");

const factors = { short_factor: [1, 1, 1, 1], long_factor: [1, 2, 3, 4] };
const files: Record<string, unknown> = {
  "factors.json": factors,
  "whole.json": { type: "longrope", factor: 4, ...factors },
  "list.json": [1, 2],
};
const readFile = (path: string): string => {
  if (path === "broken.json") return '{"factor": 2,}';
  if (!(path in files)) throw new Error(`no file ${path}`);
  return JSON.stringify(files[path]);
};
const parse = (text: string) => {
  const setting = parseRopeOption(text, readFile);
  return setting === null ? null : { ...setting };
};

test("every spelling", () => {
  assert.is(parse("none"), null);
  assert.is(parse(" none "), null);
  assert.equal(parse("default"), { rope_type: "default" });
  assert.equal(parse("dynamic:2"), { rope_type: "dynamic", factor: 2 });
  assert.equal(parse("linear:2.5"), { rope_type: "linear", factor: 2.5 });
  assert.equal(parse("ntk:4"), { rope_type: "ntk", factor: 4 });
  assert.equal(parse("yarn:4,beta_fast=32"), { rope_type: "yarn", factor: 4, beta_fast: 32 });
  assert.equal(parse(" yarn : factor = 4 , truncate = false , mscale=null"), { rope_type: "yarn", factor: 4, truncate: false, mscale: null }); // prettier-ignore
  assert.equal(parse("llama3:8,low_freq_factor=1,high_freq_factor=4,original_max_position_embeddings=8192"), {
    rope_type: "llama3",
    factor: 8,
    low_freq_factor: 1,
    high_freq_factor: 4,
    original_max_position_embeddings: 8192,
  });
  assert.equal(parse("longrope:@factors.json,factor=4"), { rope_type: "longrope", factor: 4, ...factors });
  assert.equal(parse("longrope:@whole.json"), { rope_type: "longrope", factor: 4, ...factors });
  assert.equal(parse("@whole.json"), { type: "longrope", factor: 4, ...factors });
  assert.equal(parse("longrope:4,short_factor=[1, 1,1,1],long_factor=[1,2,3,4]"), { rope_type: "longrope", factor: 4, ...factors }); // prettier-ignore
  assert.equal(parse('{"rope_type": "linear", "factor": 2}'), { rope_type: "linear", factor: 2 });
});

test("what is parsed is a request's setting", () => {
  const model = parseRope({ head_dim: 8 });
  for (const [text, type, factor] of [
    ["none", "default", 1],
    ["dynamic:2", "dynamic", 2],
    ["longrope:@factors.json,factor=4", "longrope", 4],
    ["proportional:2,partial_rotary_factor=0.5", "proportional", 2],
  ] as const) {
    const rope = parseRopeScaling(parseRopeOption(text, readFile), model);
    assert.equal([rope.type, rope.factor], [type, factor]);
  }
});

test("a list of settings is split where one ends", () => {
  const split = (text: string, ...want: string[]) => assert.equal(splitRopeOptions(text), want);
  split("none", "none");
  split("none,dynamic:2,yarn:4,beta_fast=32,linear:2", "none", "dynamic:2", "yarn:4,beta_fast=32", "linear:2");
  split(" own , yarn : 4 , truncate = false ,ntk:2", "own", "yarn : 4,truncate = false", "ntk:2");
  split("longrope:4,short_factor=[1, 1],long_factor=[1,2],none", "longrope:4,short_factor=[1, 1],long_factor=[1,2]", "none"); // prettier-ignore
  split("longrope:@a.json,factor=4,@b.json", "longrope:@a.json,factor=4,@b.json");
  split("@a.json,@b.json,none", "@a.json", "@b.json", "none");
  split('{"type": "longrope", "factor": 2, "short_factor": [1, 2], "long_factor": [1, 2]},none', '{"type": "longrope", "factor": 2, "short_factor": [1, 2], "long_factor": [1, 2]}', "none"); // prettier-ignore
  split('{"type": "a,]}\\"{b", "factor": 2},none', '{"type": "a,]}\\"{b", "factor": 2}', "none");
  split("linear:2,3", "linear:2,3"); // a second factor, which parsing refuses
  split("", "");
  split("none,", "none", "");
});

test("refusals", () => {
  const refused = (text: string, sentence: string, reader: typeof readFile | undefined = readFile) =>
    refusedSync(() => parseRopeOption(text, reader), "rope", sentence);
  const known = "known types: default, linear, ntk, dynamic, yarn, longrope, llama3, proportional";
  const usage = "write none, TYPE or TYPE:FACTOR, for example dynamic:2";
  refused("", `--rope-scaling: got ""; ${usage}`);
  refused(":2", `--rope-scaling: got ":2"; ${usage}`);
  refused("dynamc:2", `--rope-scaling: unknown type "dynamc"; did you mean "dynamic"?; ${known}`);
  refused("2", `--rope-scaling: unknown type "2"; ${known}`);
  refused("linear", "--rope-scaling: type linear needs factor, which is missing");
  refused("linear:", '--rope-scaling: "" in "linear:" is neither a factor, nor key=value, nor @FILE');
  refused("linear:2x", '--rope-scaling: "2x" in "linear:2x" is neither a factor, nor key=value, nor @FILE');
  refused("linear:2,", '--rope-scaling: "" in "linear:2," is neither a factor, nor key=value, nor @FILE');
  refused("linear:=2", '--rope-scaling: "=2" in "linear:=2" is neither a factor, nor key=value, nor @FILE');
  refused(
    "linear:Infinity",
    '--rope-scaling: "Infinity" in "linear:Infinity" is neither a factor, nor key=value, nor @FILE',
  );
  refused("linear:2,factor=3", "--rope-scaling: factor is given twice, as 2 and as 3");
  refused("linear:@whole.json", '--rope-scaling: rope_type is given twice, as "linear" and as "longrope"');
  refused(
    "yarn:4,beta_fast=fast",
    '--rope-scaling: beta_fast: must be a number, true, false, null or a [list], got "fast"',
  );
  refused("yarn:4,beta_fats=3", '--rope-scaling: unknown key "beta_fats"; did you mean "beta_fast"?; keys of yarn: factor, original_max_position_embeddings, attention_factor, beta_fast, beta_slow, mscale, mscale_all_dim, truncate, rope_theta, rope_type, type, max_position_embeddings'); // prettier-ignore
  refused("linear:2,__proto__=3", '--rope-scaling: unknown key "__proto__"; keys of linear: factor, rope_theta, rope_type, type, max_position_embeddings'); // prettier-ignore
  refused("longrope:@", "--rope-scaling: @ must be followed by the path of a JSON file");
  refused(
    "@list.json",
    '--rope-scaling: list.json: must be a JSON object like {"rope_type": "yarn", "factor": 4}, got a list of 2',
  );
  refused("@broken.json", '--rope-scaling: broken.json: got "}" at character 13, needed a key in quotes; the file is damaged or not JSON'); // prettier-ignore
  refused('{"type": "linear"', "--rope-scaling: got the end of the text at character 17, needed a comma or } in an object; the file is damaged or not JSON"); // prettier-ignore
  refused('{"factor": 2}', `--rope-scaling: has no type, for example type: "dynamic"; ${known}`);
  assert.throws(() => parseRopeOption("@missing.json", readFile), /^no file missing\.json$|no file missing\.json/);
  refusedSync(
    () => parseRopeOption("longrope:@factors.json"),
    "rope",
    "--rope-scaling: @factors.json names a file, and files cannot be read here; give the JSON itself",
  );
});

test.run();
