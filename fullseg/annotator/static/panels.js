// The two lists beside the canvas: images with their progress, and regions with the IoU that the model expects of them.

import { thumbnail } from "./api.js";
import { colourOf } from "./view.js";

const make = (tag, attributes = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), attributes);
  element.append(...children);
  return element;
};

// Enter on an item of a list picks it. It must not be taken for a key of the page.
function onEnter(event, what) {
  if (event.key !== "Enter" || event.target !== event.currentTarget) return;
  event.stopPropagation();
  what();
}

export function listImages(list, images, current, pick) {
  const shown = images.map(({ number }) => number).join();
  if (list.dataset.shown !== shown) {
    list.dataset.shown = shown;
    list.replaceChildren(...images.map((image) => imageItem(image, pick)));
  }
  images.forEach(({ number, regions, done }, place) => {
    const item = list.children[place];
    const isCurrent = String(number === current);
    const counted = regions === 1 ? "1 region" : `${regions} regions`;
    if (isCurrent === "true" && item.getAttribute("aria-current") !== isCurrent) item.scrollIntoView({ block: "nearest" });
    item.setAttribute("aria-current", isCurrent);
    item.className = done ? "done" : "";
    item.lastChild.textContent = done ? `done, ${counted}` : regions ? counted : "untouched";
  });
}

function imageItem({ name, number }, pick) {
  const picture = make("img", { src: thumbnail(number), alt: "", loading: "lazy" });
  const item = make("li", { tabIndex: 0, title: name }, picture, make("span", { textContent: name }), make("small"));
  item.addEventListener("click", () => pick(number));
  item.addEventListener("keydown", (event) => onEnter(event, () => pick(number)));
  return item;
}

export function listRegions(list, session, categories, selected, on) {
  const { state, labels } = session;
  const known = new Map(categories.map((category) => [category.id, category]));
  list.replaceChildren(
    ...(state?.regions ?? []).map((region) => {
      const place = labels ? labels.regions.indexOf(region.id) : -1;
      const guess = place < 0 ? null : known.get(labels.categories[place]);
      const category = known.get(region.category) ?? guess;
      const swatch = make("span", { className: `swatch ${category && !category.isthing ? "stuff" : ""}` });
      swatch.style.background = colourOf(region.id);
      const label = region.name || (category ? category.name : "region");
      const sure = place < 0 ? "" : region.locked ? "" : `${Math.round(100 * labels.expected_iou[place])} %`;
      const lock = make("button", {
        textContent: region.locked ? "unlock" : "lock",
        title: "A locked region's pixels stay as they are (L)",
      });
      lock.addEventListener("click", (event) => {
        event.stopPropagation();
        on.lock(region);
      });
      const item = make(
        "li",
        { tabIndex: 0, title: `${label} ${region.id}: the model expects this IoU of it` },
        swatch,
        make("span", { className: "name", textContent: `${region.id}  ${label}` }),
        make("span", { className: "sure", textContent: sure }),
        lock,
      );
      item.dataset.region = region.id;
      item.setAttribute("aria-current", String(region.id === selected));
      item.addEventListener("click", (event) => on.select(region.id, event.shiftKey));
      item.addEventListener("keydown", (event) => onEnter(event, () => on.select(region.id, event.shiftKey)));
      return item;
    }),
  );
}
