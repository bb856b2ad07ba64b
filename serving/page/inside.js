// Look inside: the way from the ink to the answer, a step at a time.

import { $, make } from "./dom.js";
import { story } from "./story.js";

const DELAY = 0.22; // seconds from one step's lighting up to the next

let current = 0;

const FIRST = $("waiting").textContent;

/** Say that an explanation is on its way. */
export function awaitInside() {
  $("waiting").textContent = "Looking inside…";
}

/** Show an explanation; with `lighting` the steps light up one after another. */
export function showInside(explanation, novelty, lighting) {
  $("waiting").hidden = Boolean(explanation);
  $("story").hidden = !explanation;
  $("waiting").textContent = FIRST;
  if (!explanation) return;
  const steps = story(explanation, novelty).map(element);
  $("steps").replaceChildren(...steps);
  if (lighting) light();
  go(Math.min(current, steps.length - 1), false);
}

/** Let the steps light up one after another. */
function light() {
  [...$("steps").children].forEach((step, index) => {
    const figure = step.querySelector(".figure");
    figure.style.setProperty("--delay", `${index * DELAY}s`);
    figure.classList.add("lit");
  });
}

function element({ title, text, figure, legend = [] }) {
  const marks = legend.map(([kind, words]) => make("span", {}, make("i", { className: kind }), words));
  return make("li", {},
    make("h2", { textContent: title }),
    make("p", { textContent: text }),
    make("div", { className: "figure", role: "img", ariaLabel: title }, figure),
    make("div", { className: "legend" }, ...marks));
}

function go(index, moving = true) {
  const steps = [...$("steps").children];
  current = Math.max(0, Math.min(index, steps.length - 1));
  steps.forEach((step, place) => step.classList.toggle("now", place === current));
  $("where").textContent = `${current + 1} of ${steps.length}: ${steps[current].querySelector("h2").textContent}`;
  $("back").disabled = current === 0;
  $("next").disabled = current === steps.length - 1;
  if (!moving) return;
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  steps[current].scrollIntoView({ block: "start", behavior: calm ? "auto" : "smooth" });
}

$("back").addEventListener("click", () => go(current - 1));
$("next").addEventListener("click", () => go(current + 1));
