// The answer: the digit, a sentence, and a well of ink for each digit.

import { $, make, percent } from "./dom.js";

const REASONS = {
  blank: ["There is no ink to read.", "Draw a digit, as large as you like."],
  not_a_digit: ["This does not look like a digit.", "It is too unlike those that I learnt from, so I do not guess."],
  multiple: ["This looks like more than one digit.", "I read one at a time."],
  uncertain: ["I am not sure enough to say."],
};

const wells = Array.from({ length: 10 }, (_, digit) => {
  const share = make("span", { className: "share" });
  const fill = make("span", { className: "fill" });
  const row = make("li", {}, share, make("span", { className: "well" }, fill), make("b", { textContent: digit }));
  return { row, share, fill };
});
$("wells").append(...wells.map((well) => well.row));

let awaiting = true; // of the paper as it is there is no answer yet

/** Show an answer of the service, or that there is none yet; `label`: which digit it truly is, where that is known. */
export function showAnswer(answer, label) {
  $("digit").textContent = answer ? (answer.digit ?? "?") : "·";
  $("digit").classList.toggle("none", !answer || answer.abstained);
  [$("said").textContent, $("more").textContent] = answer ? words(answer) : ["Waiting for your pen.", ""];
  awaiting = !answer;
  $("truth").textContent = answer && label !== undefined ? truth(answer.digit, label) : "";
  const empty = !answer || answer.reason === "blank";
  wells.forEach(({ row, share, fill }, digit) => {
    const probability = empty ? 0 : answer.probabilities[digit];
    row.classList.toggle("in", !empty && (answer.prediction_set?.includes(digit) ?? digit === answer.digit));
    row.setAttribute("aria-label", `${digit}: ${percent(probability)}`);
    fill.style.height = `${100 * probability}%`;
    share.textContent = probability >= 0.005 ? percent(probability) : "";
  });
}

export function showFailure(message) {
  showAnswer(null);
  awaiting = false;
  $("said").textContent = message;
  speak();
}

/** Let a screen reader say what stands there: not at every move of the pen. */
export function speak() {
  say(["said", "more", "truth"].map((id) => $(id).textContent).filter(Boolean).join(" "));
}

/** Let a screen reader say these words. */
export function say(words) {
  $("spoken").textContent = words;
}

/** Say what is being waited for, or with "" that nothing is. */
export function showNote(words) {
  $("note").hidden = !words;
  $("note").querySelector("span").textContent = words;
  if (!words || !awaiting) return;
  $("said").textContent = "Waiting for the service.";
  speak();
}

/** An answer in words: a sentence, and another on what else it might be. */
export function words({ digit, confidence, probabilities, reason, prediction_set }) {
  if (reason) {
    const [said, more] = REASONS[reason];
    const doubtful = prediction_set ? doubt(prediction_set, probabilities) : "Perhaps larger, or in plainer strokes?";
    return [said, more ?? doubtful];
  }
  const said = `It is ${a(digit)}, ${percent(confidence).replace(">", "more than")} sure.`;
  if (!prediction_set) return [said, ""];
  const others = prediction_set.filter((other) => other !== digit);
  return [said, others.length ? `I cannot rule out ${either(others)}.` : next(digit, probabilities)];
}

function next(digit, probabilities) {
  const [second] = byProbability(probabilities).filter((other) => other !== digit);
  const share = probabilities[second];
  if (share < 0.001) return "No other digit comes to 0.1\u00a0%.";
  return `Next comes ${second}, with ${(100 * share).toFixed(1)}\u00a0%.`;
}

function doubt(digits, probabilities) {
  if (digits.length > 5) return "It could be nearly any digit.";
  if (digits.length > 1) return `It could be ${either(digits)}.`;
  const [first] = byProbability(probabilities);
  return `${first} comes closest, with ${percent(probabilities[first])}.`;
}

function truth(digit, label) {
  return `${digit === null || digit === label ? "It" : "It is wrong: this"} is labelled as ${a(label)}.`;
}

const byProbability = (probabilities) =>
  probabilities.map((_, digit) => digit).sort((one, other) => probabilities[other] - probabilities[one]);

const a = (digit) => `${digit === 8 ? "an" : "a"} ${digit}`;

const either = (digits) => new Intl.ListFormat("en", { type: "disjunction" }).format(digits.map(String));
