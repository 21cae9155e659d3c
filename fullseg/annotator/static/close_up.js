// The labels of the part of a large file that is looked at, at the size of the file: as an export will have them.
//
// The network sees a large file smaller than it is, so its labels have stairs there. Once nothing has changed for a moment,
// the server is asked for the labels of the file, in small parts, so that a stroke never waits long for one.

import * as api from "./api.js";

const SIDE = 384; // px of the file: side of a part
const PAUSE = 400; // ms: so long nothing may have changed
const MOST = 4e6; // px of the file that are looked at; more would take too long
const LEAST = 1.5; // pixels of the screen per pixel of the network from which stairs are seen
const FRAME = 200; // ms between two drawings while parts arrive

export class CloseUp {
  // `page` has session, view and say(text, isError).
  constructor(page) {
    this.page = page;
    this.timer = null;
    this.asked = null; // parts that are shown or asked for: `key` of the window, and `waiting` for requests
    this.known = { labels: null, parts: new Map() }; // of these labels, by their corners
  }

  // The view or the labels may have changed.
  follow() {
    const window = this.window();
    if (this.asked?.key === window?.key) return;
    this.stop();
    if (!window) return;
    this.asked = { ...window, waiting: new AbortController() };
    this.timer = setTimeout(() => this.ask(this.asked), PAUSE);
  }

  // Other labels are on their way: nobody needs these any more.
  stop() {
    clearTimeout(this.timer);
    this.asked?.waiting.abort();
    this.asked = null;
    this.page.view.setFine(null);
  }

  // Return what is looked at, in whole parts of the file; null if the labels are sharp enough.
  window() {
    const { session, view } = this.page;
    const { busy, labels, sent, state } = session;
    if (!labels || busy || sent.length || view.options.heat || state.full_width === state.width) return null;
    if (view.scale * (window.devicePixelRatio || 1) < LEAST) return null;
    const [x, y] = [state.full_width / state.width, state.full_height / state.height];
    const [left, top] = view.toImage(0, 0);
    const [right, bottom] = view.toImage(view.canvas.clientWidth, view.canvas.clientHeight);
    const down = (value) => Math.max(0, SIDE * Math.floor(value / SIDE));
    const up = (value, most) => Math.min(most, SIDE * Math.ceil(value / SIDE));
    const ends = [
      down((left + 0.5) * x), down((top + 0.5) * y),
      up((right + 0.5) * x, state.full_width), up((bottom + 0.5) * y, state.full_height),
    ];
    const [width, height] = [ends[2] - ends[0], ends[3] - ends[1]];
    if (width <= 0 || height <= 0 || width * height > MOST) return null;
    return { key: [session.image, labels.revision, ...ends].join(), ends, width, height };
  }

  async ask(asked) {
    const { session, view } = this.page;
    const { image, labels, state } = session;
    if (this.known.labels !== labels) this.known = { labels, parts: new Map() };
    const fine = enlarged(labels.map, state, asked);
    let drawn = performance.now();
    for (const part of partsOf(asked)) {
      const found = this.known.parts.get(part.join()) ?? (await this.labels(image, labels.revision, part, asked));
      if (!found || this.asked !== asked) return;
      this.known.parts.set(part.join(), found);
      place(fine, found, part, asked.ends);
      if (performance.now() - drawn < FRAME) continue;
      view.setFine({ ...fine }); // another object, because it has changed
      drawn = performance.now();
    }
    view.setFine({ ...fine });
  }

  // Return the labels of a part; null if they are not needed any more.
  async labels(image, revision, part, { waiting }) {
    try {
      return await api.closeUp(image, revision, part, waiting.signal);
    } catch (error) {
      if (error.name !== "AbortError") this.page.say(error.message, true);
      return null;
    }
  }
}

// Return the parts of a window, those in its middle first.
function partsOf({ ends: [left, top, right, bottom] }) {
  const parts = [];
  for (let y = top; y < bottom; y += SIDE) {
    for (let x = left; x < right; x += SIDE) parts.push([x, y, Math.min(x + SIDE, right), Math.min(y + SIDE, bottom)]);
  }
  const away = ([x0, y0, x1, y1]) => Math.hypot(x0 + x1 - left - right, y0 + y1 - top - bottom);
  return parts.sort((a, b) => away(a) - away(b));
}

// Return a map of a window of the file, in which each label of the network is a square. `left`, `top`, `x` and `y` say where
// it lies and how large its pixels are, in pixels of the network.
function enlarged(map, state, { ends: [left, top], width, height }) {
  const [x, y] = [state.width / state.full_width, state.height / state.full_height];
  const columns = Uint32Array.from({ length: width }, (_, at) => Math.floor((left + at + 0.5) * x));
  const fine = new Uint16Array(width * height);
  for (let row = 0, at = 0; row < height; row++) {
    const start = Math.floor((top + row + 0.5) * y) * state.width;
    for (let column = 0; column < width; column++, at++) fine[at] = map[start + columns[column]];
  }
  return { map: fine, width, height, left: left * x, top: top * y, x, y };
}

function place(fine, found, [x0, y0, x1, y1], [left, top]) {
  for (let y = y0; y < y1; y++) {
    fine.map.set(found.subarray((y - y0) * (x1 - x0), (y - y0 + 1) * (x1 - x0)), (y - top) * fine.width + x0 - left);
  }
}
