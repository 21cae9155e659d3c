// The tools that decide pixels by hand: brush, eraser, polygon, and filling a hole. Their pixels are exact: see the server's layer.

import { drawPainting } from "./brushes.js";
import { t } from "./texts.js";

export const PAINTING = ["brush", "erase", "polygon", "hole"];
const WIDEST = 2000; // pixels of the file
const TWICE = 400; // ms: a second click within this time and nearby is the other half of a double click
const NEAR = 6; // screen pixels
const LEAST_STEP = 0.5; // pixels of the file between two points of a path
const $ = (id) => document.getElementById(id);

const round = (value) => Math.round(value * 100) / 100;
const clamp = ([x, y], { width, height }) => [
  round(Math.min(Math.max(x, -0.5), width - 0.5)),
  round(Math.min(Math.max(y, -0.5), height - 0.5)),
];

export class Painting {
  // `page` has view, session, tools, selected, pinned, touch(id), say(text, isError), sketch() and redraw().
  constructor(page) {
    this.page = page;
    this.width = 12; // of the brush in pixels of the file
    this.stroke = null; // action that is being drawn
    this.corners = []; // of the polygon that is being drawn
    this.shown = []; // actions whose labels are not there yet
    this.pointer = null; // where the pointer is, in the image
    this.last = { time: -Infinity, at: [0, 0] };
    $("width").addEventListener("change", () => this.widen($("width").valueAsNumber || this.width));
    $("width").addEventListener("keydown", ({ key }) => ["Enter", "Escape"].includes(key) && $("canvas").focus());
    page.view.canvas.addEventListener("pointerleave", () => this.hover(null));
  }

  // Return whether the tool in hand is one of these, and the person is not about to merge regions.
  get active() {
    return PAINTING.includes(this.page.tools.tool) && !this.page.merging;
  }

  get brushing() {
    return this.active && ["brush", "erase"].includes(this.page.tools.tool);
  }

  get pending() {
    return this.stroke !== null || this.corners.length > 0;
  }

  drop() {
    this.stroke = null;
    this.corners = [];
  }

  hint() {
    const { pinned, selected, tools } = this.page;
    const region = pinned ? selected : null;
    if (tools.tool === "hole") return t.hints.hole;
    if (tools.tool === "polygon") return this.corners.length ? t.hints.close : t.hints.polygon(region);
    return t.hints[tools.tool](region, this.width);
  }

  // Make the brush this wide, in pixels of the file.
  widen(width) {
    this.width = Math.min(Math.max(Math.round(width), 1), WIDEST);
    $("width").value = this.width;
    this.page.redraw();
  }

  wider = () => this.widen(Math.max(this.width + 1, this.width * 1.2));
  narrower = () => this.widen(Math.min(this.width - 1, this.width / 1.2));

  // The pointer is at this point of the image, or beside the canvas.
  hover(at) {
    this.pointer = at;
    if (this.active) this.page.sketch();
  }

  // Return the region that a decision at a point is about, or null after saying why there is none.
  regionAt(at) {
    const { page } = this;
    const id = page.pinned ? page.selected : (page.view.regionAt(at) ?? page.selected);
    const region = page.session.region(id);
    if (!region) page.say(t.said.noRegion, true);
    else if (region.locked) page.say(t.said.locked, true);
    else if (!page.pinned) page.touch(id);
    return region && !region.locked ? id : null;
  }

  // Begin to paint or to erase.
  begin(at) {
    const region = this.regionAt(at);
    if (region === null) return;
    const points = [clamp(at, this.page.session.state)];
    this.stroke = { kind: "brush", region, points, width: this.width, erase: this.page.tools.tool === "erase" };
    this.page.redraw();
  }

  extend(at) {
    const { points } = this.stroke;
    const { state } = this.page.session;
    const next = clamp(at, state);
    const far = Math.hypot(next[0] - points.at(-1)[0], next[1] - points.at(-1)[1]);
    if (far * state.full_width >= LEAST_STEP * state.width) points.push(next);
  }

  end() {
    const { stroke } = this;
    this.stroke = null;
    return this.send(stroke);
  }

  // Send an action, and show it until its labels are there. Return whether it was done.
  async send(action) {
    this.shown.push(action);
    const done = await this.page.session.do(action);
    if (!done) this.shown = this.shown.filter((one) => one !== action);
    this.page.sketch();
    return done;
  }

  // New labels are there. If all actions are acknowledged, the labels show them.
  settle() {
    if (!this.page.session.busy) this.shown = this.shown.filter((one) => this.page.session.sent.includes(one));
  }

  click(at, time) {
    const { state } = this.page.session;
    if (!this.page.view.inside(at)) return;
    if (this.page.tools.tool === "hole") return this.page.session.do({ kind: "hole", at: clamp(at, state) });
    if (this.page.tools.tool !== "polygon") return;
    if (this.isDouble(at, time)) return this.close();
    this.corners.push(clamp(at, state));
    this.page.redraw();
  }

  isDouble(at, time) {
    const { last } = this;
    this.last = { time, at };
    const far = Math.hypot(at[0] - last.at[0], at[1] - last.at[1]) * this.page.view.scale;
    return this.corners.length > 0 && time - last.time < TWICE && far < NEAR;
  }

  // Close the polygon and send it. If the server refuses it, it stays. Return whether nothing is left.
  async close() {
    const { page } = this;
    if (this.corners.length < 3) {
      page.say(t.said.threeCorners, true);
      return false;
    }
    const region = this.regionAt(this.corners[0]);
    if (region === null) return false;
    const points = this.corners.splice(0);
    page.redraw();
    if (await this.send({ kind: "polygon", region, points })) return true;
    if (!this.corners.length) this.corners = points;
    page.redraw();
    return false;
  }

  draw(view) {
    drawPainting(view, this);
  }
}
