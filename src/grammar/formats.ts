// formats.ts — what `format` may say, as patterns: each takes only texts that are of the format, if not all of them.

const DAY = String.raw`(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)|02-(?:0[1-9]|1\d|2[0-8]))`;
const DATE = String.raw`\d{4}-${DAY}`;
const TIME = String.raw`(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)`;
const BYTE = String.raw`(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)`;
const LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?";

/**
 * Patterns by format: RFC 3339 (without 29 February and leap seconds, which depend on the year and the day), RFC 4122, RFC 2673,
 * RFC 1123, RFC 5321 (without quotes and addresses in brackets).
 */
export const FORMATS: Readonly<Record<string, string>> = {
  date: `^${DATE}$`,
  time: `^${TIME}$`,
  "date-time": `^${DATE}T${TIME}$`,
  uuid: "^[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
  ipv4: String.raw`^(?:${BYTE}\.){3}${BYTE}$`,
  hostname: String.raw`^${LABEL}(?:\.${LABEL}){0,2}$`,
  email: String.raw`^[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*@${LABEL}(?:\.${LABEL}){1,2}$`,
};
