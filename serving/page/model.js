// The model: its figures, what it gets wrong, and where it came from.

import { $, count, make, percent } from "./dom.js";
import { encoded } from "./image.js";
import { decode, inGrey, picture } from "./raster.js";

const HEADLINE = {
  error: "of test digits misread",
  coverage: "of them answered",
  answered_error: "of the answers wrong",
  canvas: "right, anywhere on a large sheet",
};

const CHOOSE = "Here are the ones it was surest of. Choose one to see what it saw.";

/** Show what GET /model and the packaged card say; `opened(file, label)` is given a mistake that somebody
 *  wants to see, and what it truly is. */
export function showModel(model, card, opened) {
  const kind = card.kind ? `: a ${card.kind}` : "";
  $("about").textContent = `This is ${model.name}, version ${model.version}${kind}, trained on ${model.source}.`;
  $("data").textContent = card.data ?? "";
  $("held").textContent = card.verdict ?? "";
  lineage(model, card.params ?? {});
  const figures = card.figures ?? [];
  $("headline").append(...figures.filter(({ name }) => name in HEADLINE).map(({ name, found: value }) =>
    make("li", {}, make("b", { textContent: value }), make("span", { textContent: HEADLINE[name] }))));
  $("figures").append(heading("requirement", "found", "required", "verdict"), ...figures.map(figure));
  mistakes(card.mistakes, opened);
}

const heading = (...titles) =>
  make("tr", {}, ...titles.map((textContent) => make("th", { textContent, scope: "col" })));

function figure({ title, measure, found, found_interval: interval, asked, status }) {
  return make("tr", {},
    make("td", {}, title, make("div", { className: "quiet small", textContent: measure })),
    make("td", {}, found, make("div", { className: "quiet small", textContent: interval })),
    make("td", { textContent: asked }), make("td", { className: status, textContent: status }));
}

function mistakes(found, opened) {
  if (!found) return;
  const { images, answered, wrong, surest } = found;
  $("wrong").textContent = `Of ${count(images)} digits that it never saw before it answered ${count(answered)} and got`
    + ` ${count(wrong)} of these wrong. ${surest.length ? CHOOSE : ""}`;
  $("mistakes").append(...surest.map((mistake) => {
    const canvas = picture(inGrey(decode({ data: mistake.pixels })), 28, 28);
    const label = `Is ${mistake.label}, read as ${mistake.digit}`;
    const button = make("button", { type: "button" }, canvas, `${label}, ${percent(mistake.confidence)}`);
    button.addEventListener("click", () => opened(encoded(canvas, "image/png"), mistake.label));
    return button;
  }));
}

function lineage(model, params) {
  const rows = { network: model.name, data: model.source, "training run": model.run_key, "model, sha256": model.sha256,
    "declines below": `a confidence of ${percent(model.confidence_threshold)}`,
    "and beyond": `a novelty of ${model.novelty_threshold.toFixed(2)}` };
  $("lineage").append(...terms(rows));
  $("params").append(...terms(params));
}

function terms(rows) {
  return Object.entries(rows).flatMap(([term, value]) =>
    [make("dt", { textContent: term }), make("dd", { textContent: value })]);
}
