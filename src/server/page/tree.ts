// tree.ts — what a text in Markdown becomes: elements and texts, of which a page makes its own and nothing else.

/** An element by its tag, or a text. */
export type Node = string | { readonly tag: string; readonly attributes?: Attributes; readonly children: Node[] };

/** Attributes of an element; only `href` of links, `start` of lists and `data-language` of code occur. */
export type Attributes = Readonly<Record<string, string>>;
