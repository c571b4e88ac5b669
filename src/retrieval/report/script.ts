// script.ts — the report's own script: what a cell says when pointed at or reached by keys. The page works without it.

/** Plain JavaScript, run once at the end of the page. */
export const SCRIPT = `(() => {
  const tip = document.getElementById("tip");
  const show = (cell, x, y) => {
    tip.textContent = cell.dataset.tip;
    tip.classList.add("on");
    const { width, height } = tip.getBoundingClientRect();
    tip.style.left = Math.max(8, Math.min(x + 14, innerWidth - width - 8)) + "px";
    tip.style.top = (y + 18 + height > innerHeight ? y - height - 12 : y + 18) + "px";
  };
  const hide = () => tip.classList.remove("on");
  const cellOf = (event) => event.target.closest?.("[data-tip]");
  for (const title of document.querySelectorAll("[data-tip] > title")) title.remove(); // one tip is enough
  document.addEventListener("pointermove", (event) => {
    const cell = cellOf(event);
    if (cell) show(cell, event.clientX, event.clientY);
    else hide();
  });
  document.addEventListener("focusin", (event) => {
    const cell = cellOf(event);
    if (!cell) return hide();
    const box = cell.getBoundingClientRect();
    show(cell, box.left + box.width / 2, box.top + box.height / 2);
  });
  document.addEventListener("focusout", hide);
  // Each figure is one stop of the Tab key; arrows go from cell to cell.
  for (const figure of document.querySelectorAll("figure")) figure.querySelector("[data-tip]")?.setAttribute("tabindex", "0");
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") return hide();
    const cell = cellOf(event);
    const way = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }[event.key];
    if (!cell || !way) return;
    const middle = (each) => {
      const box = each.getBoundingClientRect();
      return [box.left + box.width / 2, box.top + box.height / 2];
    };
    const [x, y] = middle(cell);
    let best, least = Infinity;
    for (const other of cell.closest("figure").querySelectorAll("[data-tip]")) {
      const [dx, dy] = [middle(other)[0] - x, middle(other)[1] - y];
      const ahead = dx * way[0] + dy * way[1];
      const aside = Math.abs(dx * way[1]) + Math.abs(dy * way[0]);
      if (ahead > 1 && ahead + 3 * aside < least) [best, least] = [other, ahead + 3 * aside];
    }
    if (!best) return;
    event.preventDefault();
    cell.setAttribute("tabindex", "-1");
    best.setAttribute("tabindex", "0");
    best.focus();
  });
  // A link to a prompt opens it, also where the browser does not do that itself.
  const open = () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    for (let each = target; each; each = each.parentElement) if (each.tagName === "DETAILS") each.open = true;
    if (target) target.scrollIntoView();
  };
  addEventListener("hashchange", open);
  open();
})();
`;
