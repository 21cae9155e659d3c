// Which part of the image the canvas shows. Coordinates are pixels of the image as the network sees it; pixel (x, y) covers
// [x - 0.5, x + 0.5), as everywhere in fullseg.

const MOST_ZOOM = 64; // screen pixels per image pixel
const BESIDE = 20; // screen pixels: how far a click may miss the image

export class Viewport {
  // A subclass has draw().
  constructor(canvas) {
    this.canvas = canvas;
    this.state = null; // of the image; it has width and height, and full_width of the file
    this.zoomed = false; // whether it is other than the whole image
    this.frame = 0;
    new ResizeObserver(() => this.resize()).observe(canvas);
  }

  resize() {
    const ratio = window.devicePixelRatio || 1;
    const keep = this.state && this.canvas.width ? this.toImage(this.canvas.clientWidth / 2, this.canvas.clientHeight / 2) : null;
    this.canvas.width = Math.round(this.canvas.clientWidth * ratio);
    this.canvas.height = Math.round(this.canvas.clientHeight * ratio);
    if (keep && this.zoomed) this.centre(keep, this.scale);
    else this.fit();
  }

  fit() {
    if (!this.state) return this.redraw();
    const { clientWidth, clientHeight } = this.canvas;
    const { width, height } = this.state;
    this.scale = 0.96 * Math.min(clientWidth / width, clientHeight / height);
    this.centre([width / 2 - 0.5, height / 2 - 0.5], this.scale);
    this.zoomed = false;
  }

  centre([x, y], scale) {
    this.scale = scale;
    this.left = this.canvas.clientWidth / 2 - (x + 0.5) * scale;
    this.top = this.canvas.clientHeight / 2 - (y + 0.5) * scale;
    this.zoomed = true;
    this.redraw();
  }

  // Zoom to a box (x0, y0, x1, y1) with a margin. The whole image is the smallest zoom.
  focus([x0, y0, x1, y1]) {
    this.fit();
    const { clientWidth, clientHeight } = this.canvas;
    const scale = Math.min(0.6 * Math.min(clientWidth / (x1 - x0 + 1), clientHeight / (y1 - y0 + 1)), 8);
    if (scale > this.scale) this.centre([(x0 + x1) / 2, (y0 + y1) / 2], scale);
  }

  zoom(factor, x = this.canvas.clientWidth / 2, y = this.canvas.clientHeight / 2) {
    if (!this.state) return;
    const least = (0.5 * Math.min(this.canvas.clientWidth, this.canvas.clientHeight)) / Math.max(this.state.width, this.state.height);
    const scale = Math.min(Math.max(this.scale * factor, Math.min(least, this.scale)), MOST_ZOOM);
    this.left = x - ((x - this.left) * scale) / this.scale;
    this.top = y - ((y - this.top) * scale) / this.scale;
    this.scale = scale;
    this.zoomed = true;
    this.redraw();
  }

  // Show a pixel of the file as a pixel of the screen, around the same place.
  full() {
    const middle = this.toImage(this.canvas.clientWidth / 2, this.canvas.clientHeight / 2);
    if (this.state) this.centre(middle, this.state.full_width / this.state.width);
  }

  pan(dx, dy) {
    this.left += dx;
    this.top += dy;
    this.zoomed = true;
    this.redraw();
  }

  toImage(x, y) {
    return [(x - this.left) / this.scale - 0.5, (y - this.top) / this.scale - 0.5];
  }

  inside([x, y]) {
    return this.state && x >= -0.5 && y >= -0.5 && x < this.state.width - 0.5 && y < this.state.height - 0.5;
  }

  // Return whether a point is in the image or just beside it: clicks at the border may miss the image a little.
  nearly([x, y]) {
    const reach = BESIDE / this.scale;
    return this.state && x >= -0.5 - reach && y >= -0.5 - reach && x < this.state.width - 0.5 + reach && y < this.state.height - 0.5 + reach;
  }

  redraw() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.draw());
  }
}
