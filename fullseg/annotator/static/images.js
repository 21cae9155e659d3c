// The list of images: find, open, step to the next one.

import * as api from "./api.js";
import { listImages } from "./panels.js";

const $ = (id) => document.getElementById(id);
const OPENING = "Opening ...";

export class Images {
  // `page` has session, tools, fields, select(id) and say(text, isError).
  constructor(page) {
    this.page = page;
    this.all = [];
    this.wanted = 0; // number of the image that was picked last
    $("filter").addEventListener("input", () => this.list());
  }

  async read() {
    const { images, categories } = await api.workspace();
    this.all = images.map((image, number) => ({ ...image, number }));
    this.page.fields.know(categories);
    this.list();
  }

  openFirst() {
    return this.open(Math.max(0, this.all.findIndex(({ done }) => !done)));
  }

  get shown() {
    const wanted = $("filter").value.toLowerCase();
    return this.all.filter(({ name }) => name.toLowerCase().includes(wanted));
  }

  list() {
    $("progress").textContent = `${this.all.filter(({ done }) => done).length} of ${this.all.length} done`;
    listImages($("images"), this.shown, this.page.session.image, (number) => this.open(number));
  }

  update(number, state) {
    Object.assign(this.all[number], { regions: state.regions.length, done: state.done });
    this.list();
  }

  async open(number) {
    const { page } = this;
    this.wanted = number; // set first, because the key may be pressed again before the image is there
    await page.session.settled(); // afterwards refused strokes are in the list of collected strokes again
    if (!(await page.tools.update())) {
      this.wanted = page.session.image; // stay here: strokes are not sent yet, and Escape would drop them
      return;
    }
    page.select(null);
    page.say(OPENING);
    try {
      await page.session.open(number);
      if ($("message").textContent === OPENING) page.say(""); // else the message is about the last image's export
    } catch (error) {
      page.say(error.message, true);
    }
    this.list();
  }

  step(by) {
    const number = this.wanted + by;
    if (number >= 0 && number < this.all.length) this.open(number);
  }

  find() {
    $("filter").select();
  }
}
