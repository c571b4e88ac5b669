// serving.ts — the bundled model behind a server, asked without a socket.
import * as assert from "uvu/assert";
import { type LoadOptions, Llama } from "../../src/node/index.ts";
import { type NodeServer, type ServeOptions, serve } from "../../src/node/server.ts";
import { folder } from "./models.ts";

/** A prompt of kv-llama's kind, and what it answers. */
export const PROMPT =
  "## UUID key/value pairs to remember: '6ceaa6c1' = 'b93d' '25bae397' = '072b' 'cdf2859e' = '07b3' What is the value of the key '25bae397'?";
/** The answer to PROMPT as a chat message. */
export const ANSWER = "The value of the key '25bae397' is '072b'.";

/** An answer of any form: what a test finds in it, it compares. */
// oxlint-disable-next-line typescript/no-explicit-any -- see above
export type Loose = any;

/** A server, and short ways to ask it. */
export interface Serving {
  readonly llama: Llama;
  readonly server: NodeServer;
  /** The response to a POST of JSON. */
  readonly post: (path: string, body: unknown, init?: RequestInit) => Promise<Response>;
  /** The JSON of an answer with this status, 200 if left out. */
  readonly json: (path: string, body: unknown, status?: number) => Promise<Loose>;
  /** The events of a stream, read as JSON but for the last, which must be [DONE]. */
  readonly events: (path: string, body: object) => Promise<Loose[]>;
  readonly close: () => Promise<void>;
}

/** Loads models/kv-llama and serves it as "kv-llama". */
export async function serving(options: Partial<ServeOptions> = {}, loading: LoadOptions = {}): Promise<Serving> {
  const llama = await Llama.load(folder("/models/kv-llama"), loading);
  const server = serve({ models: { "kv-llama": llama }, ...options });
  const post: Serving["post"] = (path, body, init) =>
    server.fetch(
      new Request(`http://localhost${path}`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
        ...init,
      }),
    );
  return {
    llama,
    server,
    post,
    async json(path, body, status = 200) {
      const response = await post(path, body);
      const text = await response.text();
      assert.is(response.status, status, text);
      return JSON.parse(text) as unknown;
    },
    async events(path, body) {
      const response = await post(path, { ...body, stream: true });
      const text = await response.text();
      assert.is(response.status, 200, text);
      assert.match(response.headers.get("content-type")!, /^text\/event-stream/);
      return readEvents(text);
    },
    async close() {
      await server.close();
      llama.close();
    },
  };
}

/** Asserts that a body is refused in OpenAI's form, and by which field. */
export async function refusedAs(
  at: Serving,
  path: string,
  body: object,
  status: number,
  param: string | null,
  sentence: RegExp,
): Promise<void> {
  const { error } = await at.json(path, body, status);
  assert.equal(Object.keys(error as object).slice(0, 4), ["message", "type", "param", "code"]);
  assert.is(error.param, param, error.message as string);
  assert.match(error.message, sentence);
  assert.is(error.type, "invalid_request_error");
}

/** The JSON of each event of a whole stream; its last must be [DONE]. */
export function readEvents(text: string): Loose[] {
  const events = text
    .split("\n\n")
    .filter((part) => part !== "" && !part.startsWith(":"))
    .map((part) => /^data: (.*)$/.exec(part)?.[1] ?? assert.unreachable(`no event: ${part}`));
  assert.is(events.pop(), "[DONE]");
  return events.map((each) => JSON.parse(each as string) as unknown);
}
