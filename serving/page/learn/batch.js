// What one step did: the digits that it looked at, what the network said of them, and how long the gradient was.

import { $, count, make } from "../dom.js";
import { inGrey, picture } from "../raster.js";

const TOLD = 2; // from so many times on it is said how much shorter the gradient became

/** Show a step: what `Training.step` gives, the loss on the same digits after it, and what makes pixels of images. */
export function showBatch({ images, labels, answers, loss, gradients }, after, pixels) {
  $("train-batch").hidden = false;
  const right = answers.filter((answer, row) => answer === labels[row]).length;
  $("train-batch").querySelector("p").textContent = `It looked at these ${images.length} digits, of which ${right}`
    + ` ${right === 1 ? "was" : "were"} read rightly. Their loss was ${loss.toFixed(3)}; now, after the step, it is`
    + ` ${after.toFixed(3)}. ${pulled(gradients)}`;
  $("train-batch").querySelector("ul").replaceChildren(...images.map((image, row) => {
    const isRight = answers[row] === labels[row];
    return make("li", { className: isRight ? "passed" : "failed" }, picture(inGrey(pixels(image)), 28, 28),
      make("span", { className: "unseen", textContent: `A ${labels[row]}, read as ` }),
      `${answers[row]} ${isRight ? "✓" : "✗"}`);
  }));
}

/** How long the gradient of each layer's biases is, whatever feeds the layer. */
function pulled(gradients) {
  const lengths = gradients.map(({ biases }) => Math.hypot(...biases));
  const times = lengths.at(-1) / lengths[0];
  const said = `The lengths of the gradient by the biases, from the first layer to the last: ${listed(lengths)}.`;
  return times < TOLD || !Number.isFinite(times) ? said
    : `${said} On its way back to the first layer it became ${count(Math.round(times))} times shorter.`;
}

const listed = (lengths) => new Intl.ListFormat("en").format(lengths.map((length) => length.toPrecision(2)));
