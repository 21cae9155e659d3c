// The list of images: find, open, step to the next one.

import * as api from "./api.js";
import { Strip } from "./strip.js";
import { t } from "./texts.js";

// By the value of the field: whether the list has an image of this status.
const STATUSES = {
  all: () => true,
  unfinished: (image) => isUnfinished(image),
  done: ({ done }) => done,
  skipped: ({ done, skipped }) => skipped && !done,
  flagged: ({ flagged }) => flagged,
  commented: ({ comment }) => comment !== "",
};
const isUnfinished = ({ done, skipped }) => !done && !skipped;

const $ = (id) => document.getElementById(id);

export class Images {
  // `page` has session, tools, fields, view, address, select(id) and say(text, isError).
  constructor(page) {
    this.page = page;
    this.all = [];
    this.wanted = 0; // number of the image that was picked last
    this.strip = new Strip($("images"), page.session, (number) => this.open(number));
    this.previous = null; // number of the image that was open before
    this.before = 0; // seconds that the open image had taken before it was opened
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

  // The images of the status that the list is asked for.
  get asked() {
    return this.all.filter(STATUSES[$("status").value]);
  }

  get shown() {
    const wanted = $("filter").value.toLowerCase();
    return this.asked.filter(({ name }) => name.toLowerCase().includes(wanted));
  }

  // Return the next image that is neither done nor skipped, after the open one and then from the first on; null: there is none.
  get unfinished() {
    const now = this.page.session.image;
    const others = this.all.filter((image) => isUnfinished(image) && image.number !== now);
    return others.find(({ number }) => number > now) ?? others[0] ?? null;
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
    const { regions, done } = state;
    const seconds = this.before + this.page.session.spent;
    Object.assign(this.all[number], { regions: regions.length, done, seconds });
    this.list();
  }

  // Open an image, at a place if there is one. Return whether it is open.
  async open(number, place = null) {
    const { page } = this;
    if (number !== page.session.image) this.previous = page.session.image;
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
    this.before = this.all[number].seconds;
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
    this.page.review.arrive();
  }

  // Go to the next image of the list's status, or to the previous one.
  step(by) {
    const beyond = this.asked.filter(({ number }) => by * (number - this.wanted) > 0);
    const next = by > 0 ? beyond[0] : beyond.at(-1);
    if (next) this.open(next.number);
  }

  // Go to the image that was open before.
  back() {
    if (this.previous !== null) this.open(this.previous);
  }

  find() {
    $("filter").select();
  }
}
