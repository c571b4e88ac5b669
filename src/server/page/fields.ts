// fields.ts — the inputs of the settings that are fields of a request, and how they are kept.

import { byId } from "./view.ts";

/** Ids of inputs, and names of fields. */
const FIELDS = [
  "temperature",
  "top_p",
  "top_k",
  "min_p",
  "repetition_penalty",
  "seed",
  "max_tokens",
  "allow_beyond",
] as const;

const input = (id: string): HTMLInputElement => byId(id, HTMLInputElement);
const system = byId("system", HTMLTextAreaElement);

/** Inputs that are not empty, as fields of a request. */
export function fields(): Record<string, unknown> {
  const own: Record<string, unknown> = {};
  for (const id of FIELDS) {
    const { type, checked, value, valueAsNumber } = input(id);
    if (type === "checkbox" ? checked : value !== "") own[id] = type === "checkbox" || valueAsNumber;
  }
  return own;
}

/** The system prompt; empty: none. */
export const systemPrompt = (): string => system.value.trim();

/** What the inputs hold, to be kept. */
export const held = (): Record<string, string | boolean> => ({
  system: system.value,
  ...Object.fromEntries(FIELDS.map((id) => [id, input(id).type === "checkbox" ? input(id).checked : input(id).value])),
});

/** Fills the inputs with what was kept. */
export function fill(kept: Readonly<Record<string, string | boolean>>): void {
  system.value = String(kept["system"] ?? "");
  for (const id of FIELDS) {
    if (id === "allow_beyond") input(id).checked = kept[id] === true;
    else input(id).value = String(kept[id] ?? "");
  }
}
