// The one error class: its sentence is made of its parts, and the command line puts them together in its own words.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { generate } from "../src/cli/generate.ts";
import { retrieve } from "../src/cli/retrieve.ts";
import { inOptions } from "../src/cli/words.ts";
import { LlariatError, aborted, checkAborted, printable } from "../src/error.ts";

const test = suite("error");

test("the sentence is subject, problem and advice, whichever there are", () => {
  assert.is(new LlariatError("request", "needs text").message, "needs text");
  assert.is(new LlariatError("request", "needs text", { subject: "stop" }).message, "stop: needs text");
  const cause = new Error("inner");
  const whole = new LlariatError("rope", "got 3", { subject: "ropeScaling.factor", advice: "write 4", cause });
  assert.is(whole.message, "ropeScaling.factor: got 3; write 4");
  assert.equal([whole.subject, whole.problem, whole.advice], ["ropeScaling.factor", "got 3", "write 4"]);
  assert.is(whole.cause, cause);
  assert.not("cause" in new LlariatError("request", "x"));
});

test("the command line says its options where it has them, and leaves everything else", () => {
  const says = (subject: string | undefined, command = generate) =>
    inOptions(new LlariatError("request", "is wrong", { subject, advice: "change it" }), command.options);
  assert.is(says(undefined), "is wrong; change it");
  assert.is(says("temperature"), "--temperature: is wrong; change it");
  assert.is(says("repetitionPenalty"), "--repetition-penalty: is wrong; change it");
  assert.is(says("ropeScaling.short_factor[3]"), "--rope-scaling.short_factor[3]: is wrong; change it");
  assert.is(says("promptLengths", retrieve), "--prompt-len: is wrong; change it");
  assert.is(says("promptLengths"), "promptLengths: is wrong; change it", "generate has no such option");
  for (const subject of ["config.json: head_dim", "--rope-scaling", "constructor", "__proto__", "positions", ""])
    assert.is(says(subject), `${subject}: is wrong; change it`);
});

test("a hint is worded as an option where the command takes one", () => {
  const hint = { ropeScaling: { rope_type: "llama3", factor: 4, low_freq_factor: 1 }, reach: 2048 };
  const error = new LlariatError("context", "the prompt is long", { advice: "set it", hint });
  const option = "--rope-scaling llama3:4,low_freq_factor=1 would reach 2048, or give --allow-beyond";
  assert.is(inOptions(error, generate.options), `the prompt is long; ${option}`);
  assert.is(inOptions(error, retrieve.options), "the prompt is long; set it", "it allows everything already");
});

test("what a file or a server says is printable in every part, and cut", () => {
  const evil = "a\x1b]0;title\x07\r\n\x9bb\u202ec\u2028\0\x7f";
  const safe = String.raw`a\x1b]0;title\x07\x0d\n\x9bb\u202ec\u2028\x00\x7f`;
  assert.is(printable(evil), safe);
  const error = new LlariatError("checkpoint", evil, { subject: evil, advice: evil });
  assert.is(error.message, `${safe}: ${safe}; ${safe}`);
  assert.equal([error.problem, error.subject, error.advice], [safe, safe, safe]);
  assert.is(printable("wörld 🙂 \u0301\u200d中"), "wörld 🙂 \u0301\u200d中");
  assert.is(new LlariatError("checkpoint", "x".repeat(10_000_000)).message.length, 2001);
  assert.is(new LlariatError("checkpoint", "\x1b".repeat(10_000_000)).message.length, 4 * 2000 + 1);
  assert.is(new LlariatError("device", "one\n  two\x1b", { lines: true }).message, "one\n  two\\x1b");
});

test("a signal is asked once for all: nothing, or an error with its reason", () => {
  checkAborted(undefined, "reading");
  checkAborted(new AbortController().signal, "reading");
  const signal = AbortSignal.abort("no");
  const error = aborted(signal, "reading a.bin");
  assert.equal([error.code, error.message, error.cause], ["aborted", "aborted while reading a.bin", "no"]);
  assert.throws(() => checkAborted(signal, "reading a.bin"), /^aborted while reading a\.bin$/);
});

test.run();
