// Lines over the pixels without a region (VOID), which show what is left to do.

const PERIOD = 16; // screen pixels between two lines, along each side
const WIDTH = 1.5; // screen pixels of a line: a black one beside a white one, so that it is seen on every picture

export class Hatching {
  constructor() {
    this.void = document.createElement("canvas"); // opaque where no region is, in pixels of the labels
    this.layer = document.createElement("canvas"); // the lines there, in pixels of the screen
    this.shown = null; // the map whose VOID is shown
    this.drawn = ""; // what part of the image the layer is of
  }

  // Draw the lines of a view. While there is no region at all, they would say nothing.
  draw(view) {
    const { labels } = view;
    if (!labels.regions.length || !labels.areas[0]) return;
    if (this.shown !== view.shown) this.cover(view.shown);
    const drawn = [view.scale, view.left, view.top, view.canvas.width, view.canvas.height].join();
    if (this.drawn !== drawn) this.rule(view);
    this.drawn = drawn;
    view.context.save();
    view.context.setTransform(1, 0, 0, 1, 0, 0);
    view.context.drawImage(this.layer, 0, 0);
    view.context.restore();
  }

  cover(shown) {
    const { map, width, height } = shown;
    const data = new ImageData(width, height);
    const pixels = new Uint32Array(data.data.buffer);
    for (let at = 0; at < pixels.length; at++) if (map[at] === 0) pixels[at] = 0xff000000;
    Object.assign(this.void, { width, height });
    this.void.getContext("2d").putImageData(data, 0, 0);
    this.shown = shown;
    this.drawn = "";
  }

  rule({ canvas, left, scale, shown, top }) {
    const ratio = window.devicePixelRatio || 1;
    Object.assign(this.layer, { width: canvas.width, height: canvas.height });
    const context = this.layer.getContext("2d");
    context.fillStyle = context.createPattern(tile(Math.round(PERIOD * ratio), WIDTH * ratio), "repeat");
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.globalCompositeOperation = "destination-in";
    context.imageSmoothingEnabled = false;
    context.setTransform(ratio * scale, 0, 0, ratio * scale, ratio * left, ratio * top);
    context.drawImage(this.void, shown.left, shown.top, shown.x * this.void.width, shown.y * this.void.height);
  }
}

function tile(side, width) {
  const canvas = new OffscreenCanvas(side, side);
  const context = canvas.getContext("2d");
  context.lineWidth = width;
  for (const [colour, by] of [["#000", 0], ["#fff", width * Math.SQRT2]]) {
    context.strokeStyle = colour;
    context.beginPath();
    for (const start of [-side, 0, side]) {
      context.moveTo(start + by - side, 2 * side);
      context.lineTo(start + by + 2 * side, -side);
    }
    context.stroke();
  }
  return canvas;
}
