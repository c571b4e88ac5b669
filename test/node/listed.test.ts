// A checkpoint that is given as a list of files.
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { listedFiles } from "../../src/node/listed.ts";
import { root } from "../tools/source.ts";

const test = suite("listed");
const MODELS = join(root, "test/fixtures/goldens/models");
const MODEL = join(MODELS, "gqa-bf16");

test("a checkpoint may be given as files", async () => {
  const files = await listedFiles([join(MODEL, "config.json"), join(MODEL, "model.safetensors")]);
  assert.equal(await files.list(), ["config.json", "model.safetensors"]);
  assert.ok((await files.open("config.json"))!.size > 0);
  assert.is(await files.open("generation_config.json"), undefined, "it lies beside them, but was not named");
  await files.close();
  const refusedFor = (paths: string[], name: string): Promise<string> =>
    listedFiles(paths)
      .then((set) => set.open(name))
      .then(
        () => "",
        (error: Error) => error.message,
      );
  assert.match(
    await refusedFor(
      ["a/config.json", "b/config.json"].map((path) => join(MODELS, path)),
      "x",
    ),
    /no such file|second file/,
  );
  assert.match(
    await refusedFor([join(MODEL, "config.json"), join(MODELS, "mqa-f16/config.json")], "x"),
    /second file named config\.json/,
  );
  assert.match(await refusedFor([join(MODEL, "absent.json")], "absent.json"), /there is no such file/);
});

test.run();
