// The page: everything that a person can do on it, by button, key or pointer.

import * as api from "./api.js";
import { Fields } from "./fields.js";
import { Files } from "./files.js";
import { makeKeys, nameOf } from "./keys.js";
import { listImages, listRegions } from "./panels.js";
import { Session } from "./session.js";
import { snapTo } from "./snap.js";
import { Tools } from "./tools.js";
import { View } from "./view.js";

const $ = (id) => document.getElementById(id);
const OPENING = "Opening ...";
const BUTTONS = ["mark", "correct", "choose"];

class Page {
  constructor() {
    this.images = [];
    this.selected = null;
    this.collected = [];
    this.on = { collect: false, snap: false, heat: false, outline: false };
    this.loaded = false; // whether the model is
    this.wanted = 0; // number of the image that was picked last
    this.merging = false;
    this.remarking = null; // id of the region whose extreme points are marked anew
    this.view = new View($("canvas"));
    this.view.drawn = () => this.figures();
    this.session = new Session((what) => this.changed(what), (text, isError) => this.say(text, isError));
    this.fields = new Fields(this);
    this.files = new Files(this);
    this.tools = new Tools(this);
    this.keys = makeKeys(this);
    this.wire();
  }

  get collecting() {
    return this.on.collect;
  }

  async start() {
    this.learnCategories();
    this.images = (await api.workspace()).map((image, number) => ({ ...image, number }));
    this.tools.use("mark");
    await this.open(Math.max(0, this.images.findIndex(({ done }) => !done)));
  }

  // They come when the model is loaded. Everything but the labels works before.
  async learnCategories() {
    try {
      this.fields.know(await api.categories());
    } catch (error) {
      this.say(error.message, true);
    }
    this.loaded = true;
    this.redraw();
  }

  listImages() {
    const wanted = $("filter").value.toLowerCase();
    const shown = this.images.filter(({ name }) => name.toLowerCase().includes(wanted));
    $("progress").textContent = `${this.images.filter(({ done }) => done).length} of ${this.images.length} done`;
    listImages($("images"), shown, this.session.image, (number) => this.open(number));
  }

  async open(number) {
    this.wanted = number; // set first, because the key may be pressed again before the image is there
    await this.session.settled(); // afterwards refused strokes are in the list of collected strokes again
    if (!(await this.tools.update())) {
      this.wanted = this.session.image; // stay here: strokes are not sent yet, and Escape would drop them
      return;
    }
    this.select(null);
    this.say(OPENING);
    try {
      await this.session.open(number);
      if ($("message").textContent === OPENING) this.say(""); // another message is about the export of the last image
    } catch (error) {
      this.say(error.message, true);
    }
    this.listImages();
  }

  step(by) {
    const number = this.wanted + by;
    if (number >= 0 && number < this.images.length) this.open(number);
  }

  changed(what) {
    const { session, view } = this;
    if (what === "image") {
      view.show(session.bitmap, session.state);
      this.tools.escape(); // drops clicks and strokes on the previous image
    }
    view.state = session.state;
    if (what === "labels") view.setLabels(session.labels);
    if (what !== "labels" && session.state) {
      const image = this.images[session.image];
      Object.assign(image, { regions: session.state.regions.length, done: session.state.done });
      if (this.selected !== null && !session.region(this.selected)) this.select(null);
      else if (!(document.activeElement instanceof HTMLInputElement)) this.fields.show();
      this.listImages();
    }
    this.redraw();
  }

  // Draw the canvas alone. A moving pointer changes nothing else.
  sketch() {
    const { tools, view } = this;
    view.drawing = { points: tools.clicks, strokes: [...this.collected, ...(tools.stroke ? [tools.stroke] : [])] };
    view.redraw();
  }

  redraw() {
    const { session, tools } = this;
    const { state } = session;
    this.sketch();
    this.figures(); // called here, too, because a page in the background draws no frames
    for (const tool of BUTTONS) $(tool).setAttribute("aria-checked", String(tools.tool === tool));
    for (const [name, on] of Object.entries(this.on)) $(name).setAttribute("aria-pressed", String(on));
    $("fill").setAttribute("aria-pressed", String(Boolean(state?.filled)));
    $("done").setAttribute("aria-pressed", String(Boolean(state?.done)));
    $("undo").disabled = !state?.can_undo;
    $("redo").disabled = !state?.can_redo;
    $("hint").textContent = this.merging ? "Choose the region that becomes part of the chosen one" : tools.hint();
    const focused = document.activeElement?.closest("[data-region]")?.dataset.region;
    listRegions($("regions"), session, this.fields.categories, this.selected, {
      select: (id, shift) => this.select(id, shift),
      lock: (region) => this.lock(region),
    });
    if (focused) $("regions").querySelector(`[data-region="${focused}"]`)?.focus();
  }

  // Show the time of the last update, the pixels without a region, and the zoom.
  figures() {
    const { busy, labels, state, took } = this.session;
    const parts = [
      busy ? `the model is ${this.loaded ? "at work" : "loading"} ...` : took ? `${Math.round(took)} ms` : "",
      labels ? `${labels.unassigned.toLocaleString()} px without a region${state?.filled ? ", filled" : ""}` : "",
      state ? `${state.full_width} x ${state.full_height} px, zoom ${Math.round(100 * this.view.scale)} %` : "",
    ];
    $("figures").textContent = parts.filter(Boolean).join("   ·   ");
  }

  say(text, isError = false) {
    $("message").textContent = text;
    $("message").className = isError ? "error" : "";
  }

  select(id, merge = false) {
    if (id !== null && this.selected !== null && id !== this.selected && (merge || this.merging)) {
      this.merging = false;
      this.session.do({ kind: "merge", region: this.selected, other: id });
      return;
    }
    this.merging = false;
    this.selected = id;
    this.fields.show();
    this.view.set({ selected: id });
    this.redraw();
  }

  // Choose the next or the previous region in the list.
  chooseNext(by) {
    const ids = this.session.state.regions.map(({ id }) => id);
    const from = ids.indexOf(this.selected);
    if (ids.length) this.select(ids[(from < 0 && by < 0 ? ids.length - 1 : from + by + ids.length) % ids.length]);
  }

  snap(point) {
    return this.on.snap ? snapTo(this.session.bitmap, this.session.state, this.view.scale, point) : point;
  }

  async add(points) {
    if (this.remarking !== null) {
      const region = this.remarking;
      this.remarking = null;
      return this.session.do({ kind: "move", region, points });
    }
    const category = this.selected === null ? this.fields.category() : null;
    const done = await this.session.do({ kind: "add", points, ...(category === null ? {} : { category }) });
    if (done) this.say(`Region ${this.session.state?.regions.at(-1).id} added`);
    return done;
  }

  toggle(name) {
    this.on[name] = !this.on[name];
    if (name === "collect" && !this.on.collect) this.tools.update();
    this.view.set({ heat: this.on.heat, outline: this.on.outline });
    this.redraw();
  }

  opacity(by) {
    $("opacity").value = Number($("opacity").value) + by;
    this.view.set({ opacity: $("opacity").value / 100 });
  }

  undo() {
    if (this.tools.pending) this.tools.back();
    else if (this.session.state?.can_undo) this.session.do({ kind: "undo" });
  }

  redo() {
    if (this.session.state?.can_redo) this.session.do({ kind: "redo" });
  }

  next() {
    const { labels } = this.session;
    const order = labels?.least_sure ?? [];
    if (!order.length) return this.say("There is no region that is not locked", true);
    this.merging = false;
    const id = order[(order.indexOf(this.selected) + 1) % order.length];
    const { points } = this.session.region(id);
    const [x, y] = [points.map((point) => point[0]), points.map((point) => point[1])];
    if (!this.on.heat) this.toggle("heat");
    this.tools.use("correct");
    this.select(id);
    this.view.focus([Math.min(...x), Math.min(...y), Math.max(...x), Math.max(...y)]);
  }

  chosen() {
    const region = this.session.region(this.selected);
    if (!region) this.say("Choose a region first: click it in the list, or with V in the image", true);
    return region;
  }

  lock(region = this.chosen()) {
    if (region) this.session.do({ kind: region.locked ? "unlock" : "lock", region: region.id });
  }

  remove() {
    const region = this.chosen();
    if (region) this.session.do({ kind: "delete", region: region.id });
  }

  merge() {
    if (this.chosen()) this.merging = true;
    this.redraw();
  }

  remark() {
    const region = this.chosen();
    if (!region) return;
    this.tools.use("mark");
    this.remarking = region.id;
    this.redraw();
  }

  rename() {
    if (this.chosen()) $("name").select();
  }

  find() {
    $("filter").select();
  }

  classify() {
    $("category").select();
  }

  reorder(by) {
    const order = this.session.state.regions.map(({ id }) => id);
    const from = order.indexOf(this.selected);
    const to = from + by;
    if (from < 0 || to < 0 || to >= order.length) return;
    [order[from], order[to]] = [order[to], order[from]];
    this.session.do({ kind: "reorder", order });
  }

  fill() {
    const { labels, state } = this.session;
    const filled = !state.filled;
    if (filled && state.regions.every(({ locked }) => locked)) return this.say("All regions are locked, so none can grow: unlock one first", true);
    if (filled) this.say(`${labels?.unassigned.toLocaleString() ?? "?"} px without a region go to the nearest unlocked region`);
    this.session.do({ kind: "fill", filled });
  }

  // Mark the image as done, which exports it at once; or as not done.
  async finish() {
    const done = !this.session.state.done;
    if ((await this.session.do({ kind: "finish", done })) && done) this.files.export();
  }

  async exportNow() {
    await this.session.settled();
    this.files.export();
  }

  help() {
    $("keylist").replaceChildren(
      ...this.keys.map(([key, what]) => {
        const line = document.createElement("div");
        line.append(
          Object.assign(document.createElement("dt"), { textContent: key }),
          Object.assign(document.createElement("dd"), { textContent: what }),
        );
        return line;
      }),
    );
    $("keys").showModal();
  }

  wire() {
    const clicks = { undo: "undo", redo: "redo", next: "next", fill: "fill", done: "finish", export: "exportNow", help: "help" };
    for (const [id, method] of Object.entries(clicks)) $(id).addEventListener("click", () => this[method]());
    $("import").addEventListener("click", () => this.files.choose());
    for (const tool of BUTTONS) $(tool).addEventListener("click", () => this.tools.use(tool));
    for (const name of Object.keys(this.on)) $(name).addEventListener("click", () => this.toggle(name));
    $("opacity").addEventListener("input", () => this.opacity(0));
    $("filter").addEventListener("input", () => this.listImages());
    window.addEventListener("keydown", (event) => this.key(event));
    window.addEventListener("blur", () => (this.tools.space = false));
    window.addEventListener("keyup", (event) => event.key === " " && (this.tools.space = false));
    window.addEventListener("beforeunload", (event) => this.collected.length && event.preventDefault());
  }

  key(event) {
    const { target } = event;
    if (target instanceof HTMLInputElement && (target.type !== "range" || event.key.startsWith("Arrow"))) return;
    if ($("keys").open) return;
    if (!this.session.state && !["?", "PageDown", "PageUp"].includes(nameOf(event))) return;
    if (target instanceof HTMLButtonElement && ["Enter", " "].includes(event.key)) return;
    const found = this.keys.find(([key]) => key === nameOf(event));
    if (!found) return;
    event.preventDefault();
    found[2]();
  }
}

const page = new Page();
page.start().catch((error) => page.say(error.message, true));
