// server.ts — web servers for tests: any listener, or files by byte range.
import { createReadStream, existsSync, statSync } from "node:fs";
import { type IncomingMessage, type RequestListener, type ServerResponse, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".json": "application/json",
};

/** A running web server: its address without a slash at the end, and how to stop it. */
export interface Site {
  readonly origin: string;
  readonly close: () => void;
}

/** A web server on a free port of this machine. */
export async function listen(listener: RequestListener): Promise<Site> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = (): void => {
    server.closeAllConnections();
    server.close();
  };
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close };
}

/**
 * Serves static files with byte ranges.
 * @param folders by the first part of a path. @param answer is asked first; true says that it has answered.
 */
export async function serve(
  folders: Readonly<Record<string, string>>,
  answer: (path: string, request: IncomingMessage, response: ServerResponse) => boolean = () => false,
): Promise<Site> {
  return listen((request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url ?? "/", "http://localhost").pathname));
    if (answer(path, request, response)) return;
    const [, top, ...rest] = path.split("/");
    const file = join(folders[top] ?? "/nonexistent", ...rest);
    if (!existsSync(file) || !statSync(file).isFile()) return void response.writeHead(404).end();
    const { size } = statSync(file);
    const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "");
    const [start, end] = range ? [Number(range[1]), Number(range[2])] : [0, size - 1];
    response.writeHead(range ? 206 : 200, {
      "content-type": TYPES[extname(file)] ?? "application/octet-stream",
      "content-length": end - start + 1,
      "accept-ranges": "bytes",
      ...(range && { "content-range": `bytes ${start}-${end}/${size}` }),
    });
    createReadStream(file, { start, end }).pipe(response);
  });
}
