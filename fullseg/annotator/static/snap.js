// Snapping: a click moves to the strongest edge of the image nearby.

const REACH = 6; // screen pixels

export function snapTo(bitmap, state, scale, [x, y]) {
  const reach = Math.max(1, Math.round(REACH / scale));
  const side = 2 * reach + 3;
  const patch = new OffscreenCanvas(side, side).getContext("2d", { willReadFrequently: true });
  const left = Math.round(x) - reach - 1;
  const top = Math.round(y) - reach - 1;
  const zoom = bitmap.width / state.width;
  patch.drawImage(bitmap, left * zoom, top * zoom, side * zoom, side * zoom, 0, 0, side, side);
  const { data } = patch.getImageData(0, 0, side, side);
  const grey = (column, row) => {
    const at = 4 * (row * side + column);
    return data[at + 3] ? data[at] + data[at + 1] + data[at + 2] : NaN; // NaN outside the image
  };
  let best = [x, y];
  let strongest = 60; // weaker edges are texture or noise
  for (let row = 1; row < side - 1; row++) {
    for (let column = 1; column < side - 1; column++) {
      const across = grey(column + 1, row) - grey(column - 1, row);
      const down = grey(column, row + 1) - grey(column, row - 1);
      const far = Math.hypot(left + column - x, top + row - y);
      const strength = Math.hypot(across, down) - 10 * far;
      if (far <= reach && strength > strongest) {
        strongest = strength;
        best = [left + column, top + row];
      }
    }
  }
  return best;
}
