// A unit written out: what it sees, its kernel over that, and its sum with its numbers.

import { count, make } from "./dom.js";
import { called, enclose, mapOf, signed } from "./network.js";
import { decode, inGrey, lit, picture, weighted } from "./raster.js";

const PRODUCTS = 9; // of a map that are written out, the largest

const number = (value) => value.toFixed(4).replace("-", "−");

/** The elements that tell of a unit: `told` is what POST /unit answered, `slides(row, column, hovering)` learns which
 *  place of its map is wanted instead. */
export function written(told, explanation, slides) {
  const { layers, reading } = explanation;
  const { layer, unit, row, column, field } = told;
  const map = mapOf(layers[layer], unit);
  const given = reading.turned?.pixels ?? reading.pixels;
  const name = called(layers, layer, unit);
  const frame = make("i");
  enclose(frame, field);
  const [tall, wide] = [field[2] - field[0], field[3] - field[1]];
  const whole = tall * wide === 784;
  const figures = [make("figure", {},
    make("div", { className: "framed sees", role: "img", ariaLabel: "The picture, what this depends on framed" },
      picture(inGrey(decode(given)), 28, 28), frame),
    make("figcaption", { textContent: whole ? "It depends on the whole picture." :
      `It depends on the framed ${tall} × ${wide} pixels.` }))];
  if (map.rows > 1) figures.push(slider(map, row, column, name, slides));
  return [
    make("h3", { textContent: `${name[0].toUpperCase()}${name.slice(1)}`
      + (map.rows > 1 ? `, row ${row}, column ${column}` : "") }),
    make("div", { className: "views" }, ...figures),
    sum(told, explanation),
  ];
}

/** The unit's map, large, on which a place can be chosen by pointer or by arrow keys. */
function slider({ bytes, rows, wide }, row, column, name, slides) {
  const mark = make("i");
  Object.assign(mark.style, { top: `${(100 * row) / rows}%`, left: `${(100 * column) / wide}%`,
    bottom: `${100 - (100 * (row + 1)) / rows}%`, right: `${100 - (100 * (column + 1)) / wide}%` });
  const canvas = picture(lit(bytes), wide, rows);
  const box = make("div", { className: "framed sees slider", tabIndex: 0, role: "application",
    ariaLabel: `What ${name} answers at each place; arrow keys slide the kernel. Row ${row}, column ${column}.` }, canvas, mark);
  const at = (event) => {
    const { left, top, width, height } = canvas.getBoundingClientRect();
    const inside = (share, most) => Math.max(0, Math.min(most - 1, Math.floor(share * most)));
    slides(inside((event.clientY - top) / height, rows), inside((event.clientX - left) / width, wide), event.type !== "click");
  };
  canvas.addEventListener("pointermove", at);
  canvas.addEventListener("click", at);
  box.addEventListener("keydown", (event) => {
    const [down, right] = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key] ?? [];
    if (down === undefined) return;
    event.preventDefault();
    const [nextRow, nextColumn] = [row + down, column + right];
    if (nextRow >= 0 && nextRow < rows && nextColumn >= 0 && nextColumn < wide) slides(nextRow, nextColumn, false);
  });
  return make("figure", {}, box,
    make("figcaption", { textContent: `What it answers at each place: ${rows} × ${wide}. Slide over it.` }));
}

/** The sum: a row for each of its largest parts, the others together, the bias, and what becomes of it. */
function sum(told, { layers, reading }) {
  const { layer, terms, others, bias, total } = told;
  const from = (map) => (layer ? called(layers, layer - 1, map) : reading.turned ? "the turned picture" : "the picture");
  const rows = terms.map((term) => make("tr", {},
    make("th", { scope: "row", textContent: from(term.map) }),
    cell(three(term)), make("td", { textContent: signed(term.sum) })));
  if (others.count) rows.push(plain(`and ${count(others.count)} other${others.count > 1 ? "s add" : " adds"} up to`, others.sum));
  rows.push(plain("its bias, a fixed number", bias), plain("in all", total));
  rows.at(-1).className = "total";
  const single = terms.length === 1 || terms[0].values.length > 1;
  return make("div", {},
    make("div", { className: "scroll", tabIndex: 0, role: "region", ariaLabel: "The sum" },
      make("table", { className: "sum" },
        make("tr", {}, ...["from", single ? "seen × weights = products" : "seen × weight", "adds"].map((textContent) =>
          make("th", { scope: "col", textContent }))), ...rows)),
    make("p", { textContent: becomes(told) }),
    ...(single ? [products(terms[0], from(terms[0].map))] : []));
}

const cell = (...children) => make("td", {}, ...children);
const plain = (words, value) =>
  make("tr", {}, make("th", { scope: "row", textContent: words }), cell(), make("td", { textContent: signed(value) }));

/** What a map holds under the kernel, the kernel, and their products; as numbers where it is but one. */
function three({ values, weights }) {
  const [rows, wide] = [values.length, values[0].length];
  if (rows * wide === 1) return `${number(values[0][0])} × ${number(weights[0][0])}`;
  const shown = (numbers, label) => {
    const canvas = picture(coloured(numbers), wide, rows);
    return Object.assign(canvas, { role: "img", ariaLabel: label });
  };
  const times = values.flat().map((value, index) => value * weights.flat()[index]);
  return make("span", { className: "three" }, shown(values.flat(), "what it sees"), "×",
    shown(weights.flat(), "its weights"), "=", shown(times, "the products"));
}

/** Green above zero, red below, each picture in its own scale. */
function coloured(numbers) {
  const peak = Math.max(...numbers.map(Math.abs)) || 1;
  return weighted(numbers.map((value) => 128 + (127 * value) / peak));
}

/** The largest products of one map, and what the others add up to. */
function products({ values, weights, sum }, from) {
  const all = values.flatMap((line, row) => line.map((value, column) => {
    const weight = weights[row][column];
    return { row, column, value, weight, product: value * weight };
  })).sort((one, other) => Math.abs(other.product) - Math.abs(one.product));
  if (all.length === 1) return "";
  const told = all.slice(0, PRODUCTS);
  const rest = sum - told.reduce((so, { product }) => so + product, 0);
  const lines = told.map(({ row, column, value, weight, product }) => make("li", {
    textContent: `row ${row}, column ${column}: ${number(value)} × ${number(weight)} = ${number(product)}` }));
  if (all.length > told.length) {
    lines.push(make("li", { textContent: `${count(all.length - told.length)} others: ${number(rest)}` }));
  }
  return make("details", {}, make("summary", { textContent: `The products from ${from}, one by one` }),
    make("ol", { className: "products" }, ...lines));
}

/** What the activation makes of the sum, in words. */
function becomes({ total, divisor, activation, step, output }) {
  const out = number(output);
  if (activation === "softmax") {
    const cooled = divisor === 1 ? "" : ` Divided by ${number(divisor)}, the temperature by which the network was calibrated, it is`;
    return cooled ? `${cooled.trim()} ${out} points.` : `These are ${out} points.`;
  }
  if (activation === "sigmoid") return `The sigmoid squeezes it between 0 and 1: it answers ${out}.`;
  if (total <= 0) return `A sum below zero counts as nothing: it answers ${out}.`;
  const rounded = step ? `, rounded to whole steps of ${step.toFixed(6)}, 255 at most` : "";
  return `A sum above zero passes${rounded}: it answers ${out}.`;
}
