// Which key does what at this moment, and the list of all keys.

import { makeKeys, nameOf } from "./keys.js";

const $ = (id) => document.getElementById(id);

export class Keyboard {
  constructor(page) {
    this.page = page;
    this.keys = makeKeys(page);
    window.addEventListener("keydown", (event) => this.press(event));
    window.addEventListener("blur", () => (page.tools.space = false));
    window.addEventListener("keyup", (event) => event.key === " " && (page.tools.space = false));
  }

  press(event) {
    const { target } = event;
    if (target instanceof HTMLInputElement && (target.type !== "range" || event.key.startsWith("Arrow"))) return;
    if ($("keys").open) return;
    if (!this.page.session.state && !["?", "PageDown", "PageUp"].includes(nameOf(event))) return;
    if (target instanceof HTMLButtonElement && ["Enter", " "].includes(event.key)) return;
    const found = this.keys.find(([key]) => key === nameOf(event));
    if (!found) return;
    event.preventDefault();
    found[2]();
  }

  help() {
    $("keylist").replaceChildren(
      ...this.keys.map(([key, what]) => {
        const line = document.createElement("div");
        line.append(
          Object.assign(document.createElement("dt"), { textContent: key }),
          Object.assign(document.createElement("dd"), { textContent: what }),
        );
        return line;
      }),
    );
    $("keys").showModal();
  }
}
