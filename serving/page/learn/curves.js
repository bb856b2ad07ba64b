// The curves of a training, and of the latest with the other kind of units beside them.

import { $, make } from "../dom.js";
import { NAMES } from "./how.js";

const [WIDTH, HEIGHT] = [300, 120];

/** Show the curves: of each kind of units points { step, loss, right, learnt }, of which `units` are learning now. */
export function showCurves(points, units, steps) {
  const lines = Object.entries(points).map(([each, theirs]) => ({ kind: each === units ? "held" : "before", theirs }));
  const most = Math.max(...Object.values(points).flat().map(({ loss, learnt }) => Math.max(loss, learnt)));
  const learnt = points[units].filter((point) => point.learnt !== null);
  draw($("train-loss"), steps, most, [...lines.map(({ kind, theirs }) => [kind, theirs, ({ loss }) => loss]),
    ["learnt", learnt, (point) => point.learnt]]);
  draw($("train-right"), steps, 1, lines.map(({ kind, theirs }) => [kind, theirs, ({ right }) => right]));
  const [first, now] = [points[units][0], points[units].at(-1)];
  $("train-loss").ariaLabel = `Loss over the steps, ${first.loss.toFixed(2)} at first, ${now.loss.toFixed(2)} now`;
  $("train-right").ariaLabel = `Share read rightly over the steps, ${percents(first.right)} at first,`
    + ` ${percents(now.right)} now`;
  $("train-most").textContent = most.toFixed(1);
  const other = Object.keys(points).find((each) => each !== units);
  $("train-lines").replaceChildren(mark("held", "held-out digits"), mark("learnt", "digits it learns from"),
    ...(other ? [mark("before", `held-out digits, by ${NAMES[other]} before`)] : []));
}

export const percents = (share) => `${(100 * share).toFixed(1)}\u00a0%`;

const mark = (kind, words) => {
  const svg = element("svg", { viewBox: "0 0 24 4", "aria-hidden": "true" });
  svg.append(element("path", { class: kind, d: "M0,2H24" }));
  return make("span", {}, svg, words);
};

/** Draw lines, each [kind, points, value of a point], over so many steps, up to the value `most`. */
function draw(svg, steps, most, lines) {
  const place = (point, value) =>
    `${((point.step / steps) * WIDTH).toFixed(1)},${(HEIGHT * (1 - value(point) / most)).toFixed(1)}`;
  const rule = element("path", { class: "rule", d: [0, HEIGHT / 2, HEIGHT].map((y) => `M0,${y}H${WIDTH}`).join("") });
  svg.setAttribute("viewBox", `0 -2 ${WIDTH} ${HEIGHT + 4}`);
  svg.replaceChildren(rule, ...lines.map(([kind, points, value]) =>
    element("polyline", { class: kind, points: points.map((point) => place(point, value)).join(" ") })));
}

function element(tag, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  Object.entries(attributes).forEach(([name, value]) => made.setAttribute(name, value));
  return made;
}
