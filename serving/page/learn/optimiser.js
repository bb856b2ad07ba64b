// How gradients change weights: AdamW (Loshchilov and Hutter 2019), its steps by a one-cycle schedule (Smith 2018).

const [MEMORY, TINY] = [0.999, 1e-8]; // of squared gradients; against division by zero
const WARMING = 0.3; // share of the training in which the steps grow
const [FIRST, LAST] = [1 / 25, 1 / 25e4]; // of the largest step
const [SLOW, QUICK] = [0.95, 0.85]; // share of the gradients before that is kept: at either end, at the largest step

export class AdamW {
  /** `parameters`: arrays of numbers, which each step changes; `decay`: what weights lose of themselves. */
  constructor(parameters, decay) {
    Object.assign(this, { parameters, decay, steps: 0 });
    this.means = parameters.map((numbers) => new Float64Array(numbers.length));
    this.squares = parameters.map((numbers) => new Float64Array(numbers.length));
  }

  step(gradients, { rate, kept }) {
    this.steps++;
    const size = rate / (1 - kept ** this.steps);
    const scale = 1 / Math.sqrt(1 - MEMORY ** this.steps);
    this.parameters.forEach((numbers, index) => {
      const [gradient, means, squares] = [gradients[index], this.means[index], this.squares[index]];
      for (let place = 0; place < numbers.length; place++) {
        const slope = gradient[place];
        means[place] += (1 - kept) * (slope - means[place]);
        squares[place] += (1 - MEMORY) * (slope * slope - squares[place]);
        numbers[place] -= rate * this.decay * numbers[place]
          + (size * means[place]) / (Math.sqrt(squares[place]) * scale + TINY);
      }
    });
  }
}

/** How large a step of so many is, and how much of the gradients before it is kept, as PyTorch's OneCycleLR. */
export function oneCycle(step, steps, peak) {
  const top = WARMING * steps - 1;
  const [from, to, share] = step <= top ? [FIRST, 1, step / top] : [1, LAST, (step - top) / (steps - 1 - top)];
  const turn = (1 + Math.cos(Math.PI * share)) / 2;
  const rate = peak * (to + (from - to) * turn);
  const kept = step <= top ? QUICK + (SLOW - QUICK) * turn : SLOW + (QUICK - SLOW) * turn;
  return { rate, kept };
}
