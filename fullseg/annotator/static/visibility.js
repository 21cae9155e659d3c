// Which regions are drawn. A hidden region keeps its pixels: only its colour, points and strokes are not drawn.

const $ = (id) => document.getElementById(id);

export class Visibility {
  // `page` has session, selected, view, regions and redraw().
  constructor(page) {
    this.page = page;
    this.hidden = new Set(); // ids
    this.alone = null; // id of the region that alone is drawn
    page.view.shows = (id) => this.shows(id);
    $("solo").addEventListener("click", () => this.solo());
  }

  shows(id) {
    return this.page.session.region(this.alone) ? id === this.alone : !this.hidden.has(id);
  }

  // Another image is open.
  forget() {
    this.hidden.clear();
    this.alone = null;
  }

  // Hide a region, or show it again.
  toggle(region = this.page.regions.chosen()) {
    if (!region) return;
    const isShown = this.shows(region.id);
    this.alone = null;
    if (isShown) this.hidden.add(region.id);
    else this.hidden.delete(region.id);
    this.draw();
  }

  // Show the chosen region alone, or all again.
  solo() {
    const region = this.alone === null ? this.page.regions.chosen() : null;
    this.alone = region?.id ?? null;
    this.draw();
  }

  all() {
    this.forget();
    this.draw();
  }

  // Another region was chosen: if one is drawn alone, it is that one from now on.
  follow(id) {
    if (this.alone === null || id === null || id === this.alone) return;
    this.alone = id;
    this.page.view.paint();
  }

  draw() {
    this.page.view.paint();
    this.page.redraw();
  }
}
