// The story that an explanation tells: each step a figure, and a sentence on what happens there.

import { count, make, percent } from "./dom.js";
import { decode, inGrey, picture, tiles, voices, weighted } from "./raster.js";

const COLUMNS = { 16: 8, 32: 8, 64: 16, 128: 32, 1024: 32 }; // of a layer's units, where not about as many as rows
const WIDE = { maps: 620, units: 384 }; // pixels that a layer may take up
const LARGEST = 28; // pixels of one unit

/** The steps from the ink to the answer: for each its title, a text, a figure and perhaps a legend. */
export function story(explanation, novelty) {
  const { answer, reading, layers, first_weights, saliency } = explanation;
  const hidden = layers.slice(0, -1);
  const steps = [
    arrives(reading),
    sees(reading),
    weights(first_weights, layers[0]),
    ...hidden.map((layer, index) => lights(layer, index, hidden)),
    votes(answer, layers.at(-1)),
    saliency && spoke(saliency, reading),
    novelty && familiar(explanation.novelty, novelty),
  ];
  return steps.filter(Boolean);
}

function arrives({ picture: raster, box }) {
  const [height, width] = raster.shape;
  const zoom = 224 / Math.max(height, width);
  const canvas = picture(inGrey(decode(raster)), width, height, zoom);
  if (box) {
    const [top, left, bottom, right] = box;
    const pen = canvas.getContext("2d");
    pen.strokeStyle = "#3554c9";
    pen.lineWidth = Math.max(1, 2 / zoom);
    pen.strokeRect(left, top, right - left, bottom - top);
  }
  return {
    title: "What arrives",
    text: "Your picture, without its colours; a small drawing comes in finer strokes. "
      + (box ? "The blue frame is drawn around the ink. What lies outside is paper, and is cut away."
        : "Where the paper has shadows or noise they are taken away first; a picture of 28 × 28 pixels stays as it is."),
    figure: canvas,
  };
}

function sees({ pixels }) {
  const [height, width] = pixels.shape;
  return {
    title: "What the network sees",
    text: "The ink, bright on dark, is scaled to fit 20 × 20 pixels and moved until its centre of mass lies in the"
      + " middle of 28 × 28. These 784 numbers, one for each pixel, are all that the network ever gets to see.",
    figure: picture(inGrey(decode(pixels)), width, height, 8),
  };
}

function weights({ units, weights: raster }, layer) {
  const bytes = decode(raster);
  const [, rows, columns] = raster.shape;
  const size = rows * columns;
  const figures = units.map((unit, index) => {
    const canvas = picture(weighted(bytes.subarray(index * size, (index + 1) * size)), columns, rows);
    canvas.title = `${layer.kernel ? "kernel" : "unit"} ${unit}`;
    return make("figure", {}, canvas);
  });
  const text = layer.kernel
    ? `The first layer has ${units.length} small stencils, called kernels, of ${rows} × ${columns} pixels. Each slides`
      + " over the picture and answers where the ink agrees with its green and keeps out of its red: an edge, a corner,"
      + " an end of a line."
    : `Each of the first layer’s ${count(layer.units)} units holds a weight for every pixel: ink on green excites it,`
      + ` ink on red calms it. Here are the ${units.length} that your drawing excites most, the strongest first.`;
  return {
    title: layer.kernel ? "Its first stencils" : "What its first units look for",
    text,
    figure: make("div", { className: layer.kernel ? "grids kernels" : "grids" }, ...figures),
    legend: [["for", "excites"], ["against", "calms; each in its own scale"]],
  };
}

function lights({ units, activation, values }, index, hidden) {
  const [, rows = 1, wide = 1] = values.shape;
  const bytes = decode(values);
  const columns = COLUMNS[units] ?? Math.ceil(Math.sqrt(units));
  const maps = rows > 1;
  const fitting = Math.floor(maps ? WIDE.maps / (columns * (wide + 2)) : WIDE.units / columns);
  const lit = count(bytes.filter((byte) => byte > 25).length);
  return {
    title: `Layer ${index + 1} lights up`,
    text: maps ? aboutMaps(hidden, index) : aboutUnits(hidden, index, activation, lit),
    figure: tiles(bytes, values.shape, columns, Math.max(1, Math.min(LARGEST, fitting))),
  };
}

function aboutMaps(hidden, index) {
  const { units, values: { shape: [, rows, wide] } } = hidden[index];
  const what = `${units} maps of ${rows} × ${wide}`;
  if (!index) return `${what}, one for each stencil, bright where the stencil found what it looks for.`;
  const { units: before, values: { shape: [, , wider] } } = hidden[index - 1];
  if (wide <= wider / 2)
    return `${what}. Here only every second place is looked at: the maps are coarser, but each place in them knows more`
      + " of the drawing around it.";
  const become = index < hidden.length / 2
    ? "edges become strokes, bends and corners."
    : "bends become loops and crossings, harder and harder to name.";
  return `${what}. Each combines all ${before} maps before it, with stencils of its own: ${become}`;
}

function aboutUnits(hidden, index, activation, lit) {
  const { units } = hidden[index];
  const before = index && hidden[index - 1];
  const sort = before.kind === "convolution" ? "maps" : "units";
  const from = before ? `the ${count(before.units)} ${sort} before it` : "every pixel";
  const rule = activation === "relu"
    ? "a sum below zero counts as nothing"
    : "a curve, the sigmoid, squeezes the sum between 0 and 1";
  return `${count(units)} units. Each adds up what comes from ${from}, by its own weights, and ${rule}.`
    + ` For your drawing ${lit} of them are lit.`;
}

function votes({ probabilities }, { values }) {
  const scores = [...decode(values)].map((byte) => (byte - 128) / 127);
  const rows = scores.flatMap((score, digit) => {
    const bar = make("i", { className: score < 0 ? "minus" : "" });
    bar.style.width = `${50 * Math.abs(score)}%`;
    return [make("span", { textContent: digit }), make("span", { className: "vote" }, bar),
      make("span", { textContent: percent(probabilities[digit]) })];
  });
  return {
    title: "Ten votes",
    text: "The last layer weighs what is lit into one score for each digit: to the right for it, to the left against"
      + " it. The scores become probabilities (“softmax”), and a lead of a few points is nearly certainty.",
    figure: make("div", { className: "votes" }, ...rows),
  };
}

function spoke({ digit, values }, { pixels }) {
  const [height, width] = values.shape;
  const times = Math.exp(Math.min(values.peak, 12));
  const fold = times < 10 ? times.toFixed(1) : count(Math.round(times));
  return {
    title: `Which strokes spoke for ${digit}`,
    text: `A patch of paper was laid over each place of the drawing, to see what ${digit} loses. Green ink spoke for`
      + " it, red ink against it; grey ink hardly matters."
      + ` Covering the strongest place changes the odds of ${digit} about ${fold}-fold.`,
    figure: picture(voices(decode(values), decode(pixels)), width, height, 8),
    legend: [["for", `for ${digit}`], ["against", `against ${digit}`], ["neither", "neither"]],
  };
}

function familiar(found, most) {
  const fill = make("i", { className: found > most ? "beyond" : "" });
  fill.style.width = `${Math.min(100, (50 * found) / most)}%`;
  return {
    title: "Is it a digit at all?",
    text: `What is lit inside is compared with what digits light up: this drawing lies ${found.toFixed(2)} away from the`
      + ` nearest of them, and most digits about 1. Beyond ${most.toFixed(2)}, the mark, the network does not answer:`
      + " “not a digit”.",
    figure: make("div", { className: "gauge" }, fill),
  };
}

