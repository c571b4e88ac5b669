// store.ts — small texts in the browser's storage for this origin.

import type { ChoiceStore } from "../device/choices.ts";

const PREFIX = "llariat ";

/** Texts in localStorage; where there is none, as in a worker, nothing is kept. */
export const pageStore: ChoiceStore = {
  async read(name) {
    return storage()?.getItem(PREFIX + name) ?? undefined;
  },
  async write(name, text) {
    storage()?.setItem(PREFIX + name, text);
  },
};

/** As much of a browser's Storage as is used. */
interface PageStorage {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
}

const storage = (): PageStorage | undefined => (globalThis as { localStorage?: PageStorage }).localStorage;
