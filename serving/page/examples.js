// Ten example digits, of a few strokes each, which a program drew: pictures to press, and strokes on the paper.

import { get } from "./ask.js";
import { $, make } from "./dom.js";
import { transparent } from "./image.js";
import { draw } from "./pen.js";

const SHEET = 560; // the paper's side
const SIDE = 0.6; // of a digit, as a share of it
const SMALL = 72; // pixels a side of a picture
const BOLD = 1.6; // times the pen, for what is seen so small

/** Show the examples; `chosen(strokes)` is given what is to lie on the paper. Without the service there are none. */
export async function showExamples(chosen) {
  const digits = await get("page/samples/digits.json");
  if (!digits) return;
  $("examples").replaceChildren(...digits.map((lines, digit) => {
    const strokes = lines.map((points) => ({ points: points.map((point) => point.map(placed)), erases: false }));
    const button = make("button", { type: "button", title: `Draw a ${digit}` }, small(strokes));
    button.setAttribute("aria-label", `Draw a ${digit}`);
    button.addEventListener("click", () => chosen(strokes));
    return button;
  }));
}

const placed = (thousandths) => Math.round(SHEET * ((1 - SIDE) / 2 + (SIDE * thousandths) / 1000));

function small(strokes) {
  const pen = transparent(SMALL, SMALL);
  const scale = SMALL / (SHEET * 0.8);
  pen.scale(scale, scale);
  pen.translate(-0.1 * SHEET, -0.1 * SHEET);
  strokes.forEach((stroke) => draw(pen, stroke, { width: 40 * BOLD }));
  return pen.canvas;
}
