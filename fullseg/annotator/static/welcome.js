// The card of the first visit: three steps. It comes at each visit until the person wants it no more.

import { t } from "./texts.js";

const STORED = "fullseg.welcome";
const NEVER = "never";
const $ = (id) => document.getElementById(id);

export class Welcome {
  // `page` has keyboard and view.
  constructor(page) {
    this.page = page;
    $("welcome").hidden = localStorage.getItem(STORED) === NEVER;
    $("welcome-steps").replaceChildren(...t.welcome.map((step) => this.line(step)));
    $("welcome-close").addEventListener("click", () => this.close());
    $("welcome-never").addEventListener("click", () => {
      localStorage.setItem(STORED, NEVER);
      this.close();
    });
  }

  line(step) {
    return Object.assign(document.createElement("li"), { textContent: step((key) => this.page.keyboard.shown(key)) });
  }

  close() {
    $("welcome").hidden = true;
    this.page.view.canvas.focus();
  }
}
