// Whether the server answers. While it does not, the page asks again and again, and says when it answers again.

import * as api from "./api.js";
import { t } from "./texts.js";

const PAUSE = 2000; // ms between two tries

export class Connection {
  // `page` has session, images, tools and say(text, isError).
  constructor(page) {
    this.page = page;
    api.server.addEventListener("lost", () => this.wait());
    api.server.addEventListener("back", () => this.back());
  }

  async wait() {
    while (api.server.isLost) {
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
      await api.ping().catch(() => {}); // the next try may succeed
    }
  }

  async back() {
    const { images, session, tools } = this.page;
    if (!images.all.length) return location.reload(); // the page has not started yet
    if (session.state && !session.sent.length) await session.reload("");
    this.page.say(t.said.back(tools.pending));
  }
}
