// Train it here: a small perceptron learns in the browser, step by step or at speed.

import { $, count, make } from "./dom.js";
import { showBatch } from "./learn/batch.js";
import { percents, showCurves } from "./learn/curves.js";
import { how, introduced } from "./learn/how.js";
import { sheet } from "./learn/sheet.js";
import { Training } from "./learn/training.js";
import { showWeights } from "./learn/weights.js";
import { follow, read } from "./learn/yours.js";

const LEARNS = 24; // milliseconds at a time, between which the page answers
const REDRAWN = { calm: 1000, lively: 100 }; // milliseconds between two looks while it learns
const MEASURED = 60; // steps from one point of the curves to the next

let material = null; // what there is to learn from, once it is there
let training, units, last; // last: the step that was taken last
let losses = []; // of the steps since the last point
let points = {}; // of each kind of units the points of its latest training
let runs = false;
let looked = 0; // when it was shown last
let thrown = 1;
let changed = null;

/** The tab was opened. */
export async function open(desk) {
  changed ??= follow(desk, () => { if (training) read(training.network, material.standardised); });
  material ??= await sheet();
  if (!material) return void ($("train-intro").textContent = "The digits to learn from cannot be had just now.");
  if (!training) begin();
  changed(desk.source());
}

function begin() {
  training = new Training(material.digits, material.recipe, chosen(), thrown);
  [last, losses, runs, units] = [null, [], false, chosen()];
  points[units] = [];
  $("lesson").hidden = false;
  $("train-intro").textContent = introduced(material, training);
  $("train-how").replaceChildren(...how(material, training).map((textContent) => make("li", { textContent })));
  measure();
  rest();
}

const chosen = () => document.querySelector('[name="units"]:checked').value;

function take() {
  last = training.step();
  losses.push(last.loss);
  if (training.taken % MEASURED === 0 || training.isDone) measure();
}

/** A point for the curves. */
function measure() {
  const learnt = losses.length ? losses.reduce((sum, loss) => sum + loss, 0) / losses.length : null;
  points[units].push({ step: training.taken, learnt, ...training.measure() });
  losses = [];
}

function frame(now) {
  if (!runs) return;
  if ($("train").hidden) return rest();
  const end = performance.now() + LEARNS;
  do take(); while (!training.isDone && performance.now() < end);
  if (training.isDone) return rest();
  if (now - looked > (matchMedia("(prefers-reduced-motion: reduce)").matches ? REDRAWN.calm : REDRAWN.lively)) {
    looked = now;
    look();
  }
  requestAnimationFrame(frame);
}

/** Stand still, show all, and say where it is. */
function rest() {
  runs = false;
  if (points[units].at(-1).step < training.taken) measure();
  look();
  const dark = training.network.dark(material.digits.heldOut.images);
  $("train-dark").textContent = dark ? `${dark} of them stay${dark === 1 ? "s" : ""} dark for all held-out digits: a sum`
    + " below 0 has no gradient to learn by." : "";
  if (last) showBatch(last, training.network.test(last.images, last.labels).loss, material.pixels);
  $("spoken").textContent = $("train-state").textContent;
}

function look() {
  const { step, loss, right } = points[units].at(-1);
  const { images: { length } } = material.digits.heldOut;
  $("train-run").textContent = runs ? "Pause" : training.isDone ? "Train again" : "Train";
  $("train-state").textContent = `Step ${count(step)} of ${count(training.steps)}: loss ${loss.toFixed(2)},`
    + ` ${percents(right)} of ${count(length)} held-out digits right.`;
  if (runs || !last) $("train-batch").hidden = true;
  showCurves(points, units, training.steps);
  showWeights(training.network.layers, runs ? null : last?.gradients);
  read(training.network, material.standardised);
}

$("train-run").addEventListener("click", () => {
  if (runs) return rest();
  if (training.isDone) begin();
  runs = true;
  look();
  requestAnimationFrame(frame);
});
$("train-step").addEventListener("click", () => {
  runs = false;
  if (!training.isDone) take();
  rest();
});
$("train-anew").addEventListener("click", () => {
  thrown++;
  begin();
});
for (const choice of document.querySelectorAll('[name="units"]')) choice.addEventListener("change", begin);
