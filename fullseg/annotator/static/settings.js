// What the page looks like, light or dark, and its language. The browser remembers both.

import { LANGUAGES, language, speak } from "./texts.js";

const THEME = "fullseg.theme";
const $ = (id) => document.getElementById(id);

export class Settings {
  constructor() {
    $("settings").addEventListener("click", () => $("setting").showModal());
    $("setting").addEventListener("close", () => $("canvas").focus());
    $("theme").value = localStorage.getItem(THEME) ?? "system";
    $("theme").addEventListener("change", () => this.look());
    $("language").value = language;
    $("language").addEventListener("change", () => $("language").value in LANGUAGES && speak($("language").value));
    this.look();
  }

  look() {
    const theme = $("theme").value;
    localStorage.setItem(THEME, theme);
    document.documentElement.style.colorScheme = theme === "system" ? "light dark" : theme;
  }
}
