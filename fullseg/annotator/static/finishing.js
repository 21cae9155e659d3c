// What ends the work on an image: fill the rest, mark it as done, export it.

import { findProblems } from "./checks.js";
import { t } from "./texts.js";

const $ = (id) => document.getElementById(id);

export class Finishing {
  // `page` has session, files, fields, images, learning, review, tools, keyboard, select(id) and say(text, isError).
  constructor(page) {
    this.page = page;
    $("anyway").addEventListener("click", () => this.close(true));
    $("not-yet").addEventListener("click", () => this.close(false));
    $("check").addEventListener("cancel", () => this.close(false)); // at once: the browser closes it a little later
    $("check").addEventListener("keydown", (event) => {
      if (!$("check").open || this.page.keyboard.find(event)?.[0] !== "Ctrl+Enter") return;
      event.preventDefault(); // else it would press the button that has the focus, too
      event.stopPropagation();
      this.close(true);
    });
  }

  fill() {
    const { page } = this;
    const { labels, state } = page.session;
    const filled = !state.filled;
    if (filled && state.regions.every(({ locked }) => locked)) {
      return page.say(t.said.noneCanGrow, true);
    }
    page.session.do({ kind: "fill", filled });
    if (filled) page.say(t.said.filled(labels?.unassigned ?? null));
  }

  // Mark the image as done, which exports it at once; or as not done. Ask first if something may have been overlooked.
  async finish() {
    const { fields, session, tools } = this.page;
    if (session.state.done) return session.do({ kind: "finish", done: false });
    if (tools.pending) return this.page.say(t.said.notSent, true);
    const { image } = session;
    await session.settled();
    await session.labelled();
    if (image !== session.image) return;
    const { failed, labels, state } = session;
    if (!labels || failed === state) return this.page.say(t.said.noLabels, true);
    const problems = findProblems(session, (id) => fields.find(id));
    if (problems.length) this.ask(problems);
    else await this.mark();
  }

  ask(problems) {
    $("problems").replaceChildren(...problems.map((problem) => this.line(problem)));
    $("check").showModal();
    $("not-yet").focus();
  }

  line({ text, region }) {
    const line = Object.assign(document.createElement("li"), { textContent: `${text} ` });
    if (region === null) return line;
    const show = Object.assign(document.createElement("button"), { textContent: t.checks.show });
    show.addEventListener("click", () => {
      this.close(false);
      this.page.regions.goTo(region);
    });
    line.append(show);
    return line;
  }

  close(anyway) {
    $("check").close();
    $("canvas").focus();
    if (anyway) this.mark();
  }

  async mark() {
    const { files, learning, session } = this.page;
    const { name } = session.state;
    if (!(await session.do({ kind: "finish", done: true }))) return;
    const exporting = files.export(); // it is of this image, whichever is open when it ends
    const [exported, where] = await Promise.all([exporting, this.goOn(t.status.isDone(name))]);
    if (exported) await learning.sayEffort(name, { ...exported, text: `${where}. ${exported.text}` });
    else this.page.say(`${files.failed} (${where})`, true); // the next image's messages have taken its place
  }

  // Go on to the next image that has to be done, or in a review to the next one that is done. Return what is said about it.
  async goOn(what) {
    const { images, keyboard, review, session } = this.page;
    if (review.on) {
      images.step(1);
      return what;
    }
    const next = images.unfinished;
    if (!next) {
      this.page.say(`${what}. ${t.status.noneLeft}`);
      return `${what}. ${t.status.noneLeft}`;
    }
    if (!(await images.open(next.number)) || session.image !== next.number) return what;
    const where = t.status.goneOn(what, next.name, keyboard.shown("Shift+d"));
    this.page.say(where);
    return where;
  }

  // Wait until everything is on disk, and say so.
  async saved() {
    const { fields, session, tools } = this.page;
    fields.rename(); // a name that is being typed
    await session.settled();
    if (!session.state) return this.page.say(t.said.saved);
    if (tools.pending) return this.page.say(t.said.savedBut, true);
    this.page.say(t.said.savedActions(session.state.revision));
  }

  async export() {
    await this.page.session.settled();
    this.page.files.export();
  }
}
