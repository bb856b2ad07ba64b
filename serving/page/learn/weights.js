// Weights as pictures, and on them, as arrows, where a step's gradient pulls them.

import { $, make } from "../dom.js";
import { picture, signed } from "../raster.js";

const FINE = 8; // pixels of a canvas for each weight
const SHARED = 4; // weights a side that share an arrow where there are many
const [FAINT, SHORT, LONG] = [0.05, 0.35, 0.9]; // the least pull that has an arrow; arrows, of their place
const [INK, HALO] = ["#10182c", "#fffdf8"];

/** Show the weights of layers: of the first a picture for each unit, of the others one of them all. Where gradients are
 *  given they are shown on them. */
export function showWeights([first, ...others], gradients) {
  const side = Math.sqrt(first.weights.length / first.biases.length);
  const pictures = [...first.biases].map((_, unit) => part(first.weights, unit, side * side));
  const pulls = gradients && [...first.biases].map((_, unit) => part(gradients[0].weights, unit, side * side));
  paint($("train-units"), pictures.map((weights) => [weights, side]), pulls, SHARED);
  others.forEach((layer, index) => paint($("train-links").children[index],
    [[layer.weights, layer.weights.length / layer.biases.length]], gradients && [gradients[index + 1].weights], 1));
  $("train-arrows").hidden = !gradients;
}

const part = (numbers, index, size) => numbers.subarray(index * size, (index + 1) * size);

/** Paint pictures, each [weights, columns], into the canvases of a place, and arrows on them. */
function paint(place, pictures, gradients, block) {
  const shapes = pictures.map(([weights, columns]) => [columns, weights.length / columns]);
  if (place.childElementCount !== pictures.length) place.replaceChildren(...shapes.map(([columns, rows]) =>
    make("figure", {}, make("canvas", { width: FINE * columns, height: FINE * rows }))));
  const scale = Math.max(...pictures.map(([weights]) => strongest(weights)));
  const peak = gradients && peakOf(gradients, ...shapes[0], block);
  pictures.forEach(([weights], index) => {
    const canvas = place.children[index].firstChild;
    paintWeights(canvas, weights, ...shapes[index], scale);
    if (gradients) paintArrows(canvas, gradients[index], ...shapes[index], block, peak);
  });
}

/** Paint weights, a square for each, into a canvas; the strongest of `peak` in full colour. */
function paintWeights(canvas, weights, columns, rows, peak) {
  const colours = Array.from(weights, (weight) => signed(weight / peak));
  const pen = canvas.getContext("2d");
  pen.imageSmoothingEnabled = false;
  pen.drawImage(picture(colours, columns, rows), 0, 0, canvas.width, canvas.height);
}

/** Paint an arrow for each block of `block` x `block` weights, against their mean gradient: up where larger weights
 *  lower the loss, down where smaller ones do; that of `peak` in full length. */
function paintArrows(canvas, gradient, columns, rows, block, peak) {
  const pen = canvas.getContext("2d");
  const size = (canvas.width / columns) * block;
  for (let row = 0; row < rows / block; row++)
    for (let column = 0; column < columns / block; column++) {
      const pull = -mean(gradient, columns, row * block, column * block, block) / peak;
      const length = Math.sign(pull) * (SHORT + (LONG - SHORT) * Math.abs(pull)) * size;
      if (Math.abs(pull) > FAINT) arrow(pen, (column + 0.5) * size, (row + 0.5) * size, length, size);
    }
}

/** The largest mean of a block's gradients, over all pictures of a layer: the scale of their arrows. */
function peakOf(gradients, columns, rows, block) {
  let peak = Number.MIN_VALUE;
  for (const gradient of gradients)
    for (let row = 0; row < rows; row += block)
      for (let column = 0; column < columns; column += block)
        peak = Math.max(peak, Math.abs(mean(gradient, columns, row, column, block)));
  return peak;
}

function mean(numbers, columns, top, left, block) {
  let sum = 0;
  for (let row = top; row < top + block; row++)
    for (let column = left; column < left + block; column++) sum += numbers[row * columns + column];
  return sum / (block * block);
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
