// A server that hides Content-Range, as other origins' do: the size is Content-Length of HEAD, where HEAD is answered.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { urlFiles } from "../../src/checkpoint/http.ts";
import { refused } from "../tools/refused.ts";

const tests = suite("http-size");
const data = new TextEncoder().encode('{"vocab_size": 3}');

/** A file on such a server; `head` is what it answers to HEAD, `range` the Content-Range that it shows. */
const site = (head: Response, range?: string) =>
  urlFiles("http://host/m", {
    fetch: async (_, { method, headers } = {}) => {
      if (method === "HEAD") return head;
      const [, start, last] = /bytes=(\d+)-(\d+)/.exec(new Headers(headers).get("range") ?? "")!;
      const body = data.slice(Number(start), Number(last) + 1);
      return new Response(body, { status: 206, headers: range === undefined ? {} : { "content-range": range } });
    },
  });
const length = (bytes: number) => ({ headers: { "content-length": String(bytes) } });

tests("an answered HEAD tells the size", async () => {
  const source = await site(new Response(null, length(data.length))).open("config.json");
  assert.is(source!.size, data.length);
  assert.equal(await source!.read(0, source!.size), data);
});

tests("the length of a refusal is not the file's", async () => {
  for (const status of [403, 405, 500]) {
    await refused(
      site(new Response(null, { status, ...length(9) })).open("config.json"),
      "source",
      `http://host/m/config.json: got Content-Range null and status ${status} for HEAD, needed the file's size in it; cross-origin servers must expose this header`,
    );
  }
});

tests("a Content-Range that is shown is not said to be hidden", async () => {
  await refused(
    site(new Response(null, length(9)), "bytes 0-0/*").open("config.json"),
    "source",
    'http://host/m/config.json: got Content-Range "bytes 0-0/*", needed the file\'s size in it',
  );
});

tests("a server that is busy or broken is to be asked later, one that knows nothing elsewhere", async () => {
  for (const [status, advice] of [
    [429, "try again later"],
    [503, "try again later"],
    [500, "try again later"],
    [400, "check the address"],
  ] as const) {
    const files = urlFiles("http://host/m", { pauseMs: 1, fetch: async () => new Response(null, { status }) });
    await refused(files.open("config.json"), "source", new RegExp(`got status ${status}, .*; ${advice}$`));
  }
});

tests.run();
