// jinja/filters/html.ts — filters for HTML: escape, safe, striptags, urlize, xmlattr. Chat templates are no HTML and hardly
// use them; they are here because Jinja2 has them.

import { checkLength, spend } from "../budget.ts";
import { compare, iterate, truth } from "../compare.ts";
import { fault } from "../fault.ts";
import { escape } from "../operators.ts";
import { joined, str } from "../print.ts";
import { pointCount, sliceText } from "../slices.ts";
import { SPACE, quote, splitSpace } from "../text.ts";
import { Dict, Markup, Undefined, typeName } from "../values.ts";
import type { Value } from "../values.ts";
import { define, needText, withMethod } from "./define.ts";

/** Names of U+00A0 to U+00FF in HTML. */
const LATIN =
  "nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn sup2 sup3 acute micro para middot " +
  "cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave Aacute Acirc Atilde Auml Aring AElig Ccedil Egrave Eacute Ecirc Euml " +
  "Igrave Iacute Icirc Iuml ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash Ugrave Uacute Ucirc Uuml Yacute THORN szlig " +
  "agrave aacute acirc atilde auml aring aelig ccedil egrave eacute ecirc euml igrave iacute icirc iuml eth ntilde ograve oacute " +
  "ocirc otilde ouml divide oslash ugrave uacute ucirc uuml yacute thorn yuml";
/** HTML has two thousand names; these are the ones that texts use. */
const ENTITIES = new Map<string, string>([
  ...LATIN.split(" ").map((name, i): [string, string] => [name, String.fromCharCode(0xa0 + i)]),
  ...Object.entries({
    AMP: "&", LT: "<", GT: ">", QUOT: '"', COPY: "\u00a9", REG: "\u00ae", amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", ndash: "–", mdash: "—", lsquo: "‘", rsquo: "’", sbquo: "‚", ldquo: "“",
    rdquo: "”", bdquo: "„", bull: "•", hellip: "…", euro: "€", trade: "™", larr: "←", uarr: "↑", rarr: "→", darr: "↓", minus: "−",
    le: "≤", ge: "≥", ne: "≠", infin: "∞", ensp: "\u2002", emsp: "\u2003", thinsp: "\u2009", zwnj: "\u200c", zwj: "\u200d",
  }),
]); // prettier-ignore

/** Names that count without a semicolon, too. */
const LEGACY = new Set([...LATIN.split(" "), "amp", "lt", "gt", "quot", "AMP", "LT", "GT", "QUOT", "COPY", "REG"]);

/** html.unescape, for numbers and the names above. */
function unescape(text: string): string {
  return text.replace(
    /&(?:#([0-9]{1,9}|[xX][0-9a-fA-F]{1,8});?|([a-zA-Z][a-zA-Z0-9]{1,31})(;?))/g,
    (all, number, name, end) => {
      if (name !== undefined) {
        const known = end === ";" ? ENTITIES.get(name as string) : undefined;
        if (known !== undefined) return known;
        for (let length = (name as string).length; length > 1; length--) {
          const part = (name as string).slice(0, length);
          if (LEGACY.has(part)) return ENTITIES.get(part)! + all.slice(1 + length);
        }
        return all;
      }
      const digits = number as string;
      const code = /^x/i.test(digits) ? Number.parseInt(digits.slice(1), 16) : Number(digits);
      if (code === 0 || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return "\ufffd";
      return String.fromCodePoint(code);
    },
  );
}

/** Takes out what begins with `open` and ends with `close`, until no more is found. */
function without(text: string, open: string, close: string): string {
  let out = "";
  let at = 0;
  for (;;) {
    const start = text.indexOf(open, at);
    const end = start < 0 ? -1 : text.indexOf(close, start);
    if (end < 0) return out + text.slice(at);
    spend(4);
    out += text.slice(at, start);
    at = end + close.length;
  }
}

const HTTP =
  /^(?:(?:https?:\/\/|www\.)(?:[\p{L}\p{N}_%-]+\.)+[a-z]{2,63}|(?:[\p{L}\p{N}_%-]{2,63}\.)+(?:com|net|int|edu|gov|org|info|mil)|https?:\/\/(?:[\d]{1,3}(?:\.[\d]{1,3}){3}|\[(?:[\da-f]{0,4}:){2}(?:[\da-f]{0,4}:?){1,6}\]))(?::[\d]{1,5})?(?:[/?#]\S*)?$/iu;
const EMAIL = /^\S+@[\p{L}\p{N}_][\p{L}\p{N}_.-]*\.[\p{L}\p{N}_]+$/u;

const count = (text: string, part: string): number => text.split(part).length - 1;

interface Links {
  /** None, or a number of code points; looked at only where there is a link. */
  readonly limit: Value;
  readonly rel: string;
  readonly target: string;
  readonly schemes: readonly string[];
}

/** One word of an escaped text, as a link if it is one (jinja2.utils.urlize). */
function link(word: string, { limit, rel, target, schemes }: Links): string {
  // Each character at its end may be one that is looked for six times.
  spend(16 * word.length + 8);
  const head = /^(?:[(<]|&lt;)*/.exec(word)![0];
  let middle = word.slice(head.length);
  let tail = "";
  for (let found = true; found;) {
    const end = [")", ">", ".", ",", "\n", "&gt;"].find((each) => middle.endsWith(each));
    found = end !== undefined;
    if (end !== undefined) [middle, tail] = [middle.slice(0, -end.length), end + tail];
  }
  for (const [open, close] of [
    ["(", ")"],
    ["<", ">"],
    ["&lt;", "&gt;"],
  ]) {
    const opened = count(middle, open);
    if (opened <= count(middle, close)) continue;
    for (let n = Math.min(opened, count(tail, close)); n > 0; n--) {
      const end = tail.indexOf(close) + close.length;
      middle += tail.slice(0, end);
      tail = tail.slice(end);
    }
  }
  const shown = (text: string) =>
    limit !== null && compare(">", BigInt(pointCount(text)), limit) ? `${sliceText(text, null, limit, null)}...` : text;
  const anchor = (href: string, text: string, attributes = rel + target) =>
    `<a href="${href}"${attributes}>${text}</a>`;
  if (HTTP.test(middle)) {
    middle = anchor(/^https?:\/\//.test(middle) ? middle : `https://${middle}`, shown(middle));
  } else if (middle.startsWith("mailto:") && EMAIL.test(middle.slice(7))) middle = anchor(middle, middle.slice(7), "");
  else if (middle.includes("@") && !/^(?:www\.|@)/.test(middle) && !middle.includes(":") && EMAIL.test(middle)) {
    middle = anchor(`mailto:${middle}`, middle, "");
  } else {
    spend(4 * schemes.length);
    for (const scheme of schemes) {
      if (middle !== scheme && middle.startsWith(scheme)) middle = anchor(middle, middle);
    }
  }
  return head + middle + tail;
}

/** The filters of this file. */
export const HTML_FILTERS = [
  define("escape", ["s"], ([value]) => escape(value), true),
  define("e", ["s"], ([value]) => escape(value), true),
  define("forceescape", ["value"], ([value]) => escape(str(value))),
  define("safe", ["value"], ([value]) => new Markup(str(value))),
  define("striptags", ["value"], ([value]) => {
    const text = without(without(str(value), "<!--", "-->"), "<", ">");
    return unescape(joined(splitSpace(text, -1), " "));
  }),
  define("xmlattr", ["d", ["autospace", true]], ([value, autospace], { autoescape }) => {
    if (value instanceof Undefined) return value.fail();
    if (!(value instanceof Dict))
      return fault("AttributeError", `'${typeName(value)}' object has no attribute 'items'`);
    const attributes: string[] = [];
    for (const [key, each] of value.entries()) {
      if (each === null || each instanceof Undefined) continue;
      const name = needText(key, "xmlattr");
      if (/[ \t\n\r\f\v/>=]/.test(name)) fault("ValueError", `Invalid character in attribute name: ${quote(name)}`);
      attributes.push(`${escape(key).text}="${escape(each).text}"`);
    }
    const text = (truth(autospace) && attributes.length > 0 ? " " : "") + joined(attributes, " ");
    return autoescape ? new Markup(text) : text;
  }),
  define(
    "urlize",
    ["value", ["trim_url_limit", null], ["nofollow", false], ["target", null], ["rel", null], ["extra_schemes", null]],
    ([value, limit, nofollow, target, rel, extra], { autoescape }) => {
      const rels = new Set(truth(rel) ? splitSpace(withMethod(rel, "split"), -1) : []);
      if (truth(nofollow)) rels.add("nofollow");
      rels.add("noopener");
      const schemes = extra === null ? [] : Array.from(iterate(extra), (each) => needText(each, "urlize"));
      for (const scheme of schemes) {
        spend(8 + scheme.length);
        if (!/^[\p{L}\p{N}_.+-]{2,}:\/{0,2}$/u.test(scheme)) {
          fault("FilterArgumentError", `${quote(scheme)} is not a valid URI scheme prefix.`);
        }
      }
      const links: Links = {
        limit,
        rel: ` rel="${escape([...rels].sort().join(" ")).text}"`,
        target: target === null || !truth(target) ? "" : ` target="${escape(target).text}"`,
        schemes,
      };
      const words = escape(str(value) === "" ? "" : value).text.split(new RegExp(`([${SPACE}]+)`));
      const text = words.map((word) => link(word, links)).join("");
      checkLength(text.length);
      return autoescape ? new Markup(text) : text;
    },
  ),
];
