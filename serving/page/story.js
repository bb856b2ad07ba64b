// The story that an explanation tells: each step a figure, and a sentence on what happens there.

import { count, make, percent } from "./dom.js";
import { lights, weights } from "./layers.js";
import { decode, framed, inGrey, picture, voices } from "./raster.js";

const MOST = 14; // e to this is a million times, beyond which no number is told

/** The steps from the ink to the answer: for each its title, a text, a figure and perhaps a legend. */
export function story(explanation, novelty) {
  const { answer, reading, layers, points, first_weights, saliency } = explanation;
  const hidden = layers.slice(0, -1);
  const steps = [
    arrives(reading),
    sees(reading),
    reading.turned && turns(reading.turned),
    { ...weights(first_weights, layers[0]), touches: "weights" },
    ...hidden.map((layer, index) => ({ ...lights(layer, index, hidden), layer: index, touches: "maps" })),
    { ...votes(answer, points), layer: hidden.length, touches: "votes" },
    saliency && spoke(saliency, reading, answer),
    novelty && familiar(explanation.novelty, novelty),
  ];
  return steps.filter(Boolean);
}

const FATES = {
  cut: ["The blue frame is drawn around the ink. What lies outside is cut away, and so are shadows and noise inside.",
    "The ink, bright on dark, is scaled to fit 20 × 20 pixels and moved until its centre of mass lies in the middle of"
      + " 28 × 28; very thin or thick strokes are drawn anew first."],
  kept: ["Its 28 × 28 pixels are as MNIST’s are: they go on unchanged.", "Nothing had to be scaled or moved."],
  inverted: ["Its 28 × 28 pixels are as MNIST’s are, but for dark ink on bright paper: they are inverted and go on.",
    "Nothing had to be scaled or moved."],
  changed: ["It has 28 × 28 pixels as the network does, but not quite as MNIST’s are.",
    "The ink, bright on dark, was brought nearer to MNIST’s brightness, size or place, as far as ink and paper could be"
      + " told apart."],
  blank: ["No ink was found.", "Without ink all of it stays dark."],
};

/** What became of a picture on its way to the network. */
function fate({ picture: raster, box, pixels }) {
  if (box) return "cut";
  const [before, after] = [decode(raster), decode(pixels)];
  const close = (one, pixel) => Math.abs(one - after[pixel]) <= 1; // both were rounded
  if (!after.some((byte) => byte)) return "blank";
  if (before.every(close)) return "kept";
  return before.map((byte) => 255 - byte).every(close) ? "inverted" : "changed";
}

function arrives(reading) {
  const { picture: raster, box } = reading;
  const [height, width] = raster.shape;
  const canvas = picture(inGrey(decode(raster)), width, height, 224 / Math.max(height, width));
  const [what] = FATES[fate(reading)];
  return {
    title: "What arrives",
    text: `The picture, without its colours; what is drawn small on the paper is sent in finer strokes. ${what}`,
    figure: box ? framed(canvas, box.map((place, side) => place / raster.shape[side % 2])) : canvas,
  };
}

function sees(reading) {
  const [height, width] = reading.pixels.shape;
  const [, what] = FATES[fate(reading)];
  return {
    title: "What the network sees",
    text: `${what} These ${count(height * width)} numbers, one for each pixel, are all that the network gets to see.`,
    figure: picture(inGrey(decode(reading.pixels)), width, height, 8),
    touches: reading.turned ? undefined : "picture",
  };
}

function turns({ degrees, pixels }) {
  const [height, width] = pixels.shape;
  return {
    title: "It turns the picture",
    text: `This network turns every picture by ${Math.abs(degrees)}° first,`
      + ` ${degrees > 0 ? "" : "counter"}clockwise: this is what its first layer is given.`,
    figure: picture(inGrey(decode(pixels)), width, height, 8),
    touches: "picture",
  };
}

function votes({ probabilities }, points) {
  const most = Math.max(...points.map(Math.abs)) || 1;
  const rows = points.map((score, digit) => {
    const bar = make("i", { className: score < 0 ? "minus" : "" });
    bar.style.width = `${(50 * Math.abs(score)) / most}%`;
    const said = make("span", { className: "unseen", textContent: `: ${score.toFixed(1)} points, ` });
    return make("li", {}, make("span", { textContent: digit }), said, make("span", { className: "vote" }, bar),
      make("span", { className: "share", textContent: percent(probabilities[digit]) }));
  });
  const [first, second] = points.map((_, digit) => digit).sort((one, other) => points[other] - points[one]);
  const lead = points[first] - points[second];
  return {
    title: "Ten votes",
    text: "The last layer weighs what is lit into one score for each digit: to the right for it, to the left against"
      + " it. The scores become probabilities (“softmax”): a point more makes a digit 2.7 times as probable."
      + ` Here ${first} leads ${second} by about ${lead.toFixed(1)} points.`,
    figure: make("ol", { className: "votes", ariaLabel: "Points and probability of each digit" }, ...rows),
  };
}

function spoke({ digit, values, strongest }, { pixels }, { abstained }) {
  const [height, width] = values.shape;
  const { box: [top, , bottom], voice } = strongest;
  const colours = picture(voices(decode(values), decode(pixels)), width, height, 8);
  return {
    title: abstained ? `Its nearest guess was ${digit}` : `Which strokes spoke for ${digit}`,
    text: (abstained ? `The network does not answer. Of the ten digits ${digit} has the most votes. ` : "")
      + `A patch of paper, ${bottom - top} × ${bottom - top} pixels large, was laid over one place of the drawing after`
      + ` the other, to see what ${digit} loses. A pixel’s colour is the mean of the patches over it: green ink spoke for`
      + ` ${digit}, red ink against it; grey ink hardly matters. The framed patch matters most: covering it`
      + ` ${voice > 0 ? "divides" : "multiplies"} the odds of ${digit} by ${fold(Math.abs(voice))}.`,
    figure: framed(colours, strongest.box.map((place, side) => place / values.shape[side % 2])),
    legend: [["for", `for ${digit}`], ["against", `against ${digit}`], ["neither", "neither"]],
  };
}

export function fold(voice) {
  if (voice > MOST) return "more than a million";
  const times = Math.exp(voice);
  return `about ${times < 10 ? times.toFixed(1) : count(Math.round(times))}`;
}

function familiar(found, most) {
  const fill = make("i", { className: found > most ? "beyond" : "" });
  fill.style.width = `${Math.min(100, (50 * found) / most)}%`;
  const measured = {
    role: "meter", ariaLabel: "Strangeness", ariaValueMin: 0, ariaValueMax: (2 * most).toFixed(2),
    ariaValueNow: Math.min(found, 2 * most).toFixed(2),
    ariaValueText: `${found.toFixed(2)}, the mark at ${most.toFixed(2)}`,
  };
  return {
    title: "Is it a digit at all?",
    text: "What is lit inside is compared with what digits light up. The strangeness of this drawing is"
      + ` ${found.toFixed(2)}; that of most digits is about 1. Beyond ${most.toFixed(2)}, the mark, the network does not`
      + " answer.",
    figure: make("div", { className: "gauge", ...measured }, fill),
  };
}

