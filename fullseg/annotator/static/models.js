// Which model segments, how well it follows strokes, and a list to choose another one from.

import * as api from "./api.js";
import { make } from "./elements.js";
import { t } from "./texts.js";

const $ = (id) => document.getElementById(id);

export class Models {
  // `page` has session, images and say(text, isError).
  constructor(page) {
    this.page = page;
    $("model").addEventListener("click", () => this.open());
    $("models").addEventListener("close", () => $("canvas").focus());
  }

  async open() {
    $("models").showModal();
    await this.look();
  }

  // Ask which model is in use.
  async look() {
    try {
      this.show(await api.models());
    } catch (error) {
      this.say(error.message, true);
    }
  }

  show({ choices, learnt, name }) {
    const one = choices.find((choice) => choice.name === name);
    const called = learnt ? t.models.learnt(learnt.images) : one ? short(name) : name;
    $("model-name").textContent = called;
    $("model").title = `${t.models.inUse(called)}${one ? ` ${t.models.strokes(one)}` : ""} (${this.page.keyboard.shown("Shift+m")})`;
    $("model-list").replaceChildren(...choices.map((choice) => this.row(choice, !learnt && choice.name === name)));
    this.say(learnt ? t.models.learntNow : t.models.keeps);
  }

  row(choice, isCurrent) {
    const use = make("button", { type: "button", textContent: isCurrent ? t.models.current : t.models.use, disabled: isCurrent });
    use.ariaLabel = `${use.textContent}: ${choice.name}`;
    use.addEventListener("click", () => this.choose(choice.name));
    const lines = [choice.about, t.models.strokes(choice), t.models.scores(choice)].filter(Boolean);
    const about = lines.map((line) => make("small", { textContent: line }));
    const item = make("li", {}, make("div", {}, make("b", { textContent: short(choice.name), title: choice.name }), ...about), use);
    item.setAttribute("aria-current", String(isCurrent));
    return item;
  }

  // Use another model. All work stays: it is segmented anew.
  async choose(name) {
    this.say(t.models.loading(short(name)));
    for (const button of $("model-list").querySelectorAll("button")) button.disabled = true;
    try {
      await this.page.session.settled();
      await api.learn({ action: "choose", name });
      this.show(await api.models());
      await this.changed();
    } catch (error) {
      await this.look();
      this.say(error.message, true);
    }
  }

  // Another model is in use: the labels are others.
  async changed() {
    const { images, session } = this.page;
    images.strip.renew();
    if (session.state) await session.reload("");
    await this.look();
  }

  say(text, isError = false) {
    $("models-said").textContent = text;
    $("models-said").className = isError ? "error" : "";
  }
}

// Return the end of a path: the folder says less than the file.
const short = (name) => name.split(/[\\/]/).slice(-2).join("/");
