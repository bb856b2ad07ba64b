// What was on the paper, one thing after another, and what of it was taken back.

export class History {
  constructor(first) {
    [this.now, this.past, this.future] = [first, [], []];
  }

  /** Something new lies there: what was taken back is gone. */
  put(next) {
    this.past.push(this.now);
    [this.now, this.future] = [next, []];
  }

  undo() {
    this.#step(this.past, this.future);
  }

  redo() {
    this.#step(this.future, this.past);
  }

  #step(from, to) {
    if (!from.length) return;
    to.push(this.now);
    this.now = from.pop();
  }
}
