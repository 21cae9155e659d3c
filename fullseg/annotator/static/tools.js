// What pointers do on the canvas: mark, correct and choose regions; zoom and move the image by wheel, drag or two fingers.

import { Extremes, clamp } from "./extremes.js";
import { t } from "./texts.js";

const SLIP = { mouse: 8, pen: 8, touch: 16 }; // screen pixels: how far the pointer may move in a click
const REST = 500; // ms for which a pen or a finger rests to draw a dot

export class Tools {
  // `page` has view, session, selected, pinned, merging, remarking, collecting, collected, select(id), touch(id), say(text), sketch()
  // and redraw(), and what `Extremes` needs.
  constructor(page) {
    this.page = page;
    this.tool = "mark";
    this.extremes = new Extremes(page);
    this.stroke = null;
    this.draft = null; // the way since the pointer went down, while it may still be a click
    this.pointers = new Map();
    this.space = false;
    const { canvas } = page.view;
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    canvas.addEventListener("pointerup", (event) => this.up(event));
    canvas.addEventListener("pointercancel", (event) => this.cancel(event));
    canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  }

  use(tool) {
    this.tool = tool;
    this.drop();
    this.page.view.canvas.className = tool;
    this.page.redraw();
  }

  // Hold the image, to drag it with any tool, or let it go.
  hold(space) {
    this.space = space;
    this.page.view.canvas.classList.toggle("holding", space);
    this.page.redraw();
  }

  // Drop clicks, strokes and choices that are not finished.
  drop() {
    this.extremes.clicks = [];
    this.extremes.letGo();
    this.stroke = this.draft = null;
    this.page.painting.drop();
    this.page.remarking = null;
    this.page.merging = false;
  }

  get clicks() {
    return this.extremes.clicks;
  }

  get pending() {
    return this.clicks.length + this.page.collected.length > 0 || this.page.painting.pending;
  }

  // Return the text that says what to do next.
  hint() {
    const { collected, collecting, merging, painting, pinned, selected } = this.page;
    if (this.space) return t.hints.hold;
    if (merging) return t.hints.merge(selected);
    if (painting.active) return painting.hint();
    if (this.tool === "choose") return t.hints.choose;
    if (this.tool === "mark") return this.extremes.hint();
    if (collected.length) return t.hints.collected(collected.length);
    return pinned ? t.hints.correctOne(selected, collecting) : t.hints.correct(collecting);
  }

  position(event) {
    const box = this.page.view.canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  down(event) {
    const { view } = this.page;
    if (!this.page.session.state) return;
    if (event.pointerType === "touch" && this.pen) return; // it is the palm of the drawing hand
    this.pen = event.pointerType === "pen";
    view.canvas.focus({ preventScroll: true });
    view.canvas.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, this.position(event));
    if (this.pointers.size > 1) {
      this.stroke = this.draft = this.page.painting.stroke = null; // a second finger means zoom, not a stroke or a click
      this.extremes.letGo();
      this.pinched = true;
      return;
    }
    const at = view.toImage(...this.position(event));
    this.from = this.position(event);
    this.moved = false;
    this.dragging = event.button === 1 || this.space;
    this.panning = this.dragging || (this.tool === "choose" && event.button === 0);
    if (this.panning || event.button !== 0 || !view.inside(at)) return;
    if (this.page.painting.brushing) this.page.painting.begin(at);
    else if (this.tool === "correct" && !this.page.merging) this.draft = [at.map(round)];
    else if (this.tool === "mark" && !this.page.merging) this.extremes.press(at);
    const { draft } = this;
    if (draft && (event.ctrlKey || event.metaKey)) this.begin(); // then even a click is a stroke: a dot
    else if (draft && event.pointerType !== "mouse") setTimeout(() => draft === this.draft && this.begin(), REST);
  }

  // Begin a stroke with the way so far: of the chosen region, else of the one where the pointer went down, which may be none.
  begin() {
    const { page, draft: points } = this;
    [this.draft, this.moved] = [null, true]; // it is no click any more
    const { busy, labels, sent, state } = page.session;
    const sure = labels && !busy && !sent.length && state.regions.length && !state.filled; // else a place may seem to have no region
    const region = page.pinned ? page.selected : (page.view.regionAt(points[0]) ?? (sure ? null : page.selected));
    if (region === null && !sure) return page.say(t.said.noRegion, true);
    if (page.session.region(region)?.locked) return page.say(t.said.locked, true);
    if (!page.pinned && region !== null) page.touch(region);
    this.stroke = { region, points };
    page.redraw();
  }

  move(event) {
    const before = this.pointers.get(event.pointerId);
    const { painting, view } = this.page;
    const now = this.position(event);
    painting.hover(view.toImage(...now));
    if (!before) return;
    if (this.pointers.size === 2) return this.pinch(event.pointerId, now);
    this.moved ||= this.slipped(event);
    if (this.panning && !this.dragging && !this.moved) return; // it may still be a click
    this.pointers.set(event.pointerId, now);
    if (this.panning) {
      this.dragging = true;
      view.canvas.classList.add("panning");
      return view.pan(now[0] - before[0], now[1] - before[1]);
    }
    this.extend(event);
  }

  extend(event) {
    const way = this.stroke?.points ?? this.draft;
    const { painting, view } = this.page;
    for (const one of event.getCoalescedEvents?.() ?? [event]) {
      if (painting.stroke) painting.extend(view.toImage(...this.position(one)));
      if (!way) continue;
      const at = view.toImage(...this.position(one)).map(round);
      const last = way.at(-1);
      if (Math.hypot(at[0] - last[0], at[1] - last[1]) >= 0.5) way.push(clamp(at, this.page.session.state));
    }
    if (this.draft && this.moved) this.begin();
    if (this.moved) this.extremes.stretch(view.toImage(...this.position(event)));
    this.page.sketch();
  }

  // Return whether the pointer has moved too far for a click.
  slipped(event) {
    const [x, y] = this.position(event);
    return Math.hypot(x - this.from[0], y - this.from[1]) >= (SLIP[event.pointerType] ?? SLIP.mouse);
  }

  pinch(id, now) {
    const { view } = this.page;
    const [other] = [...this.pointers].filter(([key]) => key !== id).map(([, position]) => position);
    const before = this.pointers.get(id);
    const spread = (a, b) => Math.max(1, Math.hypot(a[0] - b[0], a[1] - b[1]));
    const middle = [(now[0] + other[0]) / 2, (now[1] + other[1]) / 2];
    view.zoom(spread(now, other) / spread(before, other), ...middle);
    view.pan((now[0] - before[0]) / 2, (now[1] - before[1]) / 2);
    this.pointers.set(id, now);
  }

  up(event) {
    const { view } = this.page;
    if (!this.pointers.delete(event.pointerId)) return;
    view.canvas.classList.remove("panning");
    const isClick = event.button === 0 && !this.dragging && !this.pinched && !this.moved;
    this.draft = null;
    if (this.stroke) this.end();
    else if (this.extremes.dragging) this.extremes.release();
    else if (this.page.painting.stroke) this.page.painting.end();
    else if (isClick) this.click(view.toImage(...this.from), event);
    this.rest();
  }

  // A click marks a point, or chooses the region there.
  click(at, { shiftKey, timeStamp }) {
    const { page } = this;
    const region = page.view.regionAt(at);
    if (page.merging && region === null) return page.say(t.said.noRegionToMerge, true);
    if (page.painting.active) return page.painting.click(at, timeStamp);
    if (this.tool === "mark" && !page.merging) return page.view.nearly(at) && this.extremes.click(at, timeStamp);
    page.select(region, shiftKey);
  }

  cancel(event) {
    this.pointers.delete(event.pointerId);
    this.stroke = this.draft = this.page.painting.stroke = null;
    this.extremes.letGo();
    this.rest();
    this.page.redraw();
  }

  rest() {
    if (!this.extremes.dragging) this.extremes.letGo();
    if (this.pointers.size === 0) this.panning = this.dragging = this.pinched = this.pen = false;
  }

  end() {
    const { stroke } = this;
    this.stroke = null;
    this.page.collected.push(stroke);
    if (this.page.collecting) this.page.redraw();
    else this.update();
  }

  // Send the marked points or the collected strokes. If the server refuses them, they stay and can be sent again. Return whether
  // nothing is left.
  async update() {
    const { page } = this;
    if (this.clicks.length === 4) return this.extremes.send();
    if (page.painting.corners.length) return page.painting.close();
    const strokes = page.collected.splice(0);
    page.redraw();
    if (!strokes.length || (await page.session.do({ kind: "scribbles", strokes }))) return true;
    page.collected.unshift(...strokes.filter(({ region }) => region === null || page.session.region(region)));
    page.redraw();
    return false;
  }

  back() {
    const { corners } = this.page.painting;
    if (corners.length) corners.pop();
    else if (this.clicks.length) this.clicks.pop();
    else if (this.page.collected.length) this.page.collected.pop();
    this.page.redraw();
  }

  escape() {
    this.drop();
    this.page.collected.splice(0);
    this.page.redraw();
  }

  wheel(event) {
    event.preventDefault();
    const { view } = this.page;
    if (event.ctrlKey || !event.shiftKey) view.zoom(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.002)), ...this.position(event));
    else view.pan(-event.deltaY, 0);
  }
}

const round = (value) => Math.round(value * 100) / 100;
