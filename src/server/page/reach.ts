// reach.ts — the RoPE setting of the next message: its inputs, what it reaches on the model, and how much of it is used.

import { type Key, type Message, type Model, countTokens } from "./api.ts";
import { type Choice, TYPES, meaning, reachOf } from "./rope.ts";
import { byId } from "./view.ts";

const type = byId("rope", HTMLSelectElement);
const factor = byId("factor", HTMLInputElement);
const [used, trainedAt, tokensAt] = [
  byId("used", HTMLElement),
  byId("trained", HTMLElement),
  byId("tokens", HTMLElement),
];

/** Pause after a key before the text is counted. */
const COUNT_MS = 400;

/** The setting of the next message. */
export const choice = (): Choice => ({ type: type.value, factor: Math.max(1, factor.valueAsNumber || 1) });

/** Sets it. */
export function choose({ type: name, factor: value }: Choice): void {
  type.value = Object.hasOwn(TYPES, name) ? name : "own";
  factor.value = String(value);
}

/** Calls when a person sets it. */
export function onChoice(changed: () => void): void {
  for (const element of [type, factor]) element.addEventListener("input", changed);
}

const count = (value: number): string => value.toLocaleString("en");

/** Shows what the setting reaches on a model, and the tokens that are used of it. */
export function showReach(model: Model | undefined, tokens: number): void {
  byId("factor-label", HTMLElement).hidden = !TYPES[type.value].scales;
  if (!model) return;
  const reach = reachOf(choice(), model.rope);
  const trained = model.rope.originalMaxPositions;
  const end = Math.max(reach, trained);
  byId("meaning", HTMLElement).textContent = meaning(choice(), model.rope);
  tokensAt.textContent = `${count(tokens)} of ${count(reach)} tokens`;
  used.style.width = `${Math.min(100, (100 * tokens) / end)}%`;
  trainedAt.style.left = `${(100 * trained) / end}%`;
  trainedAt.hidden = trained >= end;
  for (const element of [used.parentElement!, tokensAt]) element.classList.toggle("beyond", tokens > reach);
}

/** Counts under way. */
let counting: { readonly timer: ReturnType<typeof setTimeout>; readonly stop: AbortController } | undefined;

/** Counts what would be sent, once a person has paused; whatever is counted before is given up. */
export function countSoon(
  model: Model | undefined,
  messages: readonly Message[],
  key: Key,
  counted: (tokens: number) => void,
): void {
  clearTimeout(counting?.timer);
  counting?.stop.abort();
  counting = undefined;
  if (!model || messages.length === 0) return;
  const stop = new AbortController();
  const timer = setTimeout(() => {
    countTokens(model.id, messages, key, stop.signal).then(counted, () => {}); // to send them says what is wrong
  }, COUNT_MS);
  counting = { timer, stop };
}

type.replaceChildren(...Object.entries(TYPES).map(([value, { name }]) => new Option(name, value)));
