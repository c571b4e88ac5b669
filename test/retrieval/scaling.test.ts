import { suite } from "uvu";
import * as assert from "uvu/assert";
import { parseRope } from "../../src/rope/index.ts";
import { isUnscaled, parseScaling, reachOf } from "../../src/retrieval/scaling.ts";

const test = suite("retrieval scaling");

test("settings are read, named and told apart", () => {
  assert.equal(parseScaling("none"), { label: "none", ropeScaling: null });
  assert.equal(parseScaling("own"), { label: "own", ropeScaling: undefined });
  assert.equal(parseScaling(null), { label: "none", ropeScaling: null });
  assert.equal(JSON.parse(JSON.stringify(parseScaling("dynamic:2/as-inserted"))), {
    label: "dynamic:2/as-inserted",
    ropeScaling: { rope_type: "dynamic", factor: 2 },
    ropeAngles: "as-inserted",
  });
  assert.is(parseScaling({ rope_type: "yarn", factor: 4, beta_fast: 16 }).label, "yarn:4,beta_fast=16");
  assert.is(parseScaling({ type: "linear", factor: 2 }).label, "linear:2");
  assert.ok(isUnscaled(parseScaling("none")) && isUnscaled(parseScaling("default")));
  assert.not.ok(isUnscaled(parseScaling("own")));
});

test("what is no setting, or scales nothing, is refused by name", () => {
  assert.throws(() => parseScaling("dynamic:1"), /dynamic:1: a factor of 1 scales nothing/);
  assert.throws(() => parseScaling({ rope_type: "linear", factor: 1 }), /a factor of 1 scales nothing/);
  assert.throws(() => parseScaling("dynamik:2"), /dynamic/);
  assert.throws(() => parseScaling("dynamic:two"), /neither a factor/);
});

test("a setting reaches the trained length times its factor", () => {
  const own = parseRope({ hidden_size: 64, num_attention_heads: 4, max_position_embeddings: 512 });
  assert.is(reachOf(parseScaling("none"), 512), 512);
  assert.is(reachOf(parseScaling("yarn:2.5"), 512), 1280);
  assert.is(reachOf(parseScaling("own"), 512), 512);
  assert.is(reachOf(parseScaling("own"), 512, own), 512);
  const pi = parseRope({
    hidden_size: 64,
    num_attention_heads: 4,
    max_position_embeddings: 512,
    rope_scaling: { type: "linear", factor: 4 },
  });
  assert.is(reachOf(parseScaling("own"), 512, pi), 2048);
});

test.run();
