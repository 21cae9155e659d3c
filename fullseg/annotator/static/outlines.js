// The borders between regions as smooth lines. Corners of pixels are whole numbers here: pixel (x, y) covers [x, x + 1).

const RIGHT = 1;
const DOWN = 2;
const ROUNDS = 2; // of smoothing
const SHORT = 12; // corners: shorter lines are not smoothed, because it would shrink them to nothing

// Return one border per pair of places that touch: { a, b, path }, where a < b, and 0 is no region.
export function traceBorders(map, width, height) {
  const edges = edgesOf(map, width, height);
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
  degrees.forEach((degree, corner) => degree && degree !== 2 && trace(corner)); // first all lines that have ends
  edges.forEach((edge, corner) => edge && trace(corner));
  return [...borders.values()];
}

// Return for each corner of pixels which borders go from it to the right and down.
function edgesOf(map, width, height) {
  const edges = new Uint8Array((width + 1) * (height + 1));
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at++) {
      const corner = y * (width + 1) + x;
      if (y && map[at] !== map[at - width]) edges[corner] |= RIGHT;
      if (x && map[at] !== map[at - 1]) edges[corner] |= DOWN;
    }
  }
  return edges;
}

function degreesOf(edges, across) {
  const degrees = new Uint8Array(edges.length);
  edges.forEach((edge, corner) => {
    if (!edge) return;
    degrees[corner] += (edge & RIGHT) + ((edge & DOWN) >> 1);
    if (edge & RIGHT) degrees[corner + 1]++;
    if (edge & DOWN) degrees[corner + across]++;
  });
  return degrees;
}

// Return the next corner after a corner, and take away the edge between both; -1 if there is none.
function step(corner, edges, across) {
  const ways = [[corner, RIGHT, corner + 1], [corner, DOWN, corner + across], [corner - 1, RIGHT, corner - 1]];
  for (const [at, bit, next] of [...ways, [corner - across, DOWN, corner - across]]) {
    if (!(edges[at] & bit)) continue; // also if there is no such corner
    edges[at] &= ~bit;
    return next;
  }
  return -1;
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
  let points = line.map((corner) => [corner % across, Math.floor(corner / across)]);
  const closed = line[0] === line.at(-1) && line.length > 2;
  if (closed) points.pop();
  if (points.length >= SHORT) for (let round = 0; round < ROUNDS; round++) points = smooth(points, closed);
  const middle = (a, b) => [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
  path.moveTo(...(closed ? middle(points.at(-1), points[0]) : points[0]));
  points.forEach((point, number) => {
    const next = points[number + 1] ?? (closed ? points[0] : null);
    if (next) path.quadraticCurveTo(...point, ...middle(point, next));
    else path.lineTo(...point);
  });
}

// Replace each point by a weighted mean of itself and its neighbours. Ends stay.
function smooth(points, closed) {
  const count = points.length;
  return points.map((point, number) => {
    if (!closed && (number === 0 || number === count - 1)) return point;
    const [before, after] = [points[(number + count - 1) % count], points[(number + 1) % count]];
    return [0, 1].map((axis) => (before[axis] + 2 * point[axis] + after[axis]) / 4);
  });
}
