// What a person does with the chosen region: lock, delete, merge, mark anew, move in the list.

import { t } from "./texts.js";

const $ = (id) => document.getElementById(id);

export class Regions {
  // `page` has session, selected, tools, fields, view, select(id), redraw() and say(text, isError).
  constructor(page) {
    this.page = page;
    this.adding = Promise.resolve(); // done when the region that is marked now is there
  }

  get session() {
    return this.page.session;
  }

  chosen() {
    const region = this.session.region(this.page.selected);
    if (!region) this.page.say(t.said.chooseFirst, true);
    return region;
  }

  // Mark a new region, or the chosen one anew. Return whether it was done.
  mark(points) {
    const { remarking } = this.page;
    this.page.remarking = null;
    if (remarking !== null) return this.session.do({ kind: "move", region: remarking, points });
    return (this.adding = this.add({ kind: "add", points }));
  }

  // Mark a new region by the corners of a box. The model finds its extreme points.
  box(corners) {
    return (this.adding = this.add({ kind: "box", corners }));
  }

  // Add a region and select it. Until it is there, no region is selected: a class that is typed meanwhile is the new one's.
  async add(action) {
    const { page, session } = this;
    const { image } = session;
    const category = page.fields.next;
    page.select(null);
    const done = await session.do({ ...action, ...(category === null ? {} : { category }) });
    if (!done || image !== session.image) return done;
    const { id } = session.state.regions.at(-1);
    page.touch(id);
    page.say(t.said.added(id));
    return true;
  }

  lock(region = this.chosen()) {
    if (region) this.session.do({ kind: region.locked ? "unlock" : "lock", region: region.id });
  }

  remove() {
    const region = this.chosen();
    if (region) this.session.do({ kind: "delete", region: region.id });
  }

  merge() {
    if (this.chosen()) this.page.merging = true;
    this.page.redraw();
  }

  remark() {
    const region = this.chosen();
    if (!region) return;
    this.page.tools.use("mark");
    this.page.remarking = region.id;
    this.page.redraw();
  }

  rename() {
    if (this.chosen()) $("name").select();
  }

  classify() {
    $("category").select();
  }

  reorder(by) {
    const order = this.session.state.regions.map(({ id }) => id);
    const from = order.indexOf(this.page.selected);
    const to = from + by;
    if (from < 0 || to < 0 || to >= order.length) return;
    [order[from], order[to]] = [order[to], order[from]];
    this.session.do({ kind: "reorder", order });
  }

  // Choose the next or the previous region in the list.
  chooseNext(by) {
    const ids = this.session.state.regions.map(({ id }) => id);
    const from = ids.indexOf(this.page.selected);
    if (ids.length) this.page.select(ids[(from < 0 && by < 0 ? ids.length - 1 : from + by + ids.length) % ids.length]);
  }

  // Go to the region that the model is least sure of; from there to the next one.
  leastSure() {
    const { page, session } = this;
    const order = session.labels?.least_sure ?? [];
    if (!order.length) return page.say(t.said.allLocked, true);
    page.merging = false;
    this.goTo(order[(order.indexOf(page.pinned ? page.selected : null) + 1) % order.length]);
  }

  // Choose a region, zoom to it, and take the tool for correcting.
  goTo(id) {
    const { page } = this;
    const { points } = this.session.region(id);
    const [x, y] = [points.map((point) => point[0]), points.map((point) => point[1])];
    page.tools.use("correct");
    page.select(id);
    page.view.focus([Math.min(...x), Math.min(...y), Math.max(...x), Math.max(...y)]);
  }
}
