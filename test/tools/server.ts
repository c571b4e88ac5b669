// server.ts — web servers for tests: any listener, or files and bytes by range.
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

/** The range that a request asks for, [start, end); undefined where it asks for none. */
function rangeOf(request: IncomingMessage): readonly [start: number, end: number] | undefined {
  const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "");
  return range ? [Number(range[1]), Number(range[2]) + 1] : undefined;
}

/** Serves bytes by range, as files of the folder at `base`. */
export const ranged =
  (base: string, files: Readonly<Record<string, Uint8Array>>): RequestListener =>
  (request, response) => {
    const path = decodeURIComponent(new URL(request.url!, "http://x").pathname);
    const body = path.startsWith(base) ? files[path.slice(base.length)] : undefined;
    if (!body) return void response.writeHead(404).end();
    const range = rangeOf(request);
    if (!range) return void response.writeHead(200, { "content-length": body.length }).end(body);
    const [start, end] = [range[0], Math.min(range[1], body.length)];
    if (start >= body.length) return void response.writeHead(416, { "content-range": `bytes */${body.length}` }).end();
    response.writeHead(206, {
      "content-range": `bytes ${start}-${end - 1}/${body.length}`,
      "content-length": end - start,
    });
    response.end(body.subarray(start, end));
  };

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
    const range = rangeOf(request);
    const [start, end] = range ?? [0, size];
    response.writeHead(range ? 206 : 200, {
      "content-type": TYPES[extname(file)] ?? "application/octet-stream",
      "content-length": end - start,
      "accept-ranges": "bytes",
      ...(range && { "content-range": `bytes ${start}-${end - 1}/${size}` }),
    });
    createReadStream(file, { start, end: end - 1 }).pipe(response);
  });
}
