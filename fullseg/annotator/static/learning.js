// Learning from finished images: what it will do, how it goes on, and whether its model is used. And what images have taken.

import * as api from "./api.js";
import { t } from "./texts.js";

const $ = (id) => document.getElementById(id);
const EVERY = 3000; // ms between two looks at a model that learns
const LATEST = 5; // images that the trend compares
const NEEDED = 4; // finished images from which a model can learn
const HELD = 5; // about one image in so many is held back

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const meanOf = (efforts) => ({ strokes: mean(efforts.map((one) => one.strokes)), seconds: mean(efforts.map((one) => one.seconds)) });

const sum = (efforts, key) => efforts.reduce((total, one) => total + one[key], 0);
const perRegion = (efforts) => {
  const regions = sum(efforts, "regions");
  return { images: efforts.length, regions: regions / efforts.length, strokes: sum(efforts, "strokes") / Math.max(1, regions) };
};

export class Learning {
  // `page` has session, images and say(text, isError).
  constructor(page) {
    this.page = page;
    $("learn").addEventListener("click", () => this.open());
    for (const action of ["start", "stop", "back"]) $(`learn-${action}`).addEventListener("click", () => this.act({ action }));
    $("learn-use").addEventListener("click", () => this.act({ action: "use", name: this.status.offered.name }));
    $("learning").addEventListener("close", () => $("canvas").focus());
  }

  async open() {
    $("learning").showModal();
    await this.look();
  }

  async look() {
    try {
      const [status, efforts] = await Promise.all([api.learning(), api.efforts()]);
      this.show(status, efforts);
    } catch (error) {
      this.failed(error);
    }
  }

  async act(content) {
    try {
      const status = await api.learn(content);
      this.show(status, await api.efforts());
      if (content.action === "use" || content.action === "back") await this.page.models.changed();
    } catch (error) {
      this.failed(error);
    }
  }

  failed(error) {
    $("learning-said").textContent = error.message;
    $("learning-said").className = "error";
  }

  show(status, efforts) {
    const { running, offered, current, failed, first, said } = status;
    const ended = this.status?.running && !running;
    this.status = status;
    const finished = efforts.length;
    $("learning-about").textContent = finished < NEEDED ? t.learning.tooFew(finished, NEEDED) : t.learning.about(finished, HELD);
    $("learning-said").textContent = running ? t.learning.goesOn(said) : failed ? said : this.result(status);
    $("learning-said").className = failed ? "error" : "";
    $("learning-model").textContent = current ? t.learning.inUseLearnt(current.images) : t.learning.inUse(first);
    $("learn-start").hidden = running;
    $("learn-start").disabled = finished < NEEDED;
    $("learn-stop").hidden = !running;
    $("learn-use").hidden = !offered;
    $("learn-back").hidden = !current;
    $("effort").textContent = this.trend(efforts);
    $("saving").textContent = this.saving(efforts);
    $("efforts").replaceChildren(...efforts.map((one) => this.row(one)).reverse());
    if (ended) this.page.say(offered ? t.learning.ready : t.learning.ended, failed);
    clearTimeout(this.timer);
    if (running) this.timer = setTimeout(() => this.look(), EVERY);
  }

  result({ newest }) {
    if (!newest) return "";
    const said = [t.learning.result(newest), t.learning.remembered(newest.remembered)];
    return [...said, ...(newest.better ? [] : [t.learning.notBetter])].join(" ");
  }

  row(effort) {
    return Object.assign(document.createElement("li"), { textContent: t.learning.row(effort) });
  }

  trend(efforts) {
    if (!efforts.length) return "";
    if (efforts.length < 2 * LATEST) return t.learning.mean(meanOf(efforts));
    return t.learning.trend(LATEST, meanOf(efforts.slice(0, LATEST)), meanOf(efforts.slice(-LATEST)));
  }

  // What the learnt model in use has saved: strokes per region of the images that were begun with it, and of those before.
  saving(efforts) {
    const { current, since } = this.status;
    if (!current || !since) return "";
    const [before, after] = [efforts.filter((one) => one.begun < since), efforts.filter((one) => one.begun >= since)];
    if (!after.length) return t.learning.nothingYet;
    if (!before.length) return "";
    return t.learning.saving(perRegion(before), perRegion(after));
  }

  // Say what an image has taken that was marked as done just now, after what was said of its export.
  async sayEffort(image, { text, paths }) {
    try {
      const efforts = await api.efforts();
      const one = efforts.find((effort) => effort.image === image);
      if (one) this.page.footer.say(`${text}. ${t.learning.done(one)} ${this.trend(efforts)}`, false, paths);
    } catch (error) {
      this.page.say(error.message, true);
    }
  }
}
