// Side by side: the same drawing as several networks read it, where they part, and why.

import { say } from "./answer.js";
import { askOnce } from "./ask.js";
import { $, count, make, percent } from "./dom.js";
import { decode, framed, inGrey, picture, voices, weighted } from "./raster.js";
import { fold } from "./story.js";

const PAUSE = 400; // milliseconds that the pen rests before all networks are asked
const FIRST = $("compared").textContent;
const list = (words) => new Intl.ListFormat("en").format(words);

let clock = 0;
let epoch = 0; // of what lies on the paper

export function open(desk) {
  desk.changes((source) => {
    clearTimeout(clock);
    epoch += 1;
    if (source) clock = setTimeout(() => ask(source), PAUSE);
    else show(null);
  });
  if (desk.source()) ask(desk.source());
  else show(null);
}

async function ask(source) {
  const asked = epoch;
  try {
    const told = await askOnce("compare", await source(), () => asked === epoch);
    if (asked === epoch) show(told);
  } catch (error) {
    if (asked === epoch) $("compared").textContent = error.message;
  }
}

function show(told) {
  $("readers").replaceChildren(...(told?.readers ?? []).map((reader) => column(reader, told)));
  if (!told) return void ($("compared").textContent = FIRST);
  $("compared").textContent = told.readers.length ? verdict(told.readers) : "No networks were packaged to compare.";
  say($("compared").textContent);
}

/** Who reads what, and who is surest. */
function verdict(readers) {
  const groups = Map.groupBy(readers, ({ answer }) => answer.digit);
  const names = (some) => list(some.map(({ network }) => `the ${network.title}`));
  if (groups.size === 1) {
    const [least] = [...readers].sort((one, other) => sure(one) - sure(other));
    return `All ${readers.length} read ${readers[0].answer.digit}. The least sure is the ${least.network.title}, with`
      + ` ${percent(sure(least))}.`;
  }
  const parts = [...groups].sort(([, one], [, other]) => other.length - one.length)
    .map(([digit, some]) => `${names(some)} read${some.length > 1 ? "" : "s"} ${digit}`);
  return `${capital(list(parts))}.`;
}

const capital = (words) => `${words[0].toUpperCase()}${words.slice(1)}`;

const sure = ({ answer }) => Math.max(...answer.probabilities);

function column(reader, { pixels }) {
  const { network, served, answer, saliency } = reader;
  const bars = answer.probabilities.map((probability, digit) => {
    const bar = make("i");
    bar.style.width = `${100 * probability}%`;
    return make("li", { className: digit === answer.digit ? "first" : "" }, make("b", { textContent: digit }),
      make("span", { className: "bar" }, bar), make("span", { className: "share", textContent: percent(probability) }));
  });
  const title = capital(network.title);
  return make("section", { ariaLabel: title },
    make("h2", {}, title, make("span", { className: "reads", textContent: `${answer.digit}` })),
    make("p", { className: "quiet", textContent: `${count(network.parameters)} weights and biases;`
      + ` ${percent(network.accuracy)} of the test digits right.${served ? " It is the one that is served." : ""}`
      + `${network.note ? ` ${network.note}` : ""}` }),
    make("ol", { className: "bars", ariaLabel: `Probability of each digit by the ${network.title}` }, ...bars),
    ...(saliency ? [why(reader, pixels), make("p", { textContent: because(reader) })] : []),
    ...(reader.ink ? [inked(reader.ink)] : []));
}

function why({ network, saliency: { digit, values, strongest } }, pixels) {
  const canvas = picture(voices(decode(values), decode(pixels)), 28, 28);
  const figure = framed(canvas, strongest.box.map((place) => place / 28));
  return make("div", { className: "spoke", role: "img", ariaLabel: `Which ink spoke for ${digit} to the ${network.title}` },
    figure);
}

function because({ answer, saliency: { digit, strongest: { voice } }, covered }) {
  const odds = `Green ink spoke for ${digit}, red against it. Covering the framed patch`
    + ` ${voice > 0 ? "divides" : "multiplies"} the odds of ${digit} by ${fold(Math.abs(voice))}`;
  return covered === answer.digit ? `${odds}; it still reads ${covered}.` : `${odds}, and it reads ${covered}.`;
}

/** Of a network without hidden layers the whole reason: the sums of its ink. */
function inked({ digit, rival, start, gained, lost, lead, pixels }) {
  const points = (number) => `${number < 0 ? "−" : ""}${Math.abs(number).toFixed(2)}`;
  return make("div", {},
    make("div", { className: "spoke", role: "img", ariaLabel: `What each pixel of ink adds for ${digit}, green, or for ${rival}, red` },
      picture(weighted(decode(pixels)), 28, 28)),
    make("p", { textContent: `It only adds up pixels. On an empty sheet ${digit} ${start < 0 ? "trails" : "leads"} ${rival} by`
      + ` ${points(Math.abs(start))} points; the green pixels add ${points(gained)}, the red ones take ${points(-lost)}: a lead of`
      + ` ${points(lead)}.` }));
}
