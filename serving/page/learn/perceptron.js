// A perceptron: layers of units, each a weighted sum of all units before it. Numbers only; what is shown is elsewhere.

/** What a unit makes of its sum, and the slope of that, told from what it made. */
const ACTIVATIONS = {
  sigmoid: { made: (sum) => 1 / (1 + Math.exp(-sum)), slope: (made) => made * (1 - made) },
  relu: { made: (sum) => Math.max(0, sum), slope: (made) => (made > 0 ? 1 : 0) },
};
const OUTPUT = ACTIVATIONS.sigmoid; // of the last layer, whatever the others have

export class Perceptron {
  /** `sizes`: how many units each layer has, from the pixels to the digits. `dice()` gives numbers from 0 to 1. The
   *  first weights and biases lie evenly within one over the square root of how many a unit adds up, as PyTorch's. */
  constructor(sizes, activation, dice) {
    this.activation = ACTIVATIONS[activation];
    this.layers = sizes.slice(1).map((outputs, index) => {
      const reach = 1 / Math.sqrt(sizes[index]);
      const layer = empty(sizes[index], outputs);
      for (const numbers of [layer.weights, layer.biases])
        numbers.forEach((_, place) => { numbers[place] = reach * (2 * dice() - 1); });
      return layer;
    });
  }

  /** What each layer's units make of an image, from the image itself to the votes, 0 to 1, for the ten digits. */
  activations(image) {
    const made = [image];
    this.layers.forEach((layer, index) => {
      const { made: squeeze } = index === this.layers.length - 1 ? OUTPUT : this.activation;
      made.push(sums(layer, made[index]).map(squeeze));
    });
    return made;
  }

  /** How many units of the first layer stay at 0 for all of images, and so have no gradient. */
  dark(images) {
    const lit = images.map((image) => this.activations(image)[1]);
    return this.layers[0].biases.filter((_, unit) => lit.every((made) => made[unit] === 0)).length;
  }

  /** How wrong it is about images, and what it answers. An image's loss is the squared distance of the votes from 1 for
   *  the true digit and 0 for the others; theirs is the mean. */
  test(images, labels) {
    const votes = images.map((image) => this.activations(image).at(-1));
    const loss = votes.reduce((sum, each, row) => sum + squared(missed(each, labels[row])), 0) / images.length;
    return { loss, answers: votes.map(largest) };
  }

  /** The same, and the gradients: how the loss changes with each weight and bias. */
  study(images, labels) {
    const gradients = this.layers.map(({ weights, biases }) => empty(weights.length / biases.length, biases.length));
    const answers = [];
    let loss = 0;
    images.forEach((image, row) => {
      const made = this.activations(image);
      const votes = made.at(-1);
      const distances = missed(votes, labels[row]);
      answers.push(largest(votes));
      loss += squared(distances) / images.length;
      let blame = distances.map((distance, digit) => (2 * distance * OUTPUT.slope(votes[digit])) / images.length);
      for (let index = this.layers.length - 1; index >= 0; index--) {
        note(gradients[index], blame, made[index]);
        if (index) blame = passedBack(this.layers[index], blame, made[index], this.activation.slope);
      }
    });
    return { loss, answers, gradients };
  }
}

/** The digit that gets most votes. */
export const largest = (votes) => votes.indexOf(Math.max(...votes));

const missed = (votes, label) => votes.map((vote, digit) => vote - (digit === label));

const squared = (distances) => distances.reduce((sum, distance) => sum + distance * distance, 0);

/** A layer, or its gradient: a row of weights and a bias for each unit. */
function empty(inputs, outputs) {
  return { weights: new Float64Array(inputs * outputs), biases: new Float64Array(outputs) };
}

/** Four sums side by side are quicker than one. */
function sums({ weights, biases }, before) {
  const inputs = before.length; // a multiple of 4
  return biases.map((bias, unit) => {
    let [one, two, three, four] = [bias, 0, 0, 0];
    for (let input = 0, place = unit * inputs; input < inputs; input += 4, place += 4) {
      one += weights[place] * before[input];
      two += weights[place + 1] * before[input + 1];
      three += weights[place + 2] * before[input + 2];
      four += weights[place + 3] * before[input + 3];
    }
    return one + two + three + four;
  });
}

/** Add to a layer's gradient what one image brings: each unit's blame, times what it was given. */
function note({ weights, biases }, blame, before) {
  const inputs = before.length;
  blame.forEach((share, unit) => {
    biases[unit] += share;
    if (share) for (let input = 0, place = unit * inputs; input < inputs; input++, place++)
      weights[place] += share * before[input];
  });
}

/** The blame of the units before a layer: that of the layer's units, by the weights that they have for them. */
function passedBack({ weights }, blame, before, slope) {
  return before.map((made, input) => {
    let share = 0;
    for (let unit = 0, place = input; unit < blame.length; unit++, place += before.length)
      share += weights[place] * blame[unit];
    return share * slope(made);
  });
}
