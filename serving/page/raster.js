// Numbers as pictures.

import { make } from "./dom.js";

const PAPER = [251, 249, 244];
const GREEN = [21, 128, 61];
const RED = [198, 40, 40];
const GREY = [139, 139, 136];
const GAP = [44, 53, 74];
export const GAP_WIDTH = 2; // pixels between two maps
const NIGHT = [[18, 23, 34], [53, 84, 201], [158, 190, 255], [255, 253, 240]];

const mix = (from, to, share) => from.map((level, channel) => level + (to[channel] - level) * share);

/** A colour for each byte. */
const table = (colour) => Array.from({ length: 256 }, (_, byte) => colour(byte));

const GREYS = table((byte) => [byte, byte, byte]);

/** From a dark window to a lit one. */
const LIGHTS = table((byte) => {
  const place = (byte / 255) * (NIGHT.length - 1);
  const lower = Math.min(Math.floor(place), NIGHT.length - 2);
  return mix(NIGHT[lower], NIGHT[lower + 1], place - lower);
});

/** Each byte as a window lit so brightly. */
export const lit = (bytes) => Array.from(bytes, (byte) => LIGHTS[byte]);

/** Green above zero, red below it, paper at zero; 1 and -1 in full colour. */
export const signed = (share) => mix(PAPER, share > 0 ? GREEN : RED, Math.abs(share) ** 0.8);

/** The same of bytes around 128, the strongest in full colour. */
export function weighted(bytes) {
  const peak = Math.max(1, ...bytes.map((byte) => Math.abs(byte - 128)));
  return Array.from(bytes, (byte) => signed((byte - 128) / peak));
}

/** Ink on paper: green where it spoke for the answer, red where against, grey where neither. */
export function voices(spoken, ink) {
  return Array.from(spoken, (byte, pixel) => {
    const strength = Math.min(1, Math.abs(byte - 128) / 90);
    return mix(PAPER, mix(GREY, byte > 128 ? GREEN : RED, strength), Math.min(1, ink[pixel] / 200));
  });
}

export const decode = (raster) => Uint8Array.from(atob(raster.data), (letter) => letter.charCodeAt(0));

export const inGrey = (bytes) => Array.from(bytes, (byte) => GREYS[byte]);

/** A canvas of `width` x `height` pixels, one for each colour [red, green, blue], enlarged `zoom` times, or as wide as
 *  its place says. */
export function picture(colours, width, height, zoom) {
  const canvas = make("canvas", { width, height });
  const pen = canvas.getContext("2d");
  const pixels = pen.createImageData(width, height);
  colours.forEach((colour, index) => pixels.data.set([...colour, 255], 4 * index));
  pen.putImageData(pixels, 0, 0);
  if (zoom) canvas.style.width = `${width * zoom}px`;
  return canvas;
}

/** A canvas with a frame over a part of it: top, left, bottom and right as shares of its sides. */
export function framed(canvas, [top, left, bottom, right]) {
  const frame = make("i");
  Object.assign(frame.style, { top: `${100 * top}%`, left: `${100 * left}%`, bottom: `${100 - 100 * bottom}%`,
    right: `${100 - 100 * right}%` });
  return make("div", { className: "framed" }, canvas, frame);
}

/** Units of a layer as lit windows, or its maps as lit tiles, `columns` beside each other with a gap between. */
export function tiles(bytes, [units, rows = 1, wide = 1], columns, zoom) {
  const gap = rows > 1 ? GAP_WIDTH : 0;
  const [tall, broad] = [rows + gap, wide + gap];
  const [width, height] = [columns * broad - gap, Math.ceil(units / columns) * tall - gap];
  const colours = new Array(width * height).fill(rows > 1 ? GAP : NIGHT[0]);
  bytes.forEach((byte, index) => {
    const [unit, place] = [Math.floor(index / (rows * wide)), index % (rows * wide)];
    const row = Math.floor(unit / columns) * tall + Math.floor(place / wide);
    colours[row * width + (unit % columns) * broad + (place % wide)] = LIGHTS[byte];
  });
  return picture(colours, width, height, zoom);
}
