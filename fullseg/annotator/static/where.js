// The line on top says which image is open, how many there are, and whether everything is saved.

import { t } from "./texts.js";

const $ = (id) => document.getElementById(id);

export class Where {
  // `page` has session and images.
  constructor(page) {
    this.page = page;
  }

  show() {
    const { images, session } = this.page;
    const image = images.all[session.image];
    write($("image-name"), image?.name ?? "");
    write($("place"), image ? t.where.place(image.number + 1, images.all.length) : "");
    this.save();
  }

  save() {
    const { session } = this.page;
    write($("saved"), session.sent.length ? t.where.saving : session.state ? t.where.saved : "");
  }
}

// Write a text if it is another one, so that nothing is laid out again without need.
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
