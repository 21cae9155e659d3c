// Which key does what at this moment.

import { KeyHelp } from "./key_help.js";
import { namesOf } from "./key_names.js";
import { makeKeys } from "./keys.js";

const $ = (id) => document.getElementById(id);
const STORED = "fullseg.keys"; // the keys that a person has chosen, by the keys of the list

export class Keyboard {
  constructor(page) {
    this.page = page;
    this.keys = makeKeys(page);
    this.held = null; // the key that is down and its function for when it is released
    this.own = readOwn();
    this.help = new KeyHelp(this);
    window.addEventListener("keydown", (event) => this.press(event));
    window.addEventListener("keyup", (event) => this.lift(event));
    window.addEventListener("blur", () => this.release());
    document.addEventListener("click", (event) => this.giveBack(event));
    $("opacity").addEventListener("pointerup", () => $("canvas").focus());
    this.showTitles();
  }

  // Return the key of an entry of the list.
  keyOf([key]) {
    return this.own[key] ?? key;
  }

  // Return the key of the entry that has a name in the list, as a person reads it.
  shown(name) {
    return this.keyOf([name]).replace(/\b[a-z]$/, (letter) => letter.toUpperCase());
  }

  find(event) {
    for (const name of namesOf(event)) {
      const found = this.keys.find((entry) => this.keyOf(entry) === name);
      if (found) return found;
    }
    return null;
  }

  press(event) {
    const { target } = event;
    if (document.querySelector("dialog[open]")) return;
    const [, run, { always, typing, release } = {}] = this.find(event) ?? [];
    if (isText(target, event) && !typing) return;
    if (event.key === "Enter" && target.closest("button, li")) return; // it presses the button
    if (event.key === " ") event.preventDefault(); // it never presses a button
    if (!run || !(this.page.session.state || always)) return;
    event.preventDefault();
    if (event.repeat && release) return;
    run();
    if (release) this.held = { code: event.code, release };
  }

  lift(event) {
    const inDialog = event.target.closest?.("dialog");
    if (event.key === " " && event.target instanceof HTMLButtonElement && !inDialog) event.preventDefault();
    if (event.code === this.held?.code) this.release();
  }

  release() {
    this.held?.release();
    this.held = null;
  }

  // A button that was clicked gives the keys back. One that was reached by Tab keeps them.
  giveBack({ detail, target }) {
    if (detail > 0 && target.closest("header button, #tools button, #looks button, #finder button, nav li, aside li")) $("canvas").focus();
  }

  // Give an entry another key; the entry that had this key gets the old one. Return that entry, if there is one.
  choose(entry, key) {
    const before = this.keyOf(entry);
    const other = this.keys.find((one) => one !== entry && this.keyOf(one) === key);
    this.own[entry[0]] = key;
    if (other) this.own[other[0]] = before;
    this.keep();
    return other;
  }

  reset() {
    this.own = {};
    this.keep();
  }

  keep() {
    localStorage.setItem(STORED, JSON.stringify(this.own));
    this.showTitles();
    this.page.redraw();
  }

  // Show in each button's title the key that does the same.
  showTitles() {
    for (const element of document.querySelectorAll("[data-key]")) {
      element.dataset.what ??= element.title;
      element.title = `${element.dataset.what} (${this.shown(element.dataset.key)})`;
    }
  }
}

function readOwn() {
  try {
    const own = JSON.parse(localStorage.getItem(STORED) ?? "{}");
    return Object.fromEntries(Object.entries(own).filter(([, key]) => typeof key === "string"));
  } catch {
    return {}; // what is stored there is not ours
  }
}

// Return whether the key writes into a field, moves a slider, or chooses from a list.
function isText(target, event) {
  if (target instanceof HTMLSelectElement) return /^(Arrow|Home|End|Enter| )/.test(event.key);
  if (!(target instanceof HTMLInputElement)) return false;
  return target.type !== "range" || event.key.startsWith("Arrow");
}
