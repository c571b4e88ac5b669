// decode.ts — SentencePiece's way back to text, as a step that hands on what is certain (../decode.ts):
//   ▁ is a space; the one put in front when encoding goes · byte tokens are UTF-8, and each byte that is none is U+FFFD
// Source: sentencepiece src/sentencepiece_processor.cc, Decode.

import { whole } from "../decode.ts";
import type { Decoder } from "../decode.ts";
import { SPACE } from "./normalize.ts";
import type { ModelProto } from "./proto.ts";

const BYTE_TOKEN = /^<0x[0-9A-F]{2}>$/;
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** How many bytes the character has that begins with `lead`; 0 for none. */
function sizeOf(lead: number): number {
  if (lead < 0x80) return 1;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  return lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

/** The decoder of one file; `byteTokens`: whether names like <0x0A> are bytes. */
export function readSentencePieceDecoder(rules: ModelProto, dropsPrefix: boolean, byteTokens: boolean): Decoder {
  const { removeExtraWhitespaces } = rules;
  return (next) => {
    let empty = true;
    let dropped = false;
    let pending: number[] = [];
    const give = (text: string) => {
      if (text !== "") empty = false;
      next.put(text, true);
    };
    /** The characters that `pending` begins with; what may yet become one stays, unless there is no more. */
    const settle = (all: boolean) => {
      while (pending.length > 0) {
        const size = sizeOf(pending[0]);
        const fits = size > 0 && pending.slice(1, size).every((byte) => (byte & 0xc0) === 0x80);
        if (fits && pending.length < size && !all) return;
        let char = "\ufffd";
        let used = 1;
        if (fits && pending.length >= size) {
          try {
            char = utf8.decode(Uint8Array.from(pending.slice(0, size)));
            used = size;
          } catch {
            // overlong, a surrogate or beyond U+10FFFF: its bytes are none
          }
        }
        give(char);
        pending = pending.slice(used);
      }
    };
    const take = (token: string) => {
      if (byteTokens && BYTE_TOKEN.test(token)) {
        pending.push(Number.parseInt(token.slice(3, 5), 16));
        settle(false);
        return;
      }
      settle(true);
      const first = empty && !dropped;
      const drops = first && dropsPrefix && token.startsWith(SPACE);
      dropped ||= drops && !removeExtraWhitespaces;
      give((drops ? token.slice(1) : token).replaceAll(SPACE, " "));
    };
    return whole(next, take, () => settle(true));
  };
}
