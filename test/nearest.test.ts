import { suite } from "uvu";
import * as assert from "uvu/assert";
import { editDistance, nearest } from "../src/nearest.ts";

const test = suite("nearest");

test("edit distance of known pairs, symmetric", () => {
  for (const [a, b, distance] of [
    ["", "", 0],
    ["", "abc", 3],
    ["kitten", "sitting", 3],
    ["flaw", "lawn", 2],
    ["same", "same", 0],
    ["abc", "xyz", 3],
  ] as const) {
    assert.is(editDistance(a, b), distance);
    assert.is(editDistance(b, a), distance);
  }
});

test("finds slips, not other words", () => {
  const known = ["temperature", "topK", "topP", "beta_fast", "beta_slow"];
  assert.is(nearest("temprature", known), "temperature");
  assert.is(nearest("top_k", known), "topK");
  assert.is(nearest("TopP", known), "topP");
  assert.is(nearest("betaFast", known), "beta_fast");
  assert.is(nearest("beam", known), undefined);
  assert.is(nearest("x", known), undefined);
  assert.is(nearest("", known), undefined);
  assert.is(nearest("a", []), undefined);
});

test("does not compute on a text that is no name", () => {
  assert.is(nearest("topK".repeat(1_000_000), ["topK"]), undefined);
});

test.run();
