// The two fields above the list of regions: name and class of the chosen region.

import * as api from "./api.js";
import { ClassSearch } from "./class_search.js";
import { t } from "./texts.js";

const $ = (id) => document.getElementById(id);

export class Fields {
  // `page` has session, selected, select(id) and say(text, isError).
  constructor(page) {
    this.page = page;
    this.categories = [];
    this.own = [];
    this.next = null; // id of the class that new regions get
    this.wanted = ""; // name of a class that does not exist yet
    this.search = new ClassSearch($("category"), $("categories"), {
      take: (category) => this.found(category),
      create: (name) => this.ask(name),
      leave: () => $("canvas").focus(),
      shown: () => this.shown,
    });
    $("name").addEventListener("change", () => this.rename());
    $("name").addEventListener("keydown", (event) => this.nameKey(event));
    $("thing").addEventListener("click", () => this.add(true));
    $("stuff").addEventListener("click", () => this.add(false));
    $("neither").addEventListener("click", () => this.unask());
    $("unknown").addEventListener("keydown", (event) => this.answer(event));
  }

  get region() {
    return this.page.session.region(this.page.selected);
  }

  // Return the class that the field shows: that of the chosen region; if none is chosen, that of the next new region.
  get shown() {
    const { region } = this;
    return this.find(region ? region.category : this.next)?.name ?? "";
  }

  find(id) {
    return this.categories.find((category) => category.id === id);
  }

  // `own` are the ids of the classes that were typed in.
  know({ categories, own }) {
    this.categories = categories;
    this.own = own;
    this.page.session.guesses = categories.length > 1;
    if (!this.find(this.next)) this.next = null;
    this.search.categories = categories;
    this.page.palette.show();
  }

  // Show name and class of the chosen region. What a person is typing stays.
  show() {
    const { region } = this;
    const guess = region && this.find(this.page.session.guess(region));
    $("name").disabled = !region;
    if (document.activeElement !== $("name")) $("name").value = region?.name ?? "";
    if (document.activeElement !== $("category")) $("category").value = this.shown;
    $("category").placeholder = guess
      ? t.classes.guess(guess.name, this.page.keyboard.shown("a"))
      : t.classes[region ? "search" : "ofNew"];
    this.page.palette.show();
  }

  // A class was found by its name.
  found(category) {
    if (category) this.page.palette.note(category.id);
    this.take(category);
  }

  async take(category) {
    await this.page.regions.adding;
    const { region } = this;
    if (region) this.describe(region, { category: category?.id ?? null });
    else this.next = category?.id ?? null;
    this.page.redraw();
  }

  rename() {
    if (this.region) this.describe(this.region, { name: $("name").value });
  }

  describe({ id, name, category }, change) {
    const described = { name, category, ...change };
    if (described.name === name && described.category === category) return;
    this.page.session.do({ kind: "describe", region: id, ...described });
  }

  // Enter accepts the typed name, Escape drops it.
  nameKey(event) {
    if (!["Enter", "Escape"].includes(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.key === "Escape") $("name").value = this.region?.name ?? "";
    $("canvas").focus();
  }

  // Ask whether the new class is one of things or of stuff. Enter alone answers nothing.
  ask(name) {
    this.wanted = name;
    $("wanted").textContent = name;
    $("unknown").hidden = false;
    $("unknown").focus();
  }

  unask() {
    $("unknown").hidden = true;
    $("canvas").focus();
  }

  answer(event) {
    const answers = { t: () => this.add(true), s: () => this.add(false), Escape: () => this.unask() };
    if (event.key !== "Tab" && event.key !== "Shift") event.stopPropagation(); // it is no key of the page now
    answers[event.key]?.();
  }

  async add(isthing) {
    this.unask();
    try {
      const answer = await api.addCategory(this.wanted, isthing);
      this.know(answer);
      this.found(this.find(answer.id));
    } catch (error) {
      this.page.say(error.message, true);
    }
  }

  // Confirm the class that the model guesses for a region, or for all regions.
  confirm(regions = this.region ? [this.region] : []) {
    const { session } = this.page;
    const guessed = regions.filter((region) => this.find(session.guess(region)));
    if (!guessed.length) return this.page.say(t.said.noGuess, true);
    for (const region of guessed) this.describe(region, { category: session.guess(region) });
  }
}
