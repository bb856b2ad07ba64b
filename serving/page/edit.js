// Edit: the pixels that the network is given, to be changed one by one, and a slider from one digit to another.

import { words } from "./answer.js";
import { Asker, askOnce } from "./ask.js";
import { $, make, percent } from "./dom.js";
import { Pixels, SIDE } from "./pixels.js";
import { decode } from "./raster.js";

const SIZE = SIDE * SIDE;
const STEPS = 100; // from one digit to the other
const PAUSE = 125; // milliseconds between two questions: at most eight in a second
const REST = 350; // until a drawing that is left alone is looked at
const EXAMPLES = "page/samples/ten.bin";

const FIRST = $("edit-waiting").textContent;

let drawn = null; // what the network is given of the drawing
let base = null; // the same with what was changed: where the slider begins
let toward = null; // the digit at its other end, and its pixels
let turn = 0; // whose drawing is being looked at
let clock;

const rows = Array.from({ length: 10 }, (_, digit) => {
  const bar = make("i");
  const share = make("span", { className: "share" });
  const row = make("li", {}, make("b", { textContent: digit }), make("span", { className: "bar" }, bar), share);
  return { row, bar, share };
});
$("shares").append(...rows.map(({ row }) => row));

const asker = new Asker(
  ({ predictions }, { strip }) => {
    if (strip) showStrip(predictions);
    else showVotes(predictions[0]);
  },
  (message) => { $("edit-said").textContent = message; },
  (is) => $("edit").setAttribute("aria-busy", is),
  (note) => { if (note) $("edit-said").textContent = note; },
  PAUSE,
);

const pixels = new Pixels($("pixels"), $("cell"), {
  changed() {
    base = pixels.values.slice();
    begin();
    asker.ask({ path: "predict_prepared", source: () => new Blob([base]) });
  },
  rested: () => askAll(),
  pointed: ([row, column], ink) => {
    $("pointed").textContent = `Row ${row + 1}, column ${column + 1}: ${ink}`;
  },
});

/** Open the view: called each time its tab is opened. */
export function open(desk) {
  desk.changes((source) => {
    clearTimeout(clock);
    clock = setTimeout(() => look(source), source ? REST : 0);
  });
  look(desk.source());
}

/** Ask what the network is given of a drawing. */
async function look(source) {
  const mine = ++turn;
  if (!source) return begun(null);
  $("edit-waiting").textContent = "Looking…";
  try {
    const { reading } = await askOnce("explain", await source());
    if (mine === turn) begun(decode(reading.pixels));
  } catch (error) {
    if (mine !== turn) return;
    begun(null);
    $("edit-waiting").textContent = error.message;
  }
}

function begun(given) {
  drawn = given;
  $("edit-waiting").textContent = FIRST;
  $("edit-waiting").hidden = Boolean(given);
  $("edit-desk").hidden = !given;
  if (given) restore();
  else asker.forget();
}

function restore() {
  base = drawn.slice();
  pixels.show(base);
  begin();
  askAll();
}

/** The slider stands at its beginning, and what lies between is not known. */
function begin() {
  $("blend").value = 0;
  $("blend").disabled = true;
  votes = null;
}

let votes = null; // the answer at each of the slider's places

/** Ask about all that the slider passes, in one question; without another end, about its beginning. */
function askAll() {
  const blends = toward
    ? Array.from({ length: STEPS + 1 }, (_, step) => mixed(step / STEPS))
    : [base];
  asker.ask({ path: "predict_prepared", source: () => new Blob(blends), strip: true });
}

const mixed = (share) => base.map((ink, pixel) => Math.round(ink + share * ((toward?.values[pixel] ?? ink) - ink)));

function showVotes(answer) {
  const [said, more] = words(answer);
  $("edit-said").textContent = said;
  $("edit-more").textContent = more;
  rows.forEach(({ row, bar, share }, digit) => {
    const probability = answer.reason === "blank" ? 0 : answer.probabilities[digit];
    row.classList.toggle("in", digit === answer.digit);
    bar.style.width = `${100 * probability}%`;
    share.textContent = percent(probability);
  });
}

function showStrip(predictions) {
  votes = predictions;
  const asked = Boolean(toward && predictions.length > 1);
  $("blend").disabled = !asked;
  $("way").hidden = !asked;
  $("no-way").hidden = asked;
  slide();
  if (!asked) return speak($("edit-said").textContent);
  const found = runs(predictions.map(({ digit }) => digit));
  $("strip").replaceChildren(...found.map(({ digit, from, to }) => {
    const part = make("span", { textContent: digit ?? "?" });
    part.style.flexGrow = to - from;
    return part;
  }));
  $("turns").textContent = told(found);
  speak(`${$("edit-said").textContent} ${told(found)}`);
}

/** Where which answer is given: [{ digit, from, to }], in steps, null for none. */
function runs(digits) {
  const found = [];
  digits.forEach((digit, step) => {
    if (found.at(-1)?.digit !== digit || !found.length) found.push({ digit, from: step, to: step + 1 });
    else found.at(-1).to = step + 1;
  });
  return found;
}

function told([first, ...rest]) {
  const says = (digit) => (digit === null ? "it gives no answer" : `it answers ${digit}`);
  if (!rest.length) return `From one end to the other ${says(first.digit)}.`;
  const turns = rest.map(({ digit, from }) => `From ${from}\u00a0% on ${says(digit)}.`);
  return [`At first ${says(first.digit)}.`, ...turns].join(" ");
}

function slide() {
  const step = Number($("blend").value);
  pixels.show(mixed(step / STEPS));
  $("blend").setAttribute("aria-valuetext", `${step} % of the way`);
  if (votes) showVotes(votes[step]);
}

let speaking;

/** Let a screen reader say something, once nothing more comes. */
function speak(sentence) {
  clearTimeout(speaking);
  speaking = setTimeout(() => { $("spoken").textContent = sentence; }, REST);
}

for (const [tool, level] of [["paint", 255], ["erase", 0]]) {
  $(tool).addEventListener("click", () => {
    pixels.level = level;
    for (const one of ["paint", "erase"]) $(one).setAttribute("aria-pressed", one === tool);
  });
}
$("restore").addEventListener("click", restore);
$("blend").addEventListener("input", slide);
$("blend").addEventListener("change", () => speak($("edit-said").textContent));

/** The ten examples, of which one is where the slider leads. */
async function offer() {
  const response = await fetch(EXAMPLES);
  const bytes = new Uint8Array(await response.arrayBuffer());
  $("towards").append(...Array.from({ length: 10 }, (_, digit) => {
    const radio = make("input", { type: "radio", name: "toward", value: digit });
    radio.addEventListener("change", () => {
      toward = { digit, values: bytes.subarray(digit * SIZE, (digit + 1) * SIZE) };
      askAll();
    });
    return make("label", {}, radio, make("span", { textContent: digit }));
  }));
}

offer();
