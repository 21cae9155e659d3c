// A short list of classes, each with its colour and a key from 1 to 9 that gives it to the chosen region.

import { make } from "./elements.js";
import { rove, stopAt } from "./roving.js";

export const PLACES = 9;

export class Palette {
  // `page` has fields, session, keyboard and view.
  constructor(page, list) {
    Object.assign(this, { page, list });
    this.order = []; // ids of the classes, the one that was found last first
    rove(list, () => [...list.children]);
  }

  // Return the classes of the list: first those that were taken, then the others in their order.
  get classes() {
    const { categories } = this.page.fields;
    const taken = this.order.map((id) => categories.find((category) => category.id === id)).filter(Boolean);
    return [...taken, ...categories.filter((category) => !taken.includes(category))].slice(0, PLACES);
  }

  // A class was found by its name: it comes first. One that has a key keeps it, so that a hand can learn the keys.
  note(id) {
    if (!this.order.length) this.order = this.classes.map((category) => category.id);
    if (!this.order.slice(0, PLACES).includes(id)) this.order = [id, ...this.order].slice(0, PLACES);
  }

  take(place) {
    const category = this.classes[place];
    if (category) this.page.fields.take(category);
  }

  show() {
    const { fields, keyboard, view } = this.page;
    const { classes } = this;
    const current = fields.region ? (fields.region.category ?? null) : fields.next;
    const key = classes.map((one, place) => [one.id, one.name, keyboard.shown(String(place + 1)), one.id === current].join()).join(";");
    if (this.list.dataset.shown === key) return;
    const focused = [...this.list.children].indexOf(document.activeElement);
    this.list.dataset.shown = key;
    this.list.hidden = classes.length < 2; // a lone class needs no choice
    this.list.replaceChildren(...classes.map((one, place) => this.chip(one, place, one.id === current, keyboard, view)));
    stopAt([...this.list.children], (chip) => chip.getAttribute("aria-pressed") === "true");
    if (focused >= 0) this.list.children[focused]?.focus();
  }

  chip({ id, name, isthing }, place, isCurrent, keyboard, view) {
    const key = keyboard.shown(String(place + 1));
    const swatch = make("span", { className: `swatch ${isthing ? "" : "stuff"}` });
    swatch.style.background = view.colours.ofClass(id);
    const label = make("span", { className: "name", textContent: name });
    const chip = make("button", { title: `${name} (${key})` }, make("kbd", { textContent: key }), swatch, label);
    chip.setAttribute("aria-pressed", String(isCurrent));
    chip.addEventListener("click", (event) => {
      this.take(place);
      if (event.detail) view.canvas.focus();
    });
    return chip;
  }
}
