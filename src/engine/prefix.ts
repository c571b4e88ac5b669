// prefix.ts — computed pages that later requests may use: a tree of token pages per RoPE setting.
// Keys and values of a token depend on all tokens before it and, in deeper layers, on the RoPE setting, so a page is found
// by both: the path of token pages from the start, under the setting's key. A leaf may hold fewer tokens than a page has.
// Where every layer has a window, a text needs only the last pages of its path: those before may have given their memory up.

import { PAGE } from "../../kernels/index.ts";

/** One computed page of a known text. */
export interface PrefixPage {
  /** Undefined when its memory was given up: it was behind every window, or came to be needed for others. */
  page: number | undefined;
  /** PAGE tokens, or fewer in a leaf. */
  readonly tokens: readonly number[];
  /** Sequences whose text begins with the path to it. */
  users: number;
  /** Those of them whose window has passed it: they read it no more. */
  passed: number;
  readonly parent: PrefixPage | undefined;
  readonly branch: Branch;
  readonly children: Branch;
  /** Order of last use, for eviction. */
  used: number;
}

/** Pages that follow the same text, by their tokens. */
type Branch = Map<string, PrefixPage>;

/** In place of the number of a page that its sequence has given up because no window reaches it any more. */
export const GONE = -1;

/** Whole pages before everything that a token at `position` attends to; a `window` counts its own key. */
export const pagesBefore = (position: number, window: number | undefined): number =>
  window === undefined ? 0 : Math.floor(Math.max(0, position + 1 - window) / PAGE);

/** What is known of a text: whole pages, and perhaps a page whose first `tokens` tokens are the text's next ones. */
export interface KnownPrefix {
  readonly pages: readonly PrefixPage[];
  /** The first of them that no later token attends to. */
  readonly passed: number;
  readonly begun?: { readonly page: number; readonly tokens: number };
}

/** Known prefixes. Owns the pages it was given until they are evicted. */
export class PrefixCache {
  readonly #window: number | undefined;
  readonly #roots = new Map<string, Branch>();
  readonly #idle = new Set<PrefixPage>();
  #clock = 0;

  /** `window`: most keys that any layer attends to, if all have one. */
  constructor(window?: number) {
    this.#window = window;
  }

  /** Pages that no sequence reads; each can be evicted sooner or later. */
  get idle(): number {
    return this.#idle.size;
  }

  /**
   * The longest known prefix of `ids` whose keys, as far as a window reaches back, are there; its whole pages are marked as
   * used. At least one id is left over, because a request needs the logits of its last token. A page that only begins as
   * `ids` go on is the caller's to copy, at once.
   */
  match(setting: string, ids: ArrayLike<number>): KnownPrefix {
    const path: PrefixPage[] = [];
    const root = this.#roots.get(setting);
    let branch = root;
    for (let first = 0; branch && first + PAGE < ids.length; first += PAGE) {
      const next: PrefixPage | undefined = branch.get(keyOf(ids, first, PAGE));
      if (!next) break;
      path.push(next);
      branch = next.children;
    }
    const pages = path.slice(0, this.#reach(path));
    const passed = pagesBefore(pages.length * PAGE, this.#window);
    for (const [i, node] of pages.entries()) {
      node.users++;
      if (i < passed) node.passed++;
      else this.#idle.delete(node);
      node.used = ++this.#clock;
    }
    const last = pages.length > 0 ? pages[pages.length - 1].children : root;
    const begun = last && this.#begun(last, ids, pages.length * PAGE);
    return begun ? { pages, passed, begun } : { pages, passed };
  }

  /** Pages of the longest part of a path after which a text can go on: all that its next token attends to are there. */
  #reach(path: readonly PrefixPage[]): number {
    let [reach, gone] = [0, -1];
    for (const [i, { page }] of path.entries()) {
      if (page === undefined) gone = i;
      if (gone < pagesBefore((i + 1) * PAGE, this.#window)) reach = i + 1;
    }
    return reach;
  }

  /** Of the pages below a branch the one that agrees with `ids` from `first` on for longest. */
  #begun(branch: Branch, ids: ArrayLike<number>, first: number): KnownPrefix["begun"] {
    let best: PrefixPage | undefined;
    let tokens = 0;
    for (const node of branch.values()) {
      if (node.page === undefined) continue;
      const most = Math.min(node.tokens.length, ids.length - 1 - first);
      let same = 0;
      while (same < most && node.tokens[same] === ids[first + same]) same++;
      if (same > tokens) [best, tokens] = [node, same];
    }
    if (best?.page === undefined) return undefined;
    best.used = ++this.#clock;
    return { page: best.page, tokens };
  }

  /**
   * Takes a sequence's computed pages into the tree: those after `held`, as far as `ids` reach; a last page that `ids` do not
   * fill only with `tail`, when the sequence writes no more. Returns the pages that now belong to the tree and are used by
   * the sequence; stops where the tree has such a page already. A page that is `GONE` is known without its memory until
   * another sequence brings it. `freed` gets pages that the new ones make needless.
   */
  publish(
    setting: string,
    ids: ArrayLike<number>,
    pages: readonly number[],
    held: readonly PrefixPage[],
    options: { tail?: boolean; freed?: number[] } = {},
  ): PrefixPage[] {
    let root = this.#roots.get(setting);
    if (!root) this.#roots.set(setting, (root = new Map()));
    let parent = held.length > 0 ? held[held.length - 1] : undefined;
    const added: PrefixPage[] = [];
    for (let i = held.length; i * PAGE < ids.length; i++) {
      const count = Math.min(PAGE, ids.length - i * PAGE);
      if (count < PAGE && !options.tail) break;
      const key = keyOf(ids, i * PAGE, count);
      const page = pages[i] === GONE ? undefined : pages[i];
      const branch: Branch = parent ? parent.children : root;
      let node = branch.get(key);
      if (node?.page !== undefined && page !== undefined) break;
      if (!node) {
        const tokens = Array.from({ length: count }, (_, j) => ids[i * PAGE + j]);
        if (this.#supersede(branch, tokens, options.freed)) break;
        node = { page, tokens, users: 0, passed: 0, parent, branch, children: new Map(), used: 0 };
        branch.set(key, node);
      }
      node.page ??= page;
      node.users++;
      if (page === undefined) node.passed++;
      node.used = ++this.#clock;
      added.push(node);
      parent = node;
    }
    return added;
  }

  /** Forgets idle leaves that `tokens` go on from; whether, the other way round, a known page goes on from `tokens`. */
  #supersede(branch: Branch, tokens: readonly number[], freed: number[] = []): boolean {
    for (const node of branch.values()) {
      const shorter = Math.min(node.tokens.length, tokens.length);
      if (node.tokens.length === tokens.length) continue;
      let same = 0;
      while (same < shorter && node.tokens[same] === tokens[same]) same++;
      if (same < shorter) continue;
      if (node.tokens.length > tokens.length) return true;
      if (node.users > 0) continue;
      if (node.page !== undefined) freed.push(node.page);
      this.#forget(node);
    }
    return false;
  }

  /** A sequence reads these pages no more: its window has passed them. It goes on from them all the same. */
  pass(nodes: readonly PrefixPage[]): void {
    for (const node of nodes) {
      node.passed++;
      this.#rest(node);
    }
  }

  /** A sequence no longer uses these pages, of which it had `passed` the first; they stay known. */
  release(held: readonly PrefixPage[], passed = 0): void {
    for (let i = held.length - 1; i >= 0; i--) {
      const node = held[i];
      node.users--;
      if (i < passed) node.passed--;
      this.#rest(node);
    }
  }

  /** A page that nobody reads can be evicted; one without memory that nothing builds on is of no use. */
  #rest(node: PrefixPage): void {
    if (node.page === undefined) this.#prune(node);
    else if (node.users === node.passed) this.#idle.add(node);
  }

  /**
   * Gives a page's memory up, and its number; undefined if all are read. The page that was not used for longest and that no
   * known page builds on is forgotten; only where windows have passed pages that others build on, those lose their memory.
   */
  evict(): number | undefined {
    let leaf: PrefixPage | undefined;
    let inner: PrefixPage | undefined;
    for (const node of this.#idle) {
      if (node.users === 0 && node.children.size === 0) {
        if (!leaf || node.used < leaf.used) leaf = node;
      } else if (!inner || node.used < inner.used) inner = node;
    }
    const page = (leaf ?? inner)?.page;
    if (leaf) this.#forget(leaf);
    else if (inner) {
      inner.page = undefined;
      this.#idle.delete(inner);
    }
    return page;
  }

  /** Forgets a page, and those before it that were known for its sake alone. */
  #forget(node: PrefixPage): void {
    this.#idle.delete(node);
    node.branch.delete(keyOf(node.tokens, 0, node.tokens.length));
    if (node.parent) this.#prune(node.parent);
  }

  #prune(node: PrefixPage): void {
    for (let each: PrefixPage | undefined = node; each; each = each.parent) {
      if (each.page !== undefined || each.users > 0 || each.children.size > 0) return;
      each.branch.delete(keyOf(each.tokens, 0, each.tokens.length));
    }
  }
}

/** `count` ids from `first` on as the key of a page. */
function keyOf(ids: ArrayLike<number>, first: number, count: number): string {
  let key = "";
  for (let i = 0; i < count; i++) key += `${ids[first + i]},`;
  return key;
}
