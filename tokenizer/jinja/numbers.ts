// jinja/numbers.ts — Python's int and float: exact decimal digits, printing, parsing, arithmetic.

import { spend, spendText } from "./budget.ts";
import { fault, typeError } from "./fault.ts";
import { strip } from "./text.ts";

/** Python refuses to print or read integers of more digits (sys.int_info.default_max_str_digits). */
const MAX_DIGITS = 4300;
/**
 * Longest integer, in bits: some times what can be printed. Python has no bound, but a template must not fill the memory with
 * 9 ** 9 ** 9.
 */
const MAX_BITS = 1 << 16;
/** Up to here an integer costs no more than the step that makes it. */
const SMALL = 1n << 64n;
/** A float has 53 bits, and the last one is at least 2 ** -1074. */
const FLOAT_BITS = 53;
const MIN_POWER = -1074;

/** Bits of the size of an integer: 0 for 0, else floor(log2) + 1. */
function bits(value: bigint): number {
  const size = value < 0n ? -value : value;
  if (size < 0x1_0000_0000n) return 32 - Math.clz32(Number(size));
  const digits = size.toString(16);
  return 4 * digits.length - (Math.clz32(Number.parseInt(digits[0], 16)) - 28);
}

function checkBits(count: number): void {
  spend(count >> 5);
  if (count > MAX_BITS) fault("Limit", `the template computes an integer of ${count} bits, needed at most ${MAX_BITS}`);
}

/** An int that was made of others, paid for. Throws the Fault "Limit" for one that is too long. */
export function paidInt(value: bigint): bigint {
  if (value < -SMALL || value > SMALL) checkBits(bits(value));
  return value;
}

/** Digits of an int in a base that is a power of two, which Python prints at any length. */
export function printRadix(size: bigint, radix: number): string {
  spendText(bits(size));
  return size.toString(radix);
}

/** Pays for what takes the product of two lengths: multiplying, dividing. */
function payProduct(a: bigint, b: bigint): void {
  spend(((bits(a) >> 6) * (bits(b) >> 6)) >> 4);
}

/** str of an int. */
export function printInt(value: bigint): string {
  const length = bits(value);
  // log10(2) digits a bit; the slow conversion is not begun for what would be refused.
  if (length > 64) {
    spend(length);
    const text = length * 0.30103 > MAX_DIGITS + 2 ? undefined : value.toString();
    if (text === undefined || text.length - (value < 0n ? 1 : 0) > MAX_DIGITS) {
      return fault("ValueError", `Exceeds the limit (${MAX_DIGITS} digits) for integer string conversion`);
    }
    return text;
  }
  return value.toString();
}

/** repr of a float: the shortest digits that read back as the same number, Python's notation. */
export function printFloat(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
  const sign = value < 0 || Object.is(value, -0) ? "-" : "";
  const [mantissa, power] = Math.abs(value).toExponential().split("e");
  return sign + asFloat(layout(mantissa.replace(".", ""), Number(power), 16));
}

/** A number of digits alone with ".0" behind it, which tells it from an int. */
export const asFloat = (text: string): string => (/^\d+$/.test(text) ? `${text}.0` : text);

/** `digits`, of which the first counts 10 ** exponent, as %g has them: with an exponent below -4 and from `limit` on. */
export function layout(digits: string, exponent: number, limit: number): string {
  if (exponent < -4 || exponent >= limit) return scientific(digits, exponent);
  if (exponent < 0) return `0.${"0".repeat(-exponent - 1)}${digits}`;
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, "0");
  const rest = digits.slice(exponent + 1);
  return rest === "" ? whole : `${whole}.${rest}`;
}

/** The same as %e has them: a sign and at least two digits of exponent. */
export function scientific(digits: string, exponent: number): string {
  const mantissa = digits.length > 1 ? `${digits[0]}.${digits.slice(1)}` : digits;
  return `${mantissa}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
}

/** A finite float as numerator / denominator, exactly. */
function ratio(value: number): { numerator: bigint; denominator: bigint } {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, Math.abs(value));
  const raw = view.getBigUint64(0);
  const exponent = Number(raw >> 52n);
  const fraction = raw & 0xf_ffff_ffff_ffffn;
  const mantissa = exponent === 0 ? fraction : fraction | (1n << 52n);
  const shift = (exponent === 0 ? 1 : exponent) - 1075;
  return shift >= 0
    ? { numerator: mantissa << BigInt(shift), denominator: 1n }
    : { numerator: mantissa, denominator: 1n << BigInt(-shift) };
}

/** numerator / denominator, to the nearest integer, half to even. */
function divideHalfEven(numerator: bigint, denominator: bigint): bigint {
  const quotient = numerator / denominator;
  const twice = 2n * (numerator - quotient * denominator);
  return twice > denominator || (twice === denominator && (quotient & 1n) === 1n) ? quotient + 1n : quotient;
}

/** |value| with `places` decimals, rounded half to even of its exact value: '%.nf' without the sign. */
export function fixed(value: number, places: number): string {
  spend(16 + places);
  const { numerator, denominator } = ratio(value);
  const digits = divideHalfEven(numerator * 10n ** BigInt(places), denominator)
    .toString()
    .padStart(places + 1, "0");
  return places === 0 ? digits : `${digits.slice(0, -places)}.${digits.slice(-places)}`;
}

/** |value| as `count` ≥ 1 significant digits, correctly rounded, and the exponent of the first. */
export function significant(value: number, count: number): { digits: string; exponent: number } {
  spend(16 + count);
  if (value === 0) return { digits: "0".repeat(count), exponent: 0 };
  const { numerator, denominator } = ratio(value);
  let exponent = Number(Math.abs(value).toExponential().split("e")[1]);
  // The shortest digits may be a power of ten right above the value.
  const power = 10n ** BigInt(Math.abs(exponent));
  if (exponent < 0 ? numerator * power < denominator : numerator < denominator * power) exponent--;
  for (;;) {
    const scale = count - 1 - exponent;
    const digits = (
      scale >= 0
        ? divideHalfEven(numerator * 10n ** BigInt(scale), denominator)
        : divideHalfEven(numerator, denominator * 10n ** BigInt(-scale))
    ).toString();
    if (digits.length === count) return { digits, exponent };
    exponent++; // rounded up to a power of ten
  }
}

/** round(value, places) of a float. */
export function roundFloat(value: number, places: number): number {
  if (!Number.isFinite(value) || places > 323) return value;
  if (places < -308) return value < 0 ? -0 : 0;
  const sign = value < 0 || Object.is(value, -0) ? -1 : 1;
  if (places >= 0) return sign * Number(fixed(value, places));
  const { numerator, denominator } = ratio(value);
  const unit = 10n ** BigInt(-places);
  return sign * Number(divideHalfEven(numerator, denominator * unit) * unit);
}

/** round(value, places) of an int. */
export function roundInt(value: bigint, places: number): bigint {
  if (places >= 0) return value;
  if (-places > MAX_DIGITS) return 0n;
  spend(-places);
  const unit = 10n ** BigInt(-places);
  const size = value < 0n ? -value : value;
  payProduct(size, unit);
  const rounded = divideHalfEven(size, unit) * unit;
  return value < 0n ? -rounded : rounded;
}

/** A float of any int. Throws the Fault "OverflowError" beyond the largest float. */
export function toFloat(value: bigint): number {
  const float = Number(value);
  return Number.isFinite(float) ? float : fault("OverflowError", "int too large to convert to float");
}

/** int(value) of a float: towards zero. */
export function truncate(value: number): bigint {
  if (Number.isNaN(value)) fault("ValueError", "cannot convert float NaN to integer");
  if (!Number.isFinite(value)) fault("OverflowError", "cannot convert float infinity to integer");
  return BigInt(Math.trunc(value));
}

const DIGIT = /\p{Nd}/u;
const DIGITS = new RegExp(DIGIT, "gu");
/** Digit of any script → its ASCII digit, as far as templates asked; Unicode has some hundreds. */
const known = new Map<string, string>();

/** Digits stand in rows of whole tens, from 0 to 9 again and again. */
function plainDigit(digit: string): string {
  const code = digit.codePointAt(0)!;
  let first = code;
  while (DIGIT.test(String.fromCodePoint(first - 1))) first--;
  const plain = String((code - first) % 10);
  known.set(digit, plain);
  return plain;
}

/** Decimal digits of any script as ASCII, white space at the ends gone. */
function plainDigits(text: string): string {
  return strip(text, null, "both").replace(DIGITS, (digit) => known.get(digit) ?? plainDigit(digit));
}

/** float(text), or JavaScript's undefined where Python raises ValueError. */
export function parseFloatText(text: string): number | undefined {
  spend(text.length);
  const plain = plainDigits(text);
  const word = /^([+-]?)(inf|infinity|nan)$/i.exec(plain);
  if (word) return word[2].toLowerCase() === "nan" ? NaN : word[1] === "-" ? -Infinity : Infinity;
  if (!/^[+-]?(?:\d+(?:_\d+)*\.?(?:\d+(?:_\d+)*)?|\.\d+(?:_\d+)*)(?:[eE][+-]?\d+(?:_\d+)*)?$/.test(plain))
    return undefined;
  return Number(plain.replaceAll("_", ""));
}

/** An int as a template writes it. Throws the Fault "ValueError" for more digits than int() reads, "Limit" for too many bits. */
export function literalInt(text: string, line: number): bigint {
  spend(text.length);
  const perDigit = { b: 1, o: 3, x: 4 }[text[1]?.toLowerCase() ?? ""];
  if (perDigit !== undefined) checkBits(perDigit * (text.length - 2));
  else if (text.length > MAX_DIGITS) fault("ValueError", `an integer of more than ${MAX_DIGITS} digits`, line);
  return BigInt(text);
}

/** int(text, base), or JavaScript's undefined where Python raises ValueError. */
export function parseIntText(text: string, base: number): bigint | undefined {
  spend(text.length);
  if (base !== 0 && (base < 2 || base > 36)) fault("ValueError", "int() base must be >= 2 and <= 36, or 0");
  const match = /^([+-]?)(?:0([bBoOxX])_?)?([0-9a-zA-Z]+(?:_[0-9a-zA-Z]+)*)$/.exec(plainDigits(text));
  if (!match) return undefined;
  const [, sign, prefix] = match;
  let digits = match[3].replaceAll("_", "").toLowerCase();
  const prefixed = prefix === undefined ? undefined : { b: 2, o: 8, x: 16 }[prefix.toLowerCase()]!;
  const radix = base === 0 ? (prefixed ?? 10) : base;
  // 0b1 in base 16 is a number of three digits.
  if (prefixed !== undefined && prefixed !== radix) digits = `0${prefix.toLowerCase()}${digits}`;
  if (base === 0 && prefixed === undefined && /^0+[1-9]/.test(digits)) return undefined;
  // Each digit is a step over all before it.
  checkBits(5 * digits.length);
  spend((digits.length * digits.length) >> 12);
  if ((radix & (radix - 1)) !== 0 && digits.length > MAX_DIGITS) {
    fault(
      "ValueError",
      `Exceeds the limit (${MAX_DIGITS} digits) for integer string conversion: value has ${digits.length} digits`,
    );
  }
  spend(digits.length * 4);
  let value = 0n;
  if (radix === 10 && /^\d+$/.test(digits)) value = BigInt(digits);
  else {
    for (const digit of digits) {
      const number = Number.parseInt(digit, 36);
      if (!(number < radix)) return undefined;
      value = value * BigInt(radix) + BigInt(number);
    }
  }
  return sign === "-" ? -value : value;
}

// ---- arithmetic; both are int, or both are float

/** a // b and a % b with Python's signs. */
export function divmodInt(a: bigint, b: bigint, what: string): [bigint, bigint] {
  if (b === 0n) fault("ZeroDivisionError", what);
  checkBits(bits(a));
  payProduct(a, b);
  const [quotient, rest] = [a / b, a % b];
  return rest !== 0n && rest < 0n !== b < 0n ? [quotient - 1n, rest + b] : [quotient, rest];
}

/** a // b and a % b of floats (CPython's float_divmod). */
export function divmodFloat(a: number, b: number, what: string): [number, number] {
  if (b === 0) fault("ZeroDivisionError", what);
  let rest = a % b;
  let quotient = (a - rest) / b;
  if (rest !== 0 && rest < 0 !== b < 0) {
    rest += b;
    quotient -= 1;
  } else if (rest === 0) rest = b < 0 ? -0 : 0;
  if (quotient === 0) return [Object.is(a / b, -0) || a / b < 0 ? -0 : 0, rest];
  const floor = Math.floor(quotient);
  return [quotient - floor > 0.5 ? floor + 1 : floor, rest];
}

/** a / b of ints. */
export function divideInt(a: bigint, b: bigint): number {
  if (b === 0n) fault("ZeroDivisionError", "division by zero");
  const [x, y] = [Number(a), Number(b)];
  if (Number.isSafeInteger(x) && Number.isSafeInteger(y)) return x / y;
  spend((bits(a) + bits(b)) >> 4);
  payProduct(a, b);
  const [numerator, denominator] = [a < 0n ? -a : a, b < 0n ? -b : b];
  // In units of this power of two the quotient is a whole number of 53 bits, or of 54: then the unit is twice as large.
  // Floats have no smaller unit than 2 ** -1074. So there is one rounding, and what follows it is exact.
  let power = Math.max(bits(a) - bits(b) - FLOAT_BITS, MIN_POWER);
  const inUnits = (): bigint =>
    power < 0
      ? divideHalfEven(numerator << BigInt(-power), denominator)
      : divideHalfEven(numerator, denominator << BigInt(power));
  let units = inUnits();
  if (units > 1n << BigInt(FLOAT_BITS)) {
    power++;
    units = inUnits();
  }
  const quotient = Number(units) * 2 ** power;
  if (!Number.isFinite(quotient)) fault("OverflowError", "integer division result too large for a float");
  return a < 0n === b < 0n ? quotient : -quotient;
}

/** a * b of ints. */
export function multiplyInt(a: bigint, b: bigint): bigint {
  checkBits(bits(a) + bits(b));
  payProduct(a, b);
  return a * b;
}

/** a ** b of ints: a float for a negative exponent. */
export function powerInt(a: bigint, b: bigint): bigint | number {
  if (b < 0n) return powerFloat(toFloat(a), toFloat(b));
  if (a === 0n || a === 1n || a === -1n) return a ** (a === -1n ? b % 2n : b > 0n ? 1n : 0n);
  const length = bits(a) * Number(b);
  checkBits(length);
  spend(((length >> 6) ** 2) >> 4);
  return a ** b;
}

/** a ** b of floats. */
export function powerFloat(a: number, b: number): number {
  if (a === 0 && b < 0) fault("ZeroDivisionError", "zero to a negative power");
  if (a < 0 && Number.isFinite(a) && Number.isFinite(b) && !Number.isInteger(b)) {
    typeError("a negative number to a fractional power is complex, which this engine does not print");
  }
  if (a === 1 || (a === -1 && !Number.isFinite(b) && !Number.isNaN(b))) return 1;
  const power = a ** b;
  if (!Number.isFinite(power) && Number.isFinite(a) && Number.isFinite(b)) {
    fault("OverflowError", "(34, 'Numerical result out of range')");
  }
  return power;
}
