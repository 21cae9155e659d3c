// The open image. Its actions go to the server one after another. Only the newest labels are waited for.

import * as api from "./api.js";
import { t } from "./texts.js";

const IDLE = 120; // seconds: the longest time that counts as work between two actions

export class Session {
  // `changed(what)` is called with "state", "labels", "image"; with "sent" and "arrived" when an
  // action leaves and when it was acknowledged or refused. `say(text, isError)` shows a message.
  constructor(changed, say) {
    this.changed = changed;
    this.say = say;
    this.image = null;
    this.state = null;
    this.labels = null;
    this.bitmap = null;
    this.queue = Promise.resolve();
    this.waiting = null;
    this.sent = []; // actions that are not acknowledged yet
    this.failed = null; // state whose labels could not be had
    this.heat = false; // whether labels come with their uncertainty
    this.guesses = false; // whether there are several classes that the model can choose from
    this.since = performance.now();
    this.spent = 0; // seconds of the actions since the image was opened
  }

  // Open an image. Actions on the previous image are sent first.
  async open(image) {
    await this.settled();
    this.waiting?.abort();
    Object.assign(this, { image, state: null, bitmap: null, labels: null, failed: null, took: 0, spent: 0 });
    this.changed("image");
    const [state, bitmap] = await Promise.all([api.state(image), api.pixels(image)]);
    if (image !== this.image) return; // another image was picked meanwhile
    Object.assign(this, { state, bitmap, labels: null, since: performance.now() });
    this.changed("image");
    await this.refresh();
  }

  // Wait until all actions are acknowledged or refused.
  async settled() {
    let queue;
    do {
      queue = this.queue;
      await queue;
    } while (queue !== this.queue);
  }

  // Wait until the labels of the newest state are there, or cannot be had.
  async labelled() {
    while (this.busy) await new Promise((resolve) => setTimeout(resolve, 50));
  }

  // Return the number of pixels that have no region.
  get empty() {
    return this.labels?.areas[0] ?? 0;
  }

  // Have the labels with their uncertainty from now on, or without.
  setHeat(heat) {
    this.heat = heat;
    if (heat && this.labels && !this.labels.uncertainty && !this.busy) this.refresh();
  }

  region(id) {
    return this.state?.regions.find((region) => region.id === id) ?? null;
  }

  // Return the class that the model guesses for a region, or null if the person has chosen one.
  guess(region) {
    if (!this.guesses) return null;
    const place = this.labels ? this.labels.regions.indexOf(region.id) : -1;
    return region.category === null && place >= 0 ? this.labels.categories[place] : null;
  }

  // Do one action on the newest state. Return whether it was done.
  do(action) {
    if (!this.state) return Promise.resolve(false);
    const image = this.image;
    const seconds = Math.min((performance.now() - this.since) / 1000, IDLE);
    this.since = performance.now();
    this.sent.push(action);
    this.changed("sent");
    const done = this.queue.then(() => this.send(image, action, seconds));
    this.queue = done.catch(() => false).finally(() => this.arrived(action));
    return this.queue;
  }

  arrived(action) {
    this.sent = this.sent.filter((one) => one !== action);
    this.changed("arrived");
  }

  async send(image, action, seconds) {
    if (image !== this.image) return false;
    const start = performance.now();
    try {
      const state = await api.act(image, { revision: this.state.revision, action, seconds });
      if (image !== this.image) return true;
      this.state = state;
      this.spent += seconds;
    } catch (error) {
      const why = t.said.repeat(error.message);
      if (error.status === 409) await this.reload(why);
      else this.say(error.message, true);
      return false;
    }
    this.refresh(start); // first: the model begins while the page draws
    this.changed("state");
    return true;
  }

  async reload(why) {
    const { image } = this;
    try {
      const state = await api.state(image);
      if (image !== this.image) return;
      this.state = state;
      this.changed("state");
      this.say(why, true);
      this.refresh();
    } catch (error) {
      this.say(error.message, true);
    }
  }

  // Ask for the labels of the newest state. An older request is cancelled.
  async refresh(start = performance.now()) {
    this.waiting?.abort();
    const waiting = (this.waiting = new AbortController());
    const { image, state } = this;
    try {
      const labels = await api.labels(image, state, this.heat, waiting.signal);
      if (image !== this.image || state !== this.state) return;
      this.labels = labels;
      this.took = performance.now() - start;
      this.changed("labels");
    } catch (error) {
      if (error.name === "AbortError" || image !== this.image || state !== this.state) return;
      if (error.status === 410) return this.catchUp();
      this.failed = state;
      this.changed("labels");
      this.say(error.message, true);
    }
  }

  // There is a newer state than the page's. If an action of this page is under way, it is that action's.
  catchUp() {
    if (!this.sent.length) this.reload(t.said.otherTab);
  }

  // Return whether the model is at work on the newest labels.
  get busy() {
    return this.state !== null && this.failed !== this.state && this.labels?.revision !== this.state.revision;
  }
}
