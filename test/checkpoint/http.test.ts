// Files over HTTP ranges: servers that misbehave are named, connections that break are made again.
import type { RequestListener } from "node:http";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { urlFiles } from "../../src/checkpoint/http.ts";
import { refused } from "../tools/refused.ts";
import { listen, ranged } from "../tools/server.ts";

const test = suite("http");
const data = Uint8Array.from({ length: 1000 }, (_, i) => (i * 7) & 255);
const file = ranged("/models/tiny/", { "a.bin": data });

/** A server whose folder is /models/tiny. */
async function serve(listener: RequestListener): Promise<{ url: string; close: () => void }> {
  const { origin, close } = await listen(listener);
  return { url: `${origin}/models/tiny`, close };
}

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
      if (request.headers.range === "bytes=0-0") return file(request, response);
      response.writeHead(206, { "content-range": "bytes 0-9/1000", "content-length": 10 }).end(data.subarray(0, 10));
    },
    at: "read",
    message: /got the range "bytes 0-9\/1000", needed bytes 100-109/,
  },
  "sends too few bytes": {
    listener: (request, response) => {
      if (request.headers.range === "bytes=0-0") return file(request, response);
      response.writeHead(206, { "content-range": "bytes 100-109/1000" }).end(data.subarray(100, 105));
    },
    at: "read",
    message: /got 5 of the bytes 100 to 110/,
  },
  "sends too many bytes": {
    listener: (request, response) => {
      if (request.headers.range === "bytes=0-0") return file(request, response);
      response.writeHead(206, { "content-range": "bytes 100-109/1000" }).end(data.subarray(100, 300));
    },
    at: "read",
    message: /got more than the 10 bytes/,
  },
  "breaks the connection": {
    listener: (request, response) => {
      if (request.headers.range === "bytes=0-0") return file(request, response);
      response.writeHead(206, { "content-range": "bytes 100-109/1000", "content-length": 10 });
      response.write(data.subarray(100, 105), () => response.destroy());
    },
    at: "read",
    message: /a\.bin: /,
  },
  "changes the file": {
    listener: (request, response) => {
      response.setHeader("etag", request.headers.range === "bytes=0-0" ? '"1"' : '"2"');
      return file(request, response);
    },
    at: "read",
    message: /changed/,
  },
};
for (const [name, { listener, at, message }] of Object.entries(liars)) {
  test(`a server that ${name} is named, its bytes are not used`, async () => {
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

test("headers and the query of the base go with every request; names limits what is asked for", async () => {
  const seen: string[] = [];
  const server = await serve((request, response) => {
    seen.push(`${request.url} ${request.headers.authorization}`);
    return file(request, response);
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

test("abort during a slow body", async () => {
  const server = await serve((request, response) => {
    if (request.headers.range === "bytes=0-0") return file(request, response);
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

test("a connection that breaks once is made again, twice is an error", async () => {
  for (const breaks of [1, 2, 3]) {
    let [left, asked] = [breaks, 0];
    const server = await serve((request, response) => {
      if (request.headers.range === "bytes=0-0") return file(request, response);
      asked++;
      if (left-- <= 0) return file(request, response);
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
  const shy = await serve((request, response) => (probes++ === 0 ? request.socket.destroy() : file(request, response)));
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

test("what a server refuses is asked once, and the query, perhaps a key, is not shown", async () => {
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

test("a base that is no http URL", async () => {
  for (const base of ["not a url", "ftp://host/folder", "file:///folder", "http://"])
    await refused(async () => urlFiles(base), "source", /needed an http or https URL/);
});

test.run();
