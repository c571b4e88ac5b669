/**
 * The server in Node: as everywhere a function from Request to Response, and one that listens.
 * @module llariat/server
 */

import "./index.ts";
import { type Server as HttpServer, createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { LlariatError } from "../error.ts";
import { type Server, type ServeOptions, serverOf } from "../server/index.ts";
import { Core } from "../server/core.ts";
import { readSettings } from "../server/options.ts";
import { onAbort } from "../text/abort.ts";
import { type Kinds, checkOptions, checkWhole } from "../text/options.ts";

export type { ServeOptions, Server } from "../server/index.ts";

/** Where to listen. */
export interface ListenOptions {
  /** Default 8080; 0 for any that is free. */
  readonly port?: number;
  /** Default 127.0.0.1, which only this machine reaches; 0.0.0.0 for every network. */
  readonly host?: string;
}

/** A server that can listen. */
export interface NodeServer extends Server {
  /**
   * Listens; resolves to the address, `http://127.0.0.1:8080`. On a loopback address only requests that name it so are answered,
   * unless `hosts` said otherwise. `close` ends it.
   * @throws LlariatError("request") for a port or host that cannot be had.
   */
  listen(options?: ListenOptions): Promise<string>;
}

const KINDS: Kinds<ListenOptions> = { port: "any", host: "text" };

/** Headers come in one packet or a few; who takes longer holds a connection open on purpose. */
const HEADERS_MS = 10_000;
/** A body of 16 MiB at a megabit per second. */
const REQUEST_MS = 150_000;
const MAX_HEADER_BYTES = 16 << 10;
/** Connections at a time, each of which costs memory before it has said anything. */
const MAX_CONNECTIONS = 4096;

/**
 * A server for loaded models, which does not listen yet.
 * @throws LlariatError("request") naming the option.
 */
export function serve(options: ServeOptions): NodeServer {
  const core = new Core(readSettings(options));
  const inner = serverOf(core);
  const listening: HttpServer[] = [];
  return {
    fetch: inner.fetch,
    async listen(given = {}) {
      const { port = 8080, host = "127.0.0.1" } = checkOptions<ListenOptions>(given, KINDS);
      checkWhole("port", port, 0, { most: 65_535 });
      const loopback = /^(127\.|::1$|localhost$)/.test(host);
      const name = host.includes(":") ? `[${host}]` : host;
      if (loopback) core.hosts ??= [...new Set([name, "localhost", "127.0.0.1", "[::1]"])];
      const answer = getRequestListener(inner.fetch, { hostname: name, overrideGlobalObjects: false });
      const own = new URL(`http://${name}`);
      const server: HttpServer = createServer(
        { maxHeaderSize: MAX_HEADER_BYTES, headersTimeout: HEADERS_MS, requestTimeout: REQUEST_MS },
        (incoming, outgoing) => void answer(incoming, outgoing),
      );
      server.maxConnections = MAX_CONNECTIONS;
      server.on("clientError", (error: NodeJS.ErrnoException, socket: Socket) => refuse(error, socket));
      await new Promise<void>((resolve, reject) => {
        server.once("error", (cause: NodeJS.ErrnoException) => {
          reject(new LlariatError("request", `cannot listen on ${host}:${port}: ${cause.message}`, { cause }));
        });
        server.listen(port, host, resolve);
      });
      own.port = String((server.address() as AddressInfo).port);
      listening.push(server);
      return own.origin;
    },
    async close(signal) {
      // Until what runs is done, others are told to come later: a balancer may not know yet.
      await inner.close(signal);
      await Promise.all(listening.splice(0).map((server) => end(server, core.stop.signal)));
    },
  };
}

/** What is no HTTP gets an answer that is, where the connection still takes one. */
function refuse({ code }: NodeJS.ErrnoException, socket: Socket): void {
  if (code === "ECONNRESET" || !socket.writable) return void socket.destroy();
  const status =
    code === "HPE_HEADER_OVERFLOW"
      ? "431 Request Header Fields Too Large"
      : code === "ERR_HTTP_REQUEST_TIMEOUT"
        ? "408 Request Timeout"
        : "400 Bad Request";
  socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
}

/** What is handed over has this long to reach a client that reads slowly. */
const LINGER_MS = 5000;
const LOOK_MS = 50;

/** Stops listening; connections are closed as soon as their answer is through, all of them when the signal fires. */
async function end(server: HttpServer, signal: AbortSignal): Promise<void> {
  const close = (): void => server.closeAllConnections();
  const over = onAbort(signal, close);
  if (signal.aborted) close();
  const look = setInterval(() => server.closeIdleConnections(), LOOK_MS);
  const last = setTimeout(close, LINGER_MS);
  await new Promise<void>((resolve) => server.close(() => resolve()));
  clearInterval(look);
  clearTimeout(last);
  over();
}
