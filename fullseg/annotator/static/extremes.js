// The four extreme points of a region: click by click, from a box, or dragged one by one.

import { t } from "./texts.js";

const TWICE = 400; // ms: a second click within this time and nearby is the other half of a double click
const NEAR = 6; // screen pixels
const GRIP = 10; // screen pixels: how near to a point it can be dragged

const round = (value) => Math.round(value * 100) / 100;

export class Extremes {
  // `page` has view, session, regions, remarking, fields, say(text, isError) and redraw().
  constructor(page) {
    this.page = page;
    this.clicks = [];
    this.pressed = null; // where the pointer went down
    this.box = null; // two corners of the box that is being drawn
    this.moved = null; // { region, points, side } of the point that is being dragged
    this.last = { time: -Infinity, at: [0, 0] };
  }

  click(at, time) {
    const { page } = this;
    if (this.clicks.length === 4) return;
    if (this.isDouble(at, time)) return page.say(t.said.double);
    this.clicks.push(clamp(at.map(round), page.session.state));
    if (this.clicks.length < 4) return page.redraw();
    const [width, height] = this.extent();
    if (width > 1 && height > 1) return this.send();
    this.clicks = [];
    page.say(t.said.tooSmall(width, height), true);
    page.redraw();
  }

  press(at) {
    this.pressed = at;
  }

  // The pointer has moved too far for a click: drag the chosen region's point there, or draw a box.
  stretch(at) {
    const { page, pressed } = this;
    if (!pressed) return;
    const to = clamp(at.map(round), page.session.state);
    if (!this.box && !this.moved) this.moved = this.pointAt(pressed);
    if (this.moved) this.moved.points[this.moved.side] = to;
    else if (!this.clicks.length && page.remarking === null) this.box = [clamp(pressed.map(round), page.session.state), to];
  }

  // Return the chosen region's point at a place, to be dragged, or null.
  pointAt(at) {
    const { session, selected, view } = this.page;
    const region = session.region(selected);
    if (!region || region.locked || this.clicks.length || this.page.on.bare) return null;
    const side = region.points.findIndex(([x, y]) => Math.hypot(x - at[0], y - at[1]) * view.scale < GRIP);
    return side < 0 ? null : { region: region.id, points: [...region.points], side };
  }

  // Send the box or the dragged point.
  release() {
    const { box, moved, page } = this;
    this.letGo();
    page.redraw();
    if (moved) return page.session.do({ kind: "move", region: moved.region, points: moved.points });
    const [width, height] = [0, 1].map((axis) => Math.abs(box[0][axis] - box[1][axis]));
    if (width < 1 || height < 1) return page.say(t.said.tooSmall(Math.round(width + 1), Math.round(height + 1)), true);
    return page.regions.box(box);
  }

  get dragging() {
    return this.box !== null || this.moved !== null;
  }

  letGo() {
    this.pressed = this.box = this.moved = null;
  }

  isDouble(at, time) {
    const { last } = this;
    this.last = { time, at };
    const far = Math.hypot(at[0] - last.at[0], at[1] - last.at[1]) * this.page.view.scale;
    return this.clicks.length > 0 && time - last.time < TWICE && far < NEAR;
  }

  // Return width and height in pixels of the box around the clicks.
  extent() {
    return [0, 1].map((axis) => {
      const along = this.clicks.map((point) => Math.round(point[axis]));
      return Math.max(...along) - Math.min(...along) + 1;
    });
  }

  // Send the four points. If the server refuses them, they stay. Return whether it has taken them.
  async send() {
    const { page } = this;
    const points = this.clicks.splice(0);
    const { remarking } = page;
    page.redraw();
    if (await page.regions.mark(points)) return true;
    if (!this.clicks.length) this.clicks = points;
    page.remarking = remarking;
    page.redraw();
    return false;
  }

  hint() {
    const { clicks, page } = this;
    if (clicks.length === 4) return t.hints.marked;
    if (clicks.length) return t.hints.markMore(4 - clicks.length);
    if (page.remarking !== null) return t.hints.remark(page.remarking);
    const next = page.fields.find(page.fields.next);
    return next ? t.hints.markNext(next.name) : t.hints.mark;
  }
}

// Return the place in the image that is nearest to a point.
export function clamp([x, y], { width, height }) {
  return [Math.min(Math.max(x, 0), width - 1), Math.min(Math.max(y, 0), height - 1)];
}
