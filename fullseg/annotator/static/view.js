// The canvas: image, labels, points and strokes under one zoom. Coordinates are pixels of the image as the network
// sees it; pixel (x, y) covers [x - 0.5, x + 0.5), as everywhere in fullseg.

const MOST_ZOOM = 64; // screen pixels per image pixel
const BESIDE = 20; // screen pixels: how far a click may miss the image

// Hues are a golden angle apart, so that all regions have different colours, no matter how many there are.
export function colourOf(id, alpha = 1) {
  return `hsl(${((id * 222.492) % 360).toFixed(1)} 80% 58% / ${alpha})`;
}

function rgbOf(id) {
  const f = (n) => {
    const k = (n + (id * 222.492) / 30) % 12;
    return Math.round(255 * (0.58 - 0.8 * 0.42 * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
  };
  return [f(0), f(8), f(4)];
}

const packed = (red, green, blue, alpha) => ((alpha << 24) | (blue << 16) | (green << 8) | red) >>> 0;

export class View {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.overlay = document.createElement("canvas");
    this.options = { opacity: 0.5, outline: false, heat: false, selected: null };
    this.bitmap = null;
    this.state = null;
    this.labels = null;
    this.drawing = { points: [], strokes: [] };
    this.frame = 0;
    this.drawn = () => {}; // called after every drawing
    new ResizeObserver(() => this.resize()).observe(canvas);
  }

  // Show an image; null: show nothing.
  show(bitmap, state) {
    this.bitmap = bitmap;
    this.state = state;
    this.labels = null;
    this.fit();
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

  // Return the id of the region at a point, or null.
  regionAt([x, y]) {
    if (!this.labels || !this.inside([x, y])) return null;
    const place = this.labels.map[Math.round(y) * this.state.width + Math.round(x)];
    return place ? this.labels.regions[place - 1] : null;
  }

  setLabels(labels) {
    this.labels = labels;
    this.paint();
  }

  set(options) {
    Object.assign(this.options, options);
    this.paint();
  }

  // Colour the overlay for the current labels. Panning and zooming draw it elsewhere without colouring it again.
  paint() {
    if (!this.labels) return this.redraw();
    const { width, height } = this.state;
    const { map, uncertainty, regions } = this.labels;
    const data = new ImageData(width, height);
    const pixels = new Uint32Array(data.data.buffer); // bytes from high to low: alpha, blue, green, red
    const colours = regions.map(rgbOf).map(([red, green, blue]) => packed(red, green, blue, 255));
    const { outline, heat, selected } = this.options;
    const chosen = regions.indexOf(selected) + 1;
    const white = packed(255, 255, 255, 255);
    for (let y = 0, at = 0; y < height; y++) {
      for (let x = 0; x < width; x++, at++) {
        const place = map[at];
        const right = x + 1 < width ? map[at + 1] : place;
        const below = y + 1 < height ? map[at + width] : place;
        const edge = right !== place || below !== place;
        if (edge && chosen && (place === chosen || right === chosen || below === chosen)) pixels[at] = white;
        else if (heat) pixels[at] = packed(255, 190 - ((uncertainty[at] * 190) >> 8), 0, Math.min(255, 2 * uncertainty[at]));
        else if (place) pixels[at] = !outline || edge ? colours[place - 1] : 0;
        else if (outline && edge) pixels[at] = white;
      }
    }
    this.overlay.width = width;
    this.overlay.height = height;
    this.overlay.getContext("2d").putImageData(data, 0, 0);
    this.redraw();
  }

  redraw() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.draw());
  }

  draw() {
    const { context, scale } = this;
    const ratio = window.devicePixelRatio || 1;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    if (!this.bitmap || !this.state) return;
    const { width, height } = this.state;
    context.setTransform(ratio * scale, 0, 0, ratio * scale, ratio * this.left, ratio * this.top);
    context.imageSmoothingEnabled = scale * (width / this.bitmap.width) < 2;
    context.drawImage(this.bitmap, 0, 0, width, height);
    if (this.labels) {
      context.imageSmoothingEnabled = false;
      context.globalAlpha = this.options.outline && !this.options.heat ? 1 : this.options.opacity;
      context.drawImage(this.overlay, 0, 0);
      context.globalAlpha = 1;
    }
    context.translate(0.5, 0.5); // from here on whole numbers are pixel centres
    for (const region of this.state.regions) this.drawRegion(region);
    for (const stroke of this.state.strokes) this.drawStroke(stroke, 2);
    for (const stroke of this.drawing.strokes) this.drawStroke(stroke, 3);
    for (const point of this.drawing.points) this.drawPoint(point, "white", 5);
    this.drawn();
  }

  drawRegion(region) {
    const chosen = region.id === this.options.selected;
    if (!chosen && region.locked) return;
    for (const point of region.points) this.drawPoint(point, colourOf(region.id), chosen ? 5 : 3);
  }

  drawPoint([x, y], colour, radius) {
    const { context, scale } = this;
    context.beginPath();
    context.arc(x, y, radius / scale, 0, 2 * Math.PI);
    context.fillStyle = colour;
    context.fill();
    context.lineWidth = 1.5 / scale;
    context.strokeStyle = "#000c";
    context.stroke();
  }

  drawStroke({ region, points }, width) {
    const { context, scale } = this;
    context.lineJoin = context.lineCap = "round";
    for (const [line, colour] of [[width + 2, "#000c"], [width, colourOf(region)]]) {
      context.beginPath();
      points.forEach(([x, y], number) => (number ? context.lineTo(x, y) : context.moveTo(x, y)));
      if (points.length === 1) context.lineTo(...points[0]);
      context.lineWidth = line / scale;
      context.strokeStyle = colour;
      context.stroke();
    }
  }
}
