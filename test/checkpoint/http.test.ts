// Files over HTTP ranges: servers that misbehave are named, connections that break are made again.
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
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

test("a connection that breaks and a busy server are asked again after a pause, as often as is wanted", async () => {
  const ways: Record<string, (response: ServerResponse) => unknown> = {
    breaks: (response) => {
      response.writeHead(206, { "content-range": "bytes 100-109/1000", "content-length": 10 });
      response.write(data.subarray(100, 105), () => response.destroy());
    },
    "is busy": (response) => response.writeHead(503).end(),
    "has enough": (response) => response.writeHead(429).end(),
  };
  for (const [name, fails] of Object.entries(ways)) {
    for (const times of [1, 2, 3, 9]) {
      let [left, asked] = [times, 0];
      const server = await serve((request, response) => {
        if (request.headers.range === "bytes=0-0") return file(request, response);
        asked++;
        return left-- > 0 ? fails(response) : file(request, response);
      });
      try {
        const source = (await urlFiles(server.url, { pauseMs: 1, retries: 2 }).open("a.bin"))!;
        if (times <= 2) assert.equal(await source.read(100, 110), data.slice(100, 110), name);
        else {
          const says =
            name === "breaks" ? /the connection failed 3 times at bytes 100 to 110/ : /got status \d+, .*later/;
          await refused(() => source.read(100, 110), "source", says);
        }
        assert.is(asked, Math.min(times + 1, 3), name);
      } finally {
        server.close();
      }
    }
  }
  await refused(
    () => urlFiles("http://127.0.0.1:9", { pauseMs: 1 }).open("a.bin"),
    "source",
    /a\.bin: the connection failed 4 times \(/,
  );
  await refused(async () => urlFiles("http://h", { stallMs: -1 }), "request", /^stallMs: must be a number from 0 on/);
});

test("a server that falls silent is left after stallMs, before and in the middle of a body", async () => {
  for (const begins of [false, true]) {
    let asked = 0;
    const server = await serve((request, response) => {
      if (request.headers.range === "bytes=0-0") return file(request, response);
      asked++;
      if (!begins) return;
      response.writeHead(206, { "content-range": "bytes 0-999/1000", "content-length": 1000 });
      response.write(data.subarray(0, 100));
    });
    try {
      const source = (await urlFiles(server.url, { stallMs: 100, retries: 1, pauseMs: 1 }).open("a.bin"))!;
      await refused(() => source.read(0, 1000), "source", /failed 2 times .*\(nothing came for 100 ms\)/);
      assert.is(asked, 2);
    } finally {
      server.close();
    }
  }
});

test("the pause ends with the signal", async () => {
  const stop = new AbortController();
  const server = await serve((_, response) => {
    response.writeHead(503).end();
    setTimeout(() => stop.abort(), 20);
  });
  try {
    const files = urlFiles(server.url, { pauseMs: 1e9 });
    await refused(() => files.open("a.bin", stop.signal), "aborted", /aborted while opening a\.bin/);
  } finally {
    server.close();
  }
});

test("headers of the caller's stay with the host they are for", async () => {
  const seen: string[] = [];
  const note = (where: string, request: IncomingMessage) =>
    seen.push(`${where} ${request.headers["x-api-key"] ?? "-"} ${request.headers.authorization ?? "-"}`);
  const other = await serve((request, response) => (note("other", request), file(request, response)));
  const server = await serve((request, response) => {
    note("first", request);
    response.writeHead(302, { location: `${other.url}/a.bin` }).end();
  });
  try {
    const cases: Record<string, string>[] = [{ "x-api-key": "k", authorization: "b" }, { authorization: "b" }];
    for (const headers of cases) {
      seen.length = 0;
      const source = (await urlFiles(server.url, { headers }).open("a.bin"))!;
      assert.equal(await source.read(1, 3), data.slice(1, 3));
      const first = `first ${"x-api-key" in headers ? "k" : "-"} b`;
      assert.equal(seen, [first, "other - -", first, "other - -"]);
    }
  } finally {
    server.close();
    other.close();
  }
  const loop = await serve((request, response) => response.writeHead(302, { location: request.url }).end());
  try {
    const files = urlFiles(loop.url, { headers: { "x-api-key": "k" } });
    await refused(() => files.open("a.bin"), "source", /got redirects that lead to no file/);
  } finally {
    loop.close();
  }
});

test("name, password, query and headers are sent and shown in no error", async () => {
  let seen: string | undefined;
  const server = await serve((request, response) => {
    seen = request.headers.authorization;
    response.writeHead(400).end();
  });
  try {
    const address = server.url.replace("//", "//me:s%3Acret@");
    const { message } = await refused(
      () => urlFiles(`${address}?key=hidden`).open("a.bin"),
      "source",
      /got status 400/,
    );
    assert.not.match(message, /hidden|cret|me:/);
    assert.is(seen, `Basic ${btoa("me:s:cret")}`);
  } finally {
    server.close();
  }
  const fetch = async (url: string | URL | Request, options?: RequestInit): Promise<Response> => {
    throw new TypeError(`cannot fetch ${(url as URL).href} ${JSON.stringify(options?.headers)}`);
  };
  const files = urlFiles("http://h/m?token=hidden", { fetch, retries: 0, headers: { "x-api-key": "cret" } });
  assert.not.match(
    (await refused(() => files.open("a.bin"), "source", /the connection failed/)).message,
    /hidden|cret/,
  );
  for (const base of ["ftp://me:cret@host/?token=hidden", "http//me:cret@h?hidden"]) {
    assert.not.match((await refused(async () => urlFiles(base), "source", /needed an http/)).message, /hidden|cret/);
  }
});

test("a base that is no http URL", async () => {
  for (const base of ["not a url", "ftp://host/folder", "file:///folder", "http://"])
    await refused(async () => urlFiles(base), "source", /needed an http or https URL/);
});

test.run();
