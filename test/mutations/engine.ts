// engine.ts — mutations of who computes next, of what requests share and wait for, and of how memory follows use.
import { type Mutation, of } from "./mutation.ts";

const LOOP = ["engine/loop", "engine/scheduler"];
const PREFIX = ["engine/loop", "engine/prefix"];

/** What must not pass in the room of sequences, steps, pages and prefixes. */
export const engine: readonly Mutation[] = [
  ...of("src/engine/scheduler.ts", LOOP, [
    ["scheduler: the first step starts before others of the same moment have come", "await Promise.resolve(); // requests of the same moment share the first step\n", ""],
    ["scheduler: no place is kept for a prompt", "- Number(prompts.length > 0);", "- 0;"],
    ["scheduler: who waits for memory keeps others from their step", "for (const entry of [...singles, ...prompts]) {", "for (const entry of [...singles.slice(0, Math.max(1, places)), ...prompts]) {"],
    ["scheduler: one sequence a step", "if (chosen.length === maxSequences ||", "if (chosen.length === 1 ||"],
    ["scheduler: the longest waiting row comes last", "a.served - b.served", "b.served - a.served"],
    ["scheduler: younger ones overtake who waits for memory", "else if (this.#mayWait(entry)) return; // and nobody younger overtakes it", "else if (this.#mayWait(entry)) break;"],
    ["scheduler: promised pages are promised twice", "memory.fits(sequence.tokens.length, this.#promised())", "memory.fits(sequence.tokens.length, 0 * this.#promised())"],
    ["scheduler: who rests keeps its pages", "const resting = able.findLast(({ turn }) => !turn);", "const resting = able.findLast(({ turn }) => turn === null);"],
    ["scheduler: one that gave way goes on without pages", "    entry.started = false;\n", ""],
    ["scheduler: outputs go to the neighbour", "outputs.slice(first, (first += each.segment.outputs.length))", "outputs.slice(0, (first += each.segment.outputs.length))"],
    ["scheduler: closed sequences keep their pages", "    this.engine.memory.release(sequence);\n", ""],
    ["scheduler: closed sequences keep their turns", "    [entry.turn, entry.started] = [undefined, false];\n", ""],
    ["scheduler: work between two steps waits for the end of all", "for (const work of this.#between.splice(0)) await work();", "if (this.#active().length === 0) for (const work of this.#between.splice(0)) await work();"],
    ["scheduler: progress counts from the beginning of the text", "const done = sequence.length - entry.from;", "const done = sequence.length - 0 * entry.from;"],
    ["scheduler: of all rows only the last", 'turn.rows === "all" ? from + outputs.length : end - 1', 'turn.rows === "all" ? end - 1 : end - 1'],
    ["scheduler: rows of an earlier turn again", "turn.rows === \"all\" ? from + outputs.length", "turn.rows === \"all\" ? outputs.length"],
  ]),
  ...of("src/engine/sequence.ts", LOOP, [
    ["sequence: n of a token that is computed again is the present length", "this.#lengths?.push({ end, n: end + this.angles.offset });", "this.#lengths?.push({ end, n: end + 1 + this.angles.offset });"],
    ["sequence: tokens of other frequencies in one chunk", "effective(i + 1) === effective(i)", "effective(i + 1) !== 0"],
    ["sequence: pages given up keep the length", "[this.#pages, this.#prefix, this.#length] = [[], [], 0];", "[this.#pages, this.#prefix] = [[], []];"],
    ["sequence: shared pages are given back as its own", "this.#pages.slice(this.#prefix.length), this.#prefix]", "this.#pages.slice(0 * this.#prefix.length), this.#prefix]"],
    ["sequence: more tokens than it was opened for", "this.#tokens.length + ids.length > this.capacity", "ids.length > this.capacity"],
    ["sequence: a rewind that forgets nothing", "    this.#tokens.length = length;\n", ""],
  ]),
  ...of("src/engine/prefix.ts", PREFIX, [
    ["prefix: the last token comes from the cache too", "branch && first + PAGE < ids.length;", "branch && first + PAGE <= ids.length;"],
    ["prefix: a page that begins as the text goes on, to its last token", "Math.min(node.tokens.length, ids.length - 1 - first)", "Math.min(node.tokens.length, ids.length - first)"],
    ["prefix: the shortest beginning", "if (same > tokens) [best, tokens]", "if (same > 0 && (tokens === 0 || same < tokens)) [best, tokens]"],
    ["prefix: settings share their pages", "this.#roots.get(setting);\n    for", "this.#roots.values().next().value;\n    for"],
    ["prefix: pages in use are idle", "next.users++;", ""],
    ["prefix: a page is evicted before those that build on it", "node.children.size === 0 && (!oldest", "(!oldest"],
    ["prefix: the newest is evicted", "node.used < oldest.used", "node.used > oldest.used"],
    ["prefix: a page that is still written to is known", "if (count < PAGE && !options.tail) break;", ""],
    ["prefix: the same page twice", "if (parent.children.has(key)) break;", ""],
    ["prefix: needless leaves stay", "      this.#forget(node);\n      freed.push(node.page);", ""],
    ["prefix: a leaf in use is freed", "if (!this.#idle.has(node)) continue;", ""],
  ]),
  ...of("src/engine/memory.ts", ["engine/loop", "engine/prefix", "engine/engine"], [
    ["memory: a page begun is not copied", "if (page !== begun.page) this.#gpu.copyWithin", "if (page === begun.page) this.#gpu.copyWithin"],
    ["memory: copied into the wrong place", "begun.page * pageBytes, page * pageBytes, pageBytes);", "begun.page * pageBytes, page * pageBytes, pageBytes / 2);"],
    ["memory: a closed sequence gets pages", "if (!short && this.#open.has(sequence)) sequence.extend", "if (!short) sequence.extend"],
    ["memory: idle prefixes are kept for ever", "prefixes.idle > this.#idlePages) kv.release", "prefixes.idle > Infinity) kv.release"],
    ["memory: idle prefixes do not give way", "while (count > kv.freePages && prefixes.idle > 0)", "while (count > kv.freePages && prefixes.idle > Infinity)"],
    ["memory: a limit that nothing is refused for", "if (tokens <= this.maxTokens) return;", "if (tokens <= 2 * this.maxTokens) return;"],
    ["memory: the limit is not one", "if (least > this.maxPages) return [];", ""],
    ["memory: trim forgets nothing", "      const page = this.prefixes.evict();\n", "      const page = undefined as number | undefined;\n"],
    ["memory: trim takes pages in use", "this.#resize(this.kv.usedEnd,", "this.#resize(this.kv.usedEnd >> 1,"],
    ["memory: recordings keep the old buffers", "    this.#replaced();\n", ""],
    ["memory: the answer is no prefix", "    this.publish(sequence, true);\n", ""],
  ]),
  ...of("src/engine/kvcache.ts", ["engine/kvcache", "engine/loop"], [
    ["pages: a page too few for a full one and a token", "Math.ceil(tokens / PAGE)", "Math.floor(tokens / PAGE + 0.5)"],
    ["pages: the highest first", "this.#free.splice(-count).reverse()", "this.#free.splice(0, count)"],
    ["pages: free ones beyond the end of a smaller pool", "this.#free.filter((page) => page < pages)", "this.#free"],
    ["pages: a growth forgets which are new", "for (let page = this.#pages; page < pages; page++)", "for (let page = 0; page < pages; page++)"],
  ]),
  ...of("src/engine/angles.ts", ["engine/angles"], [
    ["angles: a growth is taken back over another's rows", "this.#move(region, first, before);", "Object.assign(region, { first, rows: before });"],
    ["angles: a setting's text is made at every step", "const key = `${this.#key} ${length}`;", "const key = `${ropeKey(rope)} ${length}`;"],
    ["angles: a range that is nobody's comes back", "if (!this.#regions.includes(region)) return; // it was given back meanwhile\n", ""],
  ]),
  ...of("src/engine/engine.ts", ["engine/engine"], [
    ["engine: chunks of a prompt are submitted all at once", "    await before;\n", ""],
  ]),
  ...of("src/engine/step.ts", ["engine/step", "engine/scheduler"], [
    ["step: rows that stand alone without a bound", "segment.count <= Math.min(FEW_SINGLES, room)", "segment.count <= FEW_SINGLES"],
    ["step: outputs of another's row", "firstRow.get(segment)! + row, segment.k", "row, segment.k"],
    ["step: tiles of rows that stand alone", "first < count && !single;", "first < count;"],
    ["step: parts of the first sequence", "if (single) longest = Math.max(longest, length + count);", "if (single && s === 0) longest = Math.max(longest, length + count);"],
  ]),
  ...of("src/generate/queue.ts", ["generate/queue"], [
    ["queue: no bound", "this.#resting = this.#items.length >= this.#most;", "this.#resting = this.#items.length > 1e9;"],
    ["queue: nobody is woken", "      this.#onRoom();\n", ""],
    ["queue: pieces after an abort", "if (this.#failure) throw this.#failure.reason;", "if (this.#failure && this.#items.length === 0) throw this.#failure.reason;"],
  ]),
]; // prettier-ignore
