// prefix.ts — computed pages that later requests may use: a tree of token pages per RoPE setting.
// Keys and values of a token depend on all tokens before it and, in deeper layers, on the RoPE setting, so a page is found
// by both: the path of token pages from the start, under the setting's key.

import { PAGE } from "../../kernels/index.ts";

/** One computed page; `users` sequences read it now. */
export interface PrefixPage {
  readonly page: number;
  users: number;
  readonly tokens: string;
  readonly parent: Branch;
  readonly children: Map<string, PrefixPage>;
  /** Order of last use, for eviction. */
  used: number;
}

interface Branch {
  readonly children: Map<string, PrefixPage>;
}

/** Known prefixes. Owns the pages it was given until they are evicted. */
export class PrefixCache {
  readonly #roots = new Map<string, Branch>();
  readonly #idle = new Set<PrefixPage>();
  #clock = 0;

  /** Pages that no sequence uses; each can be evicted sooner or later. */
  get idle(): number {
    return this.#idle.size;
  }

  /**
   * The longest known prefix of `ids` in whole pages, marked as used. At least one id is left over, because a request needs
   * the logits of its last token.
   */
  match(setting: string, ids: ArrayLike<number>): PrefixPage[] {
    const found: PrefixPage[] = [];
    let branch: Branch | undefined = this.#roots.get(setting);
    for (let first = 0; branch && first + PAGE < ids.length; first += PAGE) {
      const next: PrefixPage | undefined = branch.children.get(pageText(ids, first));
      if (!next) break;
      next.users++;
      next.used = ++this.#clock;
      this.#idle.delete(next);
      found.push(next);
      branch = next;
    }
    return found;
  }

  /**
   * Takes a sequence's computed pages into the tree: those after `held`, as far as `ids` fill whole pages. Returns the pages
   * that now belong to the tree and are used by the sequence; stops where the tree has such a page already.
   */
  publish(
    setting: string,
    ids: ArrayLike<number>,
    pages: readonly number[],
    held: readonly PrefixPage[],
  ): PrefixPage[] {
    let root = this.#roots.get(setting);
    if (!root) this.#roots.set(setting, (root = { children: new Map() }));
    let parent: Branch = held.length > 0 ? held[held.length - 1] : root;
    const added: PrefixPage[] = [];
    for (let i = held.length; (i + 1) * PAGE <= ids.length; i++) {
      const tokens = pageText(ids, i * PAGE);
      if (parent.children.has(tokens)) break;
      const node = { page: pages[i], users: 1, tokens, parent, children: new Map(), used: ++this.#clock };
      parent.children.set(tokens, node);
      added.push(node);
      parent = node;
    }
    return added;
  }

  /** A sequence no longer uses these pages; they stay known. */
  release(held: readonly PrefixPage[]): void {
    for (const node of held) if (--node.users === 0) this.#idle.add(node);
  }

  /** Forgets the page that was not used for longest and that no known page builds on; its number, or undefined. */
  evict(): number | undefined {
    let oldest: PrefixPage | undefined;
    for (const node of this.#idle) {
      if (node.children.size === 0 && (!oldest || node.used < oldest.used)) oldest = node;
    }
    if (!oldest) return undefined;
    this.#idle.delete(oldest);
    oldest.parent.children.delete(oldest.tokens);
    return oldest.page;
  }
}

const pageText = (ids: ArrayLike<number>, first: number): string =>
  Array.from({ length: PAGE }, (_, i) => ids[first + i]).join();
