import { suite } from "uvu";
import * as assert from "uvu/assert";
import { display, editDistance, nearest } from "../../src/text/wording.ts";

const test = suite("wording");

test("any value can stand in an error", () => {
  const circle: unknown[] = [];
  circle.push(circle);
  for (const [value, shown] of [
    ["a", '"a"'],
    ["x".repeat(1e6), `"${"x".repeat(56)}…`],
    [NaN, "NaN"],
    [-Infinity, "-Infinity"],
    [3n, "3"],
    [undefined, "undefined"],
    [null, "null"],
    [true, "true"],
    [circle, "a list of 1"],
    [{ toJSON: () => 3n }, "an object with 1 keys"],
    [Object.create(null), "an object with 0 keys"],
    [() => 1, "a function"],
    [Symbol("s"), "a symbol"],
  ] as const)
    assert.is(display(value), shown);
});

test("edit distance of known pairs, symmetric", () => {
  for (const [a, b, distance] of [
    ["", "", 0],
    ["", "abc", 3],
    ["kitten", "sitting", 3],
    ["flaw", "lawn", 2],
    ["same", "same", 0],
    ["modle", "model", 1],
    ["modle", "moduel", 2],
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
