// The page: the open image, the chosen region, the modes, and the parts that share them.

import * as api from "./api.js";
import { Address } from "./address.js";
import { Cleaning } from "./cleaning.js";
import { ClassDialog } from "./class_dialog.js";
import { Connection } from "./connection.js";
import { Fields } from "./fields.js";
import { Files } from "./files.js";
import { Finishing } from "./finishing.js";
import { Footer } from "./footer.js";
import { addIcons } from "./icons.js";
import { Images } from "./images.js";
import { Keyboard } from "./keyboard.js";
import { PAINTING, Painting } from "./painting.js";
import { Learning } from "./learning.js";
import { listRegions } from "./panels.js";
import { Regions } from "./regions.js";
import { rove, stopAt } from "./roving.js";
import { Session } from "./session.js";
import { Settings } from "./settings.js";
import { Splitters } from "./splitters.js";
import { Token } from "./token.js";
import { translate } from "./texts.js";
import { Tools } from "./tools.js";
import { View } from "./view.js";
import { Where } from "./where.js";

const $ = (id) => document.getElementById(id);
const BUTTONS = ["mark", "correct", "choose", ...PAINTING];

class Page {
  constructor() {
    this.selected = null;
    this.pinned = false; // whether the person chose the selected region. If so, strokes are its own wherever they begin
    this.collected = [];
    this.on = { collect: false, heat: false, outline: false, bare: false, tint: false };
    this.loaded = false; // whether the model is
    this.merging = false;
    this.remarking = null; // id of the region whose extreme points are marked anew
    this.view = new View($("canvas"));
    this.view.drawn = () => this.drawn();
    this.footer = new Footer(this);
    this.session = new Session((what) => this.changed(what), (text, isError) => this.say(text, isError));
    this.fields = new Fields(this);
    this.classes = new ClassDialog(this);
    this.files = new Files(this);
    this.images = new Images(this);
    this.where = new Where(this);
    this.address = new Address(this);
    this.connection = new Connection(this);
    this.learning = new Learning(this);
    this.token = new Token(this);
    this.splitters = new Splitters();
    this.settings = new Settings();
    this.regions = new Regions(this);
    this.finishing = new Finishing(this);
    this.painting = new Painting(this);
    this.cleaning = new Cleaning(this);
    this.tools = new Tools(this);
    this.keyboard = new Keyboard(this);
    this.wire();
  }

  get collecting() {
    return this.on.collect;
  }

  async start() {
    this.learnClasses();
    await this.images.read();
    this.tools.use(this.address.read().tool ?? "mark");
    await this.images.openFirst();
  }

  // They come when the model is loaded. Everything but the labels works before.
  async learnClasses() {
    try {
      this.fields.know(await api.categories());
    } catch (error) {
      this.say(error.message, true);
    }
    this.loaded = true;
    this.redraw();
  }

  changed(what) {
    const { footer, session, view } = this;
    if (what === "sent") footer.begin();
    if (what === "sent" || what === "arrived") return this.sketch();
    if (what === "image") {
      view.show(session.bitmap, session.state);
      this.tools.escape(); // drops clicks and strokes on the previous image
      if (session.state) this.images.arrive();
    }
    view.state = session.state;
    if (what === "labels") view.setLabels(session.labels);
    if (what === "labels") this.images.strip.wait();
    this.painting.settle();
    this.cleaning.count();
    if (what !== "labels" && session.state) {
      if (this.selected !== null && !session.region(this.selected)) this.select(null);
      this.images.update(session.image, session.state);
    }
    if (what === "state") footer.succeed();
    this.redraw();
  }

  // Draw the canvas alone. A moving pointer changes nothing else.
  sketch() {
    const { collected, session, tools, view } = this;
    const strokes = [...collected, ...(tools.stroke ? [tools.stroke] : [])];
    view.drawing = { points: tools.clicks, strokes, sent: session.sent, painting: this.painting, extremes: tools.extremes };
    this.where.save();
    this.footer.figures(); // called here, too, because a page in the background draws no frames
    view.redraw();
  }

  drawn() {
    this.footer.figures();
    this.address.note();
  }

  redraw() {
    const { session, tools } = this;
    const { state } = session;
    this.sketch();
    this.where.show();
    this.fields.show();
    for (const tool of BUTTONS) $(tool).setAttribute("aria-checked", String(tools.tool === tool));
    stopAt(BUTTONS.map($), ({ id }) => id === tools.tool);
    for (const [name, on] of Object.entries(this.on)) $(name).setAttribute("aria-pressed", String(on));
    $("fill").setAttribute("aria-pressed", String(Boolean(state?.filled)));
    $("done").setAttribute("aria-pressed", String(Boolean(state?.done)));
    $("undo").disabled = !state?.can_undo;
    $("redo").disabled = !state?.can_redo;
    $("hint").textContent = tools.hint();
    listRegions($("regions"), session, this.fields.categories, this.selected, {
      select: (id, shift) => this.select(id, shift),
      lock: (region) => this.regions.lock(region),
      key: (name) => this.keyboard.shown(name),
      colour: (id) => this.view.colours.css(id),
      confirm: (region) => this.fields.confirm([region]),
    });
  }

  say(text, isError = false) {
    this.footer.say(text, isError);
  }

  select(id, merge = false) {
    if (id !== null && this.selected !== null && id !== this.selected && (merge || this.merging)) {
      this.merging = false;
      this.session.do({ kind: "merge", region: this.selected, other: id });
      return;
    }
    this.merging = false;
    this.selected = id;
    this.pinned = id !== null;
    this.view.set({ selected: id });
    this.redraw();
  }

  // Select a region that the person has not chosen, but has just made or drawn into.
  touch(id) {
    this.select(id);
    this.pinned = false;
    this.redraw();
  }

  toggle(name) {
    this.on[name] = !this.on[name];
    if (name === "collect" && !this.on.collect) this.tools.update();
    const { bare, heat, outline, tint } = this.on;
    this.view.colours.byClass = tint;
    this.session.setHeat(heat);
    this.view.set({ bare, heat, outline });
    this.redraw();
  }

  opacity(by) {
    $("opacity").value = Number($("opacity").value) + by;
    this.view.set({ opacity: $("opacity").value / 100 });
  }

  // Drop what is not sent yet; if there is nothing, choose no region.
  escape() {
    const { tools } = this;
    if (tools.pending || tools.stroke || tools.extremes.dragging || this.merging || this.remarking !== null) tools.escape();
    else this.select(null);
  }

  undo() {
    if (this.tools.pending) this.tools.back();
    else if (this.session.state?.can_undo) this.session.do({ kind: "undo" });
  }

  redo() {
    if (this.session.state?.can_redo) this.session.do({ kind: "redo" });
  }

  wire() {
    const clicks = {
      undo: () => this.undo(),
      redo: () => this.redo(),
      next: () => this.regions.leastSure(),
      fill: () => this.finishing.fill(),
      done: () => this.finishing.finish(),
      export: () => this.finishing.export(),
      import: () => this.files.choose(),
      "zoom-out": () => this.view.zoom(0.8),
      "zoom-in": () => this.view.zoom(1.25),
      "zoom-fit": () => this.view.fit(),
      "zoom-full": () => this.view.full(),
      help: () => this.keyboard.help.open(),
    };
    for (const [id, what] of Object.entries(clicks)) $(id).addEventListener("click", what);
    for (const tool of BUTTONS) $(tool).addEventListener("click", () => this.tools.use(tool));
    rove($("tools"), () => BUTTONS.map($), ({ id }) => this.tools.use(id));
    for (const name of Object.keys(this.on)) $(name).addEventListener("click", () => this.toggle(name));
    $("opacity").addEventListener("input", () => this.opacity(0));
    window.addEventListener("beforeunload", (event) => this.collected.length && event.preventDefault());
  }
}

translate();
addIcons();
const page = new Page();
page.start().catch((error) => page.say(error.message, true));
