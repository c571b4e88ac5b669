// view.ts — the conversation as elements. Text of a model becomes text nodes and never HTML.

import { markdown } from "./markdown.ts";
import type { Turn } from "./store.ts";
import type { Node as Tree } from "./tree.ts";

/** The element of this id, which is of this kind. */
export function byId<T extends HTMLElement>(id: string, kind: new () => T): T {
  const element = document.getElementById(id);
  if (!(element instanceof kind)) throw new Error(`the page has no ${kind.name} of id ${id}`);
  return element;
}

/** An element with a class and children. */
export function make(tag: string, className = "", ...children: (Node | string)[]): HTMLElement {
  const element = document.createElement(tag);
  if (className !== "") element.className = className;
  element.append(...children);
  return element;
}

/** A quiet button. */
export function button(text: string, act: () => void): HTMLElement {
  const element = make("button", "quiet", make("span", "", text)) as HTMLButtonElement;
  element.type = "button";
  element.addEventListener("click", act);
  return element;
}

/** Copies a text and says so on the button for a moment. */
function copyButton(text: () => string): HTMLElement {
  const element = button("Copy", () => {
    const label = element.firstElementChild!;
    const say = (word: string): void => {
      label.textContent = word;
      setTimeout(() => (label.textContent = "Copy"), 1500);
    };
    // A page that came by plain http from another machine has no clipboard.
    if (!navigator.clipboard) return say("Cannot copy");
    navigator.clipboard.writeText(text()).then(
      () => say("Copied"),
      () => say("Cannot copy"),
    );
  });
  return element;
}

function render(node: Tree): Node {
  if (typeof node === "string") return document.createTextNode(node);
  const { tag, attributes = {}, children } = node;
  if (tag === "pre") {
    const [text] = children as [string];
    const head = make("div", "", make("span", "", attributes["data-language"] || "code"), copyButton(() => text)); // prettier-ignore
    const pre = make("pre", "", make("code", "", text));
    pre.tabIndex = 0; // what scrolls must be reached by keys
    return make("div", "code", head, pre);
  }
  const element = make(tag, "", ...children.map(render));
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (tag === "a") {
    element.setAttribute("rel", "noopener noreferrer nofollow");
    element.setAttribute("target", "_blank");
  }
  return tag === "table" ? make("div", "wide", element) : element;
}

/** What can be done with an answer. */
export interface Acts {
  /** The last answer only: compute it again with the present settings. */
  readonly again?: () => void;
  /** Where an error proposes a setting: take it, and compute again. */
  readonly take?: () => void;
}

/** A message as an article; `waiting` while its text still comes. */
export function article(turn: Turn, { waiting = false, again, take }: Acts & { waiting?: boolean } = {}): HTMLElement {
  const { role, content, facts, problem, proposal } = turn;
  const body = make("div", "body");
  if (role === "user") body.textContent = content;
  else body.append(...markdown(content).map(render));
  const element = make("article", role, make("h2", "", role === "user" ? "You" : "Model"), body);
  if (waiting) tail(body).classList.add("waiting");
  if (problem !== undefined) {
    const box = make("div", "problem", problem);
    if (take && proposal) {
      const act = make("button", "", `Use ${proposal.type} ×${proposal.factor} and try again`) as HTMLButtonElement;
      act.type = "button";
      act.addEventListener("click", take);
      box.append(act);
    }
    element.append(box);
  }
  if (role === "assistant" && !waiting) {
    const foot = make("div", "foot", ...(facts ?? []).map((fact) => make("span", "", fact)));
    if (content !== "") foot.append(copyButton(() => content));
    if (again) foot.append(button("Regenerate", again));
    element.append(foot);
  }
  return element;
}

/** The element at the end of a text, which the mark of what is still to come follows. */
function tail(body: HTMLElement): HTMLElement {
  let last = body;
  while (last.lastElementChild && /^(P|UL|OL|LI|BLOCKQUOTE|H[3-6])$/.test(last.lastElementChild.tagName)) {
    last = last.lastElementChild as HTMLElement;
  }
  return last;
}
