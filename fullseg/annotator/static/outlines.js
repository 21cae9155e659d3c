// The borders between regions as smooth lines. Corners of pixels are whole numbers here: pixel (x, y) covers [x, x + 1).

const RIGHT = 1;
const DOWN = 2;
const ROUNDS = 2; // of smoothing
const SHORT = 12; // corners: shorter lines are not smoothed, because it would shrink them to nothing

// Return one border per pair of places that touch: { a, b, path }, where a < b, and 0 is no region. If the borders of one place
// are wanted only, a line may go on where its other side changes; b or a is that of its beginning. `shown` is a map as a view
// draws it.
export function traceBorders({ map, width, height, left, top, x, y }, only = null) {
  const edges = edgesOf(map, width, height, only);
  const across = width + 1;
  const degrees = degreesOf(edges, across);
  const borders = new Map();
  const trace = (start) => {
    while (true) {
      const line = follow(start, edges, degrees, across);
      if (!line) return;
      const [a, b] = sidesOf(line, map, width, across);
      const key = a * 65536 + b;
      if (!borders.has(key)) borders.set(key, { a, b, path: new Path2D() });
      add(borders.get(key).path, line, across);
    }
  };
  for (let at = 0; at < edges.length; at++) if (degrees[at] && degrees[at] !== 2) trace(at); // first all lines with ends
  for (let at = 0; at < edges.length; at++) if (edges[at]) trace(at);
  const where = new DOMMatrix([x, 0, 0, y, left, top]);
  return [...borders.values()].map(({ a, b, path }) => ({ a, b, path: moved(path, where) }));
}

function moved(path, where) {
  const result = new Path2D();
  result.addPath(path, where);
  return result;
}

// Return for each corner of pixels which borders go from it to the right and down.
function edgesOf(map, width, height, only) {
  const edges = new Uint8Array((width + 1) * (height + 1));
  const isWanted = (a, b) => only === null || a === only || b === only;
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at++) {
      const place = map[at];
      const corner = at + y;
      if (y && place !== map[at - width] && isWanted(place, map[at - width])) edges[corner] |= RIGHT;
      if (x && place !== map[at - 1] && isWanted(place, map[at - 1])) edges[corner] |= DOWN;
    }
  }
  return edges;
}

function degreesOf(edges, across) {
  const degrees = new Uint8Array(edges.length);
  for (let at = 0; at < edges.length; at++) {
    if (edges[at] & RIGHT) degrees[at]++, degrees[at + 1]++;
    if (edges[at] & DOWN) degrees[at]++, degrees[at + across]++;
  }
  return degrees;
}

// Return the next corner after a corner, and take away the edge between both; -1 if there is none.
function step(corner, edges, across) {
  const [left, up] = [corner - 1, corner - across]; // where there is no such corner, there is no edge
  if (edges[corner] & RIGHT) return take(edges, corner, RIGHT, corner + 1);
  if (edges[corner] & DOWN) return take(edges, corner, DOWN, corner + across);
  if (edges[left] & RIGHT) return take(edges, left, RIGHT, left);
  return edges[up] & DOWN ? take(edges, up, DOWN, up) : -1;
}

function take(edges, at, edge, next) {
  edges[at] &= ~edge;
  return next;
}

// Return the corners from a start to the next corner where lines meet, or around to the start; null if no line is left.
function follow(start, edges, degrees, across) {
  const line = [start];
  for (let corner = step(start, edges, across); corner >= 0; corner = step(corner, edges, across)) {
    line.push(corner);
    if (degrees[corner] !== 2 || corner === start) break;
  }
  return line.length > 1 ? line : null;
}

// Return the two places that a line separates, the smaller first.
function sidesOf([first, second], map, width, across) {
  const corner = Math.min(first, second);
  const [x, y] = [corner % across, Math.floor(corner / across)];
  const at = y * width + x;
  const other = Math.abs(second - first) === 1 ? at - width : at - 1;
  return [map[at], map[other]].sort((a, b) => a - b);
}

function add(path, line, across) {
  const closed = line[0] === line.at(-1) && line.length > 2;
  if (closed) line.pop();
  const count = line.length;
  let xs = Float64Array.from(line, (corner) => corner % across);
  let ys = Float64Array.from(line, (corner) => Math.floor(corner / across));
  for (let round = 0; round < ROUNDS && count >= SHORT; round++) [xs, ys] = [smooth(xs, closed), smooth(ys, closed)];
  if (closed) path.moveTo((xs[count - 1] + xs[0]) / 2, (ys[count - 1] + ys[0]) / 2);
  else path.moveTo(xs[0], ys[0]);
  for (let at = 0; at < count; at++) {
    const next = at + 1 < count ? at + 1 : 0;
    if (!closed && next === 0) path.lineTo(xs[at], ys[at]);
    else path.quadraticCurveTo(xs[at], ys[at], (xs[at] + xs[next]) / 2, (ys[at] + ys[next]) / 2);
  }
}

// Replace each value by a weighted mean of itself and its neighbours. Ends stay.
function smooth(values, closed) {
  const count = values.length;
  return values.map((value, at) => {
    if (!closed && (at === 0 || at === count - 1)) return value;
    return (values[(at + count - 1) % count] + 2 * value + values[(at + 1) % count]) / 4;
  });
}
