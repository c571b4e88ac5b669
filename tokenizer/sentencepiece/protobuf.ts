// protobuf.ts — the wire format of Protocol Buffers, as far as it lies in a SentencePiece file: a message is a row of
// fields, each a key (number · 8 + wire type) and a value. Nothing is trusted: every length is checked before it is used.
// Source: protobuf.dev/programming-guides/encoding.

import { spend } from "../effort.ts";
import { refuse } from "../read.ts";

/** One field of a message. */
export interface Field {
  readonly number: number;
  /** 0: a varint, 1: 8 bytes, 2: bytes with their length before them, 5: 4 bytes. */
  readonly wire: number;
  /** A varint's low 32 bits, signed. */
  readonly integer: number;
  /** The value of the other wire types. */
  readonly bytes: Uint8Array;
}

const NOTHING = new Uint8Array(0);
/** A varint of 64 bits has at most 10 bytes. */
const MAX_VARINT = 10;
/** Steps that a message and a field cost. Published files have 262,144 pieces of three fields each. */
const [OPENED, READ] = [20, 5];

/** The fields of the message `bytes`, in order. Throws LlariatError "tokenizer" where they do not fit; `where` names the message. */
export function* fieldsOf(bytes: Uint8Array, where: string): Generator<Field> {
  let at = 0;
  const damaged = (what: string): never => refuse(`${where} is damaged: ${what} at byte ${at}`);
  const varint = (): number => {
    let low = 0;
    for (let i = 0; i < MAX_VARINT; i++) {
      if (at >= bytes.length) damaged("the message ends in a number");
      const byte = bytes[at++];
      if (i < 5) low |= (byte & 0x7f) << (7 * i);
      if (byte < 0x80) return low;
    }
    return damaged("a number of more than 64 bits");
  };
  const take = (length: number): Uint8Array => {
    if (length < 0 || length > bytes.length - at)
      damaged(`a field of ${length >>> 0} bytes, which the message has not,`);
    at += length;
    return bytes.subarray(at - length, at);
  };
  spend(OPENED);
  while (at < bytes.length) {
    spend(READ);
    const key = varint() >>> 0;
    const [number, wire] = [key >>> 3, key & 7];
    if (number === 0) damaged("a field without a number");
    if (wire === 0) yield { number, wire, integer: varint(), bytes: NOTHING };
    else if (wire === 1) yield { number, wire, integer: 0, bytes: take(8) };
    else if (wire === 2) yield { number, wire, integer: 0, bytes: take(varint()) };
    else if (wire === 5) yield { number, wire, integer: 0, bytes: take(4) };
    else damaged(`a field of wire type ${wire}`);
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The value of a field that is to be a string. */
export function stringOf(field: Field, where: string): string {
  try {
    return utf8.decode(bytesOf(field, where));
  } catch (cause) {
    if (cause instanceof TypeError) return refuse(`${where} is not UTF-8`, cause);
    throw cause;
  }
}

/** The value of a field that is to be bytes or a message. */
export function bytesOf(field: Field, where: string): Uint8Array {
  return field.wire === 2 ? field.bytes : refuse(`${where}: got wire type ${field.wire}, needed 2 (bytes)`);
}

/** The value of a field that is to be a whole number of 32 bits, a flag or a choice. */
export function integerOf(field: Field, where: string): number {
  return field.wire === 0 ? field.integer : refuse(`${where}: got wire type ${field.wire}, needed 0 (a number)`);
}

/** The value of a field that is to be a float, and is a number. */
export function floatOf(field: Field, where: string): number {
  if (field.wire !== 5) refuse(`${where}: got wire type ${field.wire}, needed 5 (a float)`);
  const { buffer, byteOffset } = field.bytes;
  const value = new DataView(buffer, byteOffset, 4).getFloat32(0, true);
  return Number.isFinite(value) ? value : refuse(`${where}: got ${value}, needed a number`);
}
