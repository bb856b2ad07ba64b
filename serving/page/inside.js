// Look inside: the way from the ink to the answer, a step at a time.

import { say } from "./answer.js";
import { $, make } from "./dom.js";
import { touchable } from "./maps.js";
import { network } from "./network.js";
import { story } from "./story.js";
import { toucher } from "./touch.js";

const DELAY = 0.22; // seconds from one step's lighting up to the next

const READ = 0.2; // of the screen's height: the step that has its head above this line is the one that is read

let current = 0;
let led = false; // the page is scrolling to a step that was chosen

const FIRST = $("waiting").textContent;

/** Say that an explanation is on its way. */
export function awaitInside() {
  $("waiting").textContent = "Looking inside…";
}

/** Show an explanation of the image file that `source` gives; with `lighting` the steps light up one after another. */
export function showInside(explanation, novelty, lighting, source) {
  $("waiting").hidden = Boolean(explanation);
  $("story").hidden = !explanation;
  $("waiting").textContent = FIRST;
  if (!explanation) return;
  const steps = story(explanation, novelty).map(element);
  $("steps").replaceChildren(...steps);
  overview(explanation, source, lighting);
  if (lighting) light();
  go(Math.min(current, steps.length - 1), false);
}

/** The whole network before its steps, in which each layer opens its own; what is touched is written out beside it. */
function overview(explanation, source, lighting) {
  const layerStep = (layer) => [...$("steps").children].findIndex((step) => step.dataset.layer === String(layer));
  const { figure, choose, without } = network(explanation, {
    goes: (layer) => go(layerStep(layer)),
    touched: (unit, hovering) => attach($("overview"), unit, hovering),
  });
  const { panel, touch, examine } = toucher(explanation, source, { chosen: choose, changed: without, says: say });
  const attach = (place, unit, hovering) => {
    if (hovering && panel.parentElement !== place) return;
    if (!hovering) place.append(panel);
    touch(unit, hovering ? "hovered" : "chosen");
  };
  $("overview").replaceChildren(make("h2", { textContent: "The whole network" }), figure, panel);
  for (const step of $("steps").children) touchable(step, explanation, (unit, hovering) => attach(step, unit, hovering));
  if (!lighting) return;
  touch({ layer: 0, unit: explanation.columns[0].units[0] }, "first");
  examine();
}

/** Let the steps light up one after another. */
function light() {
  [...$("steps").children].forEach((step, index) => {
    const figure = step.querySelector(".figure");
    figure.style.setProperty("--delay", `${index * DELAY}s`);
    figure.classList.add("lit");
  });
}

/** A step. A figure that has a name speaks for itself; all else is a picture. */
function element({ title, text, figure, legend = [], layer, touches }) {
  const marks = legend.map(([kind, words]) => make("span", {}, make("i", { className: kind }), words));
  const step = make("li", {},
    make("h2", { textContent: title }),
    make("p", { textContent: text }),
    make("div", { className: "figure", ...(figure.ariaLabel ? {} : { role: "img", ariaLabel: title }) }, figure),
    make("div", { className: "legend" }, ...marks));
  Object.assign(step.dataset, { ...(layer === undefined ? {} : { layer }), ...(touches ? { touches } : {}) });
  return step;
}

function go(index, moving = true) {
  const steps = [...$("steps").children];
  current = Math.max(0, Math.min(index, steps.length - 1));
  steps.forEach((step, place) => step.classList.toggle("now", place === current));
  $("where").textContent = `${current + 1} of ${steps.length}: ${steps[current].querySelector("h2").textContent}`;
  $("back").disabled = current === 0;
  $("next").disabled = current === steps.length - 1;
  if (!moving) return;
  led = true;
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  steps[current].scrollIntoView({ block: "start", behavior: calm ? "auto" : "smooth" });
}

/** The step that is read is the current one, unless the page scrolls to another that was chosen. */
function follow() {
  if (led || !$("steps").offsetParent) return;
  const heads = [...$("steps").children].map((step) => step.getBoundingClientRect().top);
  const atEnd = innerHeight + scrollY >= document.documentElement.scrollHeight - 2;
  const read = atEnd ? heads.length - 1 : heads.findLastIndex((top) => top < READ * innerHeight);
  if (heads.length && Math.max(0, read) !== current) go(Math.max(0, read), false);
}

addEventListener("scroll", follow, { passive: true });
for (const own of ["scrollend", "wheel", "touchmove", "keydown"])
  addEventListener(own, () => { led = false; }, { passive: true });
$("back").addEventListener("click", () => go(current - 1));
$("next").addEventListener("click", () => go(current + 1));
