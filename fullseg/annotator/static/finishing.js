// What ends the work on an image: fill the rest, mark it as done, export it.

export class Finishing {
  // `page` has session, files and say(text, isError).
  constructor(page) {
    this.page = page;
  }

  fill() {
    const { page } = this;
    const { labels, state } = page.session;
    const filled = !state.filled;
    if (filled && state.regions.every(({ locked }) => locked)) {
      return page.say("All regions are locked, so none can grow: unlock one first", true);
    }
    const count = labels?.unassigned.toLocaleString() ?? "?";
    if (filled) page.say(`${count} px without a region go to the nearest unlocked region`);
    page.session.do({ kind: "fill", filled });
  }

  // Mark the image as done, which exports it at once; or as not done.
  async finish() {
    const { files, session } = this.page;
    const done = !session.state.done;
    if ((await session.do({ kind: "finish", done })) && done) files.export();
  }

  async export() {
    await this.page.session.settled();
    this.page.files.export();
  }
}
