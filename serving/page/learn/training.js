// A training: the same dice give the same first weights and the same order of digits, and so the same end.

import { AdamW, oneCycle } from "./optimiser.js";
import { Perceptron } from "./perceptron.js";

export class Training {
  /** `digits`: { training, heldOut }, each { images, labels }; `recipe`: hidden, epochs, batch_size, weight_decay, and
   *  learning_rates by activation. */
  constructor(digits, recipe, activation, throwNumber) {
    Object.assign(this, { digits, recipe, dice: diceOf(throwNumber), taken: 0 });
    const pixels = digits.training.images[0].length;
    this.network = new Perceptron([pixels, ...recipe.hidden, 10], activation, this.dice);
    this.rate = recipe.learning_rates[activation];
    this.optimiser = new AdamW(flat(this.network.layers), recipe.weight_decay);
    this.batches = Math.floor(digits.training.images.length / recipe.batch_size);
    this.steps = recipe.epochs * this.batches;
    this.order = [];
  }

  get isDone() {
    return this.taken === this.steps;
  }

  /** One step: a handful of digits is looked at, and every weight moved a little to where the loss falls. */
  step() {
    const place = this.taken % this.batches;
    if (!place) this.order = shuffled(this.digits.training.images.length, this.dice);
    const rows = this.order.slice(place * this.recipe.batch_size, (place + 1) * this.recipe.batch_size);
    const [images, labels] = ["images", "labels"].map((part) => rows.map((row) => this.digits.training[part][row]));
    const studied = this.network.study(images, labels);
    this.optimiser.step(flat(studied.gradients), oneCycle(this.taken++, this.steps, this.rate));
    return { ...studied, images, labels };
  }

  /** On the digits that it does not learn from: the loss, and the share that it reads rightly. */
  measure() {
    const { images, labels } = this.digits.heldOut;
    const { loss, answers } = this.network.test(images, labels);
    return { loss, right: answers.filter((answer, row) => answer === labels[row]).length / images.length };
  }
}

const flat = (layers) => layers.flatMap(({ weights, biases }) => [weights, biases]);

/** Numbers from 0 to 1, the same for the same throw: Tommy Ettinger's mulberry32. */
export function diceOf(throwNumber) {
  let state = throwNumber;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The numbers from 0 up to `count`, shuffled (Fisher and Yates). */
export function shuffled(count, dice) {
  const order = Array.from({ length: count }, (_, place) => place);
  for (let last = count - 1; last > 0; last--) {
    const other = Math.floor(dice() * (last + 1));
    [order[last], order[other]] = [order[other], order[last]];
  }
  return order;
}
