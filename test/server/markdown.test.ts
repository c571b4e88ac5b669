// The page's Markdown: what models write becomes elements, what they should not write stays text, and time grows with the text alone.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { markdown } from "../../src/server/page/markdown.ts";
import type { Node } from "../../src/server/page/tree.ts";

const test = suite("server: markdown");

/** A tree as a line: `p(a strong(b))`, attributes in brackets. */
const line = (node: Node): string => {
  if (typeof node === "string") return JSON.stringify(node);
  const attributes = Object.entries(node.attributes ?? {}).map(([name, value]) => `[${name}=${value}]`);
  return `${node.tag}${attributes.join("")}(${node.children.map(line).join(" ")})`;
};
const shown = (text: string): string => markdown(text).map(line).join(" ");

const CASES: readonly (readonly [text: string, tree: string])[] = [
  ["a **b** *c* ***d*** __e__ _f_ ~~g~~", 'p("a " strong("b") " " em("c") " " strong(em("d")) " " strong("e") " " em("f") " " del("g"))'],
  ["snake_case_name 2 * 3 * 4 **open *too", 'p("snake_case_name 2 * 3 * 4 **open *too")'],
  ["a_b_ c _d_e", 'p("a_b_ c _d_e")'],
  ["\\*no\\* `**x**` ``a ` b`` `open", 'p("*no* " code("**x**") " " code("a ` b") " `open")'],
  ["# T ##\nText\nmore", 'h3("T") p("Text" br() "more")'],
  ["- a\n- b\n  - c\n- d\n\n3) e\n4) f", 'ul(li("a") li("b" ul(li("c"))) li("d")) ol[start=3](li("e") li("f"))'],
  ["1. a\n\n   b\n2. c\n\nend", 'ol(li(p("a") p("b")) li("c")) p("end")'],
  ["```js\nlet a = `1`;\n\n<b>\n```\nafter", 'pre[data-language=js]("let a = `1`;\\n\\n<b>") p("after")'],
  ["~~~\nnever closed", 'pre[data-language=]("never closed")'],
  ["> a\n> - b\n\n---", 'blockquote(p("a") ul(li("b"))) hr()'],
  ["| a | b |\n|---|:-:|\n| *1* |", 'table(thead(tr(th("a") th("b"))) tbody(tr(td(em("1")) td())))'],
  ["a | b\nno table", 'p("a | b" br() "no table")'],
  ["[x](https://a.b/c_(d)) ![p](http://q/r.png)", 'p(a[href=https://a.b/c_(d)]("x") " " a[href=http://q/r.png]("p"))'],
  ["see https://x.y/z_1. (http://q.r)", 'p("see " a[href=https://x.y/z_1]("https://x.y/z_1") ". (" a[href=http://q.r]("http://q.r") ")")'],
]; // prettier-ignore
for (const [text, tree] of CASES) test(JSON.stringify(text), () => assert.is(shown(text), tree));

test("no element but those of Markdown, no attribute but three, no address but of http and mail", () => {
  const TAGS = /^(p|h[3-6]|ul|ol|li|pre|code|blockquote|hr|br|table|thead|tbody|tr|th|td|strong|em|del|a)$/;
  const hostile = [
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "[a](javascript:alert(1)) [b](JaVaScRiPt:alert(1)) [c](data:text/html,x) <javascript:alert(1)>",
    '[d](https://x" onclick="alert(1)) [e](https://x "title" onclick=alert(1))',
    "[f](<javascript:alert(1)>) ![g](javascript:x) [h]( javascript:x) [i](&#106;avascript:x)",
    "``` js onclick=x\ncode\n```",
  ];
  const visit = (node: Node): void => {
    if (typeof node === "string") return;
    assert.match(node.tag, TAGS);
    for (const [name, value] of Object.entries(node.attributes ?? {})) {
      assert.ok(["href", "start", "data-language"].includes(name), name);
      if (name === "href") assert.match(value, /^(https?:\/\/|mailto:)[^\s<>]*$/i);
    }
    node.children.forEach(visit);
  };
  for (const text of hostile) markdown(text).forEach(visit);
  assert.match(shown(hostile[0]), /^p\("<script>/);
  assert.not.match(shown(hostile[1]), /href/);
});

/** Nodes in each other. */
const depth = (nodes: readonly Node[]): number =>
  nodes.reduce((most, node) => Math.max(most, typeof node === "string" ? 0 : 1 + depth(node.children)), 0);

test("hostile texts of 40,000 characters end, and make no deep trees", () => {
  const parts = ["*a ", "`", "`a` ", "[", "[a](", "> ", "- ", "**a", "_a", "~~a ", "a]", "<http://", "|", "- a\n\n", "# ", "[a](b(", "1. "]; // prettier-ignore
  for (const part of parts) {
    const text = part.repeat(40_000 / part.length);
    // What is quadratic here takes minutes, and the suite's own limit ends it.
    assert.ok(depth(markdown(text)) < 60, JSON.stringify(part));
    assert.ok(depth(markdown(`${text}\n${text.split("").reverse().join("")}`)) < 60, JSON.stringify(part));
  }
});

test.run();
