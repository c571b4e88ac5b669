// The strict JSON reader: what JSON.parse accepts gives the same value; what it hides or blows up on is refused.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { refusedSync } from "../tools/refused.ts";
import { parseJson, parsePythonJson, show } from "../../src/text/json.ts";

const json = suite("json");
const refuses = (text: string, pattern: RegExp) =>
  refusedSync(() => parseJson(text, "x.json", "config"), "config", pattern);

json("gives what JSON.parse gives", () => {
  const texts = [
    "0", "-0", "1.5e3", "-12E-2", "true", "false", "null", '""', '"a\\u00e9\\n\\"\\\\/"', '"😀"', '"\\ud83d\\ude00"', "[]", "{}",
    ' [ 1 , [ ] , { } , "x" ] \r\n\t', '{"a":{"b":[1,2,{"c":null}]},"":0}', "9007199254740993", "1e400",
  ]; // prettier-ignore
  for (const text of texts)
    assert.equal(JSON.stringify(parseJson(text, "x", "config")), JSON.stringify(JSON.parse(text)), text);
});

json("refuses what JSON.parse refuses", () => {
  const texts = [
    "", " ", "{", "[", '"', "{]", "[}", "[1,]", '{"a":1,}', "{a:1}", "{'a':1}", "01", "+1", "1.", ".5", "1e", "--1", "nul", "tru", "NaN",
    "Infinity", "[1 2]", '{"a" 1}', '{"a":1 "b":2}', "1 2", "{} {}", '"\n"', '"\\x"', '"\\u12"', '"\\', "//", "[1]\0", "\uFEFF{}",
  ]; // prettier-ignore
  for (const text of texts) {
    assert.throws(() => JSON.parse(text), undefined, `the test itself: ${show(text)}`);
    refuses(text, /x\.json: got .* at character \d+, needed .*/);
  }
});

json("what Python writes: NaN and Infinity are values there, and nowhere else", () => {
  const python = (text: string) => parsePythonJson(text, "x.json", "config");
  assert.equal(python("[NaN, Infinity, -Infinity, -1]"), [NaN, Infinity, -Infinity, -1]);
  for (const text of ["NaN", "Infinity", "-Infinity", "[NaN]"]) {
    python(text);
    refuses(text, /x\.json: got .* at character \d+, needed a JSON value/);
  }
  for (const text of ["nan", "-NaN", "+Infinity", "Inf", "NaNa", "Infinity1", "None", "True", "[NaN"])
    refusedSync(() => python(text), "config", /x\.json: got/);
  assert.equal([show(NaN), show(-Infinity), show(1.5)], ["NaN", "-Infinity", "1.5"]);
});

json("agrees with JSON.parse on 3,000 seeded mutations", () => {
  const good =
    '{"w.0":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"m":{"a":"b\\n","c":-1.5e2,"d":[true,null]}}';
  const alphabet = '{}[]",:\\0123456789.eE+-tfn \n';
  let state = 12345;
  const random = (n: number) => ((state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0) >>> 8) % n;
  let accepted = 0;
  for (let i = 0; i < 3000; i++) {
    const at = random(good.length);
    const text = good.slice(0, at) + alphabet[random(alphabet.length)] + good.slice(at + random(3));
    let want: unknown;
    try {
      want = JSON.parse(text);
    } catch {
      refusedSync(() => parseJson(text, "x", "config"), "config");

      continue;
    }
    let got: unknown;
    try {
      got = parseJson(text, "x", "config");
    } catch (error) {
      assert.match((error as Error).message, /second time/); // the only thing refused that JSON.parse takes
      continue;
    }
    assert.equal(JSON.stringify(got), JSON.stringify(want), text);
    accepted++;
  }
  assert.ok(accepted > 50, `only ${accepted} mutations were JSON`);
});

json("refuses duplicate keys, also when spelt with an escape", () => {
  refuses('{"a":1,"b":2,"a":3}', /the key "a" a second time at character 13/);
  refuses('{"x":{"a":1,"\\u0061":2}}', /the key "a" a second time/);
  const long = "k".repeat(1000);
  refuses(`{"${long}":1,"${long}":2}`, /got the key "k{56}… a second time/);
  refuses('{"__proto__":1,"__proto__":2}', /"__proto__" a second time/);
  assert.equal(Object.keys(parseJson('{"__proto__":1,"constructor":2}', "x", "config") as object), [
    "__proto__",
    "constructor",
  ]);
  assert.equal(({} as Record<string, unknown>).polluted, undefined);
});

json("refuses deep nesting and absurd counts without blowing the stack", () => {
  assert.ok(parseJson("[".repeat(64) + "]".repeat(64), "x", "config"));
  refuses("[".repeat(65) + "]".repeat(65), /nesting deeper than 64 levels/);
  refuses("[".repeat(5_000_000), /nesting deeper than 64 levels/);
  refuses('{"a":'.repeat(1_000_000), /nesting deeper than 64 levels/);
  refuses(`[${"0,".repeat(4_000_000)}0]`, /more than 4000000 values/);
  refuses(`[${"[],".repeat(20_000_000)}[]]`, /more than 1000000 lists and objects/);
  refuses(`[${"{},".repeat(2_000_000)}{}]`, /more than 1000000 lists and objects/);
  const keys = Array.from({ length: 1_000_001 }, (_, i) => `"${i}":0`);
  refuses(`{${keys.join(",")}}`, /more than 1000000 keys/);
  assert.throws(() => parseJson("[[],[]]", "x", "config", 2), /more than 2 lists and objects/);
});

json("show cuts what it prints", () => {
  assert.is(show("x".repeat(1e6)).length, 58);
  assert.is(show(Array.from({ length: 1e6 }, () => 0)), "[0,0,0,0,0,0,0,0,0,0,0,0…");
  assert.is(show([1, 2]), "[1,2]");
  assert.is(show({ a: 1 }), "an object with 1 keys");
  assert.is(show(undefined), "nothing");
});

json.run();
