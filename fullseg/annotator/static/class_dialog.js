// The list of the classes that were typed in. Each can be renamed, merged into another one, or removed.

import * as api from "./api.js";

const $ = (id) => document.getElementById(id);
const NONE = "No class was typed in yet. The classes that the annotator was started with stay as they are.";

const make = (tag, attributes, ...children) => {
  const element = Object.assign(document.createElement(tag), attributes);
  element.append(...children);
  return element;
};

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
    $("class-said").textContent = said || (listed.length ? "" : NONE);
    $("class-said").className = isError ? "error" : "";
    $("class-rows").replaceChildren(...listed.map((category) => this.row(category, categories)));
  }

  row(category, categories) {
    const { id, name, isthing } = category;
    const field = make("input", { value: name, maxLength: 200, ariaLabel: `Name of ${name}` });
    field.addEventListener("change", () => this.rename(category, field.value));
    const others = categories.filter((other) => other.id !== id && other.isthing === isthing);
    const options = others.map((other) => make("option", { value: other.id, textContent: other.name }));
    const first = make("option", { textContent: "merge into ..." });
    const select = make("select", { ariaLabel: `Merge ${name} into` }, first, ...options);
    select.addEventListener("change", () => this.merge(category, others[select.selectedIndex - 1]));
    const remove = make("button", { type: "button", textContent: "Remove", ariaLabel: `Remove ${name}` });
    remove.addEventListener("click", () => this.change(category, { remove: true }, `${name} is removed`));
    return make("li", {}, field, make("small", { textContent: isthing ? "thing" : "stuff" }), select, remove);
  }

  rename(category, name) {
    this.change(category, { name }, `${category.name} is ${name} now`);
  }

  merge(category, other) {
    const question = `All regions of ${category.name}, in all images, become ${other.name}. This cannot be undone.`;
    if (!window.confirm(question)) return this.show();
    this.change(category, { into: other.id }, `${category.name} is part of ${other.name} now`);
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
