// The strip of images below the open one: a picture of each with its regions, and how far it is.

import { thumbnail } from "./api.js";
import { make, onEnter } from "./elements.js";
import { icon } from "./icons.js";
import { rove, stopAt } from "./roving.js";
import { t } from "./texts.js";

const PAUSE = 1500; // ms: the open image's picture is made anew when no new labels have come for so long

export class Strip {
  // `pick(number)` opens an image.
  constructor(list, session, pick) {
    Object.assign(this, { list, session, pick });
    this.shown = null; // numbers of the images in the list
    this.drawn = new Map(); // by number: the revision whose regions the picture shows
    this.again = 0; // how often the model has changed
    this.timer = null;
    rove(list, () => [...list.children]);
  }

  show(images, current) {
    const shown = images.map(({ number }) => number).join();
    if (this.shown !== shown) this.list.replaceChildren(...images.map((image) => this.item(image)));
    this.shown = shown;
    images.forEach((image, place) => this.update(this.list.children[place], image, image.number === current));
    stopAt([...this.list.children], (item) => item.getAttribute("aria-selected") === "true");
  }

  update(item, image, isCurrent) {
    const state = [isCurrent, image.done, image.skipped, image.flagged, image.regions, Math.round(image.seconds), image.comment].join();
    if (item.dataset.state === state) return; // there may be thousands
    item.dataset.state = state;
    if (isCurrent && item.getAttribute("aria-current") !== "true") item.scrollIntoView({ block: "nearest", inline: "nearest" });
    item.setAttribute("aria-current", String(isCurrent));
    item.setAttribute("aria-selected", String(isCurrent));
    item.className = image.done ? "done" : "";
    item.title = image.comment ? `${image.name}: ${image.comment}` : image.name;
    const { done, flagged, regions, seconds, skipped } = image;
    item.querySelector("small").textContent = skipped && !done ? t.status.skipped : t.lists.image(regions, done);
    item.querySelector(".took").textContent = seconds >= 1 ? t.lists.took(seconds) : "";
    const marks = [...(flagged ? ["flag"] : []), ...(image.comment ? ["comment"] : [])];
    const shown = item.querySelector(".marks");
    if (shown.dataset.shown !== marks.join()) shown.replaceChildren(...marks.map((mark) => icon(mark)));
    shown.dataset.shown = marks.join();
    shown.hidden = !marks.length;
    shown.ariaLabel = marks.map((mark) => t.status.marks[mark]).join(", ");
  }

  item({ name, number, revision }) {
    if (!this.drawn.has(number)) this.drawn.set(number, revision);
    const picture = make("img", { src: thumbnail(number, this.drawn.get(number)), alt: "", loading: "lazy" });
    const marks = make("span", { className: "marks", role: "img" });
    const below = [make("small"), make("small", { className: "took", title: t.lists.tookWhy })];
    const item = make("li", { role: "option" }, picture, make("span", { className: "name", textContent: name }), ...below, marks);
    item.dataset.image = number;
    item.addEventListener("click", () => this.pick(number));
    item.addEventListener("keydown", (event) => onEnter(event, () => this.pick(number)));
    return item;
  }

  // Make all items anew.
  forget() {
    this.shown = null;
  }

  // There is another model: the open image's regions will be others.
  renew() {
    this.drawn.delete(this.session.image);
    this.again++;
  }

  // Draw the open image's picture anew when the person pauses.
  wait() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.draw(), PAUSE);
  }

  // Draw the open image's picture anew, unless it is drawn already. The server has its labels at hand.
  draw() {
    clearTimeout(this.timer);
    const { image, labels, state } = this.session;
    if (!labels || labels.revision !== state?.revision || this.drawn.get(image) === state.revision) return;
    this.drawn.set(image, state.revision);
    const picture = this.list.querySelector(`[data-image="${image}"] img`);
    if (picture) picture.src = `${thumbnail(image, state.revision)}&again=${this.again}`;
  }
}
