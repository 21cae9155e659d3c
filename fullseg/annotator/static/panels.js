// The two lists beside the canvas: images with their progress, and regions with the IoU that the model expects of them.

import { thumbnail } from "./api.js";

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

// `on` has select(id, shift), lock(region), confirm(region), colour(id) and key(name).
export function listRegions(list, session, categories, selected, on) {
  const known = new Map(categories.map((category) => [category.id, category]));
  const focused = document.activeElement?.closest("[data-region]")?.dataset.region;
  list.replaceChildren(
    ...(session.state?.regions ?? []).map((region) => {
      const guess = known.get(session.guess(region));
      const item = regionItem(session, region, known.get(region.category) ?? guess, guess, on);
      item.setAttribute("aria-current", String(region.id === selected));
      return item;
    }),
  );
  if (focused) list.querySelector(`[data-region="${focused}"]`)?.focus();
  const current = list.querySelector('[aria-current="true"]');
  if (list.dataset.selected !== String(selected)) current?.scrollIntoView({ block: "nearest" });
  list.dataset.selected = selected;
}

function regionItem({ labels }, region, category, guess, on) {
  const place = labels ? labels.regions.indexOf(region.id) : -1;
  const swatch = make("span", { className: `swatch ${category && !category.isthing ? "stuff" : ""}` });
  swatch.style.background = on.colour(region.id);
  const called = category ? `${category.name}${guess ? "?" : ""}` : "region";
  const label = region.name ? `${region.name}${category ? ` (${called})` : ""}` : called;
  const sure = place < 0 || region.locked ? "" : `${Math.round(100 * labels.expected_iou[place])} %`;
  const why = `A locked region's pixels stay as they are (${on.key("l")})`;
  const lock = button(region.locked ? "unlock" : "lock", why, () => on.lock(region));
  const item = make(
    "li",
    { tabIndex: 0, className: guess ? "guess" : "", title: titleOf(region, guess, label) },
    swatch,
    make("span", { className: "name", textContent: `${region.id}  ${label}` }),
    make("span", { className: "sure", textContent: sure, title: "The IoU that the model expects of this region" }),
    lock,
    guess ? button("\u2713", `Confirm the class ${guess.name} (${on.key("a")})`, () => on.confirm(region), "confirm") : make("span"),
  );
  item.dataset.region = region.id;
  item.addEventListener("click", (event) => on.select(region.id, event.shiftKey));
  item.addEventListener("keydown", (event) => onEnter(event, () => on.select(region.id, event.shiftKey)));
  return item;
}

const titleOf = (region, guess, label) =>
  `${region.id} ${label}${guess ? " The model guesses this class: confirm it, or give another one" : ""}`;

function button(textContent, title, what, className = "") {
  const made = make("button", { textContent, title, className });
  made.addEventListener("click", (event) => {
    event.stopPropagation(); // else the region would be chosen, too
    what();
    if (event.detail) document.getElementById("canvas").focus();
  });
  return made;
}
