// The review walks through the images that are done.

import { t } from "./texts.js";

const $ = (id) => document.getElementById(id);

export class Review {
  // `page` has session, images, selected, tools, keyboard, redraw() and say(text, isError).
  constructor(page) {
    this.page = page;
    this.on = false;
    this.seen = new Set(); // numbers of the images that were looked at
    $("review").addEventListener("click", () => this.toggle());
    $("status").addEventListener("change", () => this.choose());
  }

  toggle() {
    if (this.on) return this.end();
    const { images, session } = this.page;
    const done = images.all.filter((image) => image.done);
    if (!done.length) return this.page.say(t.status.noneDone, true);
    this.on = true;
    this.seen.clear();
    this.set("done");
    const open = done.find(({ number }) => number === session.image) ?? done[0];
    if (open.number === session.image) this.arrive();
    else images.open(open.number);
  }

  end() {
    this.on = false;
    this.set("all");
  }

  set(status) {
    $("status").value = status;
    this.choose();
  }

  // Another status was chosen for the list.
  choose() {
    if ($("status").value !== "done") this.on = false;
    this.page.images.list();
    this.page.redraw();
  }

  // Another image is open.
  arrive() {
    if (!this.on) return;
    const { images, session } = this.page;
    this.seen.add(session.image);
    if (images.all.every(({ done, number }) => !done || this.seen.has(number))) this.page.say(t.status.allSeen);
    this.page.redraw();
  }

  // Return what the line above the image says, or null if that is about the tool.
  hint() {
    const { images, keyboard, selected, session, tools } = this.page;
    const image = images.all[session.image];
    if (!this.on || !image || selected !== null || tools.pending) return null;
    const done = images.all.filter((one) => one.done);
    const keys = ["f", "d", "Ctrl+Enter", "Shift+g", "Shift+r"].map((key) => keyboard.shown(key));
    return t.status.review(done.indexOf(image) + 1, done.length, image.comment, keys);
  }

  show() {
    $("review").setAttribute("aria-pressed", String(this.on));
  }
}
