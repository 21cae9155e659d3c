// The line below the image: a message, and figures about the image.

import { t } from "./texts.js";

const $ = (id) => document.getElementById(id);
const SHOWN = 8000; // ms: how long a message stays if nothing else happens
const LEAST = 3000; // ms: how long an error stays at least

export class Footer {
  // `page` has session, view, cleaning and loaded.
  constructor(page) {
    this.page = page;
    this.since = 0;
    this.timer = null;
  }

  // Say something. `more` is shown while the pointer is on the text.
  say(text, isError = false, more = text) {
    clearTimeout(this.timer);
    this.since = performance.now();
    $("message").setAttribute("role", isError ? "alert" : "status");
    $("message").textContent = text;
    $("message").title = more;
    $("message").className = isError ? "error" : "";
    if (text && !isError) this.timer = setTimeout(() => this.say(""), SHOWN);
  }

  // An action is under way: what was said about the one before is not news any more.
  begin() {
    if (!$("message").classList.contains("error")) this.say("");
  }

  // An action was done: the reason why one before was not done is not news any more.
  succeed() {
    if (!$("message").classList.contains("error")) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.say(""), Math.max(0, this.since + LEAST - performance.now()));
  }

  // Show what is under way or how long it took, what is left to do, and the zoom.
  figures() {
    const { empty, guesses, labels, state, took } = this.page.session;
    const unconfirmed = (guesses && state?.regions.filter(({ category }) => category === null).length) || 0;
    const loose = this.page.cleaning?.number || 0; // not known until they are counted
    const filled = labels && state?.filled ? labels.unassigned - empty : 0;
    const parts = [
      this.underWay() ?? (took ? t.footer.took(Math.round(took)) : ""),
      labels ? t.footer.empty(empty) : "",
      filled ? t.footer.filled(filled) : "",
      unconfirmed ? t.footer.unconfirmed(unconfirmed) : "",
      loose ? t.footer.loose(loose) : "",
      state ? t.footer.size(state.full_width, state.full_height, this.zoom) : "",
    ];
    $("figures").textContent = parts.filter(Boolean).join("   ·   ");
  }

  // Return the pixels of the screen per 100 pixels of the file.
  get zoom() {
    const { session, view } = this.page;
    return Math.round((100 * view.scale * session.state.width) / session.state.full_width);
  }

  underWay() {
    const { busy, sent } = this.page.session;
    if (sent.length) return t.footer.underWay(t.footer[sent[0].kind]?.(sent[0]) ?? t.footer.saving, sent.length - 1);
    return busy ? t.footer.model(this.page.loaded) : null;
  }
}
