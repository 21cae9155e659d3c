// The four extreme points of a region, click by click.

const TWICE = 400; // ms: a second click within this time and nearby is the other half of a double click
const NEAR = 6; // screen pixels

const round = (value) => Math.round(value * 100) / 100;

export class Extremes {
  // `page` has view, session, regions, remarking, fields, say(text, isError) and redraw().
  constructor(page) {
    this.page = page;
    this.clicks = [];
    this.last = { time: -Infinity, at: [0, 0] };
  }

  click(at, time) {
    const { page } = this;
    if (this.clicks.length === 4) return;
    if (this.isDouble(at, time)) return page.say("A double click counts once: click four points one by one");
    this.clicks.push(clamp(at.map(round), page.session.state));
    if (this.clicks.length < 4) return page.redraw();
    const [width, height] = this.extent();
    if (width > 1 && height > 1) return this.send();
    this.clicks = [];
    page.say(`These points span ${width} x ${height} px: click the leftmost, topmost, rightmost and lowest point`, true);
    page.redraw();
  }

  isDouble(at, time) {
    const { last } = this;
    this.last = { time, at };
    const far = Math.hypot(at[0] - last.at[0], at[1] - last.at[1]) * this.page.view.scale;
    return this.clicks.length > 0 && time - last.time < TWICE && far < NEAR;
  }

  // Return width and height in pixels of the box around the clicks.
  extent() {
    return [0, 1].map((axis) => {
      const along = this.clicks.map((point) => Math.round(point[axis]));
      return Math.max(...along) - Math.min(...along) + 1;
    });
  }

  // Send the four points. If the server refuses them, they stay. Return whether it has taken them.
  async send() {
    const { page } = this;
    const points = this.clicks.splice(0);
    const { remarking } = page;
    page.redraw();
    if (await page.regions.mark(points)) return true;
    if (!this.clicks.length) this.clicks = points;
    page.remarking = remarking;
    page.redraw();
    return false;
  }

  hint() {
    const { clicks, page } = this;
    if (clicks.length === 4) return "Enter marks the region, Backspace takes a point back";
    if (clicks.length) return `${4 - clicks.length} more extreme points, Backspace takes one back`;
    if (page.remarking !== null) {
      return `Click the four extreme points of region ${page.remarking} anew, Escape leaves it as it is`;
    }
    const next = page.fields.find(page.fields.next);
    const what = next ? `Click the four extreme points of the next ${next.name}` : "Click a region's four extreme points";
    return `${what}: leftmost, topmost, rightmost, bottommost, in any order`;
  }
}

// Return the place in the image that is nearest to a point.
export function clamp([x, y], { width, height }) {
  return [Math.min(Math.max(x, 0), width - 1), Math.min(Math.max(y, 0), height - 1)];
}
