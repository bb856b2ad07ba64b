// Questions to the service. One at a time: while one is on its way only the newest waits, so the latest answer wins.

const PAUSE = 30; // milliseconds between two questions, in which strokes gather
const PATIENCE = 1000; // before an overloaded service is asked again

export class Asker {
  /** `show(answer, question)` is given each answer, `fail(message)` a reason in words why there is none, `busy(is)`
   *  whether more is to come. */
  constructor(show, fail, busy) {
    Object.assign(this, { show, fail, busy, waiting: null, working: false, epoch: 0 });
  }

  /** Ask `path` about the image file that `source` gives; a question may hold more, for whoever shows its answer. */
  ask(question) {
    this.waiting = question;
    if (!this.working) this.#work();
  }

  /** Whatever was asked no longer matters. */
  forget() {
    this.epoch += 1;
    this.waiting = null;
  }

  async #work() {
    this.working = true;
    this.busy(true);
    while (this.waiting) {
      const { waiting: question, epoch } = this;
      this.waiting = null;
      const pause = await this.#answer(question, epoch);
      await new Promise((done) => setTimeout(done, pause));
    }
    this.working = false;
    this.busy(false);
  }

  async #answer(question, epoch) {
    try {
      const response = await post(question.path, await question.source());
      const answer = await response.json();
      if (epoch !== this.epoch) return 0;
      if (response.status === 429 || response.status === 503) {
        this.waiting ??= question;
        return PATIENCE;
      }
      response.ok ? this.show(answer, question) : this.fail(answer.error.message);
    } catch {
      if (epoch === this.epoch) this.fail("The service does not answer. Is it running?");
    }
    return PAUSE;
  }
}

function post(path, file) {
  return fetch(path, { method: "POST", body: file, headers: { "Content-Type": "application/octet-stream" } });
}

/** What `path` answers, or null where it does not. */
export async function get(path) {
  try {
    const response = await fetch(path);
    return response.ok ? await response.json() : null;
  } catch {
    return null;
  }
}
