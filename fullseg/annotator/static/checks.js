// What a person may have overlooked on an image that is to be done.

import { partsOf } from "./components.js";
import { t } from "./texts.js";

const TINY = 20; // px: a region this small may be a slip
const ISLAND = 100; // px: a smaller part beside a region's largest one may be an error

// Return what is found as { text, region }: a region to show, or null. `find(id)` returns a class, or nothing.
export function findProblems(session, find) {
  const { labels, state } = session;
  const [empty, ...parts] = partsOf(labels.map, state.width, labels.regions.length);
  const open = session.guesses ? state.regions.filter(({ category }) => category === null) : []; // a lone class needs no choice
  const guessed = open.filter((region) => find(session.guess(region)));
  const found = [
    ...(empty.length ? [{ text: t.checks.empty(session.empty), region: null }] : []),
    ...listed(guessed, t.checks.guessed),
    ...listed(open.filter((region) => !guessed.includes(region)), t.checks.classless),
  ];
  labels.regions.forEach((id, place) => found.push(...looseOf(id, parts[place])));
  return found;
}

function listed(regions, say) {
  const ids = regions.map(({ id }) => id);
  return ids.length ? [{ text: say(ids.length, ids.join(", ")), region: ids[0] }] : [];
}

function looseOf(id, [largest = 0, ...others]) {
  const area = others.reduce((sum, size) => sum + size, largest);
  const islands = others.filter((size) => size < ISLAND);
  if (area < TINY) return [{ text: t.checks.tiny(id, area), region: id }];
  if (!islands.length) return [];
  const sum = islands.reduce((all, size) => all + size, 0);
  return [{ text: t.checks.islands(id, islands.length, sum), region: id }];
}
