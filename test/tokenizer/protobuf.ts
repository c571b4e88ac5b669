// protobuf.ts — writes the wire format, for SentencePiece files made in tests.

const varint = (value: number): number[] => {
  const bytes = [];
  let left = value >>> 0;
  for (; left > 0x7f; left >>>= 7) bytes.push((left & 0x7f) | 0x80);
  return [...bytes, left];
};

/** A field of bytes, a string or a message. */
export function field(number: number, value: Uint8Array | string): Uint8Array {
  const bytes = typeof value === "string" ? new TextEncoder().encode(value) : value;
  return join(Uint8Array.from([...varint(8 * number + 2), ...varint(bytes.length)]), bytes);
}

/** A field that is a whole number. */
export const integer = (number: number, value: number): Uint8Array =>
  Uint8Array.from([...varint(8 * number), ...varint(value)]);

/** A field that is a float. */
export function float(number: number, value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setFloat32(0, value, true);
  return join(Uint8Array.from(varint(8 * number + 5)), bytes);
}

export const join = (...parts: Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));

/** A SentencePiece file with a map of characters: a second normalizer_spec, which a reader adds to the first. */
export const withCharsmap = (model: Uint8Array, map: Uint8Array): Uint8Array => join(model, field(3, field(2, map)));
