// The pen and the eraser. A stroke: { points: [[x, y], ...], erases }.

export const WIDTH = 40; // of a stroke as it is shown, on 560 pixels
const ERASER = 60;
const [INK, CHALK] = ["#141b2d", "#f7f4ec"];
const [FINE, BROAD] = [0.08, 0.12]; // the widths of a stroke as it is sent, as shares of the drawing's longer side

/** Draw a stroke on a transparent sheet, from its `first` point on: with chalk where what lies beneath `isDark`. */
export function draw(sheet, { points, erases }, { width = WIDTH, isDark = false, first = 0 } = {}) {
  const shown = points.slice(first);
  sheet.globalCompositeOperation = erases ? "destination-out" : "source-over";
  sheet.strokeStyle = isDark ? CHALK : INK;
  sheet.lineWidth = erases ? ERASER : width;
  sheet.lineCap = sheet.lineJoin = "round";
  sheet.beginPath();
  shown.forEach(([x, y], index) => (index ? sheet.lineTo(x, y) : sheet.moveTo(x, y)));
  if (shown.length === 1) sheet.lineTo(shown[0][0] + 0.01, shown[0][1]); // a line of no length would leave no dot
  sheet.stroke();
}

/** The width of a pen that keeps a small drawing from being a blob; a dot stays one. */
export function suited(strokes) {
  const points = strokes.filter(({ erases }) => !erases).flatMap((stroke) => stroke.points);
  const side = Math.max(...[0, 1].map((axis) => extent(points.map((point) => point[axis]))));
  return side < WIDTH ? WIDTH : Math.min(Math.max(WIDTH, FINE * side), BROAD * side);
}

const extent = (values) => values.reduce((most, value) => Math.max(most, value), -Infinity)
  - values.reduce((least, value) => Math.min(least, value), Infinity);
