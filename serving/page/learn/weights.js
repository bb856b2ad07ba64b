// Weights as pictures, and on them, as arrows, where a step's gradient pulls them.

import { $, make } from "../dom.js";
import { picture, signed } from "../raster.js";

const SHARED = 4; // weights a side that share an arrow where there are many
const FINE = { [SHARED]: 8, 1: 16 }; // pixels of a canvas for each weight
const [FAINT, SHORT, LONG] = [0.05, 0.35, 0.9]; // the least pull that has an arrow; arrows, of their place
const [INK, HALO] = ["#10182c", "#fffdf8"];

/** Show the weights of layers: of the first a picture for each unit, of the others one of them all. Where gradients are
 *  given they are shown on them. */
export function showWeights([first, ...others], gradients) {
  const units = first.biases.length;
  const side = Math.sqrt(first.weights.length / units);
  paint($("train-units"), cut(first.weights, units), side, gradients && cut(gradients[0].weights, units), SHARED);
  others.forEach(({ weights, biases }, index) => paint($("train-links").children[index], [weights],
    weights.length / biases.length, gradients && [gradients[index + 1].weights], 1));
  $("train-arrows").hidden = !gradients;
}

const cut = (numbers, count) => Array.from({ length: count }, (_, index) =>
  numbers.subarray((index * numbers.length) / count, ((index + 1) * numbers.length) / count));

/** Paint weights as pictures, so many columns wide, into the canvases of a place, and arrows on them. */
function paint(place, pictures, columns, gradients, block) {
  const rows = pictures[0].length / columns;
  if (!place.childElementCount) place.append(...pictures.map(() =>
    make("figure", {}, make("canvas", { width: FINE[block] * columns, height: FINE[block] * rows }))));
  const scale = Math.max(...pictures.map(strongest));
  const pulls = gradients?.map((gradient) => pulled(gradient, columns, block));
  const peak = Math.max(...(pulls ?? []).map(strongest));
  pictures.forEach((weights, index) => {
    const canvas = place.children[index].firstChild;
    paintWeights(canvas, weights, columns, rows, scale);
    if (pulls) paintArrows(canvas, pulls[index], columns / block, peak);
  });
}

/** Paint weights, a square for each, into a canvas; the strongest of `peak` in full colour. */
function paintWeights(canvas, weights, columns, rows, peak) {
  const colours = Array.from(weights, (weight) => signed(weight / peak));
  const pen = canvas.getContext("2d");
  pen.imageSmoothingEnabled = false;
  pen.drawImage(picture(colours, columns, rows), 0, 0, canvas.width, canvas.height);
}

/** The mean of each block of `block` x `block` gradients, turned round: above 0 where larger weights lower the loss. */
function pulled(gradient, columns, block) {
  const means = new Float64Array(gradient.length / block ** 2);
  gradient.forEach((slope, place) => {
    const [row, column] = [Math.floor(place / columns / block), Math.floor((place % columns) / block)];
    means[(row * columns) / block + column] -= slope / block ** 2;
  });
  return means;
}

/** Paint an arrow for each pull: up where larger weights lower the loss, down where smaller ones do. */
function paintArrows(canvas, pulls, columns, peak) {
  const size = canvas.width / columns;
  pulls.forEach((pull, place) => {
    const share = Math.abs(pull) / peak;
    const length = Math.sign(pull) * (SHORT + (LONG - SHORT) * share) * size;
    if (share > FAINT) arrow(canvas.getContext("2d"), ((place % columns) + 0.5) * size,
      (Math.floor(place / columns) + 0.5) * size, length, size);
  });
}

function arrow(pen, x, y, length, size) {
  const [tip, foot, head] = [y - length / 2, y + length / 2, Math.min(Math.abs(length) / 2, size / 4.5)];
  const way = Math.sign(length);
  for (const [colour, width] of [[HALO, 0.22], [INK, 0.1]]) {
    Object.assign(pen, { strokeStyle: colour, lineWidth: width * size, lineCap: "round", lineJoin: "round" });
    pen.beginPath();
    pen.moveTo(x, foot);
    pen.lineTo(x, tip);
    pen.moveTo(x - head, tip + way * head);
    pen.lineTo(x, tip);
    pen.lineTo(x + head, tip + way * head);
    pen.stroke();
  }
}

const strongest = (numbers) => numbers.reduce((most, number) => Math.max(most, Math.abs(number)), Number.MIN_VALUE);
