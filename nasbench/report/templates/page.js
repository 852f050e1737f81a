"use strict";
// The page is whole without this: everything below adds to what is there already.

const each = (query, within, use) => [...within.querySelectorAll(query)].forEach(use);
const make = (tag, within, attributes = {}, text = "") => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.textContent = text;
  within?.append(made);
  return made;
};

// What a point says, while the pointer or the arrow keys are on it.

const tip = document.getElementById("tip");
const hideTip = () => { tip.style.display = "none"; };
const showTip = (text, x, y) => {
  if (tip.textContent !== text) tip.textContent = text;
  tip.style.display = "block";
  const below = y + 16 + tip.offsetHeight <= innerHeight;
  tip.style.left = Math.max(8, Math.min(x + 12, innerWidth - tip.offsetWidth - 8)) + "px";
  tip.style.top = (below ? y + 16 : y - tip.offsetHeight - 10) + "px";
};
const hover = event => {
  const on = event.target.closest?.("[data-tip], [data-name]");
  if (on) showTip(on.dataset.tip ?? on.dataset.name, event.clientX, event.clientY);
  else hideTip();
};
addEventListener("pointermove", hover);
addEventListener("pointerdown", hover);
addEventListener("scroll", hideTip, { passive: true });

// A click pins what a point says below its figure, to be compared and copied; another removes it.

const copy = async (text, shown) => {
  try {
    await navigator.clipboard.writeText(text);
  } catch { // a page that is a file may not
    getSelection().selectAllChildren(shown);
    document.execCommand("copy");
  }
};
const pins = new Map();
const unpin = mark => {
  mark.classList.remove("pinned");
  pins.get(mark).remove();
  pins.delete(mark);
};
const pin = mark => {
  if (pins.has(mark)) return unpin(mark);
  const figure = mark.closest("figure") ?? document.body;
  const list = figure.querySelector(".pins")
    ?? make("ul", figure.querySelector(".about") ?? figure, { class: "pins", "aria-label": "Pinned points" });
  const item = make("li", list);
  const text = make("span", item, {}, mark.dataset.tip);
  const copied = make("button", item, { type: "button", title: "Copy" }, "Copy");
  copied.onclick = () => copy(mark.dataset.tip, text).then(() => { copied.textContent = "Copied"; });
  make("button", item, { type: "button", "aria-label": "Remove" }, "×").onclick = () => unpin(mark);
  mark.classList.add("pinned");
  pins.set(mark, item);
};
addEventListener("click", event => {
  const mark = event.target.closest?.("[data-tip]");
  if (mark) pin(mark);
});

const walk = svg => { // the arrow keys go from point to point, from left to right
  const marks = [...svg.querySelectorAll("[data-tip]")];
  if (!marks.length) return;
  let order = null, at = -1;
  svg.setAttribute("tabindex", "0");
  svg.addEventListener("keydown", event => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (event.key === "Enter" && at >= 0) pin(order[at]);
    if (!step) return;
    event.preventDefault();
    order ??= marks.map(mark => [mark.getBoundingClientRect().x, mark])
      .sort((a, b) => a[0] - b[0]).map(([, mark]) => mark);
    order[at]?.classList.remove("at");
    at = (at + step + order.length) % order.length;
    order[at].classList.add("at");
    const box = order[at].getBoundingClientRect();
    showTip(order[at].dataset.tip, box.right, box.bottom);
  });
  svg.addEventListener("blur", () => { order?.[at]?.classList.remove("at"); hideTip(); });
};
each("svg.figure", document, walk);

// A legend's entries show and hide what they name, and make it stand out.

const partsOf = (svg, id) => [...svg.querySelectorAll("g[id]")].filter(
  part => part.id === id || part.id.startsWith(id + "-"));
const legend = list => {
  const svg = list.closest("figure").querySelector("svg.figure");
  const entries = [...list.children].map(item => ({ item, parts: partsOf(svg, item.dataset.for) }));
  const dim = lit => entries.forEach(of => of.parts.forEach(
    part => part.classList.toggle("dim", lit !== null && lit !== of)));
  for (const entry of entries) {
    const { item, parts } = entry;
    if (!parts.length) continue;
    const shown = item.firstElementChild;
    const button = make("button", null, { type: "button", "aria-pressed": "true" });
    button.title = "Click: show or hide. Double click: this alone, or all again.";
    button.append(...shown.childNodes);
    shown.replaceWith(button);
    const set = on => {
      button.setAttribute("aria-pressed", on);
      parts.forEach(part => part.classList.toggle("off", !on));
    };
    entry.set = set;
    parts.forEach(part => { part.dataset.name = button.textContent.trim(); });
    button.onclick = () => { set(button.getAttribute("aria-pressed") !== "true"); dim(null); };
    button.ondblclick = () => {
      const others = entries.filter(of => of !== entry && of.set);
      const alone = others.every(of => of.parts[0].classList.contains("off"));
      others.forEach(of => of.set(alone));
      set(true);
    };
    button.onpointerenter = button.onfocus = () => dim(entry);
    button.onpointerleave = button.onblur = () => dim(null);
  }
};
each(".legend", document, legend);

// A click on a head sorts a table: numbers the largest first, then the smallest, then as it was.

const NUMBER = /^[^\p{L}\d.+-]*([-+]?[\d,]*\.?\d+(?:e[-+]?\d+)?)/iu;
const numberOf = text => {
  const found = NUMBER.exec(text.replaceAll("−", "-"));
  return found ? Number(found[1].replaceAll(",", "")) : null;
};
const sortRows = (rows, column, way) => {
  const texts = new Map(rows.map(row => [row, row.cells[column].textContent.trim()]));
  const known = rows.filter(row => !["", "–"].includes(texts.get(row)));
  const numbers = new Map(known.map(row => [row, numberOf(texts.get(row))]));
  const numeric = column > 0 && [...numbers.values()].every(value => value !== null);
  const compare = numeric ? (a, b) => numbers.get(a) - numbers.get(b)
    : (a, b) => texts.get(a).localeCompare(texts.get(b), "en", { numeric: true });
  known.sort((a, b) => way * compare(a, b));
  return [...known, ...rows.filter(row => !known.includes(row))];
};
const sortable = table => {
  const body = table.tBodies[0], original = [...body.rows];
  const heads = [...(table.tHead?.rows[0].cells ?? [])];
  if (original.length < 3) return;
  const rows = original.filter(row => !row.classList.contains("reference"));
  const last = original.filter(row => row.classList.contains("reference"));
  heads.forEach((head, column) => {
    const button = make("button", null, { type: "button", title: "Sort" }, head.textContent);
    head.replaceChildren(button);
    button.onclick = () => {
      const words = column === 0 || table.classList.contains("prose");
      const ways = words ? ["ascending", "descending", ""] : ["descending", "ascending", ""];
      const next = ways[(ways.indexOf(head.getAttribute("aria-sort") ?? "") + 1) % 3];
      heads.forEach(other => other.removeAttribute("aria-sort"));
      if (next) head.setAttribute("aria-sort", next);
      const sorted = next ? sortRows(rows, column, next === "ascending" ? 1 : -1) : rows;
      body.append(...sorted, ...last);
    };
  });
  if (rows.length < 16) return;
  const bar = make("label", null, { class: "filter" }, "Filter rows ");
  const input = make("input", bar, { type: "search" });
  const count = make("span", bar, { role: "status" });
  input.oninput = () => {
    const wanted = input.value.toLowerCase().split(/\s+/);
    const shown = original.filter(row => {
      const text = row.textContent.toLowerCase();
      row.hidden = !wanted.every(word => text.includes(word));
      return !row.hidden;
    });
    count.textContent = input.value ? `${shown.length} of ${original.length}` : "";
  };
  table.parentElement.before(bar);
};
each("table:not(.facts)", document, sortable);

// Sections fold; what is asked for by its address, or printed, is open.

const openTarget = () => {
  const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
  if (target) each("details.section", target, part => { part.open = true; });
};
addEventListener("hashchange", openTarget);
openTarget();
let folded = [];
addEventListener("beforeprint", () => {
  folded = [...document.querySelectorAll("details:not([open])")];
  folded.forEach(part => { part.open = true; });
});
addEventListener("afterprint", () => folded.forEach(part => { part.open = false; }));
each("nav", document, nav => {
  const button = make("button", nav, { type: "button", class: "tool" }, "Fold all");
  button.onclick = () => {
    const open = button.textContent !== "Fold all";
    each("details.section", document, part => { part.open = open; });
    button.textContent = open ? "Fold all" : "Unfold all";
  };
});
