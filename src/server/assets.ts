// assets.ts — written by page/embed.mjs from the files in page/; change those, then `node src/server/page/embed.mjs`.

/** A file of the page. */
export interface Asset {
  readonly type: string;
  readonly text: string;
}

/** The files of the chat page by name. */
export const assets: Readonly<Record<string, Asset>> = {
  "answer.js": { type: "text/javascript; charset=utf-8", text: `import { ApiError, chat } from "./api.js";
import { choiceOf, ropeScaling, shown } from "./rope.js";
const number = (value, digits = 0) => value.toLocaleString("en", { maximumFractionDigits: digits, minimumFractionDigits: digits });
export async function answer(asked, onText) {
    const { model, messages, rope, fields, key, signal } = asked;
    const body = { model, messages, ...fields, ...(rope.type !== "own" && { rope_scaling: ropeScaling(rope) }) };
    const facts = [];
    const began = performance.now();
    let [text, pieces, first, last, setting] = ["", 0, 0, 0, ""];
    let tokens;
    const end = (more = {}, needsKey = false) => {
        facts.unshift(model, ...(setting === "" ? [] : [setting]));
        if (pieces > 1)
            facts.push(\`\${number(((pieces - 1) * 1000) / Math.max(1, last - first), 1)} tokens/s\`);
        if (pieces > 0)
            facts.push(\`first token after \${number((first - began) / 1000, 2)} s\`);
        return { turn: { role: "assistant", content: text, facts, ...more }, tokens, needsKey };
    };
    try {
        for await (const chunk of chat(body, key, signal)) {
            if (chunk.text !== "") {
                text += chunk.text;
                last = performance.now();
                if (pieces++ === 0)
                    first = last;
                onText(text);
            }
            if (chunk.rope)
                setting = shown(chunk.rope);
            if (chunk.finish === "length")
                facts.push("ended at the token limit");
            if (!chunk.usage)
                continue;
            pieces = chunk.usage.completion_tokens;
            tokens = chunk.usage.prompt_tokens + pieces;
            facts.push(\`\${number(pieces)} tokens\`);
        }
        return end();
    }
    catch (error) {
        if (signal.aborted) {
            facts.push("stopped");
            return end();
        }
        const known = error instanceof ApiError ? error : undefined;
        const scaling = known?.scaling === undefined ? undefined : choiceOf(known.scaling);
        const said = known?.message ?? \`the page failed: \${String(error)}\`;
        const problem = scaling ? said.replace(/^messages: /, "").replace(/; rope_scaling: .*$/, "") : said;
        const needsKey = known?.status === 401;
        return end({ problem: sentence(problem), proposal: scaling }, needsKey);
    }
}
const sentence = (text) => \`\${text[0].toUpperCase()}\${text.slice(1)}\${/[.!?]$/.test(text) ? "" : "."}\`;
` },
  "api.js": { type: "text/javascript; charset=utf-8", text: `export class ApiError extends Error {
    status;
    scaling;
    constructor(message, status, scaling) {
        super(message);
        this.status = status;
        this.scaling = scaling;
    }
}
function failure(error, status) {
    const message = error?.message ?? \`The server answered with status \${status}.\`;
    return new ApiError(message, status, error?.hint?.rope_scaling);
}
async function ask(path, key, init = {}) {
    const headers = { "content-type": "application/json", ...(key !== "" && { authorization: \`Bearer \${key}\` }) };
    let response;
    try {
        response = await fetch(new URL(path, document.baseURI), { ...init, headers });
    }
    catch (error) {
        if (init.signal?.aborted)
            throw error;
        throw new ApiError("The server cannot be reached. Is it still running?", 0);
    }
    if (response.ok)
        return response;
    const body = (await response.json().catch(() => undefined));
    throw failure(body?.error, response.status);
}
export async function listModels(key) {
    const { data } = (await (await ask("v1/models", key)).json());
    return data;
}
export async function countTokens(model, messages, key, signal) {
    const body = JSON.stringify({ model, messages });
    const response = await ask("tokenize", key, { method: "POST", body, signal });
    return (await response.json()).count;
}
export async function* chat(body, key, signal) {
    const whole = { ...body, stream: true, stream_options: { include_usage: true } };
    const response = await ask("v1/chat/completions", key, { method: "POST", body: JSON.stringify(whole), signal });
    for await (const data of events(response)) {
        if (data === "[DONE]")
            return;
        const { error, choices = [], usage, rope } = JSON.parse(data);
        if (error)
            throw failure(error, 200);
        const [choice] = choices;
        yield {
            text: choice?.delta?.content ?? "",
            finish: choice?.finish_reason ?? undefined,
            rope,
            usage: usage ?? undefined,
        };
    }
    throw new ApiError("The answer broke off: the server has closed the connection.", 0);
}
async function* events(response) {
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    try {
        for (;;) {
            const { done, value } = await reader.read();
            if (done)
                return;
            const parts = (rest + value).split("\\n\\n");
            rest = parts.pop();
            for (const part of parts) {
                const data = part.split("\\n").filter((line) => line.startsWith("data: "));
                if (data.length > 0)
                    yield data.map((line) => line.slice("data: ".length)).join("\\n");
            }
        }
    }
    finally {
        await reader.cancel().catch(() => { });
    }
}
` },
  "controls.css": { type: "text/css; charset=utf-8", text: `/* controls.css — the message field with what stands around it, and the settings. */
#composer {
  padding: 0 1rem max(0.75rem, env(safe-area-inset-bottom));
  max-width: 48rem;
}
.field {
  padding: 0.6rem 0.6rem 0.5rem 0.95rem;
  border: 1px solid var(--strong);
  border-radius: 1rem;
  background: var(--card);
  box-shadow: var(--shadow);
}
.field:focus-within {
  border-color: var(--accent);
  box-shadow:
    var(--shadow),
    0 0 0 1px var(--accent);
}
#message {
  display: block;
  width: 100%;
  max-height: 40vh;
  padding: 0.15rem 0;
  border: 0;
  outline: none;
  background: none;
  resize: none;
  field-sizing: content;
}
::placeholder {
  color: var(--soft);
  opacity: 1;
}
.controls {
  display: flex;
  align-items: center;
  gap: 0.4rem;
  margin-top: 0.35rem;
}
.rope {
  display: flex;
  align-items: center;
  gap: 0.3rem;
  min-width: 0;
  color: var(--soft);
  font-size: 0.875rem;
  white-space: nowrap;
}
.rope select {
  flex: 0 1 auto;
  min-width: 4.5rem;
  background: var(--card);
  color: var(--text);
  padding: 0.25rem 0.3rem;
}
.rope input {
  width: 3.8rem;
  padding: 0.2rem 0.4rem;
  border: 1px solid var(--line);
  border-radius: 0.45rem;
  background: var(--card);
  color: var(--text);
}
.space {
  flex: 1;
}
#send,
#stop {
  padding: 0.4rem 1.1rem;
  border: 0;
  border-radius: 0.65rem;
  background: var(--accent);
  color: var(--on-accent);
  font-weight: 600;
  cursor: pointer;
}
#stop {
  background: var(--text);
  color: var(--ground);
}
#send:disabled {
  background: var(--bubble);
  color: var(--soft);
  cursor: default;
}
.reach {
  display: flex;
  flex-wrap: wrap;
  justify-content: space-between;
  gap: 0.1rem 1rem;
  padding: 0.55rem 0.35rem 0;
  color: var(--soft);
  font-size: 0.8125rem;
  font-variant-numeric: tabular-nums;
}
.meter {
  position: relative;
  width: 100%;
  height: 4px;
  margin-bottom: 0.25rem;
  border-radius: 2px;
  background: var(--bubble);
}
.meter i {
  position: absolute;
  inset: 0 auto 0 0;
  width: 0;
  border-radius: 2px;
  background: var(--accent);
  transition: width 0.2s;
}
.meter.beyond i {
  background: var(--error);
}
.meter b {
  position: absolute;
  top: -3px;
  bottom: -3px;
  width: 2px;
  margin-left: -1px;
  background: var(--strong);
  border-radius: 1px;
}
#tokens.beyond {
  color: var(--error);
}

aside {
  flex: none;
  width: 20rem;
  padding: 1rem 1.25rem 1.5rem;
  overflow-y: auto;
  border-left: 1px solid var(--line);
  background: var(--card);
}
aside .title {
  display: flex;
  justify-content: space-between;
  align-items: center;
  margin-bottom: 0.75rem;
}
aside h2,
legend {
  font-size: 1rem;
  font-weight: 650;
}
aside label {
  display: block;
  color: var(--soft);
  font-size: 0.875rem;
}
aside fieldset {
  margin: 1.25rem 0;
  padding: 1rem 0 0;
  border: 0;
  border-top: 1px solid var(--line);
}
legend {
  float: left;
  width: 100%;
  padding: 0;
}
legend + * {
  clear: both;
}
aside p,
small {
  display: block;
  color: var(--soft);
  font-size: 0.8125rem;
}
.grid {
  display: grid;
  grid-template-columns: 1fr 1fr;
  gap: 0.7rem 0.8rem;
  margin-top: 0.6rem;
  align-items: end;
}
aside input,
aside textarea {
  display: block;
  width: 100%;
  margin-top: 0.2rem;
  padding: 0.4rem 0.6rem;
  border: 1px solid var(--strong);
  border-radius: 0.5rem;
  background: var(--ground);
  color: var(--text);
  font-size: 0.9375rem;
}
aside textarea {
  resize: vertical;
  line-height: 1.45;
}
.check {
  display: flex !important;
  gap: 0.6rem;
  align-items: flex-start;
  margin-top: 0.5rem;
  color: var(--text) !important;
}
.check input {
  flex: none;
  width: 1.05rem;
  height: 1.05rem;
  margin: 0.2rem 0 0;
  accent-color: var(--accent);
}

@media (max-width: 56rem) {
  aside {
    position: fixed;
    inset: 0 0 0 auto;
    z-index: 2;
    width: min(22rem, 100%);
    box-shadow: var(--shadow);
  }
}
@media (max-width: 36rem) {
  header {
    padding: 0.4rem 0.6rem;
    gap: 0.1rem;
  }
  .quiet > span {
    position: absolute;
    width: 1px;
    height: 1px;
    overflow: hidden;
    clip-path: inset(50%);
  }
  .foot .quiet > span,
  .code .quiet > span {
    position: static;
    width: auto;
    height: auto;
    clip-path: none;
  }
  #composer {
    padding-inline: 0.6rem;
  }
  #scroll {
    padding: 1rem 0.85rem;
  }
  .user .body {
    max-width: 92%;
  }
}
` },
  "conversation.css": { type: "text/css; charset=utf-8", text: `/* conversation.css — messages, and what Markdown makes in them. */
article {
  margin-bottom: 1.75rem;
}
article > h2 {
  position: absolute;
  width: 1px;
  height: 1px;
  overflow: hidden;
  clip-path: inset(50%);
}
.user .body {
  width: fit-content;
  max-width: 85%;
  margin-left: auto;
  padding: 0.6rem 0.95rem;
  border-radius: 1.1rem 1.1rem 0.3rem 1.1rem;
  background: var(--bubble);
  white-space: pre-wrap;
}
.body {
  overflow-wrap: anywhere;
}
.body > :first-child {
  margin-top: 0;
}
.body > :last-child {
  margin-bottom: 0;
}
.body p,
.body ul,
.body ol,
.body pre,
.body blockquote,
.body table,
.body .code {
  margin: 0.8em 0;
}
.body h3,
.body h4,
.body h5,
.body h6 {
  margin: 1.3em 0 0.4em;
  font-size: 1.1rem;
  line-height: 1.35;
}
.body h5,
.body h6 {
  font-size: 1rem;
}
.body ul,
.body ol {
  padding-left: 1.5em;
}
.body li > ul,
.body li > ol {
  margin: 0.25em 0;
}
.body li {
  margin: 0.25em 0;
}
.body blockquote {
  padding-left: 1em;
  border-left: 3px solid var(--line);
  color: var(--soft);
}
.body hr {
  border: 0;
  border-top: 1px solid var(--line);
  margin: 1.5em 0;
}
.body a {
  color: var(--accent);
  text-underline-offset: 2px;
}
.body code {
  padding: 0.1em 0.35em;
  border-radius: 0.35em;
  background: var(--code);
  font: 0.875em/1.5 var(--mono);
}
.body .code {
  border: 1px solid var(--line);
  border-radius: 0.6rem;
  background: var(--code);
  overflow: hidden;
}
.body .code > div {
  display: flex;
  justify-content: space-between;
  align-items: center;
  padding: 0.15rem 0.3rem 0.15rem 0.9rem;
  border-bottom: 1px solid var(--line);
  color: var(--soft);
  font-size: 0.8rem;
}
.body pre {
  margin: 0;
  padding: 0.8rem 0.9rem;
  overflow-x: auto;
}
.body pre code {
  padding: 0;
  background: none;
  overflow-wrap: normal;
}
.body .wide {
  overflow-x: auto;
}
.body table {
  border-collapse: collapse;
  margin: 0;
}
.body th,
.body td {
  padding: 0.3rem 0.7rem;
  border: 1px solid var(--line);
  text-align: left;
}
.waiting::after {
  content: "";
  display: inline-block;
  width: 0.5rem;
  height: 1.05em;
  margin-left: 0.15rem;
  border-radius: 1px;
  background: var(--accent);
  vertical-align: -0.15em;
  animation: blink 1.1s steps(2) infinite;
}
@keyframes blink {
  50% {
    opacity: 0;
  }
}
@media (prefers-reduced-motion: reduce) {
  .waiting::after {
    animation: none;
  }
}
.foot {
  display: flex;
  flex-wrap: wrap;
  align-items: center;
  gap: 0.1rem 0.5rem;
  margin-top: 0.5rem;
  min-height: 1.9rem;
  color: var(--soft);
  font-size: 0.8125rem;
  font-variant-numeric: tabular-nums;
}
.foot span:not(:last-of-type)::after {
  content: "·";
  margin-left: 0.5rem;
}
.foot .quiet,
.code .quiet {
  padding: 0.2rem 0.5rem;
  font-size: 0.8125rem;
}
.foot .quiet:first-of-type {
  margin-left: auto;
}
.problem {
  margin-top: 0.6rem;
  padding: 0.7rem 0.95rem;
  border-radius: 0.6rem;
  background: var(--error-ground);
  color: var(--error);
  overflow-wrap: anywhere;
}
.problem button {
  display: block;
  margin-top: 0.5rem;
  padding: 0.35rem 0.8rem;
  border: 1px solid currentColor;
  border-radius: 0.5rem;
  background: none;
  cursor: pointer;
}
` },
  "fields.js": { type: "text/javascript; charset=utf-8", text: `import { byId } from "./view.js";
const FIELDS = [
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "repetition_penalty",
    "seed",
    "max_tokens",
    "allow_beyond",
];
const input = (id) => byId(id, HTMLInputElement);
const system = byId("system", HTMLTextAreaElement);
export function fields() {
    const own = {};
    for (const id of FIELDS) {
        const { type, checked, value, valueAsNumber } = input(id);
        if (type === "checkbox" ? checked : value !== "")
            own[id] = type === "checkbox" || valueAsNumber;
    }
    return own;
}
export const systemPrompt = () => system.value.trim();
export const held = () => ({
    system: system.value,
    ...Object.fromEntries(FIELDS.map((id) => [id, input(id).type === "checkbox" ? input(id).checked : input(id).value])),
});
export function fill(kept) {
    system.value = String(kept["system"] ?? "");
    for (const id of FIELDS) {
        if (id === "allow_beyond")
            input(id).checked = kept[id] === true;
        else
            input(id).value = String(kept[id] ?? "");
    }
}
` },
  "icon.svg": { type: "image/svg+xml", text: `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" fill="#0f766e"/><path d="M10 26V9q0-3 2-4l1 3h2l1-3q2 1 2 4v7h4q3 0 3 3v7h-3v-6h-8v6z" fill="#fff"/></svg>
` },
  "index.html": { type: "text/html; charset=utf-8", text: `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1, interactive-widget=resizes-content" />
    <meta name="color-scheme" content="light dark" />
    <title>llariat</title>
    <link rel="icon" href="page/icon.svg" type="image/svg+xml" />
    <link rel="stylesheet" href="page/style.css" />
    <link rel="stylesheet" href="page/conversation.css" />
    <link rel="stylesheet" href="page/controls.css" />
    <script type="module" src="page/main.js"></script>
  </head>
  <body>
    <a class="skip" href="#message">Skip to the message field</a>
    <header>
      <h1><img src="page/icon.svg" alt="" width="26" height="26" />llariat</h1>
      <label class="model"
        ><span class="unseen">Model</span
        ><select id="model"></select
      ></label>
      <button id="new" type="button" class="quiet">
        <svg viewBox="0 0 20 20" aria-hidden="true"><path d="M10 4v12M4 10h12" /></svg><span>New chat</span>
      </button>
      <button id="toggle" type="button" class="quiet" aria-expanded="false" aria-controls="settings">
        <svg viewBox="0 0 20 20" aria-hidden="true">
          <path d="M3 6h8m4 0h2M3 14h2m4 0h8" />
          <circle cx="13" cy="6" r="2" />
          <circle cx="7" cy="14" r="2" /></svg
        ><span>Settings</span>
      </button>
    </header>
    <div class="columns">
      <main>
        <div id="scroll" tabindex="-1">
          <section id="empty">
            <h2>Ask the model something</h2>
            <p id="about"></p>
            <p>
              The conversation stays in this browser. Each message chooses its own RoPE scaling: below, beside the send
              button.
            </p>
          </section>
          <div id="log" role="log" aria-live="off" aria-label="Conversation"></div>
        </div>
        <form id="composer">
          <div class="field">
            <label class="unseen" for="message">Message</label>
            <textarea id="message" rows="1" placeholder="Message" autocomplete="off" aria-describedby="keys"></textarea>
            <div class="controls">
              <label class="rope"
                ><span>RoPE</span
                ><select id="rope" aria-describedby="meaning"></select
              ></label>
              <label class="rope" id="factor-label"
                ><span>×</span
                ><input
                  id="factor"
                  type="number"
                  min="1"
                  max="64"
                  step="any"
                  inputmode="decimal"
                  aria-label="Factor of the RoPE scaling"
              /></label>
              <span class="space"></span>
              <button id="stop" type="button" hidden>Stop</button>
              <button id="send" type="submit">Send</button>
            </div>
          </div>
          <div class="reach">
            <div id="meter" class="meter" aria-hidden="true"><i id="used"></i><b id="trained"></b></div>
            <p id="meaning"></p>
            <p id="tokens"></p>
          </div>
          <p id="keys" class="unseen">Enter sends, Shift and Enter begin a new line, Escape stops the answer.</p>
        </form>
      </main>
      <aside id="settings" aria-label="Settings" hidden>
        <div class="title">
          <h2>Settings</h2>
          <button id="close" type="button" class="quiet" aria-label="Close settings">
            <svg viewBox="0 0 20 20" aria-hidden="true"><path d="m5 5 10 10M15 5 5 15" /></svg>
          </button>
        </div>
        <label>System prompt<textarea id="system" rows="4" placeholder="None"></textarea></label>
        <fieldset>
          <legend>Sampling</legend>
          <p>What is empty is the model’s own.</p>
          <div class="grid">
            <label
              >Temperature<input
                id="temperature"
                type="number"
                min="0"
                max="5"
                step="any"
                inputmode="decimal"
                placeholder="model"
            /></label>
            <label
              >Top-p<input id="top_p" type="number" min="0" max="1" step="any" inputmode="decimal" placeholder="model"
            /></label>
            <label
              >Top-k<input id="top_k" type="number" min="0" step="1" inputmode="numeric" placeholder="model"
            /></label>
            <label
              >Min-p<input id="min_p" type="number" min="0" max="1" step="any" inputmode="decimal" placeholder="model"
            /></label>
            <label
              >Repetition penalty<input
                id="repetition_penalty"
                type="number"
                min="0"
                max="10"
                step="any"
                inputmode="decimal"
                placeholder="model"
            /></label>
            <label
              >Seed<input id="seed" type="number" min="0" step="1" inputmode="numeric" placeholder="random"
            /></label>
            <label
              >Most tokens<input id="max_tokens" type="number" min="1" step="1" inputmode="numeric" placeholder="model"
            /></label>
          </div>
        </fieldset>
        <fieldset>
          <legend>Long texts</legend>
          <label class="check"
            ><input id="allow_beyond" type="checkbox" /><span
              >Accept texts beyond the reach<small
                >The answer may be wrong: the model does not know those positions.</small
              ></span
            ></label
          >
        </fieldset>
        <label id="key-label"
          >API key<input id="key" type="password" autocomplete="off" spellcheck="false" placeholder="None" /><small
            >Kept until this tab is closed.</small
          ></label
        >
      </aside>
    </div>
    <p id="status" class="unseen" role="status"></p>
  </body>
</html>
` },
  "inline.js": { type: "text/javascript; charset=utf-8", text: `const MAX_OPEN = 24;
const TAGS = { "**": "strong", __: "strong", "*": "em", _: "em", "~~": "del" };
const PLAIN = /[^\\\\\`*_~[\\]!<\\nhH]+/y;
const ADDRESS = /https?:\\/\\/[^\\s<>"'\`]+/iy;
const ANGLE = /<((?:https?:\\/\\/|mailto:)[^\\s<>]+)>/iy;
const TARGET = /\\(<?([^\\s()<>]*(?:\\([^\\s()<>]*\\)[^\\s()<>]*)*)>?(?: +(?:"[^"\\n]*"|'[^'\\n]*'))?\\)/y;
const SAFE = /^(?:https?:\\/\\/|mailto:)/i;
const link = (href, children) => ({ tag: "a", attributes: { href }, children });
function add(nodes, node) {
    const last = nodes.at(-1);
    if (typeof node === "string" && typeof last === "string")
        nodes[nodes.length - 1] = last + node;
    else
        nodes.push(node);
}
const textOf = (nodes) => nodes.map((node) => (typeof node === "string" ? node : textOf(node.children))).join("");
export function inline(text) {
    const stack = [{ mark: "", nodes: [] }];
    const ticks = tickRuns(text);
    const put = (node) => add(stack.at(-1).nodes, node);
    const close = (at) => {
        const { nodes } = stack[at];
        for (const open of stack.slice(at + 1))
            for (const node of [open.mark, ...open.nodes])
                add(nodes, node);
        stack.length = at;
        return nodes;
    };
    const openAt = (mark) => stack.findLastIndex((open) => open.mark === mark);
    const matched = (pattern, at) => {
        pattern.lastIndex = at;
        return pattern.exec(text);
    };
    for (let i = 0; i < text.length;) {
        const char = text[i];
        const plain = matched(PLAIN, i);
        const address = char === "h" || char === "H" ? matched(ADDRESS, i) : null;
        if (plain) {
            put(plain[0]);
            i += plain[0].length;
        }
        else if (char === "\\\\" && /[!-/:-@[-\`{-~]/.test(text[i + 1] ?? "")) {
            put(text[i + 1]);
            i += 2;
        }
        else if (char === "\`") {
            const length = runLength(text, i);
            const end = ticks(length, i + length);
            if (end === undefined)
                put(text.slice(i, i + length));
            else
                put({ tag: "code", children: [codeText(text.slice(i + length, end))] });
            i = end === undefined ? i + length : end + length;
        }
        else if (char === "\\n") {
            put({ tag: "br", children: [] });
            i++;
        }
        else if (address && !/\\w/.test(text[i - 1] ?? "") && openAt("[") < 0) {
            const href = trimmed(address[0]);
            put(link(href, [href]));
            i += href.length;
        }
        else if (char === "<" && matched(ANGLE, i)) {
            const [all, href] = matched(ANGLE, i);
            put(link(href, [href]));
            i += all.length;
        }
        else if (char === "[" || (char === "!" && text[i + 1] === "[")) {
            if (char === "!")
                i++;
            if (stack.length < MAX_OPEN)
                stack.push({ mark: "[", nodes: [] });
            else
                put("[");
            i++;
        }
        else if (char === "]") {
            const at = openAt("[");
            const target = at > 0 ? matched(TARGET, i + 1) : null;
            if (target && SAFE.test(target[1])) {
                const children = close(at);
                put(link(target[1], [textOf(children) || target[1]]));
                i += 1 + target[0].length;
            }
            else {
                if (at > 0)
                    for (const node of ["[", ...close(at)])
                        put(node);
                put("]");
                i++;
            }
        }
        else if (char === "*" || char === "_" || (char === "~" && text[i + 1] === "~")) {
            i += emphasis(i);
        }
        else {
            put(char);
            i++;
        }
    }
    const [{ nodes }] = stack;
    close(0);
    return nodes;
    function emphasis(at) {
        const char = text[at];
        const length = runLength(text, at);
        const [before, after] = [text[at - 1] ?? " ", text[at + length] ?? " "];
        const word = char === "_";
        const closes = !/\\s/.test(before) && !(word && /\\w/.test(after));
        const opens = !/\\s/.test(after) && !(word && /\\w/.test(before));
        let left = length;
        while (left > 0) {
            const marks = [char.repeat(2), char].filter((mark) => mark.length <= left && mark in TAGS);
            if (marks.length === 0)
                break;
            const found = closes ? Math.max(...marks.map(openAt)) : -1;
            if (found > 0 && (stack[found].nodes.length > 0 || found < stack.length - 1)) {
                const { mark } = stack[found];
                const children = close(found);
                put({ tag: TAGS[mark], children });
                left -= mark.length;
            }
            else if (opens && stack.length < MAX_OPEN) {
                stack.push({ mark: marks[0], nodes: [] });
                left -= marks[0].length;
            }
            else
                break;
        }
        if (left > 0)
            put(char.repeat(left));
        return length;
    }
}
function runLength(text, at) {
    let end = at + 1;
    while (text[end] === text[at])
        end++;
    return end - at;
}
function tickRuns(text) {
    const runs = new Map();
    for (const { 0: run, index } of text.matchAll(/\`+/g)) {
        if (!runs.has(run.length))
            runs.set(run.length, { at: [], next: 0 });
        runs.get(run.length).at.push(index);
    }
    return (length, from) => {
        const own = runs.get(length);
        while (own && own.at[own.next] < from)
            own.next++;
        return own?.at[own.next];
    };
}
const codeText = (text) => {
    const line = text.replaceAll("\\n", " ");
    return line.startsWith(" ") && line.endsWith(" ") && line.trim() !== "" ? line.slice(1, -1) : line;
};
function trimmed(address) {
    let end = address.length;
    for (;;) {
        const last = address[end - 1];
        const unmatched = last === ")" && !address.slice(0, end).includes("(");
        if (!unmatched && !/[.,;:!?*_~\\]]/.test(last))
            return address.slice(0, end);
        end--;
    }
}
` },
  "main.js": { type: "text/javascript; charset=utf-8", text: `import { answer } from "./answer.js";
import { ApiError, listModels } from "./api.js";
import { fields, fill, held, systemPrompt } from "./fields.js";
import { choice, choose, countSoon, onChoice, showReach } from "./reach.js";
import { load, loadKey, save, saveKey } from "./store.js";
import { article, byId } from "./view.js";
const [log, scroll, status] = [byId("log", HTMLElement), byId("scroll", HTMLElement), byId("status", HTMLElement)];
const message = byId("message", HTMLTextAreaElement);
const [send, stop] = [byId("send", HTMLButtonElement), byId("stop", HTMLButtonElement)];
const [models, key] = [byId("model", HTMLSelectElement), byId("key", HTMLInputElement)];
const [settings, toggle] = [byId("settings", HTMLElement), byId("toggle", HTMLElement)];
const kept = load();
let served = [];
let running;
const model = () => served.find(({ id }) => id === models.value);
function conversation() {
    const system = systemPrompt();
    const turns = kept.turns
        .filter(({ content }, i, all) => content !== "" && all[i + 1]?.content !== "")
        .map(({ role, content }) => ({ role, content }));
    return [...(system === "" ? [] : [{ role: "system", content: system }]), ...turns];
}
function follow(must = false) {
    const near = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 120;
    if (near || must)
        scroll.scrollTop = scroll.scrollHeight;
}
function showAll() {
    const last = kept.turns.length - 1;
    const shownTurns = kept.turns.map((turn, i) => {
        const isLast = i === last && turn.role === "assistant" && !running;
        return article(turn, isLast ? { again, ...(turn.proposal && { take: () => take(turn.proposal) }) } : {});
    });
    log.replaceChildren(...shownTurns);
    byId("empty", HTMLElement).hidden = kept.turns.length > 0;
}
function count() {
    const text = message.value.trim();
    showReach(model(), kept.tokens);
    const messages = text === "" ? [] : [...conversation(), { role: "user", content: text }];
    countSoon(model(), messages, key.value, (tokens) => showReach(model(), tokens));
}
function remember() {
    kept.model = models.value || kept.model;
    kept.rope = choice();
    kept.fields = held();
    save(kept);
}
async function compute() {
    const own = model();
    if (!own || running)
        return;
    const controller = new AbortController();
    running = controller;
    [send.hidden, stop.hidden] = [true, false];
    log.setAttribute("aria-busy", "true");
    showAll();
    let text = "";
    let drawn = 0;
    let element = article({ role: "assistant", content: "" }, { waiting: true });
    log.append(element);
    follow(true);
    status.textContent = "The model answers.";
    const draw = () => {
        drawn = 0;
        const next = article({ role: "assistant", content: text }, { waiting: true });
        element.replaceWith(next);
        element = next;
        follow();
    };
    const { signal } = controller;
    const asked = { model: own.id, messages: conversation(), rope: choice(), fields: fields(), key: key.value, signal };
    const { turn, tokens, needsKey } = await answer(asked, (all) => {
        text = all;
        drawn ||= requestAnimationFrame(draw);
    });
    cancelAnimationFrame(drawn);
    if (running !== controller)
        return;
    kept.turns.push(turn);
    if (tokens !== undefined)
        kept.tokens = tokens;
    rest();
    status.textContent = turn.problem ?? (signal.aborted ? "Stopped." : \`The model: \${turn.content}\`);
    follow();
    remember();
    count();
    if (needsKey)
        askKey();
}
function rest() {
    running = undefined;
    [send.hidden, stop.hidden] = [false, true];
    showAll();
    log.setAttribute("aria-busy", "false");
}
function submit() {
    const text = message.value.trim();
    if (text === "" || running || !model())
        return;
    message.value = "";
    kept.turns.push({ role: "user", content: text });
    remember();
    void compute();
    show();
}
function again() {
    if (running || kept.turns.at(-1)?.role !== "assistant")
        return;
    kept.turns.pop();
    void compute();
    message.focus();
}
function take(proposal) {
    choose(proposal);
    again();
}
function openSettings(open) {
    settings.hidden = !open;
    toggle.setAttribute("aria-expanded", String(open));
    kept.open = open;
    save(kept);
}
function askKey() {
    byId("key-label", HTMLElement).hidden = false;
    openSettings(true);
    key.focus();
}
function show() {
    send.disabled = message.value.trim() === "" || !model();
    if (!CSS.supports("field-sizing", "content")) {
        message.style.height = "auto";
        message.style.height = \`\${message.scrollHeight}px\`;
    }
    count();
}
async function start() {
    try {
        served = await listModels(key.value);
    }
    catch (error) {
        const needsKey = error instanceof ApiError && error.status === 401;
        byId("about", HTMLElement).textContent = needsKey ? "This server asks for an API key." : error.message;
        if (needsKey)
            askKey();
        return;
    }
    const options = served.map(({ id }) => new Option(id, id));
    models.replaceChildren(...options);
    if (served.some(({ id }) => id === kept.model))
        models.value = kept.model;
    describe();
}
function describe() {
    const own = model();
    if (!own)
        return;
    const trained = own.rope.originalMaxPositions.toLocaleString("en");
    byId("about", HTMLElement).textContent = \`\${own.id} was trained on texts of up to \${trained} tokens.\`;
    show();
}
choose(kept.rope);
fill(kept.fields);
key.value = loadKey();
openSettings(kept.open && matchMedia("(min-width: 56rem)").matches);
byId("composer", HTMLElement).addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
});
message.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing)
        return;
    event.preventDefault();
    submit();
});
document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape")
        return;
    if (running)
        running.abort();
    else if (settings.contains(document.activeElement)) {
        openSettings(false);
        toggle.focus();
    }
});
stop.addEventListener("click", () => {
    running?.abort();
    message.focus();
});
message.addEventListener("input", show);
onChoice(() => {
    remember();
    count();
});
models.addEventListener("change", () => {
    remember();
    describe();
});
settings.addEventListener("change", remember);
key.addEventListener("change", () => {
    saveKey(key.value);
    void start();
});
toggle.addEventListener("click", () => {
    openSettings(settings.hidden !== false);
    if (!settings.hidden)
        byId("system", HTMLElement).focus();
});
byId("close", HTMLElement).addEventListener("click", () => {
    openSettings(false);
    toggle.focus();
});
byId("new", HTMLElement).addEventListener("click", () => {
    running?.abort();
    kept.turns.length = 0;
    kept.tokens = 0;
    save(kept);
    rest();
    show();
    message.focus();
});
showAll();
show();
follow(true);
message.focus();
void start();
` },
  "markdown.js": { type: "text/javascript; charset=utf-8", text: `import { inline } from "./inline.js";
const MAX_DEPTH = 12;
const FENCE = /^ {0,3}(\`{3,}|~{3,})([^\`]*)$/;
const HEADING = /^ {0,3}(#{1,6})(?: +(.*))?$/;
const RULE = /^ {0,3}(?:(?:\\* *){3,}|(?:- *){3,}|(?:_ *){3,})$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^( *)([-*+]|(\\d{1,9})[.)])( +|$)/;
export const markdown = (text) => blocks(text.replaceAll("\\t", "    ").split(/\\r?\\n/), 0);
function run(lines, first, holds) {
    let end = first;
    while (end < lines.length && holds(lines[end], end))
        end++;
    return end;
}
const blank = (line) => line.trim() === "";
const begins = (line) => FENCE.test(line) || HEADING.test(line) || RULE.test(line) || QUOTE.test(line) || ITEM.test(line);
function blocks(lines, depth) {
    const found = [];
    const deeper = depth < MAX_DEPTH;
    for (let i = 0; i < lines.length;) {
        const line = lines[i];
        if (blank(line)) {
            i++;
            continue;
        }
        const [fence, heading] = [FENCE.exec(line), HEADING.exec(line)];
        if (fence) {
            const [, mark, info] = fence;
            const [language] = info.trim().split(/\\s/);
            const indent = line.indexOf(mark);
            const close = new RegExp(\`^ {0,3}\\\\\${mark[0]}{\${mark.length},} *$\`);
            const end = run(lines, i + 1, (each) => !close.test(each));
            const code = lines.slice(i + 1, end).map((each) => each.replace(new RegExp(\`^ {0,\${indent}}\`), ""));
            found.push({ tag: "pre", attributes: { "data-language": language }, children: [code.join("\\n")] });
            i = end + 1;
        }
        else if (heading) {
            const title = (heading[2] ?? "").trimEnd().replace(/(?:^| )#+$/, "");
            found.push({ tag: \`h\${Math.min(6, heading[1].length + 2)}\`, children: inline(title.trim()) });
            i++;
        }
        else if (RULE.test(line)) {
            found.push({ tag: "hr", children: [] });
            i++;
        }
        else if (QUOTE.test(line) && deeper) {
            const end = run(lines, i, (each) => QUOTE.test(each));
            const inside = lines.slice(i, end).map((each) => each.replace(QUOTE, ""));
            found.push({ tag: "blockquote", children: blocks(inside, depth + 1) });
            i = end;
        }
        else if (ITEM.test(line) && deeper) {
            i = list(lines, i, depth, found);
        }
        else if (line.includes("|") && columnsOf(lines[i + 1]) === cells(line).length) {
            i = table(lines, i, found);
        }
        else {
            const end = run(lines, i + 1, (each) => !blank(each) && !begins(each));
            found.push({ tag: "p", children: inline(lines.slice(i, end).join("\\n").trim()) });
            i = end;
        }
    }
    return found;
}
function list(lines, first, depth, found) {
    const kind = (item) => item[2].at(-1);
    const head = ITEM.exec(lines[first]);
    const children = [];
    let i = first;
    for (;;) {
        const item = i < lines.length ? ITEM.exec(lines[i]) : null;
        if (!item || kind(item) !== kind(head) || RULE.test(lines[i]))
            break;
        const start = item[1].length + item[2].length + Math.min(4, item[4].length || 1);
        const belongs = (line) => line.length - line.trimStart().length >= item[1].length + 2;
        const end = run(lines, i + 1, (line, at) => {
            if (blank(line))
                return at + 1 < lines.length && belongs(lines[at + 1]);
            return belongs(line) || (!begins(line) && !blank(lines[at - 1]));
        });
        const strip = (line) => line.slice(Math.min(start, line.length - line.trimStart().length));
        const own = blocks([lines[i].slice(start), ...lines.slice(i + 1, end).map(strip)], depth + 1);
        const [text, ...rest] = own;
        const tight = typeof text === "object" && text.tag === "p" && rest.every((each) => typeof each === "object" && each.tag !== "p");
        children.push({ tag: "li", children: tight ? [...text.children, ...rest] : own });
        i = end;
        const next = run(lines, i, blank);
        if (next < lines.length && ITEM.test(lines[next]))
            i = next;
    }
    const start = head[3];
    const attributes = start === undefined || Number(start) === 1 ? undefined : { start: String(Number(start)) };
    found.push({ tag: start === undefined ? "ul" : "ol", attributes, children });
    return i;
}
const cells = (line) => line
    .trim()
    .replace(/^\\|/, "")
    .replace(/\\|$/, "")
    .split("|")
    .map((cell) => cell.trim());
function columnsOf(line) {
    if (line === undefined || !line.includes("-"))
        return undefined;
    const marks = cells(line);
    return marks.every((mark) => /^:?-+:?$/.test(mark)) ? marks.length : undefined;
}
function table(lines, first, found) {
    const end = run(lines, first + 2, (line) => line.includes("|") && !blank(line));
    const width = cells(lines[first]).length;
    const row = (line, tag) => {
        const own = cells(line);
        return {
            tag: "tr",
            children: Array.from({ length: width }, (_, i) => ({ tag, children: inline(own[i] ?? "") })),
        };
    };
    found.push({
        tag: "table",
        children: [
            { tag: "thead", children: [row(lines[first], "th")] },
            { tag: "tbody", children: lines.slice(first + 2, end).map((line) => row(line, "td")) },
        ],
    });
    return end;
}
` },
  "reach.js": { type: "text/javascript; charset=utf-8", text: `import { countTokens } from "./api.js";
import { TYPES, meaning, reachOf } from "./rope.js";
import { byId } from "./view.js";
const type = byId("rope", HTMLSelectElement);
const factor = byId("factor", HTMLInputElement);
const [used, trainedAt, tokensAt] = [
    byId("used", HTMLElement),
    byId("trained", HTMLElement),
    byId("tokens", HTMLElement),
];
const COUNT_MS = 400;
export const choice = () => ({ type: type.value, factor: Math.max(1, factor.valueAsNumber || 1) });
export function choose({ type: name, factor: value }) {
    type.value = Object.hasOwn(TYPES, name) ? name : "own";
    factor.value = String(value);
}
export function onChoice(changed) {
    for (const element of [type, factor])
        element.addEventListener("input", changed);
}
const count = (value) => value.toLocaleString("en");
export function showReach(model, tokens) {
    byId("factor-label", HTMLElement).hidden = !TYPES[type.value].scales;
    if (!model)
        return;
    const reach = reachOf(choice(), model.rope);
    const trained = model.rope.originalMaxPositions;
    const end = Math.max(reach, trained);
    byId("meaning", HTMLElement).textContent = meaning(choice(), model.rope);
    tokensAt.textContent = \`\${count(tokens)} of \${count(reach)} tokens\`;
    used.style.width = \`\${Math.min(100, (100 * tokens) / end)}%\`;
    trainedAt.style.left = \`\${(100 * trained) / end}%\`;
    trainedAt.hidden = trained >= end;
    for (const element of [used.parentElement, tokensAt])
        element.classList.toggle("beyond", tokens > reach);
}
let counting;
export function countSoon(model, messages, key, counted) {
    clearTimeout(counting?.timer);
    counting?.stop.abort();
    counting = undefined;
    if (!model || messages.length === 0)
        return;
    const stop = new AbortController();
    const timer = setTimeout(() => {
        countTokens(model.id, messages, key, stop.signal).then(counted, () => { });
    }, COUNT_MS);
    counting = { timer, stop };
}
type.replaceChildren(...Object.entries(TYPES).map(([value, { name }]) => new Option(name, value)));
` },
  "rope.js": { type: "text/javascript; charset=utf-8", text: `export const TYPES = {
    own: { name: "model’s own", scales: false, use: "as its config says" },
    none: { name: "none", scales: false, use: "no scaling: for texts inside the trained context" },
    yarn: { name: "YaRN", scales: true, use: "the best without fine-tuning" },
    dynamic: { name: "dynamic", scales: true, use: "changes nothing before the trained context ends" },
    ntk: { name: "NTK", scales: true, use: "as dynamic, at every length" },
    linear: { name: "linear", scales: true, use: "for models that were fine-tuned for it" },
    llama3: { name: "Llama 3", scales: true, use: "what Llama 3.1 and later were trained with" },
};
export function ropeScaling({ type, factor }) {
    if (type === "own")
        return undefined;
    if (type === "none")
        return null;
    const bands = type === "llama3" ? { low_freq_factor: 1, high_freq_factor: 4 } : {};
    return { rope_type: type, factor, ...bands };
}
export function reachOf({ type, factor }, rope) {
    if (type === "own")
        return rope.maxContext ?? rope.maxPositions;
    if (type === "none")
        return rope.originalMaxPositions;
    return Math.floor((type === "dynamic" ? rope.maxPositions : rope.originalMaxPositions) * factor);
}
const count = (tokens) => tokens.toLocaleString("en");
export function meaning(choice, rope) {
    const [reach, trained] = [reachOf(choice, rope), rope.originalMaxPositions];
    const ratio = Number((reach / trained).toFixed(2));
    const what = ratio === 1
        ? \`Reaches the trained \${count(trained)} tokens.\`
        : \`Reaches \${count(reach)} tokens, \${ratio} × the trained \${count(trained)}.\`;
    return \`\${what} \${sentence(TYPES[choice.type].use)}\`;
}
const sentence = (text) => \`\${text[0].toUpperCase()}\${text.slice(1)}.\`;
export function choiceOf(scaling) {
    if (scaling === null)
        return { type: "none", factor: 1 };
    const { rope_type: type, factor } = scaling;
    if (typeof type !== "string" || !Object.hasOwn(TYPES, type) || typeof factor !== "number")
        return undefined;
    return { type, factor };
}
export function shown(rope) {
    if (rope.type === "default" || rope.type === "none")
        return "no RoPE scaling";
    return rope.factor !== undefined && rope.factor > 1 ? \`\${rope.type} ×\${rope.factor}\` : rope.type;
}
` },
  "store.js": { type: "text/javascript; charset=utf-8", text: `const NAME = "llariat.chat";
const KEY = "llariat.key";
const EMPTY = { turns: [], tokens: 0, model: "", rope: { type: "own", factor: 2 }, fields: {}, open: false };
export function load() {
    try {
        const kept = JSON.parse(localStorage.getItem(NAME) ?? "{}");
        return { ...structuredClone(EMPTY), ...(Array.isArray(kept.turns) && kept) };
    }
    catch {
        return structuredClone(EMPTY);
    }
}
export function save(kept) {
    try {
        localStorage.setItem(NAME, JSON.stringify(kept));
    }
    catch {
    }
}
export function loadKey() {
    try {
        return sessionStorage.getItem(KEY) ?? "";
    }
    catch {
        return "";
    }
}
export function saveKey(key) {
    try {
        sessionStorage.setItem(KEY, key);
    }
    catch {
    }
}
` },
  "style.css": { type: "text/css; charset=utf-8", text: `/* style.css — the frame: colours by role for light and dark, with a contrast of 4.5 or more of text; header and columns. */
:root {
  --ground: #fbfaf8;
  --card: #ffffff;
  --bubble: #ecebe6;
  --line: #dcdad3;
  --strong: #8a877f;
  --text: #1d1c1a;
  --soft: #5c5a54;
  --accent: #0f766e;
  --on-accent: #ffffff;
  --error: #a4262c;
  --error-ground: #fdf1f0;
  --code: #f2f1ec;
  --focus: #0f766e;
  --shadow: 0 1px 2px #0000000d, 0 6px 24px #0000000f;
  --mono: ui-monospace, "SF Mono", SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  color-scheme: light;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #171715;
    --card: #21211e;
    --bubble: #2d2d29;
    --line: #3a3a35;
    --strong: #85827a;
    --text: #edebe6;
    --soft: #aaa79f;
    --accent: #5eead4;
    --on-accent: #06231f;
    --error: #ffb4ab;
    --error-ground: #3a1d1b;
    --code: #121210;
    --focus: #5eead4;
    --shadow: 0 1px 2px #0006, 0 6px 24px #0006;
    color-scheme: dark;
  }
}
* {
  box-sizing: border-box;
  scrollbar-width: thin;
  scrollbar-color: var(--strong) transparent;
}
html,
body {
  height: 100%;
  margin: 0;
}
body {
  display: flex;
  flex-direction: column;
  height: 100dvh;
  overflow: hidden;
  background: var(--ground);
  color: var(--text);
  font:
    1rem/1.6 system-ui,
    -apple-system,
    "Segoe UI",
    Roboto,
    "Helvetica Neue",
    "Liberation Sans",
    sans-serif;
}
h1,
h2,
p {
  margin: 0;
}
button,
input,
select,
textarea {
  font: inherit;
  color: inherit;
}
:focus-visible {
  outline: 2px solid var(--focus);
  outline-offset: 2px;
}
.unseen {
  position: absolute;
  width: 1px;
  height: 1px;
  overflow: hidden;
  clip-path: inset(50%);
  white-space: nowrap;
}
.skip {
  position: absolute;
  left: -99rem;
  z-index: 3;
  padding: 0.5rem 1rem;
  background: var(--card);
  color: var(--accent);
}
.skip:focus {
  left: 0.5rem;
  top: 0.5rem;
}
[hidden] {
  display: none !important;
}

header {
  display: flex;
  align-items: center;
  gap: 0.5rem;
  padding: 0.5rem 1rem;
  border-bottom: 1px solid var(--line);
}
h1 {
  display: flex;
  align-items: center;
  gap: 0.55rem;
  font-size: 1.05rem;
  font-weight: 650;
  letter-spacing: -0.01em;
}
.model {
  margin: 0 auto 0 0.5rem;
  min-width: 0;
}
select {
  max-width: 100%;
  padding: 0.3rem 0.5rem;
  border: 1px solid transparent;
  border-radius: 0.5rem;
  background: var(--ground);
  text-overflow: ellipsis;
}
select:hover {
  border-color: var(--line);
}
.quiet {
  display: flex;
  align-items: center;
  gap: 0.4rem;
  padding: 0.35rem 0.6rem;
  border: 0;
  border-radius: 0.5rem;
  background: none;
  color: var(--soft);
  cursor: pointer;
}
.quiet:hover,
.quiet[aria-expanded="true"] {
  background: var(--bubble);
  color: var(--text);
}
svg {
  width: 1.15rem;
  height: 1.15rem;
  fill: none;
  stroke: currentColor;
  stroke-width: 1.7;
  stroke-linecap: round;
}

.columns {
  flex: 1;
  display: flex;
  min-height: 0;
}
main {
  flex: 1;
  display: flex;
  flex-direction: column;
  min-width: 0;
}
#scroll {
  flex: 1;
  overflow-y: auto;
  overscroll-behavior: contain;
  padding: 1.5rem 1rem 1rem;
  outline: none;
  scrollbar-gutter: stable both-edges;
}
#log,
#empty,
#composer {
  width: 100%;
  max-width: 46rem;
  margin: 0 auto;
}
#empty {
  padding: 12vh 0.25rem 0;
  color: var(--soft);
}
#empty h2 {
  margin-bottom: 0.5rem;
  color: var(--text);
  font-size: 1.75rem;
  font-weight: 600;
  line-height: 1.25;
  letter-spacing: -0.02em;
}
#empty p + p {
  margin-top: 0.5rem;
}
` },
  "view.js": { type: "text/javascript; charset=utf-8", text: `import { markdown } from "./markdown.js";
export function byId(id, kind) {
    const element = document.getElementById(id);
    if (!(element instanceof kind))
        throw new Error(\`the page has no \${kind.name} of id \${id}\`);
    return element;
}
export function make(tag, className = "", ...children) {
    const element = document.createElement(tag);
    if (className !== "")
        element.className = className;
    element.append(...children);
    return element;
}
export function button(text, act) {
    const element = make("button", "quiet", make("span", "", text));
    element.type = "button";
    element.addEventListener("click", act);
    return element;
}
function copyButton(text) {
    const element = button("Copy", () => {
        const label = element.firstElementChild;
        const say = (word) => {
            label.textContent = word;
            setTimeout(() => (label.textContent = "Copy"), 1500);
        };
        if (!navigator.clipboard)
            return say("Cannot copy");
        navigator.clipboard.writeText(text()).then(() => say("Copied"), () => say("Cannot copy"));
    });
    return element;
}
function render(node) {
    if (typeof node === "string")
        return document.createTextNode(node);
    const { tag, attributes = {}, children } = node;
    if (tag === "pre") {
        const [text] = children;
        const head = make("div", "", make("span", "", attributes["data-language"] || "code"), copyButton(() => text));
        const pre = make("pre", "", make("code", "", text));
        pre.tabIndex = 0;
        return make("div", "code", head, pre);
    }
    const element = make(tag, "", ...children.map(render));
    for (const [name, value] of Object.entries(attributes))
        element.setAttribute(name, value);
    if (tag === "a") {
        element.setAttribute("rel", "noopener noreferrer nofollow");
        element.setAttribute("target", "_blank");
    }
    return tag === "table" ? make("div", "wide", element) : element;
}
export function article(turn, { waiting = false, again, take } = {}) {
    const { role, content, facts, problem, proposal } = turn;
    const body = make("div", "body");
    if (role === "user")
        body.textContent = content;
    else
        body.append(...markdown(content).map(render));
    const element = make("article", role, make("h2", "", role === "user" ? "You" : "Model"), body);
    if (waiting)
        tail(body).classList.add("waiting");
    if (problem !== undefined) {
        const box = make("div", "problem", problem);
        if (take && proposal) {
            const act = make("button", "", \`Use \${proposal.type} ×\${proposal.factor} and try again\`);
            act.type = "button";
            act.addEventListener("click", take);
            box.append(act);
        }
        element.append(box);
    }
    if (role === "assistant" && !waiting) {
        const foot = make("div", "foot", ...(facts ?? []).map((fact) => make("span", "", fact)));
        if (content !== "")
            foot.append(copyButton(() => content));
        if (again)
            foot.append(button("Regenerate", again));
        element.append(foot);
    }
    return element;
}
function tail(body) {
    let last = body;
    while (last.lastElementChild && /^(P|UL|OL|LI|BLOCKQUOTE|H[3-6])$/.test(last.lastElementChild.tagName)) {
        last = last.lastElementChild;
    }
    return last;
}
` },
};
