// The list of all keys. Each can be changed there.

import { namesOf } from "./key_names.js";
import { t } from "./texts.js";

const $ = (id) => document.getElementById(id);
const MODIFIERS = ["Shift", "Control", "Alt", "AltGraph", "Meta", "CapsLock", "Dead", "Process"];

export class KeyHelp {
  // `keyboard` has keys, keyOf(entry), choose(entry, key) and reset().
  constructor(keyboard) {
    this.keyboard = keyboard;
    this.changing = null; // entry that waits for its new key
    window.addEventListener("keydown", (event) => this.take(event), true); // before anything else sees the key
    $("keys").addEventListener("close", () => (this.changing = null));
    $("keys-reset").addEventListener("click", () => {
      keyboard.reset();
      this.show(t.keyHelp.reset);
    });
  }

  open() {
    this.show();
    $("keys").showModal();
  }

  show(said = t.keyHelp.all) {
    $("keys-said").textContent = said;
    $("keylist").replaceChildren(...this.keyboard.keys.map((entry) => this.line(entry)));
  }

  line(entry) {
    const line = document.createElement("div");
    const key = document.createElement("dt");
    const button = document.createElement("button");
    button.textContent = entry === this.changing ? "..." : this.keyboard.keyOf(entry);
    button.addEventListener("click", () => {
      this.changing = entry;
      this.show(t.keyHelp.press(t.keys[entry[0]]));
    });
    key.append(button);
    line.append(key, Object.assign(document.createElement("dd"), { textContent: t.keys[entry[0]] }));
    return line;
  }

  take(event) {
    if (!this.changing || MODIFIERS.includes(event.key)) return;
    event.preventDefault(); // also keeps Escape from closing the list
    event.stopPropagation();
    const entry = this.changing;
    this.changing = null;
    this.show(event.key === "Escape" ? undefined : this.choose(entry, namesOf(event)[0]));
    $("keylist").children[this.keyboard.keys.indexOf(entry)].querySelector("button").focus();
  }

  // Give an entry a key. Return what is said about it.
  choose(entry, key) {
    const other = this.keyboard.choose(entry, key);
    return other ? `${key}: ${t.keys[entry[0]]}. ${this.keyboard.keyOf(other)}: ${t.keys[other[0]]}.` : `${key}: ${t.keys[entry[0]]}.`;
  }
}
