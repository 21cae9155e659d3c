// The list of regions beside the canvas, with the IoU that the model expects of each.

import { make, onEnter } from "./elements.js";
import { rove, stopAt } from "./roving.js";
import { t } from "./texts.js";

// `on` has select(id, shift), lock(region), confirm(region), colour(id) and key(name).
export function listRegions(list, session, categories, selected, on) {
  const known = new Map(categories.map((category) => [category.id, category]));
  const focused = document.activeElement?.closest("[data-region]")?.dataset.region;
  const focusedOn = document.activeElement?.classList[0];
  list.replaceChildren(
    ...(session.state?.regions ?? []).map((region) => {
      const guess = known.get(session.guess(region));
      const item = regionItem(session, region, known.get(region.category) ?? guess, guess, on);
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

function regionItem({ labels }, region, category, guess, on) {
  const place = labels ? labels.regions.indexOf(region.id) : -1;
  const swatch = make("span", { className: `swatch ${category && !category.isthing ? "stuff" : ""}` });
  swatch.style.background = on.colour(region.id);
  const called = category ? `${category.name}${guess ? "?" : ""}` : t.lists.region;
  const label = region.name ? `${region.name}${category ? ` (${called})` : ""}` : called;
  const sure = place < 0 || region.locked ? "" : `${Math.round(100 * labels.expected_iou[place])} %`;
  const why = t.lists.lockWhy(on.key("l"));
  const lock = button(region.locked ? t.lists.unlock : t.lists.lock, why, () => on.lock(region), "lock");
  const pick = make(
    "span",
    { className: "pick", role: "button" },
    swatch,
    make("span", { className: "name", textContent: `${region.id}  ${label}` }),
    make("span", { className: "sure", textContent: sure, title: t.lists.sure }),
  );
  const item = make(
    "li",
    { className: guess ? "guess" : "", title: titleOf(region, guess, label) },
    pick,
    lock,
    guess ? button("\u2713", t.lists.confirm(guess.name, on.key("a")), () => on.confirm(region), "confirm") : make("span"),
  );
  item.dataset.region = region.id;
  item.addEventListener("click", (event) => on.select(region.id, event.shiftKey));
  pick.addEventListener("keydown", (event) => onEnter(event, () => on.select(region.id, event.shiftKey)));
  return item;
}

const titleOf = (region, guess, label) =>
  `${region.id} ${label}${guess ? ` ${t.lists.guessed}` : ""}`;

function button(textContent, title, what, className = "") {
  const made = make("button", { textContent, title, className });
  made.addEventListener("click", (event) => {
    event.stopPropagation(); // else the region would be chosen, too
    what();
    if (event.detail) document.getElementById("canvas").focus();
  });
  return made;
}
