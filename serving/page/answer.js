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

/** Show an answer of the service, or that there is none yet. */
export function showAnswer(answer) {
  $("digit").textContent = answer ? (answer.digit ?? "?") : "·";
  $("digit").classList.toggle("none", !answer || answer.abstained);
  [$("said").textContent, $("more").textContent] = answer ? words(answer) : ["Waiting for your pen.", ""];
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
  $("said").textContent = message;
}

function words({ digit, confidence, reason, prediction_set }) {
  if (reason) {
    const [said, more] = REASONS[reason];
    return [said, more ?? (prediction_set ? doubt(prediction_set) : "Perhaps larger, or in plainer strokes?")];
  }
  const said = `It is ${digit === 8 ? "an" : "a"} ${digit}, ${percent(confidence).replace(">", "more than")} sure.`;
  if (!prediction_set) return [said, ""];
  const others = prediction_set.filter((other) => other !== digit);
  return [said, others.length ? `I cannot rule out ${either(others)}.` : "Every other digit is ruled out."];
}

const doubt = (digits) => (digits.length > 5 ? "It could be nearly any digit." : `It could be ${either(digits)}.`);

const either = (digits) => new Intl.ListFormat("en", { type: "disjunction" }).format(digits.map(String));
