// What is learnt and how, in words: its numbers are those of the network and the recipe.

import { count } from "../dom.js";

export const NAMES = { sigmoid: "sigmoid", relu: "ReLU" };

/** What somebody must know before the first step. */
export function introduced({ digits: { training: { images } }, recipe }, { network, optimiser }) {
  const units = network.layers.map(({ biases }) => count(biases.length));
  const numbers = optimiser.parameters.reduce((sum, each) => sum + each.length, 0);
  return `Here a network of your own learns, in this browser: ${count(images[0].length)} pixels, then layers of`
    + ` ${units.slice(0, -1).join(" and ")} units, then ${units.at(-1)} votes. Its ${count(numbers)} weights and biases`
    + ` begin as dice throw them. At each step it looks at ${recipe.batch_size} of ${count(images.length)} digits and`
    + " their labels, and every number moves a little to where it would have been less wrong.";
}

/** How it learns, for those who want to know exactly. */
export function how({ digits: { training, heldOut }, recipe }, { network: { layers }, steps, rate }) {
  const [first] = layers;
  const inputs = first.weights.length / first.biases.length;
  return [
    `Digits: ${count(training.images.length)} of the pipeline’s training images, in 4 greys. All are looked at`
      + ` ${recipe.epochs} times, each time in another order: ${count(steps)} steps. The held-out digits,`
      + ` ${count(heldOut.images.length)} of its validation images, measure it; it never learns from them.`,
    "Units: each adds up what comes from all units before it, by its weights, and its bias. A sigmoid squeezes the sum"
      + " between 0 and 1; with ReLU a sum below 0 counts as nothing. The ten votes are always sigmoids.",
    "Loss: the votes should be 1 for the true digit and 0 for the others. The squares of what they are off, added up;"
      + " of several digits the mean.",
    "Steps: the gradient tells how the loss changes with each number. AdamW makes of it, and of those before it, steps"
      + ` of much the same size for all numbers. The size grows to ${rate} and then shrinks to almost`
      + ` nothing. With each step a number also loses ${recipe.weight_decay} of that size, as a share of itself.`,
    `First numbers: anywhere between -1/√n and 1/√n, where a unit adds up n numbers: in the first layer ${count(inputs)}.`
      + " The same throw gives the same training. To start anew is to throw again; other units begin with the same one.",
    "The pipeline’s own perceptron learns by the same rules, with sigmoids, from many more digits.",
  ];
}
