// A folder of files: what stands for what, links, files that shrink, folders in it.
import { mkdir, mkdtemp, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { readText } from "../../src/checkpoint/bytes.ts";
import { readTexts } from "../../src/checkpoint/tokenizer.ts";
import { folderFiles } from "../../src/node/files.ts";
import { refused } from "../tools/refused.ts";

const test = suite("files");
const data = Uint8Array.from({ length: 1000 }, (_, i) => (i * 7) & 255);

test("a single .safetensors file stands for model.safetensors, its neighbours stay", async () => {
  const folder = await mkdtemp(join(tmpdir(), "llariat-"));
  try {
    for (const name of ["mine.safetensors", "model.safetensors", "model.safetensors.index.json", "config.json"]) {
      await writeFile(join(folder, name), name);
    }
    const set = await folderFiles(join(folder, "mine.safetensors"));
    assert.equal((await set.list()).toSorted(), ["config.json", "model.safetensors"]);
    assert.is(await readText((await set.open("model.safetensors"))!, 99, "config"), "mine.safetensors");
    assert.is(await set.open("model.safetensors.index.json"), undefined);
    assert.is(await readText((await set.open("config.json"))!, 99, "config"), "config.json");
    await set.close();
    await refused(() => set.open("config.json"), "closed", /after close/);
    await refused(
      () => folderFiles(join(folder, "absent")),
      "source",
      /there is no such file or folder, needed a checkpoint folder/,
    );
    await refused(
      () => folderFiles(join(folder, "config.json")),
      "source",
      /needed a checkpoint folder or a \.safetensors or \.bin file/,
    );
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("links of a Hugging Face cache work, links that leave the folder do not", async () => {
  const base = await mkdtemp(join(tmpdir(), "llariat-"));
  try {
    const snapshot = join(base, "models--x--y", "snapshots", "abc");
    const blobs = join(base, "models--x--y", "blobs");
    await mkdir(snapshot, { recursive: true });
    await mkdir(blobs);
    await writeFile(join(blobs, "123"), "blob");
    await writeFile(join(base, "secret"), "secret");
    await writeFile(join(base, "models--x--y", "blobs-not"), "secret");
    await symlink("../../blobs/123", join(snapshot, "config.json"));
    await symlink("config.json", join(snapshot, "second.json"));
    await symlink("../../../secret", join(snapshot, "secret.json"));
    await symlink(join(base, "secret"), join(snapshot, "absolute.json"));
    await symlink("../../blobs-not", join(snapshot, "near.json"));
    await symlink("loop.json", join(snapshot, "loop.json"));
    await symlink("nowhere", join(snapshot, "dangling.json"));
    await mkdir(join(snapshot, "folder.json"));
    await symlink(snapshot, join(base, "shortcut"));
    for (const path of [snapshot, join(base, "shortcut")]) {
      const set = await folderFiles(path);
      for (const name of ["config.json", "second.json"])
        assert.is(await readText((await set.open(name))!, 99, "config"), "blob");
      for (const name of ["secret.json", "absolute.json", "near.json"]) {
        await refused(() => set.open(name), "source", /a symbolic link that leaves the folder/);
      }
      await refused(() => set.open("loop.json"), "source", /symbolic links in a circle/);
      await refused(() => set.open("folder.json"), "source", /got a folder, needed a regular file/);
      await refused(
        () => set.open("dangling.json"),
        "source",
        /dangling\.json: got a symbolic link to a file that is not there/,
      );
      assert.is(await set.open("absent.json"), undefined);
      await set.close();
    }
    const plain = await folderFiles(blobs);
    await symlink("../snapshots/abc/folder.json", join(blobs, "out"));
    await refused(() => plain.open("out"), "source", /leaves the folder/);
    await plain.close();
  } finally {
    await rm(base, { recursive: true });
  }
});

test("a file that shrinks while open is a short read", async () => {
  const folder = await mkdtemp(join(tmpdir(), "llariat-"));
  try {
    await writeFile(join(folder, "a.bin"), data);
    const set = await folderFiles(folder);
    const source = (await set.open("a.bin"))!;
    await truncate(join(folder, "a.bin"), 600);
    await refused(() => source.read(500, 700), "source", /a\.bin: got 100 of the bytes 500 to 700, needed all 200/);
    await set.close();
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("a folder's folder: further chat templates are read from it, and nothing outside", async () => {
  const folder = await mkdtemp(join(tmpdir(), "llariat-folder-"));
  try {
    const outside = join(folder, "outside");
    const inside = join(folder, "model");
    const templates = join(inside, "additional_chat_templates");
    await mkdir(templates, { recursive: true });
    await mkdir(outside);
    await writeFile(join(outside, "secret.jinja"), "secret");
    await writeFile(join(templates, "rag.jinja"), "RAG {{ messages[0].content }}");
    await writeFile(join(templates, "notes.txt"), "not a template");
    await symlink(outside, join(inside, "elsewhere"));
    await writeFile(join(inside, "chat_template.jinja"), "{{ messages[0].content }}");
    const files = await folderFiles(inside);
    assert.is(await files.folder!("absent"), undefined);
    assert.is(await files.folder!("chat_template.jinja"), undefined, "a file is no folder");
    assert.is(await files.folder!("elsewhere"), undefined, "a link that leaves the folder");
    await refused(files.folder!("../outside"), "source", /needed a plain name/);
    const texts = await readTexts(files);
    assert.equal(texts.additionalChatTemplates, { rag: "RAG {{ messages[0].content }}" });
    const child = (await files.folder!("additional_chat_templates"))!;
    assert.is((await child.open("rag.jinja"))!.size, 29);
    const during = refused(files.folder!("additional_chat_templates"), "closed", /got folder\(.*\) after close/);
    await files.close();
    await during;
    await refused(files.folder!("additional_chat_templates"), "closed", /got folder\(.*\) after close/);
    await refused(child.open("rag.jinja"), "closed", /after close/);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test.run();
