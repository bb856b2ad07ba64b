// How often the inside is looked into while one draws: each look costs the service as much as many answers.

const FIRST = 250; // milliseconds from the first look at a drawing to the second; then twice as long, and so on

let next = 0;
let pause = FIRST;

/** Whether it is time for another look at a drawing that is still being drawn. */
export function due() {
  const now = performance.now();
  if (now < next) return false;
  next = now + pause;
  pause *= 2;
  return true;
}

/** Another drawing begins. */
export function restart() {
  [next, pause] = [0, FIRST];
}
