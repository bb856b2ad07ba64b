// The view "Dreams": what the network's units want to see, deep dreams, and what fools it. What is said is computed
// from show/dreams.json, whose numbers were measured in the network that is served.

import { get } from "./ask.js";
import { choice } from "./choice.js";
import { $, count, make, percent } from "./dom.js";
import { encoded } from "./image.js";
import { picture } from "./raster.js";

const SIDE = 28;
const DIGITS = [...Array(10).keys()];
const WHY = {
  blank: "there is no ink",
  not_a_digit: "this is not like the digits it knows",
  multiple: "this looks like more than one digit",
  uncertain: "it is not sure enough",
};
const LATE = "The pictures did not arrive. Open this view again to try once more.";

let desk, told;

/** Show the view, which is filled when it is opened for the first time. */
export async function open(given) {
  desk = given;
  if (told) return;
  told = await get("page/show/dreams.json");
  $("dreams-note").textContent = told ? "" : LATE;
  if (!told) return;
  await Promise.all([
    fill("dreams-classes", classes), fill("dreams-units", gallery), fill("dreams-frames", dream),
    fill("dreams-fools", fools), fill("dreams-noise", noise),
  ]);
}

/** Fill a part of the view once it is near the screen: its pictures are loaded only then. */
async function fill(id, show) {
  const place = $(id);
  await new Promise((near) => new IntersectionObserver((seen, observer) => {
    if (!seen.some(({ isIntersecting }) => isIntersecting)) return;
    observer.disconnect();
    near();
  }, { rootMargin: "300px" }).observe(place));
  try {
    place.replaceChildren(...await show());
  } catch {
    place.replaceChildren(make("p", { textContent: LATE }));
    told = null;
  }
}

const sheets = {};

/** A function that gives the picture of a number on a sheet, as a canvas that is read out as `name`. */
async function sheet(part) {
  sheets[part] ??= fetch(`page/show/dreams-${part}.png`).then((response) => response.blob()).then(createImageBitmap);
  const whole = await sheets[part].catch((error) => { delete sheets[part]; throw error; });
  return (index, name) => {
    const canvas = make("canvas", { width: SIDE, height: SIDE });
    const [left, top] = [index % told.columns, Math.floor(index / told.columns)];
    canvas.getContext("2d", { willReadFrequently: true }).drawImage(whole, -SIDE * left, -SIDE * top);
    return named(canvas, name);
  };
}

function named(canvas, name) {
  canvas.setAttribute("role", name ? "img" : "presentation");
  if (name) canvas.ariaLabel = name;
  return canvas;
}

const paragraph = (textContent) => make("p", { textContent });
const label = (textContent) => make("p", { textContent, className: "dream-label" });
const figure = (canvas, ...caption) => make("figure", {}, canvas, make("figcaption", {}, ...caption));
const a = (digit) => `${digit === 8 ? "an" : "a"} ${digit}`;
const tenths = (number) => number.toFixed(1);

/** What the network alone takes a picture for. */
const alone = ({ digit, confidence }) => `${digit}, ${percent(confidence)}`;

/** What somebody would be told who sent the picture to the service. */
const service = ({ digit, reason }) => (digit === null ? `abstains: ${WHY[reason]}` : `answers ${digit}`);

function laid(canvas) {
  const button = make("button", { type: "button", className: "small", textContent: "Put it on the paper" });
  button.addEventListener("click", () => desk.show(encoded(canvas, "image/png")));
  return button;
}

/** How many of these answers abstained, were that digit, and were another. */
function tally(answers, digit) {
  const given = answers.map((one, index) => one.service.digit === null ? "none" : one.service.digit === digit(index));
  return { none: given.filter((one) => one === "none").length, right: given.filter((one) => one === true).length,
    wrong: given.filter((one) => one === false).length };
}

async function classes() {
  const tile = await sheet("units");
  const { first } = told.layers.at(-1);
  const agreed = told.classes.filter(({ network }, digit) => network.digit === digit).length;
  const { none } = tally(told.classes, (digit) => digit);
  return [
    paragraph(`The network takes ${agreed} of these 10 for the digit that they were made for. ${none
      ? `The service would abstain at ${none} of them.` : "The service would abstain at none of them."}`),
    make("div", { className: "dream-tiles" }, ...told.classes.map((one, digit) => figure(
      tile(first + digit, `What excites ${digit} most`),
      make("b", { textContent: digit }), `network: ${alone(one.network)}`, make("br"), `service ${service(one.service)}`,
    ))),
  ];
}

async function gallery() {
  const [tile, example] = await Promise.all([sheet("units"), sheet("examples")]);
  const hidden = told.layers.slice(0, -1);
  const shown = make("div");
  const names = hidden.map((_, index) => ({ name: `Layer ${index + 1}` }));
  if (!hidden.length) return [paragraph("This network has no layer between the pixels and its ten votes.")];
  const show = (index) => shown.replaceChildren(...layer(hidden[index], tile, example));
  return [choice("Layer", names, show, Math.floor(hidden.length / 2)), shown];
}

function layer({ kind, units, sees, first, own, best, examples }, tile, example) {
  const detail = make("div", { className: "dream-unit" });
  const channels = kind === "convolution" ? "channels" : "units";
  const beaten = own.filter((strength, unit) => strength > best[unit]).length;
  const some = own.length < units ? ` Here are the first ${own.length}.` : "";
  const window = sees < SIDE ? `a square of ${sees} × ${sees} pixels` : "the whole picture";
  const items = own.map((one, unit) => ({
    name: `Unit ${unit + 1}. ${strength(one, best[unit])}`, content: tile(first + unit),
  }));
  return [
    paragraph(`This layer has ${count(units)} ${channels}, and each looks at ${window}${sees < SIDE ? " at a time" : ""}.`
      + `${some} ${beaten === own.length ? "Each" : `${beaten} of ${own.length}`} of these pictures`
      + ` ${beaten === 1 ? "excites its unit" : "excite their unit"} more than any of ${count(told.looked_through)}`
      + " training digits does. Choose one."),
    choice("Unit", items, (unit) => {
      detail.replaceChildren(
        figure(tile(first + unit, `What unit ${unit + 1} wants to see`), `what unit ${unit + 1} wants to see`),
        make("div", {},
          paragraph(`${strength(own[unit], best[unit])} The digits that excite it most:`),
          make("div", { className: "dream-examples" }, ...examples[unit].map((place) =>
            figure(example(place, `A ${told.labels[place]} of the training set`), told.labels[place])))),
      );
    }, 0, "dream-choice dream-grid"),
    detail,
  ];
}

function strength(own, best) {
  if (best <= 0) return own > 0 ? "None of the digits looked at excites it; this picture does." : "Nothing found excites it.";
  return `This picture excites it ${tenths(own / best)} times as much as the best of the training digits.`;
}

async function dream() {
  const tile = await sheet("frames");
  const hidden = told.layers.length - 1;
  if (!hidden) return [paragraph("This network has no layer that could dream.")];
  const row = make("div", { className: "dream-tiles dream-five" });
  let [digit, layer] = [3, Math.floor(hidden / 2)];
  const show = () => row.replaceChildren(...told.steps.map((step, frame) => {
    const place = (10 * layer + digit) * told.steps.length + frame;
    const when = step ? `after ${step} steps` : "as drawn";
    return figure(tile(place, `The ${digit} ${when}`), make("b", { textContent: when }),
      `network: ${alone(told.dreams[place])}`);
  }));
  const layers = Array.from({ length: hidden }, (_, index) => ({ name: `Layer ${index + 1}` }));
  const digits = DIGITS.map((each) => ({ name: `${each}` }));
  return [
    label("Layer that dreams:"),
    choice("Layer that dreams", layers, (index) => { layer = index; show(); }, layer),
    label("Digit that it dreams of:"),
    choice("Digit that it dreams of", digits, (index) => { digit = index; show(); }, digit),
    row,
  ];
}

async function fools() {
  const tile = await sheet("fools");
  const { near, nearest, sure } = told;
  const found = near.filter(({ size }) => size);
  const { none, right, wrong } = tally(found, (index) => Math.floor(near.indexOf(found[index]) / 10));
  const shown = make("div");
  const target = make("div");
  let digit = 3;
  const show = (to) => shown.replaceChildren(...fool(tile, digit, to));
  const targets = () => target.replaceChildren(choice(`Make the ${digit} look like`,
    DIGITS.map((each) => ({ name: `${each}` })), show, nearest[digit]));
  const served = tally(sure.filter(({ size }) => size), (index) => index);
  return [
    paragraph(`Changes were looked for that turn each of ten drawn digits into each of the nine others; ${found.length} of`
      + ` 90 were found. The service abstains at ${none} of these pictures, still reads ${right} right, and answers`
      + ` ${wrong} with a wrong digit.`),
    paragraph("The nearest of each nine was led on until the network is beyond doubt. The service abstains at"
      + ` ${served.none} of these, still reads ${served.right} right, and answers ${served.wrong} with a wrong digit`
      + `${served.wrong ? ": abstaining makes fooling harder, not impossible" : ""}.`),
    label("Drawn:"),
    choice("Digit that is drawn", DIGITS.map((each) => ({ name: `${each}`, content: tile(11 * each) })),
      (index) => { digit = index; targets(); }, digit, "dream-choice dream-ten"),
    label("To be taken for:"),
    target, shown,
  ];
}

function fool(tile, digit, to) {
  if (to === digit) return [paragraph(`It is ${a(digit)} already. Choose another digit.`)];
  const one = told.near[10 * digit + to];
  if (!one.size) return [paragraph(`No change was found that makes this ${digit} ${a(to)}.`)];
  const [drawn, changed] = [tile(11 * digit, `The ${digit} as drawn`), tile(10 * digit + to, `The ${digit}, changed`)];
  const nearest = told.nearest[digit] === to;
  const shown = [
    paragraph(`${nearest ? "The nearest other digit. " : ""}The smallest change found touches ${one.pixels} of`
      + ` ${SIDE * SIDE} pixels, none by more than ${one.most} of 255 levels. With half of it the network says`
      + ` ${alone(one.half)}.`),
    make("div", { className: "dream-tiles dream-three" },
      figure(drawn, make("b", { textContent: "drawn" })),
      figure(difference(drawn, changed), make("b", { textContent: "the change" }), "green adds ink, red takes it away"),
      figure(changed, make("b", { textContent: "together" }), ...verdict(one), laid(changed))),
  ];
  const further = told.sure[digit];
  if (!nearest || !further.size) return shown;
  const led = tile(100 + digit, `The ${digit}, changed until the network is sure that it is ${a(to)}`);
  return [...shown,
    paragraph(`Led on until the network is beyond doubt, by up to ${further.most} levels in ${further.pixels} pixels:`),
    make("div", { className: "dream-tiles dream-three" },
      figure(difference(drawn, led), make("b", { textContent: "the change" })),
      figure(led, make("b", { textContent: "together" }), ...verdict(further), laid(led)))];
}

const verdict = ({ network, service: answer }) => [
  make("span", { textContent: `The network says ${alone(network)}.` }),
  make("span", { textContent: `The service ${service(answer)}.` }),
];

/** What was changed, green where there is more ink and red where there is less, the strongest in full colour. */
function difference(before, after) {
  const [from, to] = [before, after].map((canvas) => canvas.getContext("2d").getImageData(0, 0, SIDE, SIDE).data);
  const change = Array.from({ length: SIDE * SIDE }, (_, pixel) => to[4 * pixel] - from[4 * pixel]);
  const peak = Math.max(1, ...change.map(Math.abs));
  const [PAPER, GREEN, RED] = [[251, 249, 244], [21, 128, 61], [198, 40, 40]];
  return named(picture(change.map((level) => {
    const share = (Math.abs(level) / peak) ** 0.8;
    return PAPER.map((value, channel) => value + share * ((level > 0 ? GREEN : RED)[channel] - value));
  }), SIDE, SIDE), "The change, its strongest pixel in full colour");
}

async function noise() {
  const tile = await sheet("fools");
  const found = told.noise.filter(({ size }) => size);
  const { none } = tally(found, () => null);
  return [
    paragraph(`${found.length} of these 10 pictures of noise were changed, by ${Math.max(0, ...found.map(({ most }) => most))}`
      + ` of 255 levels at most, until the network was sure of a digit. The service abstains at ${none} of them.`),
    make("div", { className: "dream-tiles" }, ...told.noise.map((one, index) => {
      const canvas = tile(110 + index, `Noise that was made to be taken for ${a(index)}`);
      return figure(canvas, make("b", { textContent: one.size ? alone(one.network) : "not found" }),
        `service ${service(one.service)}`, laid(canvas));
    })),
  ];
}
