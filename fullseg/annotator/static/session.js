// The open image. Its actions go to the server one after another. Only the newest labels are waited for.

import * as api from "./api.js";

const IDLE = 120; // seconds: the longest time that counts as work between two actions

export class Session {
  // `changed(what)` is called with "state", "labels" or "image"; `say(text, isError)` shows a message.
  constructor(changed, say) {
    this.changed = changed;
    this.say = say;
    this.image = null;
    this.state = null;
    this.labels = null;
    this.bitmap = null;
    this.queue = Promise.resolve();
    this.waiting = null;
    this.since = performance.now();
  }

  // Open an image. Actions on the previous image are sent first.
  async open(image) {
    await this.settled();
    this.waiting?.abort();
    Object.assign(this, { image, state: null, bitmap: null, labels: null });
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

  region(id) {
    return this.state?.regions.find((region) => region.id === id) ?? null;
  }

  // Do one action on the newest state. Return whether it was done.
  do(action) {
    if (!this.state) return Promise.resolve(false);
    const image = this.image;
    const seconds = Math.min((performance.now() - this.since) / 1000, IDLE);
    this.since = performance.now();
    const done = this.queue.then(() => this.send(image, action, seconds));
    this.queue = done.catch(() => false);
    return this.queue;
  }

  async send(image, action, seconds) {
    if (image !== this.image) return false;
    const start = performance.now();
    try {
      const state = await api.act(image, { revision: this.state.revision, action, seconds });
      if (image !== this.image) return true;
      this.state = state;
    } catch (error) {
      if (error.status === 409) await this.reload(`${error.message}. The page shows the newest state: please repeat your action`);
      else this.say(error.message, true);
      return false;
    }
    this.changed("state");
    this.refresh(start);
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
      const labels = await api.labels(image, state, waiting.signal);
      if (image !== this.image || state !== this.state) return;
      this.labels = labels;
      this.took = performance.now() - start;
      this.changed("labels");
    } catch (error) {
      if (error.name === "AbortError" || image !== this.image || state !== this.state) return;
      if (error.status === 410) this.reload("Another tab has changed this image. The page shows the newest state");
      else this.say(error.message, true);
    }
  }

  get busy() {
    return !this.labels || this.labels.revision !== this.state?.revision;
  }
}
