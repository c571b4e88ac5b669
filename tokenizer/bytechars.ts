// bytechars.ts — the 256 characters by which byte-level vocabularies name bytes (GPT-2, encoder.py bytes_to_unicode):
// a byte that prints as a Latin-1 character is that character, the others follow from U+0100 in order.

const prints = (byte: number): boolean => (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);

/** Byte → character. */
export const BYTE_CHARS: readonly string[] = Array.from({ length: 256 }, (_, byte) =>
  String.fromCharCode(prints(byte) ? byte : 0x100 + nameless(byte)),
);

/** How many bytes below this one print as nothing. */
function nameless(byte: number): number {
  let below = 0;
  for (let b = 0; b < byte; b++) if (!prints(b)) below++;
  return below;
}

/** UTF-16 unit → byte; -1 or, past the end, undefined for characters that stand for no byte. */
export const CHAR_BYTES: Int16Array = new Int16Array(0x144).fill(-1);
for (const [byte, char] of BYTE_CHARS.entries()) CHAR_BYTES[char.charCodeAt(0)] = byte;

/** The bytes a token of the vocabulary stands for, or undefined where one of its characters stands for none. */
export function bytesOf(token: string): Uint8Array | undefined {
  const bytes = new Uint8Array(token.length);
  for (let i = 0; i < token.length; i++) {
    const byte = CHAR_BYTES[token.charCodeAt(i)] ?? -1;
    if (byte < 0) return undefined;
    bytes[i] = byte;
  }
  return bytes;
}

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

/** The text that bytes are in UTF-8, or undefined where they are not whole characters. */
export function wholeText(bytes: Uint8Array): string | undefined {
  // most tokens are short and ASCII: no call into the decoder
  if (bytes.length < 32 && bytes.every((byte) => byte < 0x80)) return String.fromCharCode(...bytes);
  const text = utf8.decode(bytes);
  if (!text.includes("\ufffd")) return text;
  // U+FFFD may be itself; a fatal decoder would know, but a vocabulary has thousands of broken tokens to throw for
  const again = new TextEncoder().encode(text);
  return again.length === bytes.length && again.every((byte, i) => byte === bytes[i]) ? text : undefined;
}

/** The ids of <0x00> to <0xFF>, the tokens that stand for bytes in other vocabularies; -1 for those there are not. */
export function byteTokens(vocabulary: ReadonlyMap<string, number>): Int32Array {
  return Int32Array.from({ length: 256 }, (_, byte) => vocabulary.get(byteToken(byte)) ?? -1);
}

/** The name of a byte token. */
export const byteToken = (byte: number): string => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`;
