import { suite } from "uvu";
import * as assert from "uvu/assert";
import { refusedSync } from "../tools/refused.ts";
import { Random } from "../../src/generate/random.ts";
import { StopMatcher } from "../../src/generate/stop.ts";

const test = suite("stop");

/** What a matcher gives out piece by piece, and at the end. */
function feed(stops: readonly string[], pieces: readonly string[]) {
  const matcher = new StopMatcher(stops);
  const out = pieces.map((piece) => matcher.push(piece));
  out.push(matcher.end());
  return { out, text: out.join(""), stopped: matcher.stopped };
}

/** On the whole text: the occurrence that ends first, the longest of several that end there. */
function naive(stops: readonly string[], text: string): { text: string; stopped: boolean } {
  for (let end = 1; end <= text.length; end++) {
    const ending = stops.filter((stop) => text.slice(0, end).endsWith(stop)).sort((a, b) => b.length - a.length);
    if (ending.length > 0) return { text: text.slice(0, end - ending[0].length), stopped: true };
  }
  return { text, stopped: false };
}

test("text that may become a stop string is withheld and given out once it cannot", () => {
  assert.equal(feed(["<end>"], ["ab<", "en", "g>", "<end", ">xyz", "more"]), {
    out: ["ab", "", "<eng>", "", "", "", ""],
    text: "ab<eng>",
    stopped: true,
  });
  assert.equal(feed(["<end>"], ["a", "b<en"]).out, ["a", "b", "<en"]);
  assert.equal(feed(["aab"], ["a", "a", "a", "a", "b"]).out, ["", "", "a", "a", "", ""]);
});

test("the string that is complete first ends the text, of equals the longest", () => {
  assert.equal(feed(["abcd", "bc"], ["abcd"]).text, "a");
  assert.equal(feed(["abcd", "bc"], ["a", "b", "c", "d"]).text, "a");
  assert.equal(feed(["c", "abc"], ["xabc"]), { out: ["x", ""], text: "x", stopped: true });
  assert.equal(feed(["abc", "c"], ["xabc"]).text, "x");
});

test("without stop strings everything passes at once", () => {
  assert.equal(feed([], ["a", "", "b"]), { out: ["a", "", "b", ""], text: "ab", stopped: false });
});

test("any cutting of any text gives what the whole text gives", () => {
  const random = new Random(11);
  const letters = ["a", "b", "𝄞"];
  const below = (n: number) => Math.floor(random.float() * n);
  let stopped = 0;
  for (let round = 0; round < 3000; round++) {
    // Few letters, so that stop strings occur, overlap, and begin without ending.
    const word = (length: number) => Array.from({ length }, () => letters[below(letters.length)]).join("");
    const stops = Array.from({ length: below(4) }, () => word(1 + below(5)));
    const text = word(below(25));
    const pieces: string[] = [];
    for (let at = 0; at < text.length;) {
      const next = at + below(5);
      pieces.push(text.slice(at, next));
      at = next;
    }
    const want = naive(stops, text);
    const { text: got, stopped: flag, out } = feed(stops, pieces);
    const what = JSON.stringify({ stops, pieces });
    assert.is(got, want.text, what);
    assert.is(flag, want.stopped, what);
    if (flag) stopped++;
    for (const stop of stops) assert.not.ok(got.includes(stop), what);
    // Nothing is withheld longer than it must: what is out after each piece is all that cannot belong to a stop string.
    let [given, seen] = ["", ""];
    for (const [i, piece] of pieces.entries()) {
      [given, seen] = [given + out[i], seen + piece];
      if (naive(stops, seen).stopped) break;
      const held = seen.length - given.length;
      const begins = (length: number) => stops.some((stop) => stop.length > length && stop.startsWith(seen.slice(seen.length - length))); // prettier-ignore
      assert.ok(held === 0 || begins(held), what);
      for (let more = held + 1; more <= seen.length; more++) assert.not.ok(begins(more), what);
    }
  }
  assert.ok(stopped > 1000 && stopped < 2900, `${stopped}`);
});

test("stop strings that are none are refused", () => {
  for (const [stop, shown] of [
    ["", '""'],
    [3, "3"],
    [null, "null"],
  ] as const)
    refusedSync(
      () => new StopMatcher(["a", stop as string]),
      "request",
      `stop: must be texts of at least one character, got ${shown}`,
    );
});

test("a special token is no text, yet a stop string may name it, alone and among text", () => {
  const run = (stops: string[], parts: readonly (string | { special: string })[]) => {
    const stop = new StopMatcher(stops);
    const out = parts.map((part) => (typeof part === "string" ? stop.push(part) : stop.pushSpecial(part.special)));
    return [out.join("") + stop.end(), stop.stopped];
  };
  const end = { special: "</s>" };
  assert.equal(run(["</s>"], ["ab", end, "c"]), ["ab", true]);
  assert.equal(run(["b</s>"], ["ab", end, "c"]), ["a", true]);
  assert.equal(run(["</s>\n"], ["ab", end, "\nc"]), ["ab", true]);
  assert.equal(run(["</s>\n"], ["ab", end, "c"]), ["abc", false], "withheld while it could be, and never given out");
  assert.equal(run(["</s></s>"], ["ab", end, end, "c"]), ["ab", true]);
  assert.equal(run(["s>", "</", ">"], ["ab", end, "c"]), ["abc", false], "a part of a token's name is nothing");
  assert.equal(run(["></"], [end, end, "c"]), ["c", false]);
  assert.equal(run(["s>"], ["ab", end, "cs>d"]), ["abc", true], "the same characters as text are text");
});

test.run();
