// The canvas: image, labels, points and strokes.

import { Colours } from "./colours.js";
import { Hatching } from "./hatching.js";
import { traceBorders } from "./outlines.js";
import { Viewport } from "./viewport.js";

const OUTLINE = 2; // screen pixels
const DIMMED = 0.5; // opacity of what is on its way to the server

const packed = (red, green, blue, alpha) => ((alpha << 24) | (blue << 16) | (green << 8) | red) >>> 0;

export class View extends Viewport {
  constructor(canvas) {
    super(canvas);
    this.context = canvas.getContext("2d");
    this.overlay = document.createElement("canvas");
    this.options = { opacity: 0.5, outline: false, heat: false, bare: false, raw: false, selected: null, hovered: null };
    this.colours = new Colours();
    this.hatching = new Hatching();
    this.bitmap = null;
    this.filter = ""; // brightness and contrast as CSS writes them; empty: as the image is
    this.filtered = null; // the image with this filter, made when it is drawn
    this.labels = null;
    this.coarse = this.fine = null; // their map as it is drawn, and that of a part at the size of the file, see close_up.js
    this.borders = null; // between the regions of the labels, traced when they are needed
    this.traced = null; // place whose borders these are; null: all
    this.pointed = null; // { place, borders } of the region below the pointer
    this.shows = () => true; // whether a region is drawn
    this.drawing = { points: [], strokes: [], sent: [], painting: null, extremes: null };
    this.drawn = () => {}; // called after every drawing
  }

  // Show an image; null: show nothing.
  show(bitmap, state) {
    this.bitmap = bitmap;
    this.filtered = null;
    this.state = state;
    this.labels = this.fine = this.borders = this.pointed = null;
    this.colours.forget();
    this.fit();
  }

  setFilter(filter) {
    this.filter = filter;
    this.filtered = null;
    this.redraw();
  }

  // Return the image as it is shown. The filter is applied once, so that a frame takes no longer with it.
  get picture() {
    if (!this.filter) return this.bitmap;
    if (this.filtered) return this.filtered;
    this.filtered = new OffscreenCanvas(this.bitmap.width, this.bitmap.height);
    const context = this.filtered.getContext("2d");
    context.filter = this.filter;
    context.drawImage(this.bitmap, 0, 0);
    return this.filtered;
  }

  // Return the id of the region at a point, or null.
  regionAt([x, y]) {
    if (!this.labels || !this.inside([x, y])) return null;
    const place = this.labels.map[Math.round(y) * this.state.width + Math.round(x)];
    return place ? this.labels.regions[place - 1] : null;
  }

  setLabels(labels) {
    this.labels = labels;
    this.fine = this.borders = this.pointed = null;
    const { height, width } = this.state ?? {};
    this.coarse = labels && { map: labels.map, width, height, left: 0, top: 0, x: 1, y: 1 };
    if (labels) this.colours.update(labels, width);
    this.paint();
  }

  // Draw these labels in place of those of the network; null: draw those of the network.
  setFine(fine) {
    if (!fine && !this.fine) return;
    this.fine = fine;
    this.borders = this.pointed = null;
    this.paint();
  }

  // Return the map that is drawn: where it lies and how large its pixels are, in pixels of the network.
  get shown() {
    return this.fine ?? this.coarse;
  }

  set(options) {
    Object.assign(this.options, options);
    if (options.heat) this.fine = null;
    if ("heat" in options || "outline" in options) this.paint();
    else this.redraw();
  }

  // Colour the overlay for the current labels. Panning and zooming draw it elsewhere without colouring it again.
  paint() {
    if (!this.labels) return this.redraw();
    const { map, width, height } = this.shown;
    const { uncertainty, regions } = this.labels;
    const { heat, outline } = this.options;
    const data = new ImageData(width, height);
    const pixels = new Uint32Array(data.data.buffer); // bytes from high to low: alpha, blue, green, red
    const colours = [0, ...regions.map((id) => (this.shows(id) ? packed(...this.colours.rgb(id), 255) : 0))];
    for (let at = 0; at < map.length; at++) {
      if (!heat && !outline) pixels[at] = colours[map[at]];
      const unsure = heat && uncertainty ? uncertainty[at] : 0;
      if (unsure) pixels[at] = packed(255, 190 - ((unsure * 190) >> 8), 0, Math.min(255, 2 * unsure));
    }
    this.overlay.width = width;
    this.overlay.height = height;
    this.overlay.getContext("2d").putImageData(data, 0, 0);
    this.redraw();
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
    context.drawImage(this.picture, 0, 0, width, height);
    if (this.options.raw) return this.drawn();
    if (this.labels) {
      context.imageSmoothingEnabled = false;
      context.globalAlpha = this.options.opacity;
      const { left, top, x, y } = this.shown;
      context.drawImage(this.overlay, left, top, x * this.overlay.width, y * this.overlay.height);
      if (!this.options.heat && !this.options.bare) this.hatching.draw(this);
      context.globalAlpha = 1;
      this.drawBorders();
    }
    context.translate(0.5, 0.5); // from here on whole numbers are pixel centres
    this.drawAnnotations();
    this.drawn();
  }

  // Draw the borders of all regions in the mode for outlines, and always those of the chosen region and of the one below the pointer.
  drawBorders() {
    const { hovered, outline, selected } = this.options;
    const { regions } = this.labels;
    const chosen = regions.indexOf(selected) + 1;
    if (outline || chosen) this.trace(outline ? null : chosen);
    const isChosen = ({ a, b }) => chosen > 0 && (a === chosen || b === chosen);
    const isShown = ({ a, b }) => [a, b].some((place) => place && this.shows(regions[place - 1]));
    const others = outline ? this.borders.filter((border) => !isChosen(border) && isShown(border)) : [];
    for (const border of others) this.drawLine(border.path, OUTLINE, this.sideColour(border));
    if (hovered !== selected) this.outlineOf(this.bordersOf(regions.indexOf(hovered) + 1), this.colours.css(hovered));
    if (chosen) this.outlineOf(this.borders.filter(isChosen), "white");
  }

  outlineOf(borders, colour) {
    for (const { path } of borders) this.drawLine(path, 2 * OUTLINE, "#0008"); // white alone is not seen on a white sky
    for (const { path } of borders) this.drawLine(path, OUTLINE, colour);
  }

  // Return the borders of the place below the pointer. They are traced once.
  bordersOf(place) {
    if (!place) return [];
    if (this.pointed?.place !== place) this.pointed = { place, borders: traceBorders(this.shown, place) };
    return this.pointed.borders;
  }

  // Trace the borders of all regions, or of one place only, unless they are traced already.
  trace(only) {
    if (this.borders && this.traced === only) return;
    this.borders = traceBorders(this.shown, only);
    this.traced = only;
  }

  // Return the colour of a border: that of the smaller region that is drawn, so that all of a small region's outline is in its colour.
  sideColour({ a, b }) {
    const { areas, regions } = this.labels;
    const sides = [a, b].filter((place) => place && this.shows(regions[place - 1]));
    return this.colours.css(regions[sides.reduce((one, other) => (areas[other] < areas[one] ? other : one)) - 1]);
  }

  drawLine(path, width, colour) {
    const { context } = this;
    context.lineJoin = context.lineCap = "round";
    context.lineWidth = width / this.scale;
    context.strokeStyle = colour;
    context.stroke(path);
  }

  // Draw points and strokes. Those that are not acknowledged yet are dimmed.
  drawAnnotations() {
    const { extremes, points, strokes, sent } = this.drawing;
    if (!this.options.bare) {
      for (const region of this.state.regions) this.drawRegion(region);
      for (const stroke of this.state.strokes) if (this.shows(stroke.region)) this.drawStroke(stroke, 2);
    }
    this.context.globalAlpha = DIMMED;
    for (const { corners, kind, points: sentPoints, strokes: sentStrokes } of sent) {
      if (kind === "box") this.drawBox(corners);
      if (kind === "scribbles") for (const stroke of sentStrokes) this.drawStroke(stroke, 3);
      if (kind === "add" || kind === "move") for (const point of sentPoints) this.drawPoint(point, "white", 5);
    }
    this.context.globalAlpha = 1;
    for (const stroke of strokes) this.drawStroke(stroke, 3);
    for (const point of points) this.drawPoint(point, "white", 5);
    if (extremes?.box) this.drawBox(extremes.box);
    this.drawing.painting?.draw(this);
  }

  drawRegion(region) {
    const chosen = region.id === this.options.selected;
    if (!this.shows(region.id) || (!chosen && region.locked)) return;
    const moved = this.drawing.extremes?.moved;
    const points = moved?.region === region.id ? moved.points : region.points;
    for (const point of points) this.drawPoint(point, this.colours.css(region.id), chosen ? 5 : 3);
  }

  drawBox([[x0, y0], [x1, y1]]) {
    const { context, scale } = this;
    for (const [width, colour] of [[4, "#000c"], [1.5, "white"]]) {
      context.lineWidth = width / scale;
      context.strokeStyle = colour;
      context.strokeRect(Math.min(x0, x1), Math.min(y0, y1), Math.abs(x1 - x0), Math.abs(y1 - y0));
    }
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
    for (const [line, colour] of [[width + 2, "#000c"], [width, region === null ? "white" : this.colours.css(region)]]) {
      context.beginPath();
      points.forEach(([x, y], number) => (number ? context.lineTo(x, y) : context.moveTo(x, y)));
      if (points.length === 1) context.lineTo(...points[0]);
      context.lineWidth = line / scale;
      context.strokeStyle = colour;
      context.stroke();
    }
  }
}
