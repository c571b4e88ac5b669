// prefix.ts — computed pages that later requests may use: a tree of token pages per RoPE setting.
// Keys and values of a token depend on all tokens before it and, in deeper layers, on the RoPE setting, so a page is found
// by both: the path of token pages from the start, under the setting's key. A leaf may hold fewer tokens than a page has.

import { PAGE } from "../../kernels/index.ts";

/** One computed page; `users` sequences read it now. */
export interface PrefixPage {
  readonly page: number;
  /** PAGE tokens, or fewer in a leaf. */
  readonly tokens: readonly number[];
  users: number;
  readonly parent: Branch;
  readonly children: Map<string, PrefixPage>;
  /** Order of last use, for eviction. */
  used: number;
  /** One user less. */
  release(): void;
}

interface Branch {
  readonly children: Map<string, PrefixPage>;
}

/** What is known of a text: whole pages, and perhaps a page whose first `tokens` tokens are the text's next ones. */
export interface KnownPrefix {
  readonly pages: readonly PrefixPage[];
  readonly begun?: { readonly page: number; readonly tokens: number };
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
   * The longest known prefix of `ids`; its whole pages are marked as used. At least one id is left over, because a request
   * needs the logits of its last token. A page that only begins as `ids` go on is the caller's to copy, at once.
   */
  match(setting: string, ids: ArrayLike<number>): KnownPrefix {
    const pages: PrefixPage[] = [];
    let branch: Branch | undefined = this.#roots.get(setting);
    for (let first = 0; branch && first + PAGE < ids.length; first += PAGE) {
      const next: PrefixPage | undefined = branch.children.get(keyOf(ids, first, PAGE));
      if (!next) break;
      next.users++;
      next.used = ++this.#clock;
      this.#idle.delete(next);
      pages.push(next);
      branch = next;
    }
    const begun = branch && this.#begun(branch, ids, pages.length * PAGE);
    return begun ? { pages, begun } : { pages };
  }

  /** Of the pages below a branch the one that agrees with `ids` from `first` on for longest. */
  #begun(branch: Branch, ids: ArrayLike<number>, first: number): KnownPrefix["begun"] {
    let best: PrefixPage | undefined;
    let tokens = 0;
    for (const node of branch.children.values()) {
      const most = Math.min(node.tokens.length, ids.length - 1 - first);
      let same = 0;
      while (same < most && node.tokens[same] === ids[first + same]) same++;
      if (same > tokens) [best, tokens] = [node, same];
    }
    if (!best) return undefined;
    best.used = ++this.#clock;
    return { page: best.page, tokens };
  }

  /**
   * Takes a sequence's computed pages into the tree: those after `held`, as far as `ids` reach; a last page that `ids` do not
   * fill only with `tail`, when the sequence writes no more. Returns the pages that now belong to the tree and are used by
   * the sequence; stops where the tree has such a page already. `freed` gets pages that the new ones make needless.
   */
  publish(
    setting: string,
    ids: ArrayLike<number>,
    pages: readonly number[],
    held: readonly PrefixPage[],
    options: { tail?: boolean; freed?: number[] } = {},
  ): PrefixPage[] {
    let root = this.#roots.get(setting);
    if (!root) this.#roots.set(setting, (root = { children: new Map() }));
    let parent: Branch = held.length > 0 ? held[held.length - 1] : root;
    const added: PrefixPage[] = [];
    for (let i = held.length; i * PAGE < ids.length; i++) {
      const count = Math.min(PAGE, ids.length - i * PAGE);
      if (count < PAGE && !options.tail) break;
      const key = keyOf(ids, i * PAGE, count);
      if (parent.children.has(key)) break;
      const tokens = Array.from({ length: count }, (_, j) => ids[i * PAGE + j]);
      if (this.#supersede(parent, tokens, options.freed)) break;
      const node: PrefixPage = {
        page: pages[i],
        tokens,
        users: 1,
        parent,
        children: new Map(),
        used: ++this.#clock,
        release: () => this.release([node]),
      };
      parent.children.set(key, node);
      added.push(node);
      parent = node;
    }
    return added;
  }

  /** Forgets idle leaves that `tokens` go on from; whether, the other way round, a known page goes on from `tokens`. */
  #supersede({ children }: Branch, tokens: readonly number[], freed: number[] = []): boolean {
    for (const node of children.values()) {
      const shorter = Math.min(node.tokens.length, tokens.length);
      if (node.tokens.length === tokens.length) continue;
      let same = 0;
      while (same < shorter && node.tokens[same] === tokens[same]) same++;
      if (same < shorter) continue;
      if (node.tokens.length > tokens.length) return true;
      if (!this.#idle.has(node)) continue;
      this.#forget(node);
      freed.push(node.page);
    }
    return false;
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
    if (oldest) this.#forget(oldest);
    return oldest?.page;
  }

  #forget(node: PrefixPage): void {
    this.#idle.delete(node);
    node.parent.children.delete(keyOf(node.tokens, 0, node.tokens.length));
  }
}

/** `count` ids from `first` on as the key of a page. */
function keyOf(ids: ArrayLike<number>, first: number, count: number): string {
  let key = "";
  for (let i = 0; i < count; i++) key += `${ids[first + i]},`;
  return key;
}
