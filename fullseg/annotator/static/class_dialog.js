// The list of the classes that were typed in. Each can be renamed, merged into another one, or removed.

import * as api from "./api.js";
import { make } from "./elements.js";
import { t } from "./texts.js";

const $ = (id) => document.getElementById(id);

export class ClassDialog {
  // `page` has fields and session.
  constructor(page) {
    this.page = page;
    $("edit-classes").addEventListener("click", () => this.open());
    $("class-list").addEventListener("close", () => $("canvas").focus());
  }

  open() {
    this.show();
    $("class-list").showModal();
  }

  show(said = "", isError = false) {
    const { categories, own } = this.page.fields;
    const listed = categories.filter(({ id }) => own.includes(id));
    $("class-said").textContent = said || (listed.length ? "" : t.classes.none);
    $("class-said").className = isError ? "error" : "";
    $("class-rows").replaceChildren(...listed.map((category) => this.row(category, categories)));
  }

  row(category, categories) {
    const { id, name, isthing } = category;
    const field = make("input", { value: name, maxLength: 200, ariaLabel: t.classes.nameOf(name) });
    field.addEventListener("change", () => this.rename(category, field.value));
    const others = categories.filter((other) => other.id !== id && other.isthing === isthing);
    const options = others.map((other) => make("option", { value: other.id, textContent: other.name }));
    const first = make("option", { textContent: t.classes.mergeInto });
    const select = make("select", { ariaLabel: t.classes.mergeOf(name) }, first, ...options);
    select.addEventListener("change", () => this.merge(category, others[select.selectedIndex - 1]));
    const remove = make("button", { type: "button", textContent: t.classes.remove, ariaLabel: t.classes.removeOf(name) });
    remove.addEventListener("click", () => this.change(category, { remove: true }, t.classes.removed(name)));
    return make("li", {}, field, make("small", { textContent: t.classes.kinds[Number(isthing)] }), select, remove);
  }

  rename(category, name) {
    this.change(category, { name }, t.classes.renamed(category.name, name));
  }

  merge(category, other) {
    if (!window.confirm(t.classes.sure(category.name, other.name))) return this.show();
    this.change(category, { into: other.id }, t.classes.merged(category.name, other.name));
  }

  async change({ id }, content, said) {
    const { fields, session } = this.page;
    try {
      await session.settled();
      fields.know(await api.changeCategory(id, content));
      if (session.state) await session.reload("");
      this.show(said);
    } catch (error) {
      this.show(error.message, true);
    }
  }
}
