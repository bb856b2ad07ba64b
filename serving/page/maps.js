// The steps' figures under a pointer or the arrow keys: which unit lies there, and which place of its map.

import { columnsOf } from "./layers.js";
import { GAP_WIDTH } from "./raster.js";

const MOVES = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

/** Let a step's figure tell `touched(unit, hovering)` what is pointed at, where it shows anything of that kind. */
export function touchable(step, explanation, touched) {
  const kind = KINDS[step.dataset.touches];
  if (!kind) return;
  const figure = step.querySelector(".figure");
  const { height, width, at, place } = kind(explanation, Number(step.dataset.layer ?? 0), figure);
  let [row, column] = [0, 0];
  const point = (event) => {
    const found = place(event);
    if (!found) return;
    [row, column] = found;
    const unit = at(row, column);
    if (unit) touched(unit, event.type !== "click");
  };
  figure.addEventListener("pointermove", point);
  figure.addEventListener("click", point);
  figure.classList.add("touchable");
  if (!height) return;
  Object.assign(figure, { tabIndex: 0, role: "application",
    ariaLabel: `${step.querySelector("h2").textContent}. Arrow keys go from place to place; what lies there is written out.` });
  figure.addEventListener("keydown", (event) => {
    const move = event.target === figure && MOVES[event.key];
    if (!move) return;
    event.preventDefault();
    const next = [row + move[0], column + move[1]];
    const unit = next[0] >= 0 && next[0] < height && next[1] >= 0 && next[1] < width && at(...next);
    if (!unit) return;
    [row, column] = next;
    touched(unit, false);
  });
}

/** Of a canvas the row and column of its pixel under a pointer. */
function pixel(canvas, event) {
  const { left, top, width, height } = canvas.getBoundingClientRect();
  const [x, y] = [(event.clientX - left) / width, (event.clientY - top) / height];
  return x < 0 || y < 0 || x >= 1 || y >= 1 ? null : [Math.floor(y * canvas.height), Math.floor(x * canvas.width)];
}

/** The windows of a layer, as rows and columns over all its maps. */
function maps({ layers }, layer, figure) {
  const [units, rows = 1, wide = 1] = layers[layer].values.shape;
  const columns = columnsOf(units);
  const gap = rows > 1 ? GAP_WIDTH : 0;
  const canvas = figure.querySelector("canvas");
  return {
    height: rows * Math.ceil(units / columns), width: wide * columns,
    at(y, x) {
      const unit = Math.floor(y / rows) * columns + Math.floor(x / wide);
      return unit < units && { layer, unit, ...(rows > 1 ? { row: y % rows, column: x % wide } : {}) };
    },
    place(event) {
      const found = pixel(canvas, event);
      if (!found) return null;
      const [y, x] = found;
      const within = y % (rows + gap) < rows && x % (wide + gap) < wide;
      return within && [Math.floor(y / (rows + gap)) * rows + (y % (rows + gap)),
        Math.floor(x / (wide + gap)) * wide + (x % (wide + gap))];
    },
  };
}

/** The first layer's weights, one beside the other. */
function weights({ first_weights: { units } }, _, figure) {
  const canvases = [...figure.querySelectorAll("canvas")];
  return {
    height: 1, width: units.length,
    at: (_, index) => ({ layer: 0, unit: units[index] }),
    place({ target }) {
      const index = canvases.indexOf(target);
      return index < 0 ? null : [0, index];
    },
  };
}

/** What the first layer is given: of each pixel the place of its map over whose middle it lies, or all of a unit. */
function picture({ layers, columns }, _, figure) {
  const [, rows, wide] = layers[0].values.shape;
  const canvas = figure.querySelector("canvas");
  const under = (pixel, places) => Math.max(0, Math.min(places - 1, Math.round(((pixel + 0.5) / 28) * places - 0.5)));
  const unit = columns[0].units[0];
  return {
    height: 28, width: 28,
    at: (y, x) => ({ layer: 0, unit, ...(rows ? { row: under(y, rows), column: under(x, wide) } : {}) }),
    place: (event) => pixel(canvas, event),
  };
}

/** The outputs, which by keys are reached in the whole network. */
function votes(_, layer, figure) {
  const rows = [...figure.querySelectorAll("li")];
  return {
    height: 0, width: 0,
    at: (digit) => ({ layer, unit: digit }),
    place({ target }) {
      const digit = rows.indexOf(target.closest("li"));
      return digit < 0 ? null : [digit, 0];
    },
  };
}

const KINDS = { maps, weights, picture, votes };
