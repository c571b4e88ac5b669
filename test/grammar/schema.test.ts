// Which texts a schema takes, keyword by keyword; what is refused by name; and what a hostile schema may cost.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { LlariatError } from "../../src/error.ts";
import { Automaton, type State } from "../../src/grammar/automaton.ts";
import { copied } from "../../src/grammar/copy.ts";
import { Reader } from "../../src/grammar/schema.ts";
import { whole } from "../tools/random.ts";
import { refused } from "../tools/refused.ts";

const tests = suite("schemas");
const utf8 = new TextEncoder();

const automatonOf = (schema: unknown): Automaton => new Automaton(new Reader(copied(schema) as never, true).read());

/** Whether a text is a value of the automaton; undefined as soon as none begins so. */
function takes(automaton: Automaton, text: string): boolean | undefined {
  let state: State | null = automaton.start;
  for (const byte of utf8.encode(text)) state = state && automaton.step(state, byte);
  return state?.complete;
}

/** Asserts what a schema takes, and what it does not. */
function check(schema: unknown, right: readonly string[], wrong: readonly string[]): void {
  const automaton = automatonOf(schema);
  for (const text of right) assert.is(takes(automaton, text), true, `${JSON.stringify(schema)} takes ${text}`);
  for (const text of wrong) assert.not.ok(takes(automaton, text), `${JSON.stringify(schema)} takes not ${text}`);
}

tests("objects: properties in the order of the schema, those that are not listed last, required ones always", () => {
  const properties = { a: { type: "integer" }, b: { type: "boolean" }, c: { type: "null" } };
  check(
    { type: "object", properties, required: ["b"], additionalProperties: false },
    ['{"b":true}', '{"a":1,"b":false}', '{"a": 1, "b": true, "c": null}', '{"b":true,"c":null}'],
    [
      "{}",
      '{"a":1}',
      '{"b":true,"a":1}',
      '{"b":true,}',
      '{"b":true,"d":1}',
      '{"b":true,"b":true}',
      '{"a":1 ,"b":true}',
      "[]",
      "",
    ],
  );
  check(
    { type: "object", properties, additionalProperties: { type: "string" } },
    ["{}", '{"a":1,"x":"y"}', '{"x":"y","z":""}'],
    ['{"x":"y","a":1}', '{"a":"y"}', '{"x":1}', '{"\\u0061":"y"}', "{ }"],
  );
  check(
    { type: "object", required: ["z"], properties: { a: true } },
    ['{"a":[1,{}],"z":0}', '{"z":"","q":{}}'],
    ['{"a":1}'],
  );
  check(
    { type: "object", minProperties: 1, maxProperties: 2 },
    ['{"a":1}', '{"a":1,"b":2}'],
    ["{}", '{"a":1,"b":2,"c":3}'],
  );
  check(
    { type: "object", properties: { x: false, y: true }, additionalProperties: false },
    ["{}", '{"y":1}'],
    ['{"x":1}'],
  );
});

tests("arrays: leading items, then others, between two lengths", () => {
  check(
    { type: "array", items: { type: "null" } },
    ["[]", "[null]", "[null, null]"],
    ["[1]", "[null,]", "[ null]", "[null ,null]", "["],
  );
  check(
    { type: "array", items: { type: "integer" }, minItems: 2, maxItems: 3 },
    ["[1,2]", "[1,2,3]"],
    ["[]", "[1]", "[1,2,3,4]"],
  );
  const prefixItems = [{ type: "boolean" }, { type: "string" }];
  check({ type: "array", prefixItems, items: false }, ["[]", "[true]", '[true,"x"]'], ['[true,"x",1]', '["x"]']);
  check(
    { type: "array", prefixItems, items: { type: "null" }, minItems: 3 },
    ['[true,"",null]'],
    ['[true,""]', '[true,"",1]'],
  );
  const cut = { type: "array", prefixItems: [{ type: "null" }, false, true] };
  check(cut, ["[]", "[null]"], ["[null,1]"]);
  assert.is(takes(automatonOf(cut), "[null,"), undefined, "nothing begins that cannot end");
});

tests("constants, types and choices", () => {
  check(
    { enum: ["a", 1, null, { x: [1, 2] }] },
    ['"a"', "1", "null", '{"x":[1,2]}', " 1"],
    ["2", '{"x":[1, 2]}', "  1"],
  );
  check({ const: "é\n" }, ['"é\\n"'], ['"\\u00e9\\n"']);
  check({ type: ["integer", "null"] }, ["1", "null"], ["1.5", "true"]);
  check({ type: "string", nullable: true }, ['""', "null"], ["1"]);
  check({ type: "string", enum: ["a", 5, "bb"], minLength: 2 }, ['"bb"'], ['"a"', "5"]);
  check({ enum: [1, 5, 9.5, "x"], type: "integer", exclusiveMinimum: 1 }, ["5"], ["1", "9.5", '"x"']);
  check({ anyOf: [{ type: "integer" }, { const: "x" }] }, ["12", '"x"'], ['"y"', "1.5"]);
  check(
    { type: "object", properties: { a: true }, required: ["a"], anyOf: [{ required: ["b"] }, { required: ["c"] }] },
    ['{"a":1,"b":2}', '{"a":1,"c":2}'],
    ['{"a":1}'],
  );
  check(true, ["1", "[{}]", '{"a":{"b":[true]}}'], ["tru", "{a:1}"]);
  check({ multipleOf: 1, type: "number" }, ["3"], ["3.5"]);
});

tests("allOf: every keyword of all", () => {
  check(
    {
      allOf: [
        { type: "integer", minimum: 3 },
        { type: ["number", "null"], maximum: 5 },
      ],
    },
    ["3", "5"],
    ["2", "6", "3.5", "null"],
  );
  const base = { type: "object", properties: { id: { type: "integer" } }, required: ["id"] };
  check(
    {
      $defs: { base },
      allOf: [{ $ref: "#/$defs/base" }],
      properties: { id: { maximum: 9 }, n: { type: "null" } },
      required: ["n"],
    },
    ['{"id":9,"n":null}', '{"id":1,"n":null,"x":1}'],
    ['{"id":10,"n":null}', '{"id":1}', '{"n":null}'],
  );
  check(
    { type: "string", allOf: [{ pattern: "^a" }, { pattern: "b$", maxLength: 3 }] },
    ['"ab"', '"axb"'],
    ['"axxb"', '"a"'],
  );
  check({ allOf: [{ enum: [1, 2, 3] }, { enum: [3, 2] }], const: 3 }, ["3"], ["2"]);
});

tests("oneOf: where branches exclude one another", async () => {
  const tagged = (tag: string) => ({
    type: "object",
    properties: { kind: { const: tag }, v: { type: "integer" } },
    required: ["kind"],
  });
  check({ oneOf: [tagged("a"), tagged("b")] }, ['{"kind":"a"}', '{"kind":"b","v":1}'], ['{"kind":"c"}']);
  check({ oneOf: [{ type: "string" }, { type: "null" }, { enum: [1, true] }] }, ['"x"', "null", "1"], ["2"]);
  const only = (key: string) => ({
    type: "object",
    properties: { [key]: true },
    required: [key],
    additionalProperties: false,
  });
  check({ oneOf: [only("x"), only("y")] }, ['{"x":1}', '{"y":1}'], ['{"x":1,"y":1}', "{}"]);
  for (const oneOf of [
    [{ type: "integer" }, { type: "number" }],
    [{ enum: [1, 2] }, { enum: [2, 3] }],
    [{ minimum: 1 }, { maximum: 0 }],
    [tagged("a"), tagged("a")],
  ])
    await refused(
      async () => automatonOf({ oneOf }),
      "request",
      /^responseFormat\.schema\/oneOf: cannot be seen to exclude/,
    );
});

tests("references: recursive ones end, and what only refers to itself is refused", async () => {
  const tree = {
    $defs: {
      node: {
        type: "object",
        properties: { v: { type: "integer" }, next: { $ref: "#/$defs/node" } },
        required: ["v"],
        additionalProperties: false,
      },
    },
    $ref: "#/$defs/node",
  };
  check(tree, ['{"v":1}', '{"v":1,"next":{"v":2,"next":{"v":3}}}'], ['{"next":{"v":1}}', '{"v":1,"next":{}}']);
  check({ type: "array", items: { $ref: "#" } }, ["[]", "[[], [[]]]"], ["[1]"]);
  check(
    {
      properties: { "a/b": { $ref: "#/$defs/x~1y" } },
      $defs: { "x/y": { type: "null" } },
      type: "object",
      additionalProperties: false,
    },
    ['{"a/b":null}'],
    ['{"a/b":1}'],
  );
  // Every way of these leads on for ever.
  const endless = { type: "object", properties: { n: { $ref: "#" } }, required: ["n"] };
  await refused(async () => automatonOf(endless), "request", /^responseFormat\.schema: no value fits it$/);
  const loop = { $ref: "#/$defs/loop" };
  const either = {
    $defs: { loop: { type: "object", properties: { n: loop }, required: ["n"] } },
    anyOf: [{ type: "array", items: loop, minItems: 1 }, { type: "null" }],
  };
  check(either, ["null"], []);
  assert.is(takes(automatonOf(either), "["), undefined);
  for (const schema of [
    { $ref: "#" },
    { anyOf: [{ $ref: "#" }, { type: "null" }] },
    { $defs: { a: { $ref: "#/$defs/b" }, b: { $ref: "#/$defs/a" } }, $ref: "#/$defs/a" },
  ])
    await refused(async () => automatonOf(schema), "request", /itself/);
  for (const $ref of ["other.json", "#/$defs/none", "#/type", "#x"])
    await refused(async () => automatonOf({ type: "null", $ref }), "request", /^responseFormat\.schema\/\$ref: /);
});

tests("ways that stand before the same word are one: nesting costs no more than the text", () => {
  const schema = {
    $defs: {
      n: {
        anyOf: [
          { type: "array", items: { $ref: "#/$defs/n" }, minItems: 1 },
          { type: "array", items: { $ref: "#/$defs/n" }, maxItems: 1 },
          { type: "integer" },
        ],
      },
    },
    $ref: "#/$defs/n",
  };
  const automaton = automatonOf(schema);
  const depth = 300;
  let state: State | null = automaton.start;
  for (const char of `${"[".repeat(depth)}1${"]".repeat(depth)}`) {
    state = state && automaton.step(state, char.charCodeAt(0));
    assert.ok(state !== null && state.ways.length < 12);
  }
  assert.ok(state?.complete);
  assert.is(takes(automaton, "[[1,2]]"), true);
  assert.is(takes(automaton, "[[], 2]"), true);
  // The same list within two objects: what follows it is either's.
  const list = { $ref: "#/$defs/list" };
  const object = (key: string) => ({ type: "object", properties: { a: list, [key]: true }, required: ["a", key] });
  check(
    { $defs: { list: { type: "array", items: { type: "null" } } }, anyOf: [object("b"), object("c")] },
    ['{"a":[null],"b":1}', '{"a":[],"c":1}'],
    ['{"a":[]}', '{"b":1}'],
  );
});

tests("every keyword that is not kept is refused by name, and every other for its form", async () => {
  for (const [schema, message] of [
    [{ patternProperties: {} }, /: the keyword "patternProperties" is not supported; name the properties/],
    [{ not: {} }, /"not" is not supported/],
    [{ if: {} }, /"if" is not supported; use anyOf/],
    [{ minimun: 1 }, /"minimun" is not supported; did you mean minimum\?/],
    [{ properties: { x: { contains: {} } } }, /^responseFormat\.schema\/properties\/x: the keyword "contains"/],
    [{ multipleOf: 0.1 }, /^responseFormat\.schema\/multipleOf: must be 1, got 0.1/],
    [{ exclusiveMinimum: true }, /exclusiveMinimum: must be a number, got true/],
    [{ items: [{}] }, /items: must be a schema/],
    [{ type: "int" }, /type: must be one of null, boolean/],
    [{ anyOf: [] }, /anyOf: must be a list of schemas, one at least/],
    [{ enum: "a" }, /enum: must be a list of values/],
    [{ required: [1] }, /required: must be a list of names/],
    [{ minLength: -1 }, /minLength: must be a whole number/],
    [{ format: "uri" }, /format: must be one of date, /],
    [{ properties: { a: {} }, minProperties: 1 }, /minProperties and maxProperties are not supported beside/],
    [{ enum: [[1]], minItems: 1 }, /minItems: is not supported beside an enum/],
    [{ properties: { a: { $id: "x" } } }, /"\$id" is not supported/],
    [false, /no value fits/],
    [{ type: "string", minLength: 3, maxLength: 2 }, /no value fits/],
    [{ type: "array", minItems: 2, maxItems: 1 }, /no value fits/],
    [{ type: "string", pattern: "^a$", minLength: 2 }, /no value fits/],
  ] as const)
    await refused(async () => automatonOf(schema), "request", message);
  const annotated = {
    $schema: "x",
    $id: "y",
    $comment: "c",
    title: "t",
    description: "d",
    default: 1,
    examples: [1],
    deprecated: true,
    readOnly: true,
    type: "null",
  };
  check(annotated, ["null"], ["1"]);
});

tests("what is no JSON, or too much of it, is no schema", async () => {
  const deep = (levels: number): unknown => (levels === 0 ? { type: "null" } : { items: deep(levels - 1) });
  const circle: Record<string, unknown> = {};
  circle["items"] = circle;
  for (const schema of [
    { default: () => 1 },
    { default: NaN },
    { default: 5n },
    { default: new Map() },
    deep(70),
    circle,
    { enum: Array.from({ length: 30_000 }, () => 1) },
    { title: "x".repeat(500_000) },
  ])
    await refused(async () => copied(schema), "request", /^responseFormat\.schema/);
  assert.equal(JSON.stringify(copied({ a: undefined, __proto__: null, b: [1] })), '{"b":[1]}');
});

tests("hostile schemas end, in one way or the other, and soon", () => {
  const next = whole(77);
  const many = (count: number, make: (i: number) => unknown) =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, make(i)]));
  const refs = (count: number, make: (i: number) => unknown) => ({ $defs: many(count, make), $ref: "#/$defs/k0" });
  const hostile: unknown[] = [
    refs(30, (i) => ({
      anyOf: Array.from({ length: 4 }, (_, j) => ({
        type: "object",
        properties: { [`p${j}`]: { $ref: `#/$defs/k${(i + j + 1) % 30}` } },
      })),
    })),
    refs(200, (i) => ({
      allOf: [{ $ref: `#/$defs/k${Math.min(i + 1, 199)}` }, { properties: { [`q${i}`]: true } }].slice(
        i === 199 ? 1 : 0,
      ),
    })),
    refs(40, (i) => ({
      allOf: [
        {
          anyOf: [{ $ref: `#/$defs/k${(i + 1) % 40}` }, { type: "array", items: { $ref: `#/$defs/k${(i * 7) % 40}` } }],
        },
        { anyOf: [{ required: [`a${i}`] }, { required: ["b"] }] },
      ],
    })),
    { allOf: Array.from({ length: 20 }, (_, i) => ({ anyOf: [{ required: [`a${i}`] }, { required: [`b${i}`] }] })) },
    { properties: many(3000, (i) => ({ enum: [`v${i}`, i] })) },
    { anyOf: Array.from({ length: 900 }, (_, i) => ({ type: "string", pattern: `^${i}[a-z]{1,20}$` })) },
    { type: "string", allOf: Array.from({ length: 12 }, (_, i) => ({ pattern: `[${"abcdefghijkl"[i]}]` })) },
    { type: "string", pattern: "(?:a?){40}a{40}" },
    { type: "string", pattern: "^(?:[^a]|a(?!b)|.){900}$" },
    { type: "string", pattern: "^(\\p{L}|\\p{N}|\\p{P}){1,900}$" },
    { type: "string", minLength: 2 ** 40, maxLength: 2 ** 50 },
    { type: "array", minItems: 2 ** 40, items: { type: "array", minItems: 2 ** 40 } },
    {
      oneOf: Array.from({ length: 500 }, (_, i) => ({
        type: "object",
        properties: { k: { const: i } },
        required: ["k"],
      })),
    },
  ];
  let refusals = 0;
  for (const [i, schema] of hostile.entries()) {
    const before = performance.now();
    try {
      const automaton = automatonOf(schema);
      let state: State | null = automaton.start;
      for (let step = 0; step < 60 && state !== null; step++) {
        const bytes = Array.from({ length: 256 }, (_, byte) => byte).filter(
          (byte) => automaton.step(state!, byte) !== null,
        );
        if (bytes.length === 0) break;
        state = automaton.step(state, bytes[next(bytes.length)]);
      }
    } catch (error) {
      assert.ok(error instanceof LlariatError && error.code === "request", `${i}: ${String(error)}`);
      refusals++;
    }
    const ms = performance.now() - before;
    if (process.env["LLARIAT_TIMES"]) console.log(`note: hostile schema ${i}: ${ms.toFixed(0)} ms`);
  }
  assert.ok(refusals > 2 && refusals < hostile.length, `${refusals}`);
});

tests.run();
