// What every template finds, and what becomes of a caller's values.

import * as assert from "uvu/assert";
import { suite } from "uvu";

import { FILTERS } from "../../../tokenizer/jinja/filters/index.ts";
import { FILTER_NAMES } from "../../../tokenizer/jinja/filters/names.ts";
import { Fault, Template } from "../../../tokenizer/jinja/index.ts";
import { TESTS } from "../../../tokenizer/jinja/tests.ts";

const test = suite("jinja builtins");
const show = (template: string, variables = {}) => new Template(template).render(variables, (format) => `<${format}>`);
const kind = (template: string, variables = {}) => {
  try {
    return show(template, variables);
  } catch (error) {
    return error instanceof Fault ? error.kind : error;
  }
};

/** jinja2.tests.TESTS of 3.1.6. */
const TEST_NAMES =
  "odd even divisibleby defined undefined filter test none boolean false true integer float lower upper string mapping number sequence iterable " +
  "callable sameas escaped in == eq equalto != ne > gt greaterthan ge >= < lt lessthan <= le";

test("every filter and test of Jinja2 is there, and no other", () => {
  assert.equal([...FILTERS.keys()].sort(), [...FILTER_NAMES].sort());
  assert.is(FILTER_NAMES.size, 54);
  assert.equal([...TESTS.keys()].sort(), TEST_NAMES.split(" ").sort());
});

test("a caller's values: numbers as JavaScript writes them, bigints, Maps, what is undefined, functions", () => {
  const given = {
    i: 7,
    f: 0.5,
    small: 1e-7,
    minus: -0,
    large: 1e20,
    huge: 1e21,
    big: 2n ** 70n,
    nan: NaN,
    inf: -Infinity,
  };
  assert.is(
    show("{{ [i, f, small, minus, large, huge, big, nan, inf] }}", given),
    "[7, 0.5, 1e-07, -0.0, 100000000000000000000, 1e+21, 1180591620717411303424, nan, -inf]",
  );
  const order = new Map<unknown, unknown>([["2", 1], [1, "x"], [null, [true]]]); // prettier-ignore
  assert.is(show("{{ x }}{{ x | length }}", { x: order }), "{'2': 1, 1: 'x', None: [True]}3");
  assert.is(show("{{ x }}", { x: { a: undefined, b: null, c: [undefined] } }), "{'b': None, 'c': [None]}");
  assert.is(show("{{ x is defined }}{{ x }}", { x: undefined }), "False");
  const said: unknown[] = [];
  const f = (...args: unknown[]) => said.push(...args);
  assert.is(show("{{ f(1, 'a', none, [2.5, {'k': true}], key=2) }}", { f }), "5");
  assert.is(JSON.stringify(said), '[1,"a",null,[2.5,{"k":true}],{"key":2}]');
  assert.is(kind("{{ x }}", { x: Symbol("s") }), "TypeError");
});

test("keys of dicts are Python's: equal ones are one, which keeps its place and takes the last value", () => {
  assert.is(show("{{ {1: 'a', true: 'b', 1.0: 'c'} }}"), "{1: 'c'}");
  assert.is(show("{{ {'a': 1, 'b': 2, 'a': 3} }}"), "{'a': 3, 'b': 2}");
  assert.is(show("{{ {(1, 'a'): 1, (1.0, 'a'): 2, none: 3, '1': 4} }}"), "{(1, 'a'): 2, None: 3, '1': 4}");
  assert.is(
    show("{{ {range(3): 1}[range(3)] }}{{ {range(3): 1}[range(0, 3, 1)] }}{{ {range(0): 1}[range(5, 5)] }}"),
    "111",
  );
  assert.is(show("{{ {range(4, 5): 1}[range(4, 9, 7)] }}{{ range(3) in {range(4): 1, range(0, 6, 2): 2} }}"), "1False");
  assert.is(
    show(
      "{{ {range(3): 1}['\\0range 3 0 1'] }}{{ {2 ** 70: 1, 2.0 ** 70: 2}[2 ** 70] }}{{ {-(2 ** 70): 1}[2 ** 70] }}",
    ),
    "2",
  );
  assert.is(show("{{ 1 in {'1': 0} }}{{ true in {1: 0} }}{{ ('a', 'b') in {('a,b',): 0} }}"), "FalseTrueFalse");
});

test("numbers as Python has them: ints divided with one rounding, digits of any script, !a", () => {
  assert.is(show("{{ 1 / 10 ** 290 }} {{ -3 / 10 ** 300 }} {{ 10 ** 400 / 10 ** 100 }}"), "1e-290 -3e-300 1e+300");
  // 2 ** -1074 is the smallest float; halves of it go to the even neighbour
  assert.is(
    show("{{ 1 / 2 ** 1074 }} {{ 1 / 2 ** 1075 }} {{ 3 / 2 ** 1075 }} {{ 5 / 2 ** 1075 }}"),
    "5e-324 0.0 1e-323 1e-323",
  );
  // half a unit of 53 bits above and a little more; half a unit of a subnormal of 52 bits and a little more
  assert.is(
    show("{{ (2 ** 200 + 2 ** 147) / 2 ** 200 == 1 }} {{ (2 ** 200 + 2 ** 147 + 1) / 2 ** 200 }}"),
    "True 1.0000000000000002",
  );
  assert.is(
    show("{{ (2 ** 52 - 1) * (2 ** 1100) / 2 ** 2174 }} {{ ((2 ** 53 - 1) * 2 ** 99 + 1) / 2 ** 1174 }}"),
    "2.225073858507201e-308 2.2250738585072014e-308",
  );
  assert.is(kind("{{ 10 ** 400 / 3 }}"), "OverflowError");
  assert.is(show("{{ '𝟘' | int(7) }}{{ '𝟗' | int }}{{ '𝟶𝟿' | int }}{{ '٣' | int }}{{ '๙' | int }}"), "09939");
  // floats whose shortest digits are a power of ten above them
  assert.is(show("{{ '%.17g %.18e' % (1e-7, 1e-7) }}"), "9.9999999999999995e-08 9.999999999999999547e-08");
  assert.is(show("{{ '%.20e' % 1e23 }}"), "9.99999999999999916114e+22");
  assert.is(show("{{ '{:#} {:#.3} {:.17}'.format(1e16, 5.0, 1e-7) }}"), "1.e+16 5.00 9.9999999999999995e-08");
  assert.is(show("{{ '{0!a} {0!r} {0!s}'.format('é😀') }}"), "'\\xe9\\U0001f600' 'é😀' é😀");
});

test("what this engine does not have is refused by name, not printed differently", () => {
  for (const template of [
    "{{ 'a'.encode() }}",
    "{{ {}.keys() - {}.keys() }}",
    "{{ (0 - 8) ** 0.5 }}",
    "{{ lipsum() }}",
  ]) {
    assert.is(kind(template), "TypeError", template);
  }
  assert.is(kind(String.raw`{{ '\N{DIGIT ONE}' }}`), "TemplateSyntaxError");
  assert.is(kind("{% include 'x' %}"), "TypeError");
  assert.is(kind("{% if false %}{% include 'x' %}{% endif %}ok"), "ok");
});

test("a loop is left where break leaves it, and its generator goes on", () => {
  const template =
    "{% set g = [1, 2, 3] | map('string') %}{% for x in g %}{{ x }}{% break %}{% endfor %}|{{ g | join }}";
  assert.is(show(template), "1|23");
  assert.is(show("{% for x in [1, 2] %}{% continue %}{% else %}none{% endfor %}"), "none", "as in Jinja2");
});

test("scopes: what a name means is decided before it runs", () => {
  assert.is(show("{% for i in [1, 2] %}{{ x }}{% set x = i %}{% endfor %}{{ x }}", { x: "o" }), "ooo");
  assert.is(show("{% if false %}{% set x = 1 %}{% endif %}{{ x }}", { x: "o" }), "o");
  assert.is(show("{% macro f() %}{{ g }}{% endmacro %}{% set g = 1 %}{{ f() }}{% set g = 2 %}{{ f() }}"), "12");
  assert.is(show("{% set l = [] %}{% for x in [1] %}{% macro f() %}{{ x }}{% endmacro %}{{ f() }}{% endfor %}"), "1");
  assert.is(show("{% set x = 1 %}{% block b %}{{ x }}{% set x = 2 %}{% endblock %}{{ x }}{{ self.b() }}"), "111");
  assert.is(show("{% for x in [1] %}{% block b scoped %}{{ x }}{% endblock %}{% endfor %}"), "1");
});

test.run();
