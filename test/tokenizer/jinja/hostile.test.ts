// Templates that want too much, or out: each ends with a typed fault, soon and in bounded memory.

import { spawnSync } from "node:child_process";
import * as assert from "uvu/assert";
import { suite } from "uvu";

import { Fault, Template } from "../../../tokenizer/jinja/index.ts";
import type { FaultKind } from "../../../tokenizer/jinja/fault.ts";

const test = suite("jinja hostile");
/** Seconds of this process, so that what else the machine does is not counted. */
const SECONDS = 2;

/** Runs `work` and asks whether it took no more than SECONDS. */
function quickly(what: string, work: () => void): void {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  assert.ok((user + system) / 1e6 < SECONDS, `${what} takes ${(user + system) / 1e6} s`);
}

const render = (template: string, variables = {}): string => new Template(template).render(variables, () => "");
const grow = (step: string, turns = 99) =>
  `{% set ns = namespace(x='ab', l=[1], d=()) %}{% for i in range(${turns}) %}${step}{% endfor %}`;
const many = (step: string) =>
  `{% for i in range(100000) %}{% for j in range(100000) %}${step}{% endfor %}{% endfor %}`;
const paid = (set: string, value: string) => `${set}{% for i in range(100000) %}{% set z = ${value} %}{% endfor %}`;
const nest = (open: string, close: string, depth: number) => `{{ ${open.repeat(depth)}1${close.repeat(depth)} }}`;

/** By what they want: templates, and as what they are refused. */
const ATTACKS: Readonly<Record<string, readonly [FaultKind, readonly string[]]>> = {
  "time": ["Limit", [
    many(""), many("{{ loop.changed(i) }}"), many("{% set x = range(100000) | list %}"), many("{% set x = range(100000) | map('abs') | select('odd') | list %}"),
    "{% for a in range(100000) %}{% for b in range(100000) if false %}{% endfor %}{% endfor %}",
    "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(99) }}",
    "{% set x = 'a' * 3000000 %}{% set y = 'a' * 1000000 ~ 'b' ~ 'a' * 1000000 %}{% for i in range(100) %}{% set z = y in x %}{% endfor %}",
    "{% set x = 'a' * 10000000 ~ 'b' %}{% set y = 'a' * 10000000 ~ 'c' %}{% for i in range(100000) %}{% set z = x == y %}{% endfor %}",
    "{% set x = ' ' * 30000000 %}{% for i in range(1000) %}{% set y = x.strip() %}{% endfor %}", "{% set x = 'a b ' * 1000000 %}{% for i in range(1000) %}{% set y = x | title %}{% endfor %}",
    "{% set ns = namespace(s='') %}{% for i in range(100000) %}{% set ns.s = ns.s ~ 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' %}{% if ns.s.endswith('y') %}{% endif %}{% endfor %}",
    "{% for i in range(1000) %}{% set x = range(100000) | sort(reverse=true) %}{% endfor %}",
  ]],
  "work that grows with a text or a list": ["Limit", [
    paid("{% set x = 'a' * 2000000 %}{% set d = {'b': 1} %}", "(x ~ i) in d"), paid("{% set x = 'a' * 2000000 %}", "''[x ~ i]"), paid("{% set x = ('a' * 2000000) | safe %}{% set y = ('a' * 2000000) | safe %}", "(x ~ i) | safe == (y ~ i) | safe"),
    paid("{% set x = 'a' * 2000000 %}", "x % ()"), paid("{% set x = 'a' * 2000000 %}", "x.format()"), paid("{% set x = 'a' * 2000000 %}", "x is lower"), paid("{% set x = 'A' * 2000000 %}", "x is upper"),
    paid("{% set y = ('b',) * 1000000 %}", "'a'.startswith(y)"), paid("{% set x = 'a' * 2000000 %}{% set y = (x,) * 1000 %}", "(x ~ 'b').endswith(y)"), paid("{% set x = '🙂' * 1000000 %}", "x[-9:-1]"), paid("{% set x = '🙂' * 1000000 %}", "x.find('y', -9, -1)"),
    paid("{% set x = '𝟿' * 200000 %}", "x | float"), paid("{% set x = 'é' * 2000000 %}", "'%.1a' % x"),
    paid("{% set x = 3 ** 500000 %}", "{(x, i): 1}"), paid("", "{}.fromkeys(range(0, 2 ** 64 * 100000, 2 ** 64))"), paid("{% set x = 3 ** 500000 %}{% set y = 3 ** 499990 + 1 %}", "x / y"),
    grow("{% set ns.l = [ns.l, ns.l] %}", 90).replace("l=[1]", "l=[]") + "{{ ns.l | pprint }}",
  ]],
  "dicts, scopes and names that are gone through again and again": ["Limit", [
    paid("{% set d = {}.fromkeys(range(100000) | map('string')) %}", "cycler(1, **d)"), "{% macro f() %}{{ kwargs }}{% endmacro %}" + paid("{% set d = {}.fromkeys(range(100000) | map('string')) %}", "f(**d)"),
    ...["d.items() | first", "1 in d.values()", "d.items() == e.items()"].map((value) => paid("{% set d = {}.fromkeys(range(100000), 1) %}{% set e = {}.fromkeys(range(1, 100001)) %}", value)),
    "{% set d = {}.fromkeys(range(100000)) %}{% for i in range(100000) %}{% for k in d %}{% break %}{% endfor %}{% endfor %}",
    paid("{% set a = 'a,' * 500000 %}", "[] | sort(attribute=a)"), paid("{% set a = 'a.' * 500000 %}", "[] | sum(attribute=a)"), paid("{% set l = ['ab:'] * 100000 %}", "'a b c d e f' | urlize(extra_schemes=l)"),
    `{% for i in range(100000) %}{% if 0 %}${Array.from({ length: 5000 }, (_, i) => `{{ a${i} }}`).join("")}{% endif %}{% endfor %}`,
    `{% for i in range(100000) %}{% if 1${" and 1".repeat(2000)} %}{% endif %}{% endfor %}`,
    Array.from({ length: 100 }, (_, i) => `{% for a${i} in [1] %}${"{{ x }}".repeat(1500)}`).join("") + "{% endfor %}".repeat(100),
  ]],
  "dates and long integers": ["Limit", [
    paid("{% set f = '%c' * 500000 %}", "strftime_now(f)"), "{{ strftime_now('%c' * 10000000) }}", paid("{% set x = 2 ** 65000 %}", "-x"), paid("{% set x = 2 ** 65000 %}", "x.bit_count()"),
    paid("{% set x = 2 ** 65000 %}", "'%x' % x"), paid("{% set x = 2 ** 65000 %}", "'{:b}'.format(x)"), paid("{% set x = 3 ** 32000 %}{% set y = 3 ** 16000 %}", "x % y"), paid("", "3 ** 32000"),
    "{{ ('f' * 1000000) | int(0, 16) }}", "{{ ('z' * 1000000) | int(0, 36) }}", `{{ 0x${"f".repeat(1000000)} > 1 }}`, paid("{% set x = 3 ** 32000 %}", "x | round(-4000)"),
  ]],
  "texts": ["Limit", [
    "{{ 'x' * 1000000000 }}", "{{ 'x' * 10 ** 30 }}", grow("{% set ns.x = ns.x ~ ns.x %}"), grow("{% set ns.x = ns.x + ns.x %}"), grow("{% set ns.x = ns.x | replace('a', 'aa') %}"),
    many("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"), "{{ '%1000000000d' % 1 }}", "{{ '{:1000000000}'.format(1) }}", "{{ '%.1000000000f' % 1.5 }}", "{{ 'a'.ljust(1000000000) }}", "{{ 'a'.zfill(1000000000) }}",
    "{{ 'a' | center(1000000000) }}", "{{ 'a\\nb' | indent(1000000000) }}", "{{ '\\t\\t'.expandtabs(1000000000) }}", "{{ [1] | tojson(indent=1000000000) }}", "{{ range(100000) | join('x' * 10000) }}", "{{ ('<' * 10000000) | e }}",
    grow("{% set ns.x = ns.x ~ ns.x %}", 23) + "{% for i in range(1000) %}{% set ns.l = ns.l + [(ns.x ~ i) | upper] %}{% endfor %}",
  ]],
  "lists and numbers": ["Limit", [
    "{{ [1] * 1000000000 }}", grow("{% set ns.l = ns.l + ns.l %}"), "{{ [1] | batch(1000000000, 0) | list }}", "{{ [1] | slice(1000000000, 0) | list }}", "{{ 9 ** (9 ** 9) }}", "{{ 2 ** 100000000 }}",
    "{% set ns = namespace(x=10) %}{% for i in range(99) %}{% set ns.x = ns.x * ns.x %}{% endfor %}", "{% set x = 3 ** 600000 %}{% for i in range(100000) %}{% set y = x // 7 ** 200000 %}{% endfor %}",
  ]],
  "depth": ["Limit", [
    "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}", "{% block a %}{{ self.a() }}{% endblock %}", "{% macro f() %}{% call f() %}{{ caller() }}{% endcall %}{% endmacro %}{{ f() }}",
    nest("(", ")", 100000), nest("[", "]", 5000), nest("not ", "", 100000), nest("-", "", 100000), "{% if 1 %}".repeat(20000), nest("1 + ", "", 100000), nest("1 | upper", "", 100000).replace("1 }}", "}}").replaceAll("upper1", "upper | upper"),
    grow("{% set ns.l = [ns.l] %}", 50000) + "{{ ns.l }}", grow("{% set ns.l = {'a': ns.l} %}", 50000) + "{{ ns.l | tojson }}", grow("{% set ns.d = (ns.d,) %}", 50000) + "{{ {ns.d: 1} | length }}",
    grow("{% set ns.l = [ns.l, ns.l] %}", 90) + "{{ ns.l }}", grow("{% set ns.d = (ns.d, ns.d) %}", 90) + "{{ {ns.d: 1} | length }}", "{% set ns = namespace() %}{% set ns.a = [ns] %}{{ ns.a }}",
  ]],
  "range": ["OverflowError", ["{{ range(1000000000) | length }}", "{{ range(100001) }}"]],
  "digits": ["ValueError", ["{{ 10 ** 5000 }}", `{{ ${"1".repeat(1000000)} }}`, "{{ ('1' * 10000) | int(default=x.y) }}".replace("x.y", "0") + "{{ 10 ** 4300 }}"]],
  "the caller's values": ["SecurityError", ["{{ messages.append(1) }}", "{{ messages[0].update({'role': 'x'}) }}", "{{ messages[0].pop('role') }}", "{{ messages.clear() }}", "{{ messages.__class__() }}", "{{ ''.__class__.mro }}"]],
}; // prettier-ignore

for (const [wants, [kind, templates]] of Object.entries(ATTACKS)) {
  test(`${wants}: ${templates.length} templates`, () => {
    for (const template of templates) {
      const shown = template.slice(0, 100);
      quickly(shown, () => {
        let thrown: unknown;
        try {
          render(template, { messages: [{ role: "user" }] });
        } catch (error) {
          thrown = error;
        }
        assert.instance(thrown, Fault, `${shown} is not refused`);
        assert.is((thrown as Fault).kind, kind, shown);
      });
    }
  });
}

test("many small things and texts that are written out stay within bounds of memory", () => {
  const things = [
    many("{% set ns.l = (ns.l, {}, {}, {}, {}, {}, {}, {}, {}) %}"),
    many("{% set ns.l = namespace(l=ns.l) %}"),
    many("{% set ns.l = (ns.l, [1] | map('abs'), [1] | batch(2), [1] | select) %}"),
    many("{% set ns.l = (ns.l, 'a'.upper, {}.get, [].index, ns.l.x, ns.l.y) %}"),
    grow("{% set ns.x = ns.x ~ ns.x %}", 23) +
      "{% for i in range(1000) %}{% set b = ns.x ~ i %}{% if b.startswith('x') %}{% endif %}{% set ns.d = (ns.d, b) %}{% endfor %}",
  ];
  const templates = things.map((thing) => `{% set ns = namespace(l=[]) %}${thing}`);
  const script = `
    import { Template } from ${JSON.stringify(new URL("../../../tokenizer/jinja/index.ts", import.meta.url).href)};
    const long = "{{ " + "a~".repeat(1_000_000) + "a }}";
    for (const template of [...${JSON.stringify(templates)}, long]) {
      try { new Template(template).render({}, () => ""); console.log("rendered"); } catch (error) { console.log(error.kind); }
    }`;
  const tsx = import.meta.resolve("tsx");
  const child = spawnSync(
    process.execPath,
    ["--max-old-space-size=600", "--import", tsx, "--input-type=module", "-e", script],
    { encoding: "utf8" },
  );
  assert.is(child.stdout, "Limit\n".repeat(templates.length + 1), child.stderr.slice(0, 2000));
});

test("long templates compile in time that grows with them, not with their square", () => {
  const programs: readonly (readonly [template: (i: number) => string, count: number])[] = [
    [(i) => `{% set x${i} = 1 %}{% if x${i} %}{% endif %}`, 4000],
    [(i) => `{% block b${i} %}{% endblock %}`, 30000],
    [(i) => `{% set x${i} = 1 %}{% if x${i} %}{% set y${i} = 1 %}{% elif z${i} %}{% else %}{% set w${i} = 1 %}{% endif %}`, 4000],
  ]; // prettier-ignore
  for (const [template, count] of programs) {
    const source = Array.from({ length: count }, (_, i) => template(i)).join("");
    quickly(template(0), () => assert.is(render(source), ""));
  }
  const scoped = Array.from({ length: 5000 }, (_, i) => `{% set x${i} = 1 %}{% block b${i} scoped %}{% endblock %}`);
  assert.throws(
    () => render(scoped.join("")),
    (error: unknown) => error instanceof Fault && error.kind === "Limit",
    "each block sees all names before it, which is paid for",
  );
});

test("white space inside a text costs trim no more than its length", () => {
  const long = `x${" ".repeat(1_000_000)}x`;
  for (const way of ["x | trim", "x.strip()", "x.rstrip()"]) {
    quickly(way, () => assert.is(render(`{{ ${way} }}`, { x: long }), long));
  }
});

test("nothing to repeat is nothing, however often", () => {
  assert.is(render("{{ [] * 100000000 }}{{ () * 10 ** 30 }}{{ '' * 10 ** 30 }}"), "[]()");
});

test("nothing of JavaScript is in reach", () => {
  const names = [
    "constructor",
    "__proto__",
    "prototype",
    "toString",
    "hasOwnProperty",
    "call",
    "apply",
    "size",
    "map",
    "text",
  ];
  const owners = [
    "''",
    "[]",
    "{}",
    "()",
    "1",
    "1.5",
    "none",
    "range",
    "x",
    "x.inner",
    "range(3)",
    "('' | safe)",
    "({}).items()",
  ];
  for (const name of names) {
    for (const owner of owners) {
      assert.is(
        render(`{{ ${owner}.${name} }}{{ ${owner}['${name}'] }}`, { x: { inner: [] } }),
        "",
        `${owner}.${name}`,
      );
    }
    assert.throws(
      () => render(`{{ ${name}() }}`),
      (error: unknown) => error instanceof Fault,
    );
  }
  assert.is(
    render("{{ x.__proto__.a }}|{{ x.constructor }}", {
      x: JSON.parse('{"__proto__": {"a": 1}, "constructor": 2}') as object,
    }),
    "1|2",
  );
  assert.is(({} as { a?: number }).a, undefined);
});

test("a caller's values are copied: neither they nor their accessors are touched afterwards", () => {
  let reads = 0;
  const given = { get a() { reads++; return [1]; } }; // prettier-ignore
  assert.is(render("{{ x.a }}{{ x.a }}{{ x.a }}", { x: given }), "[1][1][1]");
  assert.is(reads, 1);
  const frozen = Object.freeze({ d: Object.freeze({ k: 1 }) });
  assert.is(render("{% set d = x.d %}{% set d.k %}2{% endset %}{{ d.k }}{{ x.d.k }}", { x: frozen }), "22");
  assert.is(frozen.d.k, 1);
  const circle: unknown[] = [];
  circle.push(circle);
  assert.throws(
    () => render("{{ x }}", { x: circle }),
    (error: unknown) => error instanceof Fault && error.kind === "Limit",
  );
});

test("a template that was stopped renders again", () => {
  const template = new Template("{% for i in range(n) %}{% for j in range(n) %}{% endfor %}{% endfor %}{{ n }}");
  assert.throws(() => template.render({ n: 100000 }, () => ""));
  assert.is(
    template.render({ n: 3 }, () => ""),
    "3",
  );
});

test("a function of the caller's may render, with a budget of its own", () => {
  const inner = new Template("{% for i in range(90000) %}{% endfor %}x");
  const outer = new Template("{% for i in range(30) %}{{ f() }}{% endfor %}");
  assert.is(
    outer.render({ f: () => inner.render({}, () => "") }, () => ""),
    "x".repeat(30),
  );
  const turns = "{% for a in range(1000) %}{% for b in range(1300) %}{% endfor %}{% endfor %}";
  const f = (): string => render("{{ 1 }}");
  assert.is(render(`${turns}{{ f() }}`, { f }), "1");
  assert.throws(
    () => render(`${turns}{{ f() }}${turns}`, { f }),
    (error: unknown) => error instanceof Fault && error.kind === "Limit",
    "but the template gets no new one by it",
  );
});

test.run();
