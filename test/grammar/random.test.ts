// Random schemas, held against a validator that knows nothing of grammars (ajv): whatever a walk through the masks writes meets the
// schema, and what meets the schema can be written. LLARIAT_SCHEMAS and LLARIAT_SEED choose other schemas, and more.
import { Ajv2020 } from "ajv/dist/2020.js";
import * as formats from "ajv-formats";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Automaton, type State } from "../../src/grammar/automaton.ts";
import { Grammars, type TokenMask } from "../../src/grammar/index.ts";
import { Reader } from "../../src/grammar/schema.ts";
import { whole } from "../tools/random.ts";
import { type Next, idsOf, randomSchemas, tokenizerOf, written } from "./schemas.ts";

const tests = suite("grammar: random schemas");
const count = Number(process.env["LLARIAT_SCHEMAS"] ?? 150);
const seed = Number(process.env["LLARIAT_SEED"] ?? 1);
const ajv = new Ajv2020({ strict: false, validateFormats: true });
formats.default.default(ajv);
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const NAMES = ["llama3", "llama2-metaspace", "smollm"];
const tokenizers = NAMES.map(tokenizerOf);
const bytes = tokenizers.map((tokenizer) =>
  Array.from({ length: tokenizer.idEnd }, (_, id) => tokenizer.tokenBytes(id)),
);
const grammars = tokenizers.map((tokenizer) => new Grammars(tokenizer, tokenizer.idEnd));

/** Writes tokens at random, short ones for the most part once the text is long, and ends as soon as it may then. */
function walk(mask: TokenMask, bytesOf: (id: number) => Uint8Array, next: Next): string | undefined {
  const written: number[] = [];
  for (let i = 0; i < 400 && !mask.over; i++) {
    if (mask.complete && next(3) === 0) break;
    const ids = idsOf(mask.allowed());
    assert.ok(ids.length > 0 || mask.complete, "stuck");
    if (ids.length === 0) break;
    const closing = i > 40 ? ids.filter((id) => `"]}`.includes(String.fromCharCode(bytesOf(id).at(-1)!))) : [];
    const from = closing.length > 0 ? closing : ids;
    const id = from[next(from.length)];
    written.push(...bytesOf(id));
    mask.accept(id);
  }
  return mask.complete ? utf8.decode(Uint8Array.from(written)) : undefined;
}

tests("what the masks let through is JSON of the schema", () => {
  const next = whole(seed);
  const make = randomSchemas(next);
  let finished = 0;
  for (let i = 0; i < count; i++) {
    const { schema } = make(3);
    const which = i % grammars.length;
    const validate = ajv.compile(schema as object);
    const start = grammars[which].grammar(schema);
    for (let text = 0; text < 3; text++) {
      const json = walk(start(), (id) => bytes[which][id]!, next);
      if (json === undefined) continue;
      finished++;
      const value: unknown = JSON.parse(json);
      assert.ok(validate(value), `${JSON.stringify(schema)}\n${json}\n${ajv.errorsText(validate.errors)}`);
    }
  }
  console.log(`note: ${count} schemas, ${finished} finished texts`);
  assert.ok(finished > 2 * count);
});

tests("what meets a schema can be written, byte by byte and token by token", () => {
  const next = whole(seed + 1);
  const make = randomSchemas(next);
  for (let i = 0; i < count; i++) {
    const { schema, value } = make(3);
    const which = i % grammars.length;
    const automaton = new Automaton(new Reader(schema as never, true).read());
    const start = grammars[which].grammar(schema);
    const validate = ajv.compile(schema as object);
    for (let text = 0; text < 3; text++) {
      const wanted = value();
      assert.ok(validate(wanted), `the maker is wrong: ${JSON.stringify(schema)} ${JSON.stringify(wanted)}`);
      const json = written(wanted, next);
      const what = `${JSON.stringify(schema)}\n${json}`;
      let state: State | null = automaton.start;
      for (const byte of new TextEncoder().encode(json)) state = state && automaton.step(state, byte);
      assert.ok(state?.complete, what);
      const mask = start();
      // Some tokenizers put a space in front, which may be one too many.
      const tokenizer = tokenizers[which];
      const ids = [...tokenizer.encode(json.trim(), { addSpecialTokens: false })];
      for (const id of ids) {
        assert.ok((mask.allowed()[id >> 5] >>> (id & 31)) & 1, `${what}: ${tokenizer.idToToken(id)}`);
        mask.accept(id);
      }
      assert.ok(mask.complete, what);
    }
  }
});

tests.run();
