// What names a checkpoint in Node, and loading over HTTP: the same model, each file asked for once, errors that help.
import { pathToFileURL } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Llama } from "../../src/node/index.ts";
import { sourceFiles } from "../../src/node/sources.ts";
import { llariat } from "../tools/cli.ts";
import { folder, openDevice } from "../tools/models.ts";
import { refused } from "../tools/refused.ts";
import { listen, serve } from "../tools/server.ts";

const test = suite("sources");
const { device, release } = await openDevice();
const MODELS = folder("goldens/models");

/** Runs with a server of the golden models; `asked` grows by "file range" of every request. */
async function served(use: (origin: string, asked: string[]) => Promise<void>): Promise<void> {
  const asked: string[] = [];
  const site = await serve({ models: MODELS }, (path, { headers }) => {
    asked.push(`${path.slice(path.lastIndexOf("/") + 1)} ${headers.range}`);
    return false;
  });
  try {
    await use(site.origin, asked);
  } finally {
    site.close();
  }
}

test("a path, a file: URL, http addresses and a list of paths", async () => {
  const path = `${MODELS}/mha-f32`;
  for (const source of [path, pathToFileURL(path), pathToFileURL(`${path}/`), [`${path}/config.json`]]) {
    const files = await sourceFiles(source);
    assert.ok((await files.list()).includes("config.json"), String(source));
    await files.close();
  }
  for (const source of ["http://host/a/b", new URL("http://host/a/b/"), "HTTP://host/a/b?key=1"])
    assert.is((await sourceFiles(source)).describe, "http://host/a/b/");
  await refused(sourceFiles("http://"), "source", /needed an http or https URL/);
  await refused(sourceFiles(new URL("ftp://host/a")), "source", /needed an http or https URL/);
  await refused(sourceFiles(3), "source", /a path, a URL, a list of paths or a FileSet, got 3$/);
  await refused(sourceFiles(null), "source", /or a FileSet, got null$/);
  for (const list of [[path, 3], [undefined], [null, "https://host/a"]])
    await refused(sourceFiles(list), "source", /^a list of paths holds texts, got (3|undefined|null) in it$/);
  const one = await sourceFiles([`${path}/config.json`]);
  assert.is(one.describe, "1 file");
  await refused(
    one.open("../config.json"),
    "source",
    /^1 file: got the file name "\.\.\/config\.json", needed a plain/,
  );
  await one.close();
  await refused(sourceFiles([path, "https://host/a"]), "source", /https:\/\/host\/a: got an address among 2 files/);
});

test("a model over HTTP computes what the folder computes, one file or shards", () =>
  served(async (origin, asked) => {
    for (const name of ["gqa-bf16", "sharded-bf16"]) {
      using near = await Llama.load(`${MODELS}/${name}`, { device });
      using far = await Llama.load(new URL(`${origin}/models/${name}`), { device });
      assert.equal(await far.logits([3, 1, 4, 1, 5]), await near.logits([3, 1, 4, 1, 5]), name);
      assert.equal(far.config, near.config);
    }
    const probes = asked.filter((each) => each.endsWith(" bytes=0-0"));
    assert.ok(probes.includes("model-00005-of-00005.safetensors bytes=0-0"));
    assert.is(probes.filter((each) => each.startsWith("config.json")).length, 2, "once per model");
  }));

test("what is wrong with an address is said: nothing there, no ranges, a broken connection, an abort", async () => {
  await served(async (origin) => {
    await refused(Llama.load(`${origin}/models/absent`, { device }), "config", /models\/absent\/: got no config\.json/);
    const signal = AbortSignal.abort();
    await refused(Llama.load(`${origin}/models/mha-f32`, { device, signal }), "aborted", /while opening config\.json/);
  });
  const plain = await listen((_, response) => response.end("{}"));
  await refused(Llama.load(plain.origin, { device }), "source", /status 200, .* ignores the Range header/);
  plain.close();
  await refused(Llama.load(plain.origin, { device }), "source", /the connection failed 4 times .*; check the network/);
  let left = 0;
  const breaking = await serve({ models: MODELS }, (path, { headers }, response) => {
    const weights = path.endsWith("model.safetensors") && !/=[08]-/.test(headers.range ?? "");
    if (weights && left-- > 0) response.destroy();
    return weights && response.destroyed;
  });
  try {
    left = 1;
    (await Llama.load(`${breaking.origin}/models/mha-f32`, { device })).close();
    left = Infinity;
    const message = /model\.safetensors: the connection failed 4 times at bytes \d+ to \d+ /;
    await refused(Llama.load(`${breaking.origin}/models/mha-f32`, { device }), "source", message);
  } finally {
    breaking.close();
  }
});

test("the command line takes an address, and asks for each file once before it refuses a scaling", () =>
  served(async (origin, asked) => {
    const start = ["generate", "--model", `${origin}/models/gqa-bf16`, "--ids"];
    const wrong = await llariat([...start, "1", "--rope-scaling", "linear:0.5"]);
    assert.is(wrong.code, 2, wrong.stderr);
    assert.match(wrong.stderr, /--rope-scaling\.factor: must be a number ≥ 1, got 0\.5/);
    assert.equal([...new Set(asked)], asked, "nothing is asked twice");
    assert.equal(
      asked.filter((each) => each.startsWith("model.safetensors ")).length,
      3,
      "its size, its header's length, its header",
    );
    const right = await llariat([...start, "1,2", "--max-new-tokens", "3", "--quiet"]);
    assert.is(right.code, 0, right.stderr);
  }));

test.after(() => release());
test.run();
