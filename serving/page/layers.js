// The layers: what the first looks for, what each answers to the drawing, and a sentence on it, computed from that.

import { count, make } from "./dom.js";
import { decode, picture, tiles, weighted } from "./raster.js";

const COLUMNS = { 16: 8, 32: 8, 64: 16, 128: 32, 1024: 32 }; // of a layer's units, where not about as many as rows
const WIDE = { maps: 620, units: 384 }; // pixels that a layer may take up
const LARGEST = 28; // pixels of one unit
const LIT = 25; // of 255, the brightest's: from here on a unit counts as lit

/** How many of a layer's units stand beside each other. */
export const columnsOf = (units) => COLUMNS[units] ?? Math.ceil(Math.sqrt(units));

/** The weights of the first layer, of its strongest units where it has one for every pixel. */
export function weights({ units, weights: raster }, layer) {
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
      + " over the picture and answers most where the ink lies on its green and keeps out of its red."
    : `Each of the first layer’s ${count(layer.units)} units holds a weight for every pixel: ink on green excites it,`
      + ` ink on red calms it. Here are the ${units.length} that your drawing excites most, the strongest first.`;
  return {
    title: layer.kernel ? "Its first stencils" : "What its first units look for",
    text,
    figure: make("div", { className: layer.kernel ? "grids kernels" : "grids" }, ...figures),
    legend: [["for", "excites"], ["against", "calms; each in its own scale"]],
  };
}

/** What the layer at `index` of those before the votes answers, as lit windows. */
export function lights({ units, activation, values }, index, hidden) {
  const [, rows = 1, wide = 1] = values.shape;
  const bytes = decode(values);
  const columns = columnsOf(units);
  const maps = rows > 1;
  const fitting = Math.floor(maps ? WIDE.maps / (columns * (wide + 2)) : WIDE.units / columns);
  return {
    title: `Layer ${index + 1} lights up`,
    text: maps ? aboutMaps(hidden, index, bytes) : aboutUnits(hidden, index, activation, bytes),
    figure: tiles(bytes, values.shape, columns, Math.max(1, Math.min(LARGEST, fitting))),
  };
}

function aboutMaps(hidden, index, bytes) {
  const { units, kernel, values: { shape: [, rows, wide] } } = hidden[index];
  const maps = Array.from({ length: units }, (_, map) => bytes.subarray(map * rows * wide, (map + 1) * rows * wide));
  const dark = maps.filter((map) => !map.some((byte) => byte)).length;
  const how = index
    ? `Each combines all ${hidden[index - 1].units} maps before it by its own stencils of ${kernel} × ${kernel} places`
    : "One for each stencil, bright where the stencil answers";
  const coarser = index && wide <= hidden[index - 1].values.shape[2] / 2 ? ", and looks at every second place only" : "";
  return `${units} maps of ${rows} × ${wide}. ${how}${coarser}. ${reach(hidden, index)} For your drawing`
    + ` ${share(bytes)} of all places are lit, and ${dark || "none"} of the maps`
    + ` ${dark > 1 ? "stay" : "stays"} wholly dark.`;
}

/** How much of the picture one place of a layer's maps depends on, told from the kernels and the maps' sizes. */
function reach(hidden, index) {
  let [side, jump, before] = [1, 1, 28];
  for (const { kernel, values: { shape: [, , wide] } } of hidden.slice(0, index + 1)) {
    side += (kernel - 1) * jump;
    jump *= Math.round(before / wide);
    before = wide;
  }
  const pixels = side < 28 ? `${side} × ${side} pixels` : "all";
  return `A place in them depends on ${pixels} of what the first layer is given.`;
}

const share = (bytes) => `${((100 * bytes.filter((byte) => byte > LIT).length) / bytes.length).toFixed(0)}\u00a0%`;

function aboutUnits(hidden, index, activation, bytes) {
  const { units } = hidden[index];
  const before = index && hidden[index - 1];
  const sort = before.kind === "convolution" ? "maps" : "units";
  const from = before ? `the ${count(before.units)} ${sort} before it` : "every pixel";
  const rule = activation === "relu"
    ? "a sum below zero counts as nothing"
    : "a curve, the sigmoid, squeezes the sum between 0 and 1";
  const lit = count(bytes.filter((byte) => byte > LIT).length);
  return `${count(units)} units. Each adds up what comes from ${from}, by its own weights, and ${rule}.`
    + ` For your drawing ${lit} of them are lit, at least a tenth as bright as the brightest.`;
}
