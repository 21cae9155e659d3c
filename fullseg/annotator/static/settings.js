// What the page looks like: light or dark. The browser remembers it.

const THEME = "fullseg.theme";
const $ = (id) => document.getElementById(id);

export class Settings {
  constructor() {
    $("settings").addEventListener("click", () => $("setting").showModal());
    $("setting").addEventListener("close", () => $("canvas").focus());
    $("theme").value = localStorage.getItem(THEME) ?? "system";
    $("theme").addEventListener("change", () => this.look());
    this.look();
  }

  look() {
    const theme = $("theme").value;
    localStorage.setItem(THEME, theme);
    document.documentElement.style.colorScheme = theme === "system" ? "light dark" : theme;
  }
}
