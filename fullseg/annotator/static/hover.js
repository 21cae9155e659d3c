// The region below the pointer: its name beside the pointer, its outline in the image, and its row in the list.

import { labelOf } from "./panels.js";

const BESIDE = 14; // screen pixels between the pointer and the name
const POINTS = ["mark", "polygon"]; // tools whose clicks are about points, not about regions: a name would be in the way
const $ = (id) => document.getElementById(id);

export class Hover {
  // `page` has session, fields, tools, merging and view.
  constructor(page) {
    this.page = page;
    this.region = null; // id
    const { canvas } = page.view;
    canvas.addEventListener("pointermove", (event) => this.move(event));
    for (const kind of ["pointerdown", "pointerleave", "wheel"]) canvas.addEventListener(kind, () => this.point(null), { passive: true });
    $("regions").addEventListener("pointerover", ({ target }) => this.point(Number(target.closest("li")?.dataset.region) || null));
    $("regions").addEventListener("pointerleave", () => this.point(null));
  }

  move(event) {
    const { merging, tools, view } = this.page;
    const isBusy = event.buttons || event.pointerType === "touch" || tools.space || (POINTS.includes(tools.tool) && !merging);
    this.point(isBusy ? null : view.regionAt(view.toImage(event.offsetX, event.offsetY)));
    this.name(event);
  }

  // Write the region's name beside the pointer, where there is room.
  name({ offsetX, offsetY }) {
    const region = this.page.session.region(this.region);
    const name = $("hovered");
    name.hidden = !region || this.page.view.options.raw;
    if (name.hidden) return;
    const { categories } = this.page.fields;
    const text = labelOf(region, categories, this.page.session.guess(region));
    if (name.textContent !== text) name.textContent = text;
    const { clientHeight, clientWidth } = this.page.view.canvas;
    const x = Math.min(offsetX + BESIDE, clientWidth - name.offsetWidth - 2);
    const y = offsetY + BESIDE + name.offsetHeight < clientHeight ? offsetY + BESIDE : offsetY - BESIDE - name.offsetHeight;
    name.style.transform = `translate(${Math.round(x)}px, ${Math.round(y)}px)`;
  }

  // Highlight a region; null: none.
  point(id) {
    $("hovered").hidden = true;
    if (id === this.region) return;
    this.region = id;
    this.show();
    this.page.view.set({ hovered: id });
  }

  // Highlight its row.
  show() {
    for (const item of $("regions").children) item.classList.toggle("hovered", Number(item.dataset.region) === this.region);
  }

  // There are new labels: the region may be gone.
  settle() {
    if (!this.page.session.region(this.region)) this.point(null);
  }
}
