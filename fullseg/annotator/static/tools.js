// What pointers do on the canvas: mark, correct and choose regions; zoom and move the image by wheel, drag or two fingers.

export class Tools {
  // `page` has view, session, selected, regions, select(id), collecting, collected, say(text), sketch() and redraw().
  constructor(page) {
    this.page = page;
    this.tool = "mark";
    this.clicks = [];
    this.stroke = null;
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

  // Drop clicks, strokes and choices that are not finished.
  drop() {
    this.clicks = [];
    this.stroke = null;
    this.page.remarking = null;
    this.page.merging = false;
  }

  get pending() {
    return this.clicks.length + this.page.collected.length > 0;
  }

  // Return the text that says what to do next.
  hint() {
    if (this.page.merging) return "Choose the region that becomes part of the chosen one";
    const strokes = this.page.collected.length === 1 ? "1 stroke" : `${this.page.collected.length} strokes`;
    if (this.clicks.length === 4) return "Enter marks the region, Backspace takes a point back";
    if (this.page.remarking !== null && !this.clicks.length) return `Click the four extreme points of region ${this.page.remarking} anew, Escape leaves it as it is`;
    if (this.tool === "mark") return this.clicks.length ? `${4 - this.clicks.length} more extreme points, Backspace takes one back` : "Click a region's four extreme points: leftmost, topmost, rightmost, bottommost, in any order";
    if (this.tool === "correct") return this.page.collected.length ? `${strokes} collected: Enter updates` : "Press inside a region and draw into what it lacks";
    return "";
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
      this.stroke = null; // a second finger means zoom, not a stroke or a click
      this.pinched = true;
      return;
    }
    const at = view.toImage(...this.position(event));
    this.from = this.position(event);
    this.panning = event.button === 1 || this.space || (this.tool === "choose" && event.button === 0);
    if (this.panning || event.button !== 0 || !view.inside(at)) return;
    if (this.tool === "correct") this.begin(at);
  }

  begin(at) {
    const region = this.page.view.regionAt(at) ?? this.page.selected;
    if (this.page.merging && region !== null) return this.page.select(region);
    if (region === null) return this.page.say("There is no region here: mark one first, or choose one in the list", true);
    if (this.page.session.region(region)?.locked) return this.page.say("This region is locked: L unlocks it", true);
    this.page.select(region);
    this.stroke = { region, points: [at.map(round)] };
    this.page.redraw();
  }

  move(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const { view } = this.page;
    const now = this.position(event);
    if (this.pointers.size === 2) return this.pinch(event.pointerId, now);
    this.pointers.set(event.pointerId, now);
    if (this.panning) {
      view.canvas.classList.add("panning");
      return view.pan(now[0] - before[0], now[1] - before[1]);
    }
    if (!this.stroke) return;
    for (const one of event.getCoalescedEvents?.() ?? [event]) {
      const at = view.toImage(...this.position(one)).map(round);
      const last = this.stroke.points.at(-1);
      if (Math.hypot(at[0] - last[0], at[1] - last[1]) >= 0.5) this.stroke.points.push(clamp(at, this.page.session.state));
    }
    this.page.sketch();
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
    const position = this.position(event);
    const still = this.from && Math.hypot(position[0] - this.from[0], position[1] - this.from[1]) < 5;
    const at = view.toImage(...position);
    const click = still && event.button === 0 && !this.pinched;
    if (this.stroke) this.end();
    else if (this.tool === "choose" && click) this.page.select(view.regionAt(at), event.shiftKey);
    else if (this.tool === "mark" && click && !this.panning && view.nearly(at)) this.click(at);
    if (this.pointers.size === 0) this.panning = this.pinched = this.pen = false;
  }

  cancel(event) {
    this.pointers.delete(event.pointerId);
    this.stroke = null;
    if (this.pointers.size === 0) this.panning = this.pinched = this.pen = false;
    this.page.redraw();
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
    if (this.clicks.length === 4) return this.mark();
    const strokes = page.collected.splice(0);
    page.redraw();
    if (!strokes.length || (await page.session.do({ kind: "scribbles", strokes }))) return true;
    page.collected.unshift(...strokes.filter(({ region }) => page.session.region(region)));
    page.redraw();
    return false;
  }

  async mark() {
    const points = this.clicks.splice(0);
    const { remarking } = this.page;
    this.page.redraw();
    if (await this.page.regions.add(points)) return true;
    if (!this.clicks.length) Object.assign(this, { clicks: points });
    this.page.remarking = remarking;
    this.page.redraw();
    return false;
  }

  click(at) {
    if (this.clicks.length === 4) return;
    this.clicks.push(clamp(this.page.snap(at.map(round)), this.page.session.state));
    if (this.clicks.length === 4) this.mark();
    else this.page.redraw();
  }

  back() {
    if (this.clicks.length) this.clicks.pop();
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
const clamp = ([x, y], { width, height }) => [Math.min(Math.max(x, 0), width - 1), Math.min(Math.max(y, 0), height - 1)];
