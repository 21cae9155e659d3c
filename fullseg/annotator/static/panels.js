// The list of regions beside the canvas, with the IoU that the model expects of each.

import { make, onEnter } from "./elements.js";
import { icon } from "./icons.js";
import { rove, stopAt } from "./roving.js";
import { t } from "./texts.js";

// Return what a region is called: its number, name and class.
export function labelOf(region, categories, guessed) {
  const category = categories.find(({ id }) => id === (region.category ?? guessed));
  const called = category ? `${category.name}${region.category === null ? "?" : ""}` : t.lists.region;
  return `${region.id}  ${region.name ? `${region.name}${category ? ` (${called})` : ""}` : called}`;
}

// `on` has select(id, shift), lock(region), hide(region), confirm(region), shows(id), colour(id) and key(name).
export function listRegions(list, session, categories, selected, on) {
  const focused = document.activeElement?.closest("[data-region]")?.dataset.region;
  const focusedOn = document.activeElement?.classList[0];
  list.replaceChildren(
    ...(session.state?.regions ?? []).map((region) => {
      const item = regionItem(session, region, categories, on);
      item.setAttribute("aria-current", String(region.id === selected));
      item.firstChild.setAttribute("aria-pressed", String(region.id === selected));
      return item;
    }),
  );
  const picks = [...list.querySelectorAll(".pick")];
  if (!list.dataset.roves) rove(list, () => [...list.querySelectorAll(".pick")]);
  list.dataset.roves = "true";
  stopAt(picks, (pick) => pick.getAttribute("aria-pressed") === "true");
  if (focused) list.querySelector(`[data-region="${focused}"] .${focusedOn}`)?.focus();
  const current = list.querySelector('[aria-current="true"]');
  if (list.dataset.selected !== String(selected)) current?.scrollIntoView({ block: "nearest" });
  list.dataset.selected = selected;
}

function regionItem(session, region, categories, on) {
  const { labels } = session;
  const place = labels ? labels.regions.indexOf(region.id) : -1;
  const guess = categories.find(({ id }) => id === session.guess(region));
  const category = categories.find(({ id }) => id === region.category) ?? guess;
  const swatch = make("span", { className: `swatch ${category && !category.isthing ? "stuff" : ""}` });
  swatch.style.background = on.colour(region.id);
  const label = labelOf(region, categories, guess?.id);
  const sure = place < 0 || region.locked ? "" : `${Math.round(100 * labels.expected_iou[place])} %`;
  const pick = make(
    "span",
    { className: "pick", role: "button" },
    swatch,
    make("span", { className: "name", textContent: label }),
    make("span", { className: "sure", textContent: sure, title: t.lists.sure }),
  );
  const title = `${label}${guess ? ` ${t.lists.guessed}` : ""}`;
  const item = make("li", { className: guess ? "guess" : "", title }, pick, ...buttonsOf(region, guess, on));
  item.dataset.region = region.id;
  item.addEventListener("click", (event) => on.select(region.id, event.shiftKey));
  pick.addEventListener("keydown", (event) => onEnter(event, () => on.select(region.id, event.shiftKey)));
  return item;
}

function buttonsOf(region, guess, on) {
  const isShown = on.shows(region.id);
  const hide = button("eye", isShown ? "eye" : "closed", t.lists.eye(isShown, region.id), on.key("y"), () => on.hide(region));
  const lock = button("lock", region.locked ? "locked" : "unlocked", t.lists.lock(region.locked, region.id), on.key("l"), () => on.lock(region));
  hide.setAttribute("aria-pressed", String(!isShown));
  lock.setAttribute("aria-pressed", String(region.locked));
  const confirm = guess && button("confirm", "tick", t.lists.confirm(guess.name), on.key("a"), () => on.confirm(region));
  return [hide, lock, confirm ?? make("span")];
}

function button(className, shape, label, key, what) {
  const made = make("button", { className, title: `${label} (${key})`, ariaLabel: label }, icon(shape));
  made.addEventListener("click", (event) => {
    event.stopPropagation(); // else the region would be chosen, too
    what();
    if (event.detail) document.getElementById("canvas").focus();
  });
  return made;
}
