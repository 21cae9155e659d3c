// Asks for the server's token when the page's own is not valid any more, because a team's server was started again.

import * as api from "./api.js";
import { t } from "./texts.js";

const $ = (id) => document.getElementById(id);

export class Token {
  // `page` has images.
  constructor(page) {
    this.page = page;
    api.server.addEventListener("refused", () => this.ask());
    $("token-form").addEventListener("submit", (event) => this.give(event));
    $("token").addEventListener("close", () => api.server.answer(false)); // Escape: what was asked for is refused
  }

  ask() {
    if ($("token").open) return;
    $("token-said").textContent = "";
    $("token-text").value = "";
    $("token").showModal();
  }

  // Take a token, or the whole address that the server prints.
  async give(event) {
    event.preventDefault();
    const text = $("token-text").value.trim();
    const token = /[?&]token=([^&#\s]+)/.exec(text)?.[1] ?? encodeURIComponent(text);
    try {
      if (!(await api.admit(token))) {
        $("token-said").textContent = t.said.wrongToken;
        return;
      }
    } catch (error) {
      $("token-said").textContent = error.message;
      return;
    }
    api.server.answer(true);
    $("token").close();
    this.page.images.relist(); // pictures of the list that came too early
    $("canvas").focus();
  }
}
