// Touch: a unit that is pointed at is asked about and written out; it can be switched off.

import { askOnce } from "./ask.js";
import { count, make, percent } from "./dom.js";
import { called } from "./network.js";
import { written } from "./unit.js";

const HOVER = 60; // milliseconds that a pointer rests before it is asked about
const off = new Set(); // the units that are switched off, as LAYER.UNIT

/** A panel about the units of an `explanation` of the image file that `source` gives. `chosen(layer, unit, field,
 *  alone)` learns which unit it tells of, and whether somebody chose it, `changed(probabilities, off)` what the answer is without those that are off, null where
 *  all are on, and `says(words)` what a screen reader is to be told. */
export function toucher(explanation, source, { chosen, changed, says }) {
  const about = make("div", { className: "about" });
  const result = make("div", { className: "without" });
  const toggle = make("button", { type: "button" });
  const all = make("button", { type: "button", textContent: "Switch all on" });
  const panel = make("section", { className: "unit", ariaLabel: "The unit that is pointed at", hidden: true },
    about, make("div", { className: "switches" }, toggle, all), result);
  let [wanted, working, clock, now] = [null, false, 0, null];

  async function work() {
    if (working) return;
    working = true;
    while (wanted) {
      const { path, how } = wanted;
      wanted = null;
      try {
        const told = await askOnce(path, await source(), () => panel.isConnected && !wanted);
        if (panel.isConnected) show(told, how);
      } catch (error) {
        if (!wanted) result.replaceChildren(make("p", { textContent: error.message }));
      }
    }
    working = false;
  }

  /** Tell of a unit at a place of its map, or where none is given at its strongest; `how`: it was "chosen", "hovered"
   *  over, or comes "first". */
  function touch({ layer, unit, row, column }, how = "chosen") {
    clearTimeout(clock);
    clock = setTimeout(() => {
      const places = row === undefined ? "" : `&row=${row}&column=${column}`;
      wanted = { path: `unit?layer=${layer}&unit=${unit}${places}`, how };
      work();
    }, how === "hovered" ? HOVER : 0);
  }

  function show(told, how) {
    const { layer, unit, field } = told;
    const focused = about.querySelector(".slider") === document.activeElement;
    now = told;
    panel.hidden = false;
    about.replaceChildren(...written(told, explanation,
      (row, column, hovering) => touch({ layer, unit, row, column }, hovering ? "hovered" : "chosen")));
    if (focused) about.querySelector(".slider")?.focus();
    chosen(layer, unit, field, how !== "first");
    switches();
    if (how === "chosen") says(`${about.querySelector("h3").textContent} answers ${told.output.toFixed(2)}.`);
  }

  function switches() {
    const key = now && `${now.layer}.${now.unit}`;
    const last = now?.layer === explanation.layers.length - 1;
    toggle.hidden = !now || last;
    if (now && !last) {
      const name = called(explanation.layers, now.layer, now.unit);
      toggle.textContent = `${off.has(key) ? "Switch on" : "Switch off"} ${name}`;
      toggle.setAttribute("aria-pressed", off.has(key));
    }
    all.hidden = !off.size;
  }

  async function examine() {
    switches();
    changed(null, off);
    if (!off.size) return void result.replaceChildren();
    const asked = [...off].join(",");
    const wanted = () => panel.isConnected && asked === [...off].join(",");
    try {
      const told = await askOnce(`without?off=${asked}`, await source(), wanted);
      if (!wanted()) return;
      changed(told.without.probabilities, off);
      const words = tells(told, explanation.layers);
      result.replaceChildren(...words.map((textContent) => make("p", { textContent })));
      says(words.join(" "));
    } catch (error) {
      if (wanted()) result.replaceChildren(make("p", { textContent: error.message }));
    }
  }

  toggle.addEventListener("click", () => {
    const key = `${now.layer}.${now.unit}`;
    if (!off.delete(key)) off.add(key);
    examine();
  });
  all.addEventListener("click", () => { off.clear(); examine(); });
  return { panel, touch, examine };
}

/** What switching off has done, in words, computed from the answer. */
function tells({ off, whole, without, test }, layers) {
  const units = off.split(",").map((unit) => called(layers, ...unit.split(".").map(Number)));
  const names = new Intl.ListFormat("en").format(units);
  const share = ({ probabilities }, digit) => percent(probabilities[digit]);
  const lead = ({ points }) => {
    const [second, first] = [...points].sort((one, other) => one - other).slice(-2);
    return (first - second).toFixed(2);
  };
  const answer = whole.digit === without.digit
    ? `Without ${names} it still reads ${whole.digit}: ${share(without, whole.digit)}, before ${share(whole, whole.digit)}.`
      + ` Its lead over the next digit was ${lead(whole)} points and is ${lead(without)}.`
    : `Without ${names} it reads ${without.digit}, with ${share(without, without.digit)}: ${whole.digit} falls from`
      + ` ${share(whole, whole.digit)} to ${share(without, whole.digit)}.`;
  if (!test) return [answer];
  const add = (numbers) => numbers.reduce((sum, one) => sum + one, 0);
  const [images, right, now] = [test.images, test.right, test.right_without].map(add);
  const lost = test.right.map((before, digit) => before - test.right_without[digit]);
  const worst = lost.indexOf(Math.max(...lost));
  const most = lost[worst] > 0
    ? ` It loses most among the ${worst}s: ${test.right_without[worst]} of ${test.images[worst]} are right instead of`
      + ` ${test.right[worst]}.`
    : "";
  const compared = now === right ? ", as many as with all on" : `, with all on ${count(right)}`;
  return [answer, `Of ${count(images)} test digits it then reads ${count(now)} right${compared}.${most}`];
}
