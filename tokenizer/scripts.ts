// scripts.ts — the pre-tokenizer UnicodeScripts: cuts where the script changes, Japanese being one with Han; a space and a
// character without a script go with what is before them. The library's table of scripts is that of Unicode 9: characters
// that came later have no script there and have one here.
// Source: tokenizers, pre_tokenizers/unicode_scripts/pre_tokenizer.rs; after SentencePiece, IsValidSentencePiece.

import { slice } from "./piece.ts";
import type { Piece } from "./piece.ts";

/** ISO 15924 names, as \p{Script=…} knows them; those the engine does not know yet are left out. */
const NAMES =
  "Adlm Aghb Ahom Arab Armi Armn Avst Bali Bamu Bass Batk Beng Bhks Bopo Brah Brai Bugi Buhd Cakm Cans Cari Cham Cher " +
  "Copt Cprt Cyrl Deva Dsrt Dupl Egyp Elba Ethi Geor Glag Goth Gran Grek Gujr Guru Hang Hano Hatr Hebr Hluw Hmng Hung " +
  "Ital Java Kali Khar Khmr Khoj Knda Kthi Lana Laoo Latn Lepc Limb Lina Linb Lisu Lyci Lydi Mahj Mand Mani Marc Mend " +
  "Merc Mero Mlym Modi Mong Mroo Mtei Mult Mymr Narb Nbat Newa Nkoo Ogam Olck Orkh Orya Osge Osma Palm Pauc Perm Phag " +
  "Phli Phlp Phnx Plrd Prti Rjng Runr Samr Sarb Saur Sgnw Shaw Shrd Sidd Sind Sinh Sora Sund Sylo Syrc Tagb Takr Tale " +
  "Talu Taml Tang Tavt Telu Tfng Tglg Thaa Thai Tibt Tirh Ugar Vaii Wara Xpeo Xsux Yiii";

/** Characters that are taken for Han, whatever their script. */
const HAN = /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\u30fc]$/u;
const COMMON = /^\p{Script=Common}$/u;
const INHERITED = /^\p{Script=Inherited}$/u;
let scripts: readonly RegExp[] | undefined;
const known = new Map<string, number>();

/** A number for each script, 0 for none. */
function scriptOf(char: string): number {
  let script = known.get(char);
  if (script === undefined) {
    scripts ??= NAMES.split(" ").flatMap(pattern);
    const tests = [HAN, COMMON, INHERITED, ...scripts];
    script = char === " " ? 0 : tests.findIndex((test) => test.test(char)) + 1;
    known.set(char, script);
  }
  return script;
}

function pattern(name: string): RegExp[] {
  try {
    return [new RegExp(String.raw`^\p{Script=${name}}$`, "u")];
  } catch {
    return [];
  }
}

/** Cuts `piece` where the script changes. What comes before the first character with a script is dropped, as there. */
export function splitScripts(piece: Piece): Piece[] {
  const out: Piece[] = [];
  let start = -1;
  let at = 0;
  let last = 0;
  for (const char of piece.text) {
    const script = scriptOf(char);
    if (script !== 0 && script !== last) {
      if (start >= 0) out.push(slice(piece, start, at));
      start = at;
      last = script;
    }
    at += char.length;
  }
  if (start >= 0) out.push(slice(piece, start, at));
  return out;
}
