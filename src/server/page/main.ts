// main.ts — the page: what a person does, and what of it is shown.

import { answer } from "./answer.ts";
import { ApiError, type Message, type Model, listModels } from "./api.ts";
import { fields, fill, held, systemPrompt } from "./fields.ts";
import { choice, choose, countSoon, onChoice, showReach } from "./reach.ts";
import type { Choice } from "./rope.ts";
import { load, loadKey, save, saveKey } from "./store.ts";
import { article, byId } from "./view.ts";

const [log, scroll, status] = [byId("log", HTMLElement), byId("scroll", HTMLElement), byId("status", HTMLElement)];
const message = byId("message", HTMLTextAreaElement);
const [send, stop] = [byId("send", HTMLButtonElement), byId("stop", HTMLButtonElement)];
const [models, key] = [byId("model", HTMLSelectElement), byId("key", HTMLInputElement)];
const [settings, toggle] = [byId("settings", HTMLElement), byId("toggle", HTMLElement)];

const kept = load();
let served: readonly Model[] = [];
let running: AbortController | undefined;

const model = (): Model | undefined => served.find(({ id }) => id === models.value);

/** What is sent before the next message; not what got no answer, which would be two messages of a person in a row. */
function conversation(): Message[] {
  const system = systemPrompt();
  const turns = kept.turns
    .filter(({ content }, i, all) => content !== "" && all[i + 1]?.content !== "")
    .map(({ role, content }) => ({ role, content }));
  return [...(system === "" ? [] : [{ role: "system" as const, content: system }]), ...turns];
}

/** Shows the end of the conversation, if a person was there already or `must` be. */
function follow(must = false): void {
  const near = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 120;
  if (near || must) scroll.scrollTop = scroll.scrollHeight;
}

function showAll(): void {
  const last = kept.turns.length - 1;
  const shownTurns = kept.turns.map((turn, i) => {
    const isLast = i === last && turn.role === "assistant" && !running;
    return article(turn, isLast ? { again, ...(turn.proposal && { take: () => take(turn.proposal!) }) } : {});
  });
  log.replaceChildren(...shownTurns);
  byId("empty", HTMLElement).hidden = kept.turns.length > 0;
}

/** The tokens of the conversation and of what is being written. */
function count(): void {
  const text = message.value.trim();
  showReach(model(), kept.tokens);
  const messages = text === "" ? [] : [...conversation(), { role: "user" as const, content: text }];
  countSoon(model(), messages, key.value, (tokens) => showReach(model(), tokens));
}

function remember(): void {
  kept.model = models.value || kept.model;
  kept.rope = choice();
  kept.fields = held();
  save(kept);
}

/** Computes the answer to the conversation, whose last message is a person's. */
async function compute(): Promise<void> {
  const own = model();
  if (!own || running) return;
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
  const draw = (): void => {
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
  if (running !== controller) return; // another conversation has begun
  kept.turns.push(turn);
  if (tokens !== undefined) kept.tokens = tokens;
  rest();
  // What comes piece by piece would be read so: it is said as a whole.
  status.textContent = turn.problem ?? (signal.aborted ? "Stopped." : `The model: ${turn.content}`);
  follow();
  remember();
  count();
  if (needsKey) askKey();
}

/** Nothing runs: the conversation as it is. */
function rest(): void {
  running = undefined;
  [send.hidden, stop.hidden] = [false, true];
  showAll();
  log.setAttribute("aria-busy", "false");
}

function submit(): void {
  const text = message.value.trim();
  if (text === "" || running || !model()) return;
  message.value = "";
  kept.turns.push({ role: "user", content: text });
  remember();
  void compute();
  show();
}

/** Computes the last answer again, with what is set now. */
function again(): void {
  if (running || kept.turns.at(-1)?.role !== "assistant") return;
  kept.turns.pop();
  void compute();
  message.focus();
}

function take(proposal: Choice): void {
  choose(proposal);
  again();
}

function openSettings(open: boolean): void {
  settings.hidden = !open;
  toggle.setAttribute("aria-expanded", String(open));
  kept.open = open;
  save(kept);
}

function askKey(): void {
  byId("key-label", HTMLElement).hidden = false;
  openSettings(true);
  key.focus();
}

/** The message field and what depends on its text. */
function show(): void {
  send.disabled = message.value.trim() === "" || !model();
  // Where the browser does not size a field by its content.
  if (!CSS.supports("field-sizing", "content")) {
    message.style.height = "auto";
    message.style.height = `${message.scrollHeight}px`;
  }
  count();
}

/** Asks who is served. */
async function start(): Promise<void> {
  try {
    served = await listModels(key.value);
  } catch (error) {
    const needsKey = error instanceof ApiError && error.status === 401;
    byId("about", HTMLElement).textContent = needsKey ? "This server asks for an API key." : (error as Error).message;
    if (needsKey) askKey();
    return;
  }
  const options = served.map(({ id }) => new Option(id, id));
  models.replaceChildren(...options);
  if (served.some(({ id }) => id === kept.model)) models.value = kept.model;
  describe();
}

function describe(): void {
  const own = model();
  if (!own) return;
  const trained = own.rope.originalMaxPositions.toLocaleString("en");
  byId("about", HTMLElement).textContent = `${own.id} was trained on texts of up to ${trained} tokens.`;
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
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  submit();
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  if (running) running.abort();
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
  if (!settings.hidden) byId("system", HTMLElement).focus();
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
