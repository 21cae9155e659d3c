// The two fields above the list of regions: name and class of the chosen region.

import * as api from "./api.js";

const $ = (id) => document.getElementById(id);

export class Fields {
  // `page` has session, selected, select(id) and say(text, isError).
  constructor(page) {
    this.page = page;
    this.categories = [];
    this.shown = ""; // class of the chosen region, as the field shows it before a person types
    for (const id of ["name", "category"]) {
      $(id).addEventListener("change", () => this.describe());
      $(id).addEventListener("keydown", (event) => ["Enter", "Escape"].includes(event.key) && this.leave(id, event));
    }
    $("thing").addEventListener("click", () => this.add(true));
    $("stuff").addEventListener("click", () => this.add(false));
  }

  get region() {
    return this.page.session.region(this.page.selected);
  }

  know(categories) {
    this.categories = categories;
    $("categories").replaceChildren(
      ...categories.map(({ name, isthing }) => Object.assign(document.createElement("option"), { value: name, label: isthing ? "thing" : "stuff" })),
    );
  }

  // Show name and class of the chosen region. If none is chosen, the class stays: the next new region gets it.
  show() {
    const { region } = this;
    $("name").disabled = !region;
    $("name").value = region?.name ?? "";
    if (region) $("category").value = this.categories.find(({ id }) => id === region.category)?.name ?? "";
    this.shown = region ? $("category").value : "";
    $("unknown").hidden = true;
  }

  // Return the id of the class whose name is in the field, or null.
  category() {
    const wanted = $("category").value.trim();
    const same = this.categories.find(({ name }) => name === wanted);
    return (same ?? this.categories.find(({ name }) => name.toLowerCase() === wanted.toLowerCase()))?.id ?? null;
  }

  // Return whether the typed class does not exist yet. If so, two buttons offer to add it.
  get unknown() {
    const text = $("category").value.trim();
    return text !== "" && text !== this.shown && this.category() === null;
  }

  async add(isthing) {
    try {
      const { categories } = await api.addCategory($("category").value, isthing);
      this.know(categories);
      this.describe();
    } catch (error) {
      this.page.say(error.message, true);
    }
    $("canvas").focus();
  }

  describe() {
    $("unknown").hidden = !this.unknown;
    const { region } = this;
    if (!region || this.unknown) return;
    const category = $("category").value.trim() === this.shown ? region.category : this.category();
    if (category === region.category && $("name").value === region.name) return;
    this.page.session.do({ kind: "describe", region: region.id, name: $("name").value, category });
  }

  // Enter accepts the typed text, Escape drops it. If the class does not exist yet, the page asks: thing or stuff?
  leave(id, event) {
    event.preventDefault();
    if (event.key === "Escape") {
      $("category").value = "";
      this.page.select(this.page.selected);
    }
    if (event.key === "Enter" && id === "category") this.describe();
    ($("unknown").hidden ? $("canvas") : $("thing")).focus();
  }
}
