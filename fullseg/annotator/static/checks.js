// What a person may have overlooked on an image that is to be done.

import { partsOf } from "./components.js";

const TINY = 20; // px: a region this small may be a slip
const ISLAND = 100; // px: a smaller part beside a region's largest one may be an error

const many = (count, what) => `${count.toLocaleString()} ${what}${count === 1 ? "" : "s"}`;

// Return what is found as { text, region }: a region to show, or null. `find(id)` returns a class, or nothing.
export function findProblems(session, find) {
  const { labels, state } = session;
  const [empty, ...parts] = partsOf(labels.map, state.width, labels.regions.length);
  const open = session.guesses ? state.regions.filter(({ category }) => category === null) : []; // a lone class needs no choice
  const guessed = open.filter((region) => find(session.guess(region)));
  const found = [
    ...(empty.length ? [{ text: `${session.empty.toLocaleString()} px have no region (VOID)`, region: null }] : []),
    ...listed(guessed, "the class is guessed, not confirmed"),
    ...listed(open.filter((region) => !guessed.includes(region)), "there is no class"),
  ];
  labels.regions.forEach((id, place) => found.push(...looseOf(id, parts[place])));
  return found;
}

function listed(regions, what) {
  const ids = regions.map(({ id }) => id);
  return ids.length ? [{ text: `${many(ids.length, "region")}: ${what} (${ids.join(", ")})`, region: ids[0] }] : [];
}

function looseOf(id, [largest = 0, ...others]) {
  const area = others.reduce((sum, size) => sum + size, largest);
  const islands = others.filter((size) => size < ISLAND);
  if (area < TINY) return [{ text: `Region ${id} has ${many(area, "pixel")}`, region: id }];
  if (!islands.length) return [];
  const sum = islands.reduce((all, size) => all + size, 0).toLocaleString();
  return [{ text: `Region ${id} has ${many(islands.length, "island")} of ${sum} px together`, region: id }];
}
