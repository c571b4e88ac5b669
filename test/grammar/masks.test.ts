// Masks are what the automaton says of each token by itself, byte by byte; and an automaton forgets without changing its mind.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Automaton, type State } from "../../src/grammar/automaton.ts";
import { Grammars } from "../../src/grammar/index.ts";
import { Masks, WordMasks } from "../../src/grammar/masks.ts";
import { Reader } from "../../src/grammar/schema.ts";
import { Vocabulary } from "../../src/grammar/vocabulary.ts";
import { whole } from "../tools/random.ts";
import { refused } from "../tools/refused.ts";
import { idsOf, randomSchemas, tokenizerOf } from "./schemas.ts";

const tests = suite("masks");

for (const name of ["llama3", "llama2-metaspace", "smollm", "added-tokens"]) {
  tests(`${name}: each bit is what the bytes of its token say, in states of random schemas`, () => {
    const tokenizer = tokenizerOf(name);
    const bytes = Array.from({ length: tokenizer.idEnd }, (_, id) => tokenizer.tokenBytes(id));
    const words = new WordMasks(new Vocabulary(tokenizer, tokenizer.idEnd));
    const next = whole(11);
    const make = randomSchemas(next);
    let compared = 0;
    for (let i = 0; i < 12; i++) {
      const { schema } = i === 0 ? { schema: { type: "string", minLength: 3, maxLength: 12 } } : make(2);
      const automaton = new Automaton(new Reader(schema as never, true).read());
      const masks = new Masks(automaton, words);
      let state = automaton.start;
      for (let step = 0; step < 8; step++) {
        const allowed = idsOf(masks.mask(state));
        const wanted = bytes.flatMap((own, id) => {
          let after: State | null = own && own.length > 0 ? state : null;
          for (const byte of own ?? []) after = after && automaton.step(after, byte);
          return after ? [id] : [];
        });
        assert.equal(allowed, wanted, `${JSON.stringify(schema)}, step ${step}`);
        compared++;
        if (allowed.length === 0) break;
        for (const byte of bytes[allowed[next(allowed.length)]]!) state = automaton.step(state, byte)!;
      }
    }
    assert.ok(compared > 40);
  });
}

tests("special tokens are never inside, ids beyond the model's neither", () => {
  const tokenizer = tokenizerOf("llama3");
  const mask = new Grammars(tokenizer, 300).grammar({ type: "string" })();
  mask.accept([...tokenizer.encode('"', { addSpecialTokens: false })][0]);
  const ids = idsOf(mask.allowed());
  assert.ok(ids.length > 50 && ids.every((id) => id < 300 && !tokenizer.specialIds.includes(id)));
});

tests("a vocabulary without some printable character is refused; without bytes, text is spelt in ASCII", async () => {
  const ascii = Array.from({ length: 0x5f }, (_, i) => Uint8Array.of(0x20 + i));
  const source = (list: readonly Uint8Array[]) => ({ idEnd: list.length, tokenBytes: (id: number) => list[id] });
  await refused(
    async () => new Grammars(source(ascii.filter(([byte]) => byte !== 0x7b)), 94),
    "tokenizer",
    /^no token is "\{" alone/,
  );
  const mask = new Grammars(source(ascii), 95).grammar({ enum: ["é"] })();
  let text = "";
  while (!mask.over) {
    const id = idsOf(mask.allowed()).at(-1)!;
    text += String.fromCharCode(ascii[id][0]);
    mask.accept(id);
  }
  assert.is(JSON.parse(text), "é");
  assert.ok(/^[ -~]+$/.test(text));
});

tests("tokens that are guessed are counted as far as they fit", () => {
  const tokenizer = tokenizerOf("smollm");
  const mask = new Grammars(tokenizer, tokenizer.idEnd).grammar({ const: { a: 1 } })();
  const ids = [...tokenizer.encode('{"a":1}', { addSpecialTokens: false })];
  assert.is(mask.fits!(ids), ids.length);
  assert.is(mask.fits!([...ids.slice(0, 2), ids[0], ids[2]]), 2);
  assert.is(mask.fits!([tokenizer.specialIds[0]]), 0);
  assert.ok(!mask.complete);
});

tests("a long text in a recursive schema is forgotten on the way and goes on", () => {
  const schema = {
    $defs: { n: { type: "array", items: { anyOf: [{ $ref: "#/$defs/n" }, { type: "integer" }] } } },
    $ref: "#/$defs/n",
  };
  const automaton = new Automaton(new Reader(schema as never, true).read());
  let state: State | null = automaton.start;
  const depth = 15_000;
  for (const char of "[".repeat(depth) + "1, 2" + "]".repeat(depth))
    state = state && automaton.step(state, char.charCodeAt(0));
  assert.ok(state?.complete);
  assert.is(state.ways.length, 0);
});

tests.run();
