// How strokes of the brush, polygons and the brush itself look on the canvas.

const PAINTED = 0.75; // opacity of what is being painted
const SENT = 0.5; // opacity of what is on its way to the server
const ERASED = "#000"; // colour of what is being erased

// Draw what is being painted, what was sent and is not in the labels yet, and the brush at the pointer.
export function drawPainting(view, painting) {
  const { corners, pointer, shown, stroke } = painting;
  for (const action of shown) drawAction(view, action, SENT);
  if (stroke) drawAction(view, stroke, PAINTED);
  if (corners.length) drawCorners(view, corners, pointer);
  if (painting.brushing && pointer) drawBrush(view, pointer, painting.width);
}

// Return how many pixels of the seen image so many pixels of the file are.
const seen = ({ state }, width) => (width * state.width) / state.full_width;

function drawAction(view, { kind, erase, points, region, width }, opacity) {
  const { context } = view;
  const colour = erase ? ERASED : view.colours.css(region);
  context.globalAlpha = opacity;
  context.lineJoin = context.lineCap = "round";
  context.strokeStyle = context.fillStyle = colour;
  trace(context, points);
  if (kind === "brush") {
    context.lineWidth = seen(view, width);
    context.stroke();
  } else context.fill("evenodd");
  context.globalAlpha = 1;
}

function trace(context, points) {
  context.beginPath();
  points.forEach(([x, y], number) => (number ? context.lineTo(x, y) : context.moveTo(x, y)));
  if (points.length === 1) context.lineTo(...points[0]);
}

// Draw a polygon that is not closed yet, with a line to the pointer.
function drawCorners(view, corners, pointer) {
  const { context, scale } = view;
  const points = pointer ? [...corners, pointer] : corners;
  context.lineJoin = context.lineCap = "round";
  for (const [width, colour] of [[4, "#000c"], [1.5, "white"]]) {
    trace(context, points);
    context.closePath();
    context.lineWidth = width / scale;
    context.strokeStyle = colour;
    context.stroke();
  }
  for (const corner of corners) view.drawPoint(corner, "white", 4);
}

// Draw the brush at its true size.
function drawBrush(view, at, width) {
  const { context, scale } = view;
  for (const [line, colour] of [[3, "#000c"], [1.2, "white"]]) {
    context.beginPath();
    context.arc(...at, seen(view, width) / 2, 0, 2 * Math.PI);
    context.lineWidth = line / scale;
    context.strokeStyle = colour;
    context.stroke();
  }
}
