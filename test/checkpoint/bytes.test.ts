// One contract for every place bytes come from: memory, a folder, browser blobs, HTTP ranges.
import { mkdir, mkdtemp, rm, symlink, truncate, writeFile } from "node:fs/promises";
import type { RequestListener } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { blobFiles } from "../../src/browser/files.ts";
import { urlFiles } from "../../src/checkpoint/http.ts";
import { isPlainName, readText } from "../../src/checkpoint/bytes.ts";
import { memoryFiles } from "../../src/checkpoint/memory.ts";
import { readTexts } from "../../src/checkpoint/tokenizer.ts";
import type { FileSet } from "../../src/checkpoint/bytes.ts";
import { folderFiles } from "../../src/node/files.ts";
import { refused } from "../tools/refused.ts";
import { listen } from "../tools/server.ts";

const data = Uint8Array.from({ length: 1000 }, (_, i) => (i * 7) & 255);
const files: Record<string, Uint8Array> = {
  "a.bin": data,
  "empty.bin": new Uint8Array(0),
  "ü ñ.json": new TextEncoder().encode('{"ü":1}'),
};

/** A server whose folder is /models/tiny. */
async function serve(listener: RequestListener): Promise<{ url: string; close: () => void }> {
  const { origin, close } = await listen(listener);
  return { url: `${origin}/models/tiny`, close };
}

/** Serves `files` by range; the misbehaving servers below do otherwise. */
const ranged: RequestListener = (request, response) => {
  const path = decodeURIComponent(new URL(request.url!, "http://x").pathname);
  const body = path.startsWith("/models/tiny/") ? files[path.slice("/models/tiny/".length)] : undefined;
  if (!body) return void response.writeHead(404).end();
  const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "");
  if (!range) return void response.writeHead(200, { "content-length": body.length }).end(body);
  const [start, end] = [Number(range[1]), Math.min(Number(range[2]) + 1, body.length)];
  if (start >= body.length) return void response.writeHead(416, { "content-range": `bytes */${body.length}` }).end();
  response.writeHead(206, {
    "content-range": `bytes ${start}-${end - 1}/${body.length}`,
    "content-length": end - start,
  });
  response.end(body.subarray(start, end));
};

interface Place {
  readonly files: FileSet;
  readonly remove: () => Promise<void>;
}
const places: Record<string, () => Promise<Place>> = {
  memory: async () => ({ files: memoryFiles(files), remove: async () => {} }),
  folder: async () => {
    const folder = await mkdtemp(join(tmpdir(), "llariat-"));
    for (const [name, bytes] of Object.entries(files)) await writeFile(join(folder, name), bytes);
    return { files: await folderFiles(folder), remove: () => rm(folder, { recursive: true }) };
  },
  blobs: async () => ({
    files: blobFiles(Object.entries(files).map(([name, bytes]) => ({ name, blob: new Blob([bytes]) }))),
    remove: async () => {},
  }),
  http: async () => {
    const server = await serve(ranged);
    return { files: urlFiles(server.url), remove: async () => server.close() };
  },
};

const contract = suite("bytes");
for (const [name, make] of Object.entries(places)) {
  contract(`${name}: exact ranges, nothing else`, async () => {
    const place = await make();
    try {
      const source = await place.files.open("a.bin");
      assert.ok(source);
      assert.is(source.name, "a.bin");
      assert.is(source.size, 1000);
      for (const [start, end] of [
        [0, 1000],
        [0, 0],
        [1000, 1000],
        [1, 2],
        [333, 999],
        [999, 1000],
      ]) {
        assert.equal(new Uint8Array(await source.read(start, end)), data.slice(start, end), `${start} to ${end}`);
        const into = new Uint8Array(end - start + 5).fill(9);
        assert.equal(new Uint8Array(await source.read(start, end, undefined, into)), data.slice(start, end), "into");
        assert.equal(into.slice(end - start), new Uint8Array(5).fill(9), "bytes behind the range stay");
      }
      for (const [start, end] of [
        [-1, 5],
        [5, 4],
        [0, 1001],
        [0.5, 2],
        [NaN, 2],
        [0, Infinity],
        [1001, 1001],
      ]) {
        await refused(() => source.read(start, end), "source", /a\.bin: got the byte range/);
      }
      const empty = await place.files.open("empty.bin");
      assert.is(empty?.size, 0);
      assert.is((await empty!.read(0, 0)).length, 0);
      assert.is(await readText((await place.files.open("ü ñ.json"))!, 100, "config"), '{"ü":1}');
    } finally {
      await place.files.close();
      await place.remove();
    }
  });

  contract(`${name}: absent files, names that escape, abort`, async () => {
    const place = await make();
    try {
      assert.is(await place.files.open("absent.bin"), undefined);
      for (const bad of [
        "../a.bin",
        "..",
        ".",
        "",
        "x/a.bin",
        "x\\a.bin",
        "/etc/hostname",
        "C:a.bin",
        "a\0.bin",
        "a".repeat(256),
      ]) {
        await refused(() => place.files.open(bad), "source", /needed a plain name/);
      }
      const source = (await place.files.open("a.bin"))!;
      assert.ok((await place.files.list()).includes("a.bin"));
      await refused(() => source.read(0, 10, AbortSignal.abort()), "aborted", /aborted while reading a\.bin/);
    } finally {
      await place.files.close();
      await place.remove();
    }
  });
}

contract("isPlainName", () => {
  for (const good of ["model.safetensors", "model-00001-of-00005.safetensors", "ü ñ.json", "...", "a..b"])
    assert.ok(isPlainName(good), good);
});

contract("readText refuses what is too long before reading it, and what is not UTF-8", async () => {
  const source = { name: "big.json", size: 1e12, read: () => assert.unreachable("must not read") };
  await refused(
    () => readText(source as never, 1e6, "config"),
    "config",
    /big\.json: got 1000000000000 bytes, needed at most 1000000/,
  );
  const bad = (await memoryFiles({ "x.json": Uint8Array.of(0x7b, 0xff, 0x7d) }).open("x.json"))!;
  await refused(() => readText(bad, 100, "config"), "config", /x\.json: got bytes that are not UTF-8/);
});

contract("folder: a single .safetensors file stands for model.safetensors, its neighbours stay", async () => {
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

contract("folder: links of a Hugging Face cache work, links that leave the folder do not", async () => {
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
      assert.is(await set.open("dangling.json"), undefined);
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

contract("folder: a file that shrinks while open is a short read", async () => {
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

contract("blobs: two files of one name are refused", async () => {
  const one = { name: "a.bin", blob: new Blob([data]) };
  await refused(async () => blobFiles([one, one]), "source", /two files named a\.bin/);
});

contract("blobs: of a picked folder only its own files count, not those of folders in it", async () => {
  const picked = (name: string, folder: string) =>
    Object.assign(new Blob([data]), { name, webkitRelativePath: `${folder}/${name}` });
  const files = blobFiles([picked("config.json", "model"), picked("config.json", "model/onnx")]);
  assert.equal(await files.list(), ["config.json"]);
});

const liars: Record<string, { listener: RequestListener; at: "open" | "read"; message: RegExp }> = {
  "ignores Range": {
    listener: (_, response) => response.writeHead(200, { "content-length": 1000 }).end(data),
    at: "open",
    message: /status 200.*Range/,
  },
  "answers 500": { listener: (_, response) => response.writeHead(500).end(), at: "open", message: /got status 500/ },
  "answers 401": {
    listener: (_, response) => response.writeHead(401).end(),
    at: "open",
    message: /got status 401.*headers/,
  },
  "gives no size": {
    listener: (request, response) => {
      response.writeHead(206, { "content-range": "bytes 0-0/*" }).end(request.method === "HEAD" ? "" : "x");
    },
    at: "open",
    message: /needed the file's size/,
  },
  "sends another range": {
    listener: (request, response) => {
      if (request.headers.range === "bytes=0-0") return ranged(request, response);
      response.writeHead(206, { "content-range": "bytes 0-9/1000", "content-length": 10 }).end(data.subarray(0, 10));
    },
    at: "read",
    message: /got the range "bytes 0-9\/1000", needed bytes 100-109/,
  },
  "sends too few bytes": {
    listener: (request, response) => {
      if (request.headers.range === "bytes=0-0") return ranged(request, response);
      response.writeHead(206, { "content-range": "bytes 100-109/1000" }).end(data.subarray(100, 105));
    },
    at: "read",
    message: /got 5 of the bytes 100 to 110/,
  },
  "sends too many bytes": {
    listener: (request, response) => {
      if (request.headers.range === "bytes=0-0") return ranged(request, response);
      response.writeHead(206, { "content-range": "bytes 100-109/1000" }).end(data.subarray(100, 300));
    },
    at: "read",
    message: /got more than the 10 bytes/,
  },
  "breaks the connection": {
    listener: (request, response) => {
      if (request.headers.range === "bytes=0-0") return ranged(request, response);
      response.writeHead(206, { "content-range": "bytes 100-109/1000", "content-length": 10 });
      response.write(data.subarray(100, 105), () => response.destroy());
    },
    at: "read",
    message: /a\.bin: /,
  },
  "changes the file": {
    listener: (request, response) => {
      response.setHeader("etag", request.headers.range === "bytes=0-0" ? '"1"' : '"2"');
      return ranged(request, response);
    },
    at: "read",
    message: /changed/,
  },
};
for (const [name, { listener, at, message }] of Object.entries(liars)) {
  contract(`http: a server that ${name} is named, its bytes are not used`, async () => {
    const server = await serve(listener);
    try {
      const set = urlFiles(server.url);
      if (at === "open") await refused(() => set.open("a.bin"), "source", message);
      else {
        const source = (await set.open("a.bin"))!;
        await refused(() => source.read(100, 110), "source", message);
      }
    } finally {
      server.close();
    }
  });
}

contract("http: headers and the query of the base go with every request; names limits what is asked for", async () => {
  const seen: string[] = [];
  const server = await serve((request, response) => {
    seen.push(`${request.url} ${request.headers.authorization}`);
    return ranged(request, response);
  });
  try {
    const set = urlFiles(`${server.url}/?key=1`, { headers: { authorization: "Bearer t" }, names: ["a.bin"] });
    assert.is(await set.open("other.bin"), undefined);
    await (await set.open("a.bin"))!.read(5, 9);
    assert.equal(seen, ["/models/tiny/a.bin?key=1 Bearer t", "/models/tiny/a.bin?key=1 Bearer t"]);
    assert.equal(await set.list(), ["a.bin"]);
  } finally {
    server.close();
  }
});

contract("http: abort during a slow body", async () => {
  const server = await serve((request, response) => {
    if (request.headers.range === "bytes=0-0") return ranged(request, response);
    response.writeHead(206, { "content-range": "bytes 0-999/1000", "content-length": 1000 });
    response.write(data.subarray(0, 100)); // and never the rest
  });
  try {
    const source = (await urlFiles(server.url).open("a.bin"))!;
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 50);
    await refused(() => source.read(0, 1000, stop.signal), "aborted", /aborted while reading a\.bin/);
  } finally {
    server.close();
  }
});

contract("http: a connection that breaks once is made again, twice is an error", async () => {
  for (const breaks of [1, 2, 3]) {
    let [left, asked] = [breaks, 0];
    const server = await serve((request, response) => {
      if (request.headers.range === "bytes=0-0") return ranged(request, response);
      asked++;
      if (left-- <= 0) return ranged(request, response);
      response.writeHead(206, { "content-range": "bytes 100-109/1000", "content-length": 10 });
      response.write(data.subarray(100, 105), () => response.destroy());
    });
    try {
      const source = (await urlFiles(server.url).open("a.bin"))!;
      if (breaks === 1) assert.equal(await source.read(100, 110), data.slice(100, 110));
      else
        await refused(() => source.read(100, 110), "source", /a\.bin: the connection failed twice at bytes 100 to 110/);
      assert.is(asked, 2);
    } finally {
      server.close();
    }
  }
  let probes = 0;
  const shy = await serve((request, response) =>
    probes++ === 0 ? request.socket.destroy() : ranged(request, response),
  );
  try {
    assert.is((await urlFiles(shy.url).open("a.bin"))!.size, 1000);
  } finally {
    shy.close();
  }
  await refused(
    () => urlFiles(shy.url).open("a.bin"),
    "source",
    /a\.bin: the connection failed twice \(.*ECONNREFUSED/,
  );
});

contract("http: what a server refuses is asked once, and the query, perhaps a key, is not shown", async () => {
  let asked = 0;
  const server = await serve((_, response) => (asked++, response.writeHead(503).end()));
  try {
    const error = await refused(() => urlFiles(`${server.url}?key=secret`).open("a.bin"), "source", /got status 503/);
    assert.not.match(error.message, /secret/);
    assert.is(asked, 1);
  } finally {
    server.close();
  }
});

contract("http: a base that is no http URL", async () => {
  for (const base of ["not a url", "ftp://host/folder", "file:///folder", "http://"])
    await refused(async () => urlFiles(base), "source", /needed an http or https URL/);
});

contract("a folder's folder: further chat templates are read from it, and nothing outside", async () => {
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
    await files.close();
    await refused(child.open("rag.jinja"), "closed", /after close/);
  } finally {
    await rm(folder, { recursive: true });
  }
});

contract.run();
