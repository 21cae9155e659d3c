// The connected parts of regions.

// Return for each place of a map (0: no region) the sizes of its connected parts in pixels, the largest first. Pixels are
// connected by their sides.
export function partsOf(map, width, places) {
  const parents = new Uint32Array(map.length);
  const root = (at) => {
    while (parents[at] !== at) at = parents[at] = parents[parents[at]];
    return at;
  };
  for (let at = 0; at < map.length; at++) {
    parents[at] = at;
    if (at % width && map[at - 1] === map[at]) parents[at] = root(at - 1);
    if (at >= width && map[at - width] === map[at]) parents[root(at)] = root(at - width);
  }
  const sizes = new Uint32Array(map.length);
  for (let at = 0; at < map.length; at++) sizes[root(at)]++;
  const parts = Array.from({ length: places + 1 }, () => []);
  sizes.forEach((size, at) => size && parts[map[at]].push(size));
  return parts.map((own) => own.sort((a, b) => b - a));
}
