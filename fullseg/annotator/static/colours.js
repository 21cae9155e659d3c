// The colours of regions. Hues of neighbours are at least 36 degrees apart.

const HUES = 10;
const SATURATION = 80; // percent
const LIGHTNESS = [58, 66, 50]; // percent; regions that share a hue may still differ

export class Colours {
  constructor() {
    this.byClass = false;
    this.places = new Map(); // by region: number of its hue
    this.classes = new Map(); // by region: id of its class
  }

  hue(id) {
    if (this.byClass) return hueOf(this.classes.get(id) ?? 0);
    return ((this.places.get(id) ?? first(id)) * 360) / HUES;
  }

  css(id, alpha = 1) {
    return `hsl(${this.hue(id).toFixed(1)} ${SATURATION}% ${this.lightness(id)}% / ${alpha})`;
  }

  ofClass(id) {
    return `hsl(${hueOf(id).toFixed(1)} ${SATURATION}% ${LIGHTNESS[0]}%)`;
  }

  lightness(id) {
    return this.byClass ? LIGHTNESS[0] : LIGHTNESS[Math.floor(id / HUES) % LIGHTNESS.length];
  }

  rgb(id) {
    const [s, l] = [SATURATION / 100, this.lightness(id) / 100];
    const channel = (n) => {
      const k = (n + this.hue(id) / 30) % 12;
      return Math.round(255 * (l - s * Math.min(l, 1 - l) * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
    };
    return [channel(0), channel(8), channel(4)];
  }

  forget() {
    this.places.clear();
  }

  // Give the regions of new labels their hues. A region keeps its hue unless an older neighbour has it.
  update({ map, regions, categories }, width) {
    this.classes = new Map(regions.map((id, place) => [id, categories[place]]));
    const neighbours = neighboursOf(map, width, regions);
    const before = this.places;
    const order = [...regions].sort((a, b) => a - b);
    this.places = give(order, neighbours, before) ?? give(smallestLast(order, neighbours), neighbours, before, true);
  }
}

const hueOf = (category) => (category * 137.508) % 360; // a golden angle apart
const first = (id) => Math.round(id * HUES * 0.618) % HUES;

// Return the neighbours of each region: those that share a border with it.
function neighboursOf(map, width, regions) {
  const pairs = new Set();
  const note = (a, b) => a && b && pairs.add(a < b ? a * 65536 + b : b * 65536 + a);
  for (let at = 0; at < map.length; at++) {
    const place = map[at];
    if (place !== map[at + 1] && (at + 1) % width) note(place, map[at + 1]);
    if (place !== map[at + width] && at + width < map.length) note(place, map[at + width]);
  }
  const neighbours = new Map(regions.map((id) => [id, new Set()]));
  for (const pair of pairs) {
    const [a, b] = [regions[Math.floor(pair / 65536) - 1], regions[(pair % 65536) - 1]];
    neighbours.get(a).add(b);
    neighbours.get(b).add(a);
  }
  return neighbours;
}

// Give hues one after another. Return null if a region would have none left; if `all`, give it one in spite of that.
function give(order, neighbours, before, all = false) {
  const places = new Map();
  const used = Array(HUES).fill(0);
  for (const id of order) {
    const around = [...neighbours.get(id)];
    const taken = new Set(around.map((other) => places.get(other)));
    const later = new Set(around.map((other) => before.get(other)));
    const wish = before.get(id) ?? first(id);
    const cost = (place) => 1e6 * taken.has(place) + 1e3 * (place !== wish) * (1 + later.has(place)) + used[place];
    const best = [...used.keys()].reduce((a, b) => (cost(b) < cost(a) ? b : a));
    if (taken.has(best) && !all) return null;
    places.set(id, best);
    used[best]++;
  }
  return places;
}

// Return the regions in an order in which each has few neighbours before itself: at most 5 if no border crosses another.
function smallestLast(regions, neighbours) {
  const left = new Set(regions);
  const count = (id) => [...neighbours.get(id)].filter((other) => left.has(other)).length;
  const order = [];
  while (left.size) {
    const next = [...left].reduce((a, b) => (count(b) < count(a) ? b : a));
    left.delete(next);
    order.unshift(next);
  }
  return order;
}
