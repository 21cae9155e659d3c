// What a person notes about the open image: that it is skipped or flagged, and a comment.

import * as api from "./api.js";
import { t } from "./texts.js";

const $ = (id) => document.getElementById(id);

export class Notes {
  // `page` has session, images, finishing, redraw() and say(text, isError).
  constructor(page) {
    this.page = page;
    $("skip").addEventListener("click", () => this.skip());
    $("flag").addEventListener("click", () => this.flag());
    $("comment").addEventListener("click", () => this.open());
    $("note").addEventListener("close", () => this.close());
    $("note-keep").addEventListener("click", () => $("note").close("keep"));
    $("note-text").addEventListener("keydown", (event) => this.key(event));
  }

  get image() {
    return this.page.images.all[this.page.session.image];
  }

  // Leave the image out for now, and go on; or take that back.
  async skip() {
    const { finishing } = this.page;
    const { name, number, skipped } = this.image;
    if (!(await this.write(number, { skipped: !skipped })) || skipped) return;
    await finishing.goOn(t.status.isSkipped(name));
  }

  async flag() {
    const { name, number, flagged } = this.image;
    if (await this.write(number, { flagged: !flagged })) this.page.say(t.status.isFlagged(name, !flagged));
  }

  open() {
    $("note-text").value = this.image.comment;
    $("note").returnValue = "";
    this.number = this.image.number;
    $("note").showModal();
  }

  key(event) {
    if (event.key !== "Enter" || !event.ctrlKey) return;
    event.stopPropagation(); // else it would mark the image as done
    $("note").close("keep");
  }

  close() {
    if ($("note").returnValue === "keep") this.write(this.number, { comment: $("note-text").value.trim() });
    $("canvas").focus();
  }

  // Return whether the server has it.
  async write(number, content) {
    const { page } = this;
    const { images } = page;
    try {
      Object.assign(images.all[number], await api.note(number, content));
    } catch (error) {
      page.say(error.message, true);
      return false;
    }
    images.list();
    page.redraw();
    return true;
  }

  show() {
    const { comment = "", done, flagged, skipped } = this.image ?? {};
    $("skip").setAttribute("aria-pressed", String(Boolean(skipped && !done)));
    $("flag").setAttribute("aria-pressed", String(Boolean(flagged)));
    $("comment").setAttribute("aria-pressed", String(comment !== ""));
    for (const id of ["skip", "flag", "comment"]) $(id).disabled = !this.image;
  }
}
