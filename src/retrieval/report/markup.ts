// markup.ts — a small writer of HTML and SVG: elements as functions, every text escaped, nothing to forget.

/** Text that is markup already. */
export interface Markup {
  readonly markup: string;
}

/** What may stand inside an element; plain text is escaped. */
export type Child = Markup | string | number | null | undefined | false | readonly Child[];

/** Attributes; undefined, null and false leave one out, true writes it without a value. */
export type Attributes = Readonly<Record<string, string | number | boolean | null | undefined>>;

/** Elements of HTML without an end tag. */
const VOID = new Set(["meta", "br", "hr", "col", "link", "img"]);

/** What no XML document and no UTF-8 file may hold: control characters, lone surrogates, two noncharacters. */
const FORBIDDEN = /(?![\t\n\r])\p{Cc}|\p{Cs}|[\ufffe\uffff]/gu;

/** Text for the inside of an element or of a quoted attribute, in HTML and in XML. */
export const escape = (text: string): string =>
  text
    .replace(FORBIDDEN, "\ufffd")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");

/** Markup that is trusted as it is: the report's own style and script. */
export const raw = (markup: string): Markup => ({ markup });

/** Children as markup, one after the other. */
export function join(children: Child): string {
  if (children === null || children === undefined || children === false) return "";
  if (typeof children === "string") return escape(children);
  if (typeof children === "number") return String(children);
  return "markup" in children ? children.markup : children.map(join).join("");
}

/** An element. */
export function el(name: string, attributes: Attributes, ...children: Child[]): Markup {
  const written = Object.entries(attributes)
    .filter(([, value]) => value !== undefined && value !== null && value !== false)
    .map(([key, value]) => (value === true ? ` ${key}` : ` ${key}="${escape(String(value))}"`))
    .join("");
  return raw(VOID.has(name) ? `<${name}${written}>` : `<${name}${written}>${join(children)}</${name}>`);
}

/** A coordinate for SVG: two decimals are a hundredth of a pixel. */
export const at = (value: number): number => Math.round(value * 100) / 100;

/** The path through points; a gap where one is null. */
export function path(points: readonly (readonly [number, number] | null)[]): string {
  let pen = "M";
  return points
    .map((point) => {
      if (!point) {
        pen = "M";
        return "";
      }
      const step = `${pen}${at(point[0])} ${at(point[1])}`;
      pen = "L";
      return step;
    })
    .join("");
}

/** About `count` round numbers from `low` to `high`: steps of 1, 2 or 5 times a power of ten. */
export function ticks(low: number, high: number, count: number): number[] {
  if (!(high > low)) return [low];
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((each) => each * power >= rough * 0.999) ?? 10);
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
}

/** Round numbers for a logarithmic axis, the fewest series that gives at least three. */
export function logTicks(low: number, high: number): number[] {
  for (const digits of [[1], [1, 3], [1, 2, 5], [1, 1.5, 2, 3, 5, 7]]) {
    const found: number[] = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
      for (const digit of digits) {
        const value = digit * 10 ** power;
        if (value >= low * 0.999 && value <= high * 1.001) found.push(value);
      }
    }
    if (found.length >= 3) return found;
  }
  return ticks(low, high, 3);
}
