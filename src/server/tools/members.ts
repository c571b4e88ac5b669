// members.ts — JSON values as they were written: numbers of any length stay what they are.

/** The end of the JSON value that begins at `at`, as far as brackets and quotes tell; -1 where it does not end. */
export function endOfValue(text: string, at: number): number {
  let depth = 0;
  for (let i = at; i < text.length; i++) {
    const char = text[i];
    if (char === '"') {
      for (i++; i < text.length && text[i] !== '"'; i++) if (text[i] === "\\") i++;
      if (i >= text.length) return -1;
    } else if (char === "{" || char === "[") depth++;
    else if (char === "}" || char === "]") depth--;
    else continue;
    if (depth === 0) return i + 1;
    if (depth < 0) return -1;
  }
  return -1;
}

/** The members of a JSON object by name, each as it is written; undefined for what is no object. */
export function members(text: string): ReadonlyMap<string, string> | undefined {
  const whole = text.trim();
  if (!whole.startsWith("{") || !isJson(whole)) return undefined;
  const out = new Map<string, string>();
  const inside = whole.slice(1, -1);
  let at = 0;
  for (;;) {
    at = skip(inside, at, " \t\r\n,");
    if (at >= inside.length) return out;
    const end = endOfValue(inside, at);
    const name = JSON.parse(inside.slice(at, end)) as string;
    at = skip(inside, end, " \t\r\n:");
    const bracket = '{["'.includes(inside[at]);
    const stop = bracket ? endOfValue(inside, at) : at + /^[^,\s]*/.exec(inside.slice(at))![0].length;
    out.set(name, inside.slice(at, stop));
    at = stop;
  }
}

const skip = (text: string, from: number, chars: string): number => {
  let at = from;
  while (at < text.length && chars.includes(text[at])) at++;
  return at;
};

/** Whether a text is JSON. */
export function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
