// The fields beside the list of regions: the chosen region's name and its class.

import * as api from "./api.js";

const $ = (id) => document.getElementById(id);

export class Fields {
  // `page` offers session, selected, select(id) and say(text, isError).
  constructor(page) {
    this.page = page;
    this.categories = [];
    this.shown = ""; // class of the chosen region as the field shows it
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

  // Show name and class of the chosen region. Without one the class stays, for the next region.
  show() {
    const { region } = this;
    $("name").disabled = !region;
    $("name").value = region?.name ?? "";
    if (region) $("category").value = this.categories.find(({ id }) => id === region.category)?.name ?? "";
    this.shown = region ? $("category").value : "";
    $("unknown").hidden = true;
  }

  // Id of the class that the field names, or null.
  category() {
    const wanted = $("category").value.trim();
    const same = this.categories.find(({ name }) => name === wanted);
    return (same ?? this.categories.find(({ name }) => name.toLowerCase() === wanted.toLowerCase()))?.id ?? null;
  }

  // Whether the typed class does not exist yet: then two buttons offer to add it.
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

  // Enter takes what was typed, Escape drops it. For a class that does not exist yet the page asks.
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
