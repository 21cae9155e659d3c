// The texts of the page in the person's language: that of the settings, else the browser's if there is a translation, else English.

import english from "./english.js";
import german from "./german.js";

const STORED = "fullseg.language";
export const LANGUAGES = { en: english, de: german };

const wished = [localStorage.getItem(STORED), ...navigator.languages.map((one) => one.slice(0, 2))];
export const language = wished.find((one) => one in LANGUAGES) ?? "en";
export const t = LANGUAGES[language];

// Speak another language, after a reload.
export function speak(other) {
  localStorage.setItem(STORED, other);
  location.reload();
}

// Write the texts of all elements that the page begins with.
export function translate() {
  document.documentElement.lang = language;
  for (const [id, { text, title, label, placeholder }] of Object.entries(t.page)) {
    const element = document.getElementById(id);
    if (text) element.textContent = text;
    if (title) element.title = title;
    if (label) element.ariaLabel = label;
    if (placeholder) element.placeholder = placeholder;
  }
}
