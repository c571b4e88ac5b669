// server.ts — mutations of what the server adds to the library: embeddings, responses, and the page's Markdown.
import { type Mutation, of } from "./mutation.ts";

/** What must not pass in the rooms of embeddings, endpoints and page. */
export const server: readonly Mutation[] = [
  ...of(
    "src/generate/embed.ts",
    ["generate/embed"],
    [
      ["embed: the mean of one row", 'pooling === "mean" ? texts[i].length : 1', "1"],
      ["embed: only the last step counts", "(sum[i] += value)", "(sum[i] = value)"],
      ["embed: the first text's frequencies for all", "how.planned ?? ids.length", "how.planned ?? 1"],
      ["embed: who fails leaves the others running", "    stop.abort();\n    await", "    await"],
      [
        "embed: nobody waits for onAllocate",
        "await orAborted(() => onAllocate(need), signal, WHAT);",
        "void orAborted(() => onAllocate(need), signal, WHAT);",
      ],
    ],
  ),
  ...of(
    "src/server/embeddings.ts",
    ["server/embeddings"],
    [
      ["embeddings: the highest byte first", "bytes.setFloat32(4 * i, value, true)", "bytes.setFloat32(4 * i, value)"],
      ["embeddings: a place is never given back", "    leave();\n", ""],
      ["embeddings: vectors of any length", "if ((dimensions ?? dim) === dim) return;", "return;"],
      [
        "embeddings: a client that goes away keeps its place in the queue",
        "anySignal([request.signal, core.stop.signal])",
        "anySignal([core.stop.signal])",
      ],
    ],
  ),
  ...of(
    "src/server/response-events.ts",
    ["server/responses"],
    [
      ["responses: events without numbers", "sequence_number: this.#number++", "sequence_number: this.#number"],
      [
        "responses: an answer that was cut is complete",
        "yield this.#event(`response.${status}`",
        "yield this.#event(`response.completed`",
      ],
    ],
  ),
  ...of(
    "src/server/responses.ts",
    ["server/responses"],
    [
      [
        "responses: instructions are dropped",
        'typeof instructions === "string" ? [',
        'typeof instructions === "number" ? [',
      ],
      [
        "responses: a schema is any object",
        'return { responseFormat: { type: "json_schema", schema: given.schema } };',
        'return { responseFormat: { type: "json_object" } };',
      ],
    ],
  ),
  ...of(
    "src/server/page/inline.ts",
    ["server/markdown"],
    [
      ["markdown: links lead anywhere", "target && SAFE.test(target[1])", "target"],
      ["markdown: names are emphasis", "!(word && /\\w/.test(before))", "true"],
      ["markdown: marks wait without end", "opens && stack.length < MAX_OPEN", "opens"],
      [
        "markdown: the end of a sentence belongs to its address",
        "const href = trimmed(address[0]);",
        "const href = address[0];",
      ],
    ],
  ),
  ...of(
    "src/server/page/markdown.ts",
    ["server/markdown"],
    [
      ["markdown: lists in each other without end", "const deeper = depth < MAX_DEPTH;", "const deeper = depth < 1e9;"],
      ["markdown: a list goes on as another kind", "kind(item) !== kind(head) ||", ""],
    ],
  ),
  ...of(
    "src/server/guard.ts",
    ["server/guard"],
    [
      ["guard: any name of a host", "if (!hosts.includes(host)) return", "if (host === undefined) return"],
      ["guard: any key opens", "found |= Number(differs === 0);", "found |= 1;"],
    ],
  ),
  ...of(
    "src/server/body.ts",
    ["server/guard"],
    [
      ["body: a length that is not said has no bound", "if (bytes > maxBytes) {", "if (bytes > 1e9) {"],
      ["body: forms are taken", 'if (name.trim() === "application/json" && utf8) return;', "if (utf8) return;"],
    ],
  ),
  ...of(
    "src/server/score.ts",
    ["server/completion"],
    [["score: the likeliest are not asked for", "...(top > 0 && { onLogits })", "...(top > 1 && { onLogits })"]],
  ),
];
