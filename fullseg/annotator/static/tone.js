// Brightness and contrast of the image on the screen. The model sees the image as it is. The browser remembers both.

const STORED = "fullseg.tone";
const NAMES = ["brightness", "contrast"]; // percent; 100 leaves the image as it is
const $ = (id) => document.getElementById(id);

export class Tone {
  // `page` has view.
  constructor(page) {
    this.page = page;
    $("light").addEventListener("click", () => this.toggle());
    $("tone-reset").addEventListener("click", () => this.reset());
    $("tone").addEventListener("keydown", (event) => this.key(event));
    for (const name of NAMES) $(name).addEventListener("input", () => this.keep());
    this.put(read());
  }

  toggle(isOpen = $("tone").hidden) {
    $("tone").hidden = !isOpen;
    $("light").setAttribute("aria-expanded", String(isOpen));
    (isOpen ? $("brightness") : this.page.view.canvas).focus();
  }

  key(event) {
    if (event.key !== "Escape") return;
    event.stopPropagation(); // it is no key of the page now
    this.toggle(false);
  }

  put(values) {
    for (const name of NAMES) $(name).value = values[name] ?? 100;
    this.show();
  }

  keep() {
    localStorage.setItem(STORED, JSON.stringify(Object.fromEntries(NAMES.map((name) => [name, $(name).valueAsNumber]))));
    this.show();
  }

  reset() {
    localStorage.removeItem(STORED);
    this.put({});
  }

  show() {
    const changed = NAMES.filter((name) => $(name).valueAsNumber !== 100);
    this.page.view.setFilter(changed.map((name) => `${name}(${$(name).value}%)`).join(" "));
    $("light").setAttribute("aria-pressed", String(changed.length > 0));
    $("tone-reset").disabled = !changed.length;
  }
}

function read() {
  try {
    return Object(JSON.parse(localStorage.getItem(STORED) ?? "{}"));
  } catch {
    return {}; // what is stored there is not ours
  }
}
