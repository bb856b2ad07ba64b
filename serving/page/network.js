// The whole network as one picture: the drawing enters, layers are lit by it, the answer leaves.

import { count, make, percent } from "./dom.js";
import { decode, inGrey, lit, picture } from "./raster.js";

const FAINT = 0.06; // of the strongest link to a column: what contributes less is not drawn
const OTHERS = 0.35; // of a link's strength, where it leads to a digit that is not the answer
const SVG = "http://www.w3.org/2000/svg";
const ALONG = { ArrowLeft: -1, ArrowRight: 1 };
const ACROSS = { ArrowUp: -1, ArrowDown: 1 };

export const signed = (number, digits = 4) => `${number < 0 ? "−" : "+"}${Math.abs(number).toFixed(digits)}`;

/** What the page calls a unit of a layer. */
export function called(layers, layer, unit) {
  if (layer === layers.length - 1) return `the output for ${unit}`;
  return `${layers[layer].values.shape.length > 1 ? "map" : "unit"} ${unit} of layer ${layer + 1}`;
}

/** The bytes of one unit's answer, and how wide and high its map is. */
export function mapOf({ values }, unit) {
  const [, rows = 1, wide = 1] = values.shape;
  return { bytes: decode(values).subarray(unit * rows * wide, (unit + 1) * rows * wide), rows, wide };
}

/** The picture of an explanation. `goes(layer)` opens a layer's step, `touched({ layer, unit }, hovering)` learns of the
 *  unit that is looked at. Gives the figure, `choose(layer, unit, field, alone)` to mark one with the pixels that it
 *  depends on, `alone` with the links of no other, and `without(probabilities, off)` to show the answer while some units are off. */
export function network(explanation, { goes, touched }) {
  const { reading, layers, columns, answer } = explanation;
  const given = reading.turned?.pixels ?? reading.pixels;
  const size = columns.length + 1;
  const digit = nearest(explanation);
  let hovered = null;
  const along = (column) => (100 * (column + 1.5)) / size;
  const across = (index, column) => (100 * (index + 0.5)) / columns[column].units.length;
  const place = (element, x, y) => { element.style.setProperty("--along", `${x}%`);
    element.style.setProperty("--across", `${y}%`); return element; };

  const frame = make("i", { hidden: true });
  const drawn = make("div", { className: "enters", role: "img", ariaLabel: "What the first layer is given" },
    picture(inGrey(decode(given)), 28, 28), frame);
  const links = document.createElementNS(SVG, "svg");
  const lines = links.appendChild(document.createElementNS(SVG, "g"));
  links.setAttribute("viewBox", "0 0 100 100");
  links.setAttribute("preserveAspectRatio", "none");
  links.setAttribute("aria-hidden", "true");
  const plane = make("div", { className: "plane" }, links, place(drawn, along(-1), 50));
  plane.style.setProperty("--columns", size);
  const nodes = columns.map(({ units, links: shares }, layer) => {
    const last = layer === columns.length - 1;
    const most = Math.max(...shares.flat().map(Math.abs)) || 1;
    const name = last ? "Answer" : `Layer ${layer + 1}`;
    const title = make("button", { type: "button", className: "column", ariaLabel: `${name}: go to its step` },
      make("span", { textContent: last ? "Answer" : "Layer" }), last ? "" : ` ${layer + 1}`);
    title.addEventListener("click", () => goes(layer));
    plane.append(place(title, along(layer), 0));
    return units.map((unit, index) => {
      shares[index].forEach((share, before) => {
        if (Math.abs(share) < FAINT * most) return;
        const from = layer ? across(before, layer - 1) : 50;
        const shown = last && unit !== digit ? OTHERS : 1;
        lines.append(link([along(layer - 1), from, along(layer), across(index, layer)], share / most, shown,
          [layer ? `${layer - 1}.${columns[layer - 1].units[before]}` : "picture", `${layer}.${unit}`]));
      });
      const node = last ? output(unit, answer.probabilities[unit]) : window_(layers[layer], unit);
      node.ariaLabel = last ? `${unit}: ${percent(answer.probabilities[unit])}` : called(layers, layer, unit);
      Object.assign(node, { type: "button", tabIndex: -1 });
      Object.assign(node.dataset, { layer, unit });
      node.addEventListener("click", () => touched({ layer, unit }, false));
      node.addEventListener("pointerleave", () => { hovered = null; });
      node.addEventListener("pointermove", ({ pointerType }) => { // not where the page moves under a pointer that rests
        if (pointerType !== "mouse" || hovered === node) return;
        hovered = node;
        touched({ layer, unit }, true);
      });
      plane.append(place(node, along(layer), across(index, layer)));
      return node;
    });
  });
  nodes.at(-1)[digit].tabIndex = 0;
  plane.addEventListener("keydown", (event) => {
    const layer = nodes.findIndex((column) => column.includes(event.target));
    if (layer < 0 || !(event.key in ALONG || event.key in ACROSS)) return;
    event.preventDefault();
    const column = nodes[Math.max(0, Math.min(nodes.length - 1, layer + (ALONG[event.key] ?? 0)))];
    const index = nodes[layer].indexOf(event.target) + (ACROSS[event.key] ?? 0);
    const node = column[Math.max(0, Math.min(column.length - 1, index))];
    nodes.flat().forEach((other) => { other.tabIndex = other === node ? 0 : -1; });
    node.focus();
    touched({ layer: Number(node.dataset.layer), unit: Number(node.dataset.unit) }, false);
  });
  const figure = make("figure", { className: "network" },
    make("div", { className: "scene", role: "group", ariaLabel: "The whole network. Arrow keys go from unit to unit." },
      plane), make("figcaption", {}, make("p", { textContent: caption(explanation) })));

  function choose(layer, unit, field, alone) {
    nodes.flat().forEach((node) => node.classList.toggle("chosen", isOf(node, layer, unit)));
    const key = `${layer}.${unit}`;
    plane.classList.toggle("choosing", alone && nodes.flat().some((node) => isOf(node, layer, unit)));
    for (const line of lines.children) line.classList.toggle("on", line.dataset.from === key || line.dataset.to === key);
    frame.hidden = !field;
    if (field) enclose(frame, field);
  }

  function without(probabilities, off) {
    nodes.flat().forEach((node) => {
      const { layer, unit } = node.dataset;
      node.classList.toggle("off", off.has(`${layer}.${unit}`));
      if (Number(layer) === columns.length - 1) {
        node.classList.toggle("changed", Boolean(probabilities));
        node.style.setProperty("--now", probabilities?.[unit] ?? 0);
      }
    });
  }
  return { figure, choose, without };
}

/** The digit with the most points, also where the service abstains. */
const nearest = ({ points }) => points.indexOf(Math.max(...points));

const isOf = ({ dataset }, layer, unit) => Number(dataset.layer) === layer && Number(dataset.unit) === unit;

/** Put a frame around pixels of a picture of 28 × 28: top, left, bottom and right. */
export function enclose(frame, [top, left, bottom, right]) {
  const share = (pixels) => `${(100 * pixels) / 28}%`;
  Object.assign(frame.style, { top: share(top), left: share(left), bottom: share(28 - bottom), right: share(28 - right) });
}

function link([x1, y1, x2, y2], share, shown, [from, to]) {
  const line = document.createElementNS(SVG, "path");
  const middle = (x1 + x2) / 2;
  line.setAttribute("d", `M${x1} ${y1}C${middle} ${y1} ${middle} ${y2} ${x2} ${y2}`);
  line.setAttribute("class", share < 0 ? "minus" : "plus");
  line.style.strokeWidth = `${0.5 + 4 * Math.abs(share)}px`;
  line.style.setProperty("--strength", (shown * (0.15 + 0.75 * Math.abs(share))).toFixed(2));
  Object.assign(line.dataset, { from, to });
  return line;
}

function window_(layer, unit) {
  const { bytes, rows, wide } = mapOf(layer, unit);
  return make("button", { className: "node" }, picture(lit(bytes), wide, rows));
}

function output(digit, probability) {
  const bar = make("i");
  const node = make("button", { className: "node out" }, make("b", { textContent: digit }), bar);
  node.style.setProperty("--share", probability);
  node.classList.toggle("most", probability > 0.5);
  return node;
}

/** What the picture shows, in words: computed from its numbers. */
function caption(explanation) {
  const { layers, columns } = explanation;
  const digit = nearest(explanation);
  const deep = layers.length > 1;
  const hidden = layers.slice(0, -1);
  const sizes = list(hidden.map(({ units }) => count(units)));
  const kinds = [...new Set(hidden.map(({ values }) => (values.shape.length > 1 ? "maps" : "units")))].join(" and ");
  const most = Math.max(...columns.slice(0, -1).map(({ units }) => units.length), 0);
  const whole = deep
    ? `The drawing enters, passes ${hidden.length} layer${hidden.length > 1 ? "s" : ""} of ${sizes} ${kinds}, and leaves as`
      + ` ten probabilities. Shown are, of each layer, up to ${most} on which the answer ${digit} rests most.`
    : "The drawing enters and leaves as ten probabilities; there is no layer between.";
  const lines = " A line is what one gives to the next: green lifts it, red lowers it, the thicker the more.";
  if (!deep) return whole + lines;
  const shares = columns.at(-2).units.map((unit, index) => ({ unit, share: columns.at(-1).links[digit][index] }));
  const word = layers.at(-2).values.shape.length > 1 ? "map" : "unit";
  const told = (some) => list(some.slice(0, 3).map(({ unit, share }) => `${word} ${unit} (${signed(share, 2)})`));
  const [plus, minus] = [shares.filter(({ share }) => share > 0), shares.filter(({ share }) => share < 0)];
  const sides = [plus.length && `most for ${digit} comes from ${told(plus)}`,
    minus.length && `against it ${plus.length ? "" : "most comes "}from ${told(minus)}`].filter(Boolean).join("; ");
  return `${whole}${lines} In the last layer, in points: ${sides}.`;
}

const list = (words) => new Intl.ListFormat("en").format(words);
