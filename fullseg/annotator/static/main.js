// The page: the open image, the chosen region, the modes, and the parts that share them.

import * as api from "./api.js";
import { Address } from "./address.js";
import { Buttons } from "./buttons.js";
import { Cleaning } from "./cleaning.js";
import { ClassDialog } from "./class_dialog.js";
import { CloseUp } from "./close_up.js";
import { Connection } from "./connection.js";
import { Fields } from "./fields.js";
import { Files } from "./files.js";
import { Finishing } from "./finishing.js";
import { Footer } from "./footer.js";
import { addIcons } from "./icons.js";
import { Hover } from "./hover.js";
import { Images } from "./images.js";
import { Keyboard } from "./keyboard.js";
import { Painting } from "./painting.js";
import { Learning } from "./learning.js";
import { Models } from "./models.js";
import { Notes } from "./notes.js";
import { Palette } from "./palette.js";
import { listRegions } from "./panels.js";
import { Regions } from "./regions.js";
import { Review } from "./review.js";
import { Session } from "./session.js";
import { Settings } from "./settings.js";
import { Splitters } from "./splitters.js";
import { Token } from "./token.js";
import { Tone } from "./tone.js";
import { translate } from "./texts.js";
import { Tools } from "./tools.js";
import { Visibility } from "./visibility.js";
import { View } from "./view.js";
import { Welcome } from "./welcome.js";
import { Where } from "./where.js";

const $ = (id) => document.getElementById(id);

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
    this.palette = new Palette(this, $("palette"));
    this.fields = new Fields(this);
    this.classes = new ClassDialog(this);
    this.files = new Files(this);
    this.images = new Images(this);
    this.notes = new Notes(this);
    this.review = new Review(this);
    this.where = new Where(this);
    this.address = new Address(this);
    this.connection = new Connection(this);
    this.learning = new Learning(this);
    this.models = new Models(this);
    this.token = new Token(this);
    this.splitters = new Splitters();
    this.settings = new Settings();
    this.regions = new Regions(this);
    this.tone = new Tone(this);
    this.visibility = new Visibility(this);
    this.finishing = new Finishing(this);
    this.painting = new Painting(this);
    this.cleaning = new Cleaning(this);
    this.closeUp = new CloseUp(this);
    this.tools = new Tools(this);
    this.hover = new Hover(this);
    this.keyboard = new Keyboard(this);
    this.buttons = new Buttons(this);
    this.welcome = new Welcome(this);
    window.addEventListener("beforeunload", (event) => this.collected.length && event.preventDefault());
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
    this.models.look();
  }

  changed(what) {
    const { footer, session, view } = this;
    if (what === "sent") footer.begin();
    if (what === "sent") this.closeUp.stop();
    if (what === "sent" || what === "arrived") return this.sketch();
    if (what === "image") {
      this.visibility.forget();
      view.show(session.bitmap, session.state);
      this.tools.escape(); // drops clicks and strokes on the previous image
      if (session.state) this.images.arrive();
    }
    view.state = session.state;
    if (what === "labels") view.setLabels(session.labels);
    if (what === "labels") this.images.strip.wait();
    this.painting.settle();
    this.hover.settle();
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
    this.closeUp.follow();
    this.footer.figures();
    this.address.note();
  }

  redraw() {
    const { session, tools } = this;
    this.sketch();
    this.where.show();
    this.fields.show();
    this.buttons.show();
    this.notes.show();
    this.review.show();
    $("hint").textContent = this.review.hint() ?? tools.hint();
    listRegions($("regions"), session, this.fields.categories, this.selected, {
      select: (id, shift) => this.select(id, shift),
      lock: (region) => this.regions.lock(region),
      hide: (region) => this.visibility.toggle(region),
      shows: (id) => this.visibility.shows(id),
      key: (name) => this.keyboard.shown(name),
      colour: (id) => this.view.colours.css(id),
      confirm: (region) => this.fields.confirm([region]),
    });
    this.hover.show();
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
    this.visibility.follow(id);
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
}

translate();
addIcons();
const page = new Page();
page.start().catch((error) => page.say(error.message, true));
