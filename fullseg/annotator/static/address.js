// The address of the page says which image is open, where in it, and with which tool. Reload and back return there.

import { PAINTING } from "./painting.js";

const PAUSE = 300; // ms: browsers refuse addresses that change too often
const TOOLS = ["mark", "correct", "choose", ...PAINTING];

export class Address {
  // `page` has session, images, tools and view.
  constructor(page) {
    this.page = page;
    this.timer = null;
    this.following = false; // while the page goes to an address, it writes none
    window.addEventListener("popstate", () => this.follow());
    window.addEventListener("pagehide", () => this.write());
  }

  // Return what the address names: image, tool and place, each of them null if it is not there.
  read() {
    const found = new URLSearchParams(location.hash.slice(1));
    const [zoom, x, y] = ["zoom", "x", "y"].map((name) => Number(found.get(name) ?? NaN));
    const tool = TOOLS.find((one) => one === found.get("tool")) ?? null;
    return { image: found.get("image"), tool, place: zoom > 0 && isFinite(x + y) ? { at: [x, y], zoom } : null };
  }

  get text() {
    const { images, session, tools, view } = this.page;
    const named = new URLSearchParams({ image: images.all[session.image].name, tool: tools.tool });
    const { clientWidth, clientHeight } = view.canvas;
    if (view.zoomed) {
      const [x, y] = view.toImage(clientWidth / 2, clientHeight / 2).map((value) => value.toFixed(1));
      for (const [name, value] of Object.entries({ zoom: view.scale.toFixed(3), x, y })) named.set(name, value);
    }
    return `#${named}`;
  }

  // Note zoom and tool a little later: there may be more changes at once.
  note() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.write(), PAUSE);
  }

  // Write the address. A new image is a new entry of the browser's history.
  write() {
    clearTimeout(this.timer);
    if (!this.page.session.state || this.following) return;
    const { text } = this;
    const isNew = ![null, this.page.session.state.name].includes(this.read().image);
    if (text !== location.hash) history[isNew ? "pushState" : "replaceState"](null, "", text);
  }

  // Go where the address says.
  async follow() {
    clearTimeout(this.timer);
    const { image, tool, place } = this.read();
    const { images, session, tools, view } = this.page;
    const number = images.numberOf(image);
    if (number === null) return;
    if (number !== session.image && !(await this.open(number, place))) return this.write();
    if (tool) tools.use(tool);
    if (place) view.centre(place.at, place.zoom);
    else view.fit();
  }

  async open(number, place) {
    this.following = true;
    const opened = await this.page.images.open(number, place);
    this.following = false;
    return opened;
  }
}
