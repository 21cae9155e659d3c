// The field that finds a class: a list of hits opens below it, and Enter takes the one that is marked.

import { t } from "./texts.js";

const MOST = 60; // hits that are listed
const MOST_RECENT = 5; // classes that were taken last and stand first

// Return how well a name fits a text: 0 is best, null is not at all.
function rank(name, text) {
  const [own, wanted] = [name.toLowerCase(), text.toLowerCase()];
  if (own === wanted) return 0;
  if (own.startsWith(wanted)) return 1;
  if (own.split(/[^\p{L}\p{N}]+/u).some((word) => word.startsWith(wanted))) return 2;
  return own.includes(wanted) ? 3 : null;
}

export class ClassSearch {
  // `on` has take(category), create(name), leave() and shown(), the text that the field shows before a person types.
  constructor(field, list, on) {
    Object.assign(this, { field, list, on });
    this.categories = [];
    this.recent = []; // ids, the newest first
    this.items = [];
    this.marked = 0;
    field.addEventListener("focus", () => this.open());
    field.addEventListener("input", () => this.open());
    field.addEventListener("blur", () => this.blur());
    field.addEventListener("keydown", (event) => this.key(event));
    list.addEventListener("mousedown", (event) => event.preventDefault()); // the field keeps the focus
  }

  get text() {
    return this.field.value.trim();
  }

  find(text) {
    const lower = text.toLowerCase();
    return this.categories.find(({ name }) => name.toLowerCase() === lower) ?? null;
  }

  hits() {
    const text = this.text === this.on.shown() ? "" : this.text;
    const age = ({ id }) => (this.recent.includes(id) ? this.recent.indexOf(id) : MOST_RECENT);
    const found = this.categories
      .map((category) => ({ category, fit: rank(category.name, text) }))
      .filter(({ fit }) => fit !== null)
      .sort((a, b) => a.fit - b.fit || age(a.category) - age(b.category))
      .slice(0, MOST)
      .map(({ category }) => ({ category, label: category.name, kind: t.classes.kinds[Number(category.isthing)] }));
    if (text && !this.find(text)) found.push({ category: null, label: t.classes.create(text), kind: "" });
    return found;
  }

  open() {
    this.items = this.hits();
    this.mark(0);
    this.field.setAttribute("aria-expanded", "true");
    this.list.hidden = !this.items.length;
  }

  mark(place) {
    this.marked = place;
    this.list.replaceChildren(...this.items.map((item, number) => this.row(item, number)));
    this.list.children[place]?.scrollIntoView({ block: "nearest" });
    this.field.setAttribute("aria-activedescendant", `class-${place}`);
  }

  row({ label, kind }, number) {
    const row = document.createElement("li");
    row.id = `class-${number}`;
    row.setAttribute("role", "option");
    row.setAttribute("aria-selected", String(number === this.marked));
    row.append(label, Object.assign(document.createElement("small"), { textContent: kind }));
    row.addEventListener("click", () => this.take(number));
    return row;
  }

  close() {
    this.list.hidden = true;
    this.items = [];
    this.field.setAttribute("aria-expanded", "false");
  }

  key(event) {
    const count = this.items.length;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && count) this.mark((this.marked + step + count) % count);
    else if (event.key === "Enter") this.enter();
    else if (event.key === "Escape") this.leave();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  // Enter takes the marked hit. An emptied field takes the class away; an unchanged one is left as it is.
  enter() {
    if (this.text === this.on.shown() && this.marked === 0) return this.leave();
    if (this.text === "" && this.marked === 0) return this.finish(() => this.on.take(null));
    this.take(this.marked);
  }

  take(number) {
    const { category } = this.items[number];
    const { text } = this;
    if (!category) return this.finish(() => this.on.create(text));
    this.recent = [category.id, ...this.recent.filter((id) => id !== category.id)].slice(0, MOST_RECENT);
    this.finish(() => this.on.take(category));
  }

  // Tab takes a class that is typed out in full.
  blur() {
    const category = this.find(this.text);
    const changed = this.text !== this.on.shown();
    this.close();
    if (category && changed) this.on.take(category);
    else this.field.value = this.on.shown();
  }

  leave() {
    this.finish(() => {});
  }

  // Give the keys back to the canvas.
  finish(what) {
    this.close();
    this.field.value = this.on.shown(); // nothing is left for `blur` to take
    this.on.leave();
    what();
  }
}
