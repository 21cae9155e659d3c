// The list of images: find, open, step to the next one.

import * as api from "./api.js";
import { Strip } from "./strip.js";
import { t } from "./texts.js";

const $ = (id) => document.getElementById(id);

export class Images {
  // `page` has session, tools, fields, view, address, select(id) and say(text, isError).
  constructor(page) {
    this.page = page;
    this.all = [];
    this.wanted = 0; // number of the image that was picked last
    this.strip = new Strip($("images"), page.session, (number) => this.open(number));
    this.place = null; // where the image that is opened shall be shown
    $("filter").addEventListener("input", () => this.list());
    $("filter").addEventListener("keydown", (event) => this.filter(event));
  }

  async read() {
    this.all = (await api.workspace()).map((image, number) => ({ ...image, number }));
    this.list();
  }

  // Open the image that the address names, else the first that is not done.
  openFirst() {
    const { image, place } = this.page.address.read();
    const first = Math.max(0, this.all.findIndex(({ done }) => !done));
    return this.open(this.numberOf(image) ?? first, place);
  }

  numberOf(name) {
    return this.all.find((image) => image.name === name)?.number ?? null;
  }

  get shown() {
    const wanted = $("filter").value.toLowerCase();
    return this.all.filter(({ name }) => name.toLowerCase().includes(wanted));
  }

  list() {
    $("progress").textContent = t.lists.progress(this.all.filter(({ done }) => done).length, this.all.length);
    this.strip.show(this.shown, this.page.session.image);
  }

  // List the images with new pictures.
  relist() {
    this.strip.forget();
    this.list();
  }

  // Enter opens the first image that is found. Escape shows all images again. Both give the keys back to the canvas.
  filter(event) {
    const [first] = this.shown;
    if (!["Enter", "Escape"].includes(event.key) || (event.key === "Enter" && !first)) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.key === "Enter") this.open(first.number);
    else $("filter").value = "";
    this.list();
    $("canvas").focus();
  }

  update(number, state) {
    Object.assign(this.all[number], { regions: state.regions.length, done: state.done });
    this.list();
  }

  // Open an image, at a place if there is one. Return whether it is open.
  async open(number, place = null) {
    const { page } = this;
    this.wanted = number; // set first, because the key may be pressed again before the image is there
    await page.session.settled(); // afterwards refused strokes are in the list of collected strokes again
    if (!(await page.tools.update())) {
      this.wanted = page.session.image; // stay here: strokes are not sent yet, and Escape would drop them
      return false;
    }
    this.strip.draw();
    page.address.write(); // where the last image was looked at
    page.select(null);
    page.say(t.said.opening);
    this.place = place;
    try {
      await page.session.open(number);
      if ($("message").textContent === t.said.opening) page.say(""); // else the message is about the last image's export
    } catch (error) {
      page.say(error.message, true);
    }
    this.list();
    return number === page.session.image;
  }

  // Show the place of the image that is asked for.
  arrive() {
    if (this.place) this.page.view.centre(this.place.at, this.place.zoom);
    this.place = null;
    document.title = `${this.page.session.state.name} - fullseg annotator`;
    this.page.address.write();
  }

  step(by) {
    const number = this.wanted + by;
    if (number >= 0 && number < this.all.length) this.open(number);
  }

  find() {
    $("filter").select();
  }
}
