// The fields beside the list of regions: the chosen region's name and its class.

import * as api from "./api.js";

const $ = (id) => document.getElementById(id);

export class Fields {
  // `page` offers session, selected, select(id) and say(text, isError).
  constructor(page) {
    this.page = page;
    this.categories = [];
    this.shown = ""; // the chosen region's class as the field shows it
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

  // Show what the chosen region has; without one, the class stays: it is the next region's.
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

  // Whether the class that was typed in is none yet: then two buttons offer to make one of it.
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

  // Enter takes what was typed, Escape drops it; a class that is none yet is asked about.
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
