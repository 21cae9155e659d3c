// The icons of buttons, as lines in a square of 24 units.

const SHAPES = {
  mark: "M4 6h16v12H4z M4 12h.01 M12 6h.01 M20 12h.01 M12 18h.01",
  correct: "M4 17c3-9 5-9 7-4s4 5 9-6",
  choose: "M6 4l12 9-6 1-3 6z",
  brush: "M20 4L10 14 M10 14c-4-1-5 2-6 6 4 0 7-1 6-6z",
  erase: "M4 16l8-9 7 6-6 7H8z M8 12l7 6",
  polygon: "M5 9l7-5 8 6-4 9H7z",
  hole: "M3 12a9 9 0 1 0 18 0a9 9 0 1 0-18 0z M12 8v8 M8 12h8",
  flag: "M6 21V4 M6 4h12l-3 4 3 4H6",
  skip: "M5 5l8 7-8 7z M18 5v14",
  comment: "M4 5h16v11H11l-5 4v-4H4z",
  tick: "M4 13l5 5L20 6",
  eye: "M2 12c5-8 15-8 20 0-5 8-15 8-20 0z M9 12a3 3 0 1 0 6 0a3 3 0 1 0-6 0z",
  closed: "M2 10c5 7 15 7 20 0 M6 14l-2 3 M12 15v4 M18 14l2 3",
  locked: "M5 11h14v9H5z M8 11V8a4 4 0 0 1 8 0v3",
  unlocked: "M5 11h14v9H5z M8 11V8a4 4 0 0 1 7.5-2",
};

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const path = document.createElementNS(svg.namespaceURI, "path");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.classList.add("icon");
  path.setAttribute("d", SHAPES[name]);
  svg.append(path);
  return svg;
}

// Put the icons before the names of the buttons that have one.
export function addIcons() {
  for (const element of document.querySelectorAll("[data-icon]")) element.prepend(icon(element.dataset.icon));
}
