// The drawing on the paper, as the network in the page reads it while it learns.

import { askOnce } from "../ask.js";
import { $, make } from "../dom.js";
import { decode, inGrey, picture } from "../raster.js";
import { largest } from "./perceptron.js";

const REST = 400; // milliseconds without a change, after which a drawing is prepared: that costs the service something
const FIRST = "Draw on the paper: your network reads it here while it learns.";

const votes = Array.from({ length: 10 }, (_, digit) => {
  const [fill, share] = [make("i"), make("span", { className: "share" })];
  const row = make("li", {}, make("span", { textContent: digit }), make("span", { className: "vote" }, fill), share);
  return { row, fill, share };
});
const place = make("span", { className: "ink" });
const list = make("ol", { className: "votes plain", ariaLabel: "Its votes" }, ...votes.map(({ row }) => row));

let pixels = null; // of the drawing, 0 to 255, as the service prepares it
let waiting = 0;

/** Follow what is on the paper; `told()` when there is something new to read, or nothing. */
export function follow(desk, told) {
  $("yours").replaceChildren(place, list);
  const changed = (source) => {
    clearTimeout(waiting);
    if (source) waiting = setTimeout(() => prepare(source, waiting, told), REST);
    else lay(null, told);
  };
  desk.changes(changed);
  return changed;
}

async function prepare(source, mine, told) {
  try {
    const { reading } = await askOnce("explain", source());
    if (mine === waiting) lay(decode(reading.pixels), told);
  } catch {
    if (mine === waiting) lay(null, told); // the answer above says what is the matter
  }
}

function lay(bytes, told) {
  pixels = bytes?.some((byte) => byte) ? bytes : null;
  place.replaceChildren(...(pixels ? [picture(inGrey(pixels), 28, 28)] : []));
  told();
}

/** Show how a network reads it. */
export function read(network, standardised) {
  list.hidden = !pixels;
  if (!pixels) return void ($("train-read").textContent = FIRST);
  const shares = network.activations(standardised(pixels)).at(-1);
  const first = largest(shares);
  $("train-read").textContent = `Your network reads your drawing as ${first}`;
  votes.forEach(({ row, fill, share }, digit) => {
    row.classList.toggle("in", digit === first);
    fill.style.width = `${100 * shares[digit]}%`;
    share.textContent = shares[digit].toFixed(2);
  });
}
