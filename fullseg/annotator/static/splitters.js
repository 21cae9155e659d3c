// The borders between the image, the strip of images and the list of regions. Each is dragged, moved by arrow keys, or clicked, which hides its list or shows it again.

const STORED = "fullseg.panels"; // where the browser keeps the sizes
const STEP = 16; // pixels that an arrow key moves
const SLIP = 4; // pixels that a pointer may move in a click
const $ = (id) => document.getElementById(id);

// By border: the smallest, largest and first size in pixels, whether it is a height, and its direction: -1 grows to the left or up.
const SIZES = {
  strip: { least: 56, most: 400, first: 94, isHeight: true, grows: -1 },
  aside: { least: 220, most: 640, first: 280, isHeight: false, grows: -1 },
  below: { least: 120, most: 800, first: 232, isHeight: true, grows: -1 },
};

export class Splitters {
  constructor() {
    const kept = read();
    this.all = Object.entries(SIZES).map(([name, size]) => new Splitter(name, size, kept[name], () => this.keep()));
  }

  keep() {
    const kept = this.all.map(({ name, size, isClosed }) => [name, { size, isClosed }]);
    localStorage.setItem(STORED, JSON.stringify(Object.fromEntries(kept)));
  }
}

class Splitter {
  constructor(name, { first, ...size }, kept, changed) {
    Object.assign(this, { name, changed }, size);
    this.element = $(`split-${name}`);
    this.from = null; // where the pointer went down, and the size then
    this.isClosed = kept?.isClosed === true;
    this.size = Number.isFinite(kept?.size) ? this.clamp(kept.size) : first;
    this.element.addEventListener("pointerdown", (event) => this.down(event));
    this.element.addEventListener("pointermove", (event) => this.move(event));
    this.element.addEventListener("pointerup", (event) => this.up(event));
    this.element.addEventListener("pointercancel", () => (this.from = null));
    this.element.addEventListener("keydown", (event) => this.key(event));
    this.show();
  }

  clamp(size) {
    return Math.min(Math.max(size, this.least), this.most);
  }

  at(event) {
    return this.isHeight ? event.clientY : event.clientX;
  }

  down(event) {
    if (event.button !== 0) return;
    this.element.setPointerCapture(event.pointerId);
    this.from = { at: this.at(event), size: this.isClosed ? 0 : this.size, moved: false };
  }

  move(event) {
    const { from } = this;
    if (!from) return;
    const by = this.at(event) - from.at;
    from.moved ||= Math.abs(by) >= SLIP;
    if (from.moved) this.set(from.size + this.grows * by);
  }

  up() {
    const { from } = this;
    this.from = null;
    if (!from) return;
    if (!from.moved) this.toggle();
    this.changed();
  }

  // Arrow keys move the border, Enter and Space hide the list or show it again.
  key(event) {
    const step = (this.isHeight ? { ArrowUp: -1, ArrowDown: 1 } : { ArrowLeft: -1, ArrowRight: 1 })[event.key];
    if (!step && !["Enter", " "].includes(event.key)) return;
    event.preventDefault();
    event.stopPropagation(); // it is no key of the page now
    if (step) this.set(this.clamp((this.isClosed ? this.least : this.size) + this.grows * step * STEP));
    else this.toggle();
    this.changed();
  }

  toggle() {
    this.isClosed = !this.isClosed;
    this.show();
  }

  // Give the list a size. If it gets less than half of the smallest one, it is hidden.
  set(size) {
    this.isClosed = size < this.least / 2;
    if (!this.isClosed) this.size = this.clamp(size);
    this.show();
  }

  show() {
    const main = document.querySelector("main");
    const size = this.isClosed ? 0 : this.size;
    main.style.setProperty(`--${this.name}`, `${size}px`);
    main.classList.toggle(`no-${this.name}`, this.isClosed);
    const values = { valuenow: Math.round(size), valuemin: 0, valuemax: this.most, expanded: !this.isClosed };
    for (const [name, value] of Object.entries(values)) this.element.setAttribute(`aria-${name}`, String(value));
  }
}

function read() {
  try {
    return Object(JSON.parse(localStorage.getItem(STORED) ?? "{}"));
  } catch {
    return {}; // what is stored there is not ours
  }
}
