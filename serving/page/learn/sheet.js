// The sheet of digits to learn from: one picture of them all, and what they are.

import { get } from "../ask.js";
import { transparent } from "../image.js";

const SIDE = 28;
const STEP = 85; // from one of the 4 greys to the next

/** What there is to learn from and how, or null where it cannot be had: { digits: { training, heldOut }, recipe,
 *  standardised, pixels }. `standardised` makes of pixels, 0 to 255, what the network is given, `pixels` undoes it. */
export async function sheet() {
  const [told, picture] = await Promise.all([get("page/show/sheet.json"), loaded("page/show/sheet.png")]);
  if (!told || !picture) return null;
  const pen = transparent(picture.width, picture.height);
  pen.drawImage(picture, 0, 0);
  const { data } = pen.getImageData(0, 0, picture.width, picture.height);
  const standardised = (pixels) => Float64Array.from(pixels, (pixel) => (pixel / 255 - told.mean) / told.deviation);
  const pixels = (image) => image.map((value) => Math.round(255 * (value * told.deviation + told.mean)));
  const images = [...told.labels].map((_, index) => standardised(bytes(data, picture.width, index, told.columns)));
  const labels = [...told.labels].map(Number);
  const part = (from, to) => ({ images: images.slice(from, to), labels: labels.slice(from, to) });
  const digits = { training: part(0, told.training), heldOut: part(told.training) };
  return { digits, recipe: told.recipe, standardised, pixels };
}

/** The pixels of a digit of the sheet, put back to its greys: some browsers blur on purpose what a page reads. */
function bytes(data, width, index, columns) {
  const [left, top] = [SIDE * (index % columns), SIDE * Math.floor(index / columns)];
  return Uint8Array.from({ length: SIDE * SIDE }, (_, pixel) => {
    const place = (top + Math.floor(pixel / SIDE)) * width + left + (pixel % SIDE);
    return STEP * Math.round(data[4 * place] / STEP);
  });
}

async function loaded(path) {
  try {
    const response = await fetch(path);
    return response.ok ? await createImageBitmap(await response.blob()) : null;
  } catch {
    return null;
  }
}
