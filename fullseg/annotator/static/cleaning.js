// Islands and holes: how many there are, and a button that cleans them.

import * as api from "./api.js";
import { t } from "./texts.js";

const PAUSE = 400; // ms: they are counted when no new labels have come for so long
const $ = (id) => document.getElementById(id);

export class Cleaning {
  // `page` has session and say(text, isError).
  constructor(page) {
    this.page = page;
    this.timer = null;
    this.counted = null; // { image, revision, below, count } of the last answer
    $("clean").addEventListener("click", () => this.clean());
    $("below").addEventListener("change", () => this.count(0));
    $("below").addEventListener("keydown", ({ key }) => ["Enter", "Escape"].includes(key) && $("canvas").focus());
  }

  get below() {
    return Math.min(Math.max(Math.round($("below").valueAsNumber || 1), 1), 1_000_000);
  }

  // The number for what the page shows, or null if it is not known yet.
  get number() {
    const { image, state } = this.page.session;
    const { counted } = this;
    const isNow = counted && counted.image === image && counted.revision === state?.revision && counted.below === this.below;
    return isNow ? counted.count : null;
  }

  // Count them when nothing more urgent is to be done.
  count(pause = PAUSE) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), pause);
    this.show();
  }

  async ask() {
    const { below, page } = this;
    const { busy, image, state } = page.session;
    if (!state || busy || this.number !== null) return;
    try {
      const { count } = await api.loose(image, state.revision, below);
      if (count !== null) this.counted = { image, revision: state.revision, below, count }; // null: there are newer labels
    } catch (error) {
      page.say(error.message, true);
    }
    this.show();
  }

  show() {
    const { number } = this;
    $("clean").textContent = t.lists.clean(number);
    $("clean").disabled = !number;
    this.page.footer.figures();
  }

  async clean() {
    const { number, page } = this;
    if (number === null) return page.say(t.said.notCounted, true);
    if (number === 0) return page.say(t.said.noneLoose(this.below));
    const done = await page.session.do({ kind: "clean", below: this.below });
    if (done) page.say(t.said.cleaned(number));
  }
}
