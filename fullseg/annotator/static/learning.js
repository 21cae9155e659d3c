// Learning from finished images: what it will do, how it goes on, and whether its model is used. And what images have taken.

import * as api from "./api.js";

const $ = (id) => document.getElementById(id);
const EVERY = 3000; // ms between two looks at a model that learns
const LATEST = 5; // images that the trend compares
const NEEDED = 4; // finished images from which a model can learn
const HELD = 5; // about one image in so many is held back

const percent = (part) => `${(100 * part).toFixed(1)} %`;
const minutes = (seconds) => `${(seconds / 60).toFixed(1)} minutes`;
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

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
      if (content.action === "use" || content.action === "back") await this.page.session.reload("");
    } catch (error) {
      this.failed(error);
    }
  }

  failed(error) {
    $("learning-said").textContent = error.message;
    $("learning-said").className = "error";
  }

  show(status, efforts) {
    const { running, offered, current, failed, said } = status;
    const ended = this.status?.running && !running;
    this.status = status;
    $("learning-about").textContent = this.about(efforts.length);
    $("learning-said").textContent = running ? `Learning: ${said}` : failed ? said : this.result(status);
    $("learning-said").className = failed ? "error" : "";
    $("learning-model").textContent = current ? `In use: the model that learnt from ${current.images} images` : `In use: ${status.first}`;
    $("learn-start").hidden = running;
    $("learn-start").disabled = efforts.length < NEEDED;
    $("learn-stop").hidden = !running;
    $("learn-use").hidden = !offered;
    $("learn-back").hidden = !current;
    $("effort").textContent = this.trend(efforts);
    $("efforts").replaceChildren(...efforts.map((one) => this.row(one)).reverse());
    if (ended) this.page.say(offered ? "A better model is ready: Learn" : "Learning has ended: Learn", failed);
    clearTimeout(this.timer);
    if (running) this.timer = setTimeout(() => this.look(), EVERY);
  }

  about(finished) {
    if (finished < NEEDED) return `${finished} images are done. A model can learn from ${NEEDED} or more.`;
    return (
      `${finished} images are done. The model goes on learning from them, as they are. About one in ${HELD} is held back: the new ` +
      "model is offered only if it needs fewer of your strokes there. This takes some minutes. You can go on meanwhile. Labels of " +
      "images that are not done change when you use the new model. You can go back to the model before."
    );
  }

  result({ newest, offered }) {
    if (!newest) return "";
    const [before, after] = newest.iou;
    const [many, few] = newest.strokes;
    const compared =
      `On ${newest.held_back} images held back: IoU without strokes ${percent(before)} before, ${percent(after)} after; strokes per ` +
      `image for equal quality ${many.toFixed(1)} before, ${few.toFixed(1)} after.`;
    return offered || newest.better ? compared : `${compared} It is not better in both, so it is not offered.`;
  }

  row({ image, strokes, seconds }) {
    const line = document.createElement("li");
    line.textContent = `${image}: ${strokes} strokes, ${minutes(seconds)}`;
    return line;
  }

  trend(efforts) {
    if (!efforts.length) return "";
    const spent = efforts.map(({ seconds }) => seconds);
    const drawn = efforts.map(({ strokes }) => strokes);
    const of = (some) => `${mean(drawn.slice(...some)).toFixed(1)} strokes and ${minutes(mean(spent.slice(...some)))}`;
    if (efforts.length < 2 * LATEST) return `An image has taken ${of([0])}.`;
    return `The first ${LATEST} images took ${of([0, LATEST])} each, the last ${LATEST} ${of([-LATEST])}.`;
  }

  // Say what an image has taken that was marked as done just now.
  async sayEffort(image) {
    const efforts = await api.efforts();
    const one = efforts.find((effort) => effort.image === image);
    if (one) this.page.say(`Done: ${one.strokes} strokes, ${minutes(one.seconds)}. ${this.trend(efforts)}`);
  }
}
