// clock.ts — Python's strftime in the C locale, which chat templates use to name today's date.

const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS = [
  ["January", "February", "March", "April", "May", "June"],
  ["July", "August", "September", "October", "November", "December"],
].flat();
const DAY_MS = 86_400_000;

const pad = (n: number, width: number, fill = "0"): string => String(n).padStart(width, fill);

function dayOfYear(date: Date): number {
  const days = Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()) - Date.UTC(date.getFullYear(), 0, 1);
  return 1 + days / DAY_MS;
}

/** Week of the year whose first day is the first Sunday (0) or Monday (1); days before are in week 0. */
const week = (date: Date, first: 0 | 1): number =>
  Math.floor((dayOfYear(date) - 1 + 7 - ((date.getDay() - first + 7) % 7)) / 7);

/** Year and week of ISO 8601: a week belongs to the year of its Thursday. */
function isoWeek(date: Date): { year: number; week: number } {
  const thursday = new Date(date.getFullYear(), date.getMonth(), date.getDate() + 4 - (date.getDay() || 7));
  return { year: thursday.getFullYear(), week: 1 + Math.floor((dayOfYear(thursday) - 1) / 7) };
}

/** A number has a width and what fills it; a text has neither. */
type Directive = (date: Date) => string | readonly [value: number, width: number, fill?: string];

const hour12 = (date: Date): number => date.getHours() % 12 || 12;

const DIRECTIVES: Readonly<Record<string, Directive>> = {
  "%": () => "%",
  a: (date) => DAYS[date.getDay()].slice(0, 3),
  A: (date) => DAYS[date.getDay()],
  b: (date) => MONTHS[date.getMonth()].slice(0, 3),
  B: (date) => MONTHS[date.getMonth()],
  c: (date) => strftime(date, "%a %b %e %H:%M:%S %Y"),
  C: (date) => [Math.floor(date.getFullYear() / 100), 2],
  d: (date) => [date.getDate(), 2],
  D: (date) => strftime(date, "%m/%d/%y"),
  e: (date) => [date.getDate(), 2, " "],
  f: (date) => pad(date.getMilliseconds() * 1000, 6),
  F: (date) => strftime(date, "%Y-%m-%d"),
  g: (date) => [isoWeek(date).year % 100, 2],
  G: (date) => [isoWeek(date).year, 4],
  h: (date) => MONTHS[date.getMonth()].slice(0, 3),
  H: (date) => [date.getHours(), 2],
  I: (date) => [hour12(date), 2],
  j: (date) => [dayOfYear(date), 3],
  k: (date) => [date.getHours(), 2, " "],
  l: (date) => [hour12(date), 2, " "],
  m: (date) => [date.getMonth() + 1, 2],
  M: (date) => [date.getMinutes(), 2],
  n: () => "\n",
  p: (date) => (date.getHours() < 12 ? "AM" : "PM"),
  P: (date) => (date.getHours() < 12 ? "am" : "pm"),
  r: (date) => strftime(date, "%I:%M:%S %p"),
  R: (date) => strftime(date, "%H:%M"),
  s: (date) => [Math.floor(date.getTime() / 1000), 1],
  S: (date) => [date.getSeconds(), 2],
  t: () => "\t",
  T: (date) => strftime(date, "%H:%M:%S"),
  u: (date) => [date.getDay() || 7, 1],
  U: (date) => [week(date, 0), 2],
  V: (date) => [isoWeek(date).week, 2],
  w: (date) => [date.getDay(), 1],
  W: (date) => [week(date, 1), 2],
  x: (date) => strftime(date, "%m/%d/%y"),
  X: (date) => strftime(date, "%H:%M:%S"),
  y: (date) => [date.getFullYear() % 100, 2],
  Y: (date) => [date.getFullYear(), 4],
  // a date without a time zone, as datetime.now() is
  z: () => "",
  Z: () => "",
};

/**
 * `date` in local time. Flags of glibc: `-` drops the padding, `_` pads with spaces, `0` with zeros, `^` is upper case.
 * An unknown directive stays as it is.
 */
export function strftime(date: Date, format: string): string {
  return format.replace(/%([-_0^]?)([a-zA-Z%])/g, (all, flag: string, letter: string) => {
    if (!Object.hasOwn(DIRECTIVES, letter)) return all;
    const shown = DIRECTIVES[letter](date);
    if (typeof shown === "string") return flag === "^" && letter !== "P" ? shown.toUpperCase() : shown;
    const [value, width, fill] = shown;
    return flag === "-" ? String(value) : pad(value, width, flag === "_" ? " " : flag === "0" ? "0" : fill);
  });
}
