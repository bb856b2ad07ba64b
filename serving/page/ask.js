// Questions to the service. One at a time: while one is on its way only the newest waits, so the latest answer wins.

const PAUSE = 30; // milliseconds between two questions, in which strokes gather
const SLOW = 500; // until it is said that an answer is awaited
const BUSY = 1000; // before an overloaded service is asked again that does not say when
const SILENT = [1000, 2000, 4000, 8000]; // before one that does not answer at all is asked again, and again
const UNREACHED = "The service does not answer. Is it running?";

export class Asker {
  /** `show(answer, question)` is given each answer, `fail(message)` a reason in words why there is none, `busy(is)`
   *  whether more is to come, and `note(words)` what is being waited for, "" for nothing. `pause`: milliseconds from
   *  an answer to the next question. */
  constructor(show, fail, busy, note, pause = PAUSE) {
    Object.assign(this, { show, fail, busy, note, pause, waiting: null, working: false, epoch: 0, failures: 0, wake() {} });
    addEventListener("online", () => this.wake());
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
    this.note("");
  }

  async #work() {
    this.working = true;
    this.busy(true);
    while (this.waiting) {
      const { waiting: question, epoch } = this;
      this.waiting = null;
      await this.#answer(question, epoch);
    }
    this.working = false;
    this.busy(false);
  }

  async #answer(question, epoch) {
    const began = performance.now();
    const clock = setInterval(() => {
      const seconds = Math.floor((performance.now() - began) / 1000);
      if (epoch === this.epoch || this.waiting) this.note(`Waiting for an answer${seconds ? `: ${seconds} s` : "…"}`);
    }, SLOW);
    let response, answer;
    try {
      response = await post(question.path, await question.source());
      answer = await response.json();
      this.failures = 0;
    } catch {
      response = null; // nothing came, or not from the service
    }
    clearInterval(clock);
    if (epoch !== this.epoch) return;
    this.note("");
    if (response?.status === 429 || response?.status === 503) {
      await this.#again(question, retryAfter(response), "The service is busy.");
    } else if (!response) {
      const pause = SILENT[Math.min(this.failures++, SILENT.length - 1)];
      this.fail(UNREACHED);
      await this.#again(question, pause, "No answer.", true);
    } else {
      response.ok ? this.show(answer, question) : this.fail(answer.error.message);
      await sleep(this.pause);
    }
  }

  /** Let `question` wait so long, and say each second how long it is; what is asked meanwhile waits in its stead.
   *  Where it `mayWake`, a network that is back ends the wait. */
  async #again(question, pause, why, mayWake) {
    const end = performance.now() + pause;
    const woken = new Promise((done) => { if (mayWake) this.wake = done; }).then(() => true);
    this.waiting ??= question;
    for (let left = pause; left > 0; left = end - performance.now()) {
      if (this.waiting) this.note(`${why} I ask again in ${Math.ceil(left / 1000)} s.`);
      if (await Promise.race([woken, sleep(Math.min(left, 1000))])) break;
    }
    this.note("");
  }
}

const sleep = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

/** The milliseconds that an overloaded service, or a proxy before it, wants to be left alone: told in seconds or as a
 *  date. */
function retryAfter(response) {
  const told = response.headers.get("Retry-After");
  const seconds = Number(told ?? NaN);
  const pause = Number.isNaN(seconds) ? Date.parse(told) - Date.now() : 1000 * seconds;
  return pause > 0 ? pause : BUSY;
}

/** What `path` answers about an image file, asked once, or again after a busy service's pause while `wanted()`. Raises
 *  Error, its message in words. */
export async function askOnce(path, file, wanted = () => false) {
  let response, answer;
  try {
    response = await post(path, file);
    answer = await response.json();
  } catch {
    throw new Error(UNREACHED);
  }
  if ([429, 503].includes(response.status) && wanted()) {
    await sleep(retryAfter(response));
    if (wanted()) return askOnce(path, file, wanted);
  }
  if (!response.ok) throw new Error(answer.error.message);
  return answer;
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
